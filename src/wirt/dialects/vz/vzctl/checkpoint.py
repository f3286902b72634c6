"""``vzctl chkpnt`` and ``restore``, also called ``suspend`` and ``resume``: a container's processes kept, and gone on from.

What is kept is a checkpoint that is called ``vzctl``, of which there is one, as there is one dump of a container in OpenVZ; gone
on from, it is used up. The next is called ``vzctl-2``, and the one before deleted once that is whole; the one after it ``vzctl`` again.
``wirt snapshot list`` shows it. A stage is a part of the way: after ``--suspend`` the container is held still, it is so while
``--dump`` writes and after that, and ``--resume`` or ``--kill`` ends that.
"""

from wirt import app
from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.suspended import DUMPS, dumps_of
from wirt.dialects.vz.vzctl.call import Call
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops.checkpoint import checkpoint
from wirt.ops.context import Context
from wirt.ops.freeze import freeze, thaw
from wirt.ops.guests import observed
from wirt.ops.resume import resume
from wirt.ops.snapshot import delete_snapshot
from wirt.ops.stop import stop


def save(call: Call) -> int:
    """Keep what the processes of a container are now and end it, or do one stage of that."""
    stages = _stages(call, ["suspend", "dump", "resume", "kill"], ["context", "flags"])
    if stages == {"suspend", "kill"}:
        raise Refused(
            Code.SYNTAX,
            "--suspend and --kill without --dump would keep nothing",
            hint="add --dump, or leave both out",
        )
    with app.open_context() as context, ends_with(Code.SUSPEND):
        guest = observed(context, ctid.find(context, call.ctid))
        _check_up(call, guest)
        if "kill" in stages and not stages & {"suspend", "dump"}:
            _check_can_be_killed(call, guest)
        if not stages:
            call.tell("Setting up checkpoint...")
            _dump(call, context, guest, keep_running=False)
            call.tell("\tkill...")
        if "suspend" in stages:
            call.tell("Setting up checkpoint...")
            call.tell("\tsuspend...")
            freeze(context, guest.name)
        if "dump" in stages:
            _dump(call, context, guest, keep_running=True)
        if "resume" in stages:
            call.tell("\tresume...")
            thaw(context, guest.name)
        if "kill" in stages:
            call.tell("\tkill...")
            dumps = dumps_of(ctid.find(context, call.ctid))
            stop(context, guest.name, force=True, suspended=dumps[-1] if dumps else None)
    call.tell("Checkpointing completed successfully")
    return Code.OK


def restore(call: Call) -> int:
    """Let a container go on from what was kept, or do one stage of that."""
    stages = _stages(call, ["undump", "resume"], ["flags"])
    with app.open_context() as context, ends_with(Code.RESUME):
        guest = observed(context, ctid.find(context, call.ctid))
        call.tell(f"Restoring {call.words.container} ...")
        if stages == {"resume"}:
            call.tell("\tresume...")
            thaw(context, guest.name)
            call.tell("Restoring completed successfully")
            return Code.OK
        if guest.state.is_up:
            raise Refused(
                Code.RUNNING, f"{call.words.capital} is already running", hint="stop it first"
            )
        if not dumps_of(guest):
            raise Refused(
                Code.RESUME,
                "Unable to open the dump: there is none",
                hint=f"make one: vzctl chkpnt {call.ctid}",
            )
        go_on(call, context, guest, stays_frozen=stages == {"undump"})
    return Code.OK


def go_on(call: Call, context: Context, guest: Guest, *, stays_frozen: bool = False) -> None:
    """Let a container go on from its dump, which is used up by that, or have it frozen where it was.

    Raises:
        Error: it cannot; the dump is still there.
    """
    call.tell("\tundump...")
    dumps = dumps_of(guest)
    resume(context, guest.name, dumps[-1], is_still=stays_frozen)
    _delete(context, guest, dumps)
    if not stays_frozen:
        call.tell("\tresume...")
    call.tell("Restoring completed successfully")


def _dump(call: Call, context: Context, guest: Guest, *, keep_running: bool) -> None:
    if not keep_running:
        call.tell("\tsuspend...")
    call.tell("\tdump...")
    # Until this one is whole the container could have to go on from the one before.
    before = dumps_of(guest)
    _delete(context, guest, before[:-1])
    taken = {one.name for one in guest.snapshots} - {*before[:-1]}
    name = next((one for one in DUMPS if one not in taken), DUMPS[0])
    checkpoint(context, guest.name, name, keep_running=keep_running)
    _delete(context, guest, before[-1:])


def _delete(context: Context, guest: Guest, dumps: list[str]) -> None:
    for name in dumps:
        delete_snapshot(context, guest.name, name)


def _stages(call: Call, stages: list[str], valued: list[str]) -> set[str]:
    options = call.options([*stages, "skip_arpdetect"], [*valued, "dumpfile"], code=Code.SYNTAX)
    given = dict(options)
    if "dumpfile" in given:
        raise Refused(
            Code.SUSPEND if "dump" in stages else Code.RESUME,
            "--dumpfile cannot be done: the dump is kept with the container",
            hint="leave it out",
        )
    return {stage for stage in stages if stage in given}


def _check_up(call: Call, guest: Guest) -> None:
    if not guest.state.is_up:
        raise Refused(Code.NOT_RUNNING, f"{call.words.capital} is not running")


def _check_can_be_killed(call: Call, guest: Guest) -> None:
    """Refuse to end a container that goes on: what it has done since would be lost."""
    if guest.state is not State.FROZEN:
        raise Refused(
            Code.SUSPEND,
            f"{call.words.capital} is not suspended",
            hint=f"suspend it first: vzctl chkpnt {call.ctid} --suspend --dump",
        )
