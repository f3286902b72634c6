"""Keeping a container's processes in files, and letting them go on from there.

CRIU runs a script of ours twice. When everything stands still, before memory is written, the script only says so: whoever
makes the checkpoint keeps the disk meanwhile. When memory is written, it waits at a pipe until they say that all is well. If
nobody is there any more to say so, the script fails and CRIU lets the container go on as if nothing had been.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec

from wirt.approaches.lxc import confinement, control, criu, earlier, groups, stillness
from wirt.approaches.lxc.groups import Group
from wirt.approaches.lxc.restorescript import RestorePlan
from wirt.errors import Corrupt, Error, Failed, TimedOut, Unsupported
from wirt.host import cgroup, files, pagemarks, process, run, sockets, urgency
from wirt.host.bounds import build_shares
from wirt.model.capability import Capability, no, yes
from wirt.model.launch import Launch, Place
from wirt.model.resources import Idmap, RootTree

T = TypeVar("T")

_LOOK_SECONDS = 0.001
_ACCEPT_SECONDS = 1.0
_PATIENCE = 120.0
"""Seconds that CRIU gets to let a container go on whose checkpoint was given up."""
_MOST_WEIGHT = 10_000
_SCRIPT = """#!/bin/sh
case "$CRTOOLS_SCRIPT_ACTION" in
network-lock) : >{still} ;;
post-dump) read answer <{pipe} && [ "$answer" = kept ] && : >{ends} ;;
esac
"""
"""What a shell says of nothing to do is that it went well."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What CRIU does not keep of a container."""

    mounts: dict[str, str]
    """Mount points that show files of the node, and which."""
    groups: list[Group]
    confined_by: str = ""
    """The label of its first process."""


def dump(
    place: Place,
    directory: str,
    *,
    keep_running: bool,
    standing_still: Callable[[], None],
    written: Callable[[], None],
) -> None:
    """Write what a container's processes hold into a directory; see ``Checkpointable``.

    Raises:
        Failed: it could not be; the container goes on, or is frozen as it was.
    """
    program = _must_find()
    init = find_init(place.name)
    images = _make_images(directory)
    kept = Kept(
        mounts=criu.external_mounts(init),
        groups=groups.read(place.name),
        confined_by=confinement.read(init),
    )
    files.write(os.path.join(directory, "kept.json"), msgspec.json.encode(kept).decode())
    os.makedirs(_scratch(place), mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        os.mkfifo(_pipe(place), 0o600)
    script = _SCRIPT.format(
        pipe=_pipe(place),
        still=_still(place),
        ends=os.devnull if keep_running else _ending(place),
    )
    files.write(_script(place), script, mode=0o700)
    is_still = stillness.is_still(place)
    # Memory that is not gone on with has no changes that anybody could ask for.
    tracks = keep_running and probe_tracking(place).available
    noted = earlier.strike(place)
    if is_still:
        files.write(_frozen(place), "")
    command = criu.dump_command(
        program,
        init,
        images,
        scratch=_scratch(place),
        mounts=kept.mounts,
        keep_running=keep_running,
        earlier=earlier.take(noted, images, init),
        tracks=tracks,
        frozen_by=stillness.narrow(place) if is_still else None,
    )
    if not is_still:
        _wait_until_accepted(init)
    _put_first(place)
    dumping = run.spawn(command)
    urgency.hurry(dumping.pid)
    describing = run.spawn(criu.describing_command(program, images))
    urgency.hurry(describing.pid)

    def is_dumping() -> bool:
        return dumping.poll() is None

    try:
        if _wait_until(lambda: os.path.exists(_still(place)) or None, is_dumping):
            standing_still()
        answer = _wait_until(lambda: _try_to_open(place), is_dumping)
        if answer is not None:
            describing.wait()
            confinement.leave_out_empty(images, kept.confined_by)
            with open(answer, "w") as pipe:
                written()
                if tracks:
                    earlier.note(place, images, init)
                pipe.write("kept\n")
    finally:
        # Without an answer the script fails, and the container goes on.
        _leave_unanswered(place, is_dumping)
        status = dumping.wait()
        describing.wait()
        failure = criu.failed(f"CRIU could not dump container {place.name}", _scratch(place))
        _tidy_up(place)
    if status != 0:
        earlier.strike(place)
        raise failure


def write_ahead(place: Place, directory: str) -> None:
    """Write what a container's memory holds, or has changed since the last time, while it runs; see ``TracksMemory``.

    CRIU stops it for as long as it takes to find its pages, and writes them when it runs again.

    Raises:
        Failed: it could not be; the container goes on.
    """
    program = _must_find()
    init = find_init(place.name)
    images = _make_images(directory)
    os.makedirs(_scratch(place), mode=0o700, exist_ok=True)
    # It says nothing, and is how this CRIU is found if we die.
    files.write(_script(place), "#!/bin/sh\n", mode=0o700)
    ours, rests_on = earlier.begin_ahead(earlier.strike(place), images, init)
    command = criu.dump_command(
        program,
        init,
        ours,
        scratch=_scratch(place),
        mounts=criu.external_mounts(init),
        keep_running=True,
        earlier=rests_on,
        tracks=True,
        ahead=True,
    )
    # Not in our session: Ctrl-C is for us, and ours to tell. Whoever CRIU stopped would not go on as they were.
    writing = run.spawn(command, new_session=True)
    try:
        writing.wait()
    finally:
        # Whoever gives up waits until the container goes on.
        status = writing.wait()
        failure = criu.failed(
            f"CRIU could not write the memory of container {place.name} ahead", _scratch(place)
        )
        files.remove_tree(_scratch(place))
    if status != 0:
        raise failure
    earlier.note(place, ours, init)


def probe_tracking(place: Place) -> Capability:
    """Say whether the kernel marks what a container changes, and nothing in it takes the marks for its own."""
    # To ask CRIU takes longer, and nothing may come in to the guest meanwhile.
    if not pagemarks.are_made():
        return criu.no_tracking()
    if not earlier.is_noted(place):
        capability = criu.probe_tracking()
        if not capability.available:
            return capability
    if pagemarks.are_used(cgroup.Cgroup(control.payload_group(place.name)).pids()):
        return no("changes", "a process in it takes the marks of changed pages for its own")
    return yes("changes", "the kernel marks the pages that a process writes to")


def _make_images(directory: str) -> str:
    """Return the directory of a container's images, which may be there already."""
    images = os.path.join(directory, "images")
    # A process that is being restored looks for files here as root of the container, who is nobody on the node.
    with suppress(FileExistsError):
        os.mkdir(images, mode=0o711)
    return images


def let_go_on(place: Place) -> None:
    """Wait until a dump whose maker has died has let its container go on; no error if there is none.

    If its maker had said that all is well, it ends the container instead.

    Raises:
        TimedOut: it does neither.
    """
    script = f"--action-script={_script(place)}"
    _leave_unanswered(place, lambda: bool(process.find_by_argument(script)))
    if os.path.exists(_ending(place)):
        _wait_until_gone(place)
    earlier.strike(place)
    _tidy_up(place)


def _tidy_up(place: Place) -> None:
    """Have a container be as it was before its dump, and leave nothing of that."""
    _put_back(place)
    if os.path.exists(_frozen(place)):
        stillness.widen(place)
    files.remove_tree(_scratch(place))


def is_dumping(place: Place) -> bool:
    """Return whether a dump of the container has begun and not been tidied up after."""
    return os.path.isdir(_scratch(place))


def check_processor(directory: str) -> None:
    """Check whether this node's processor has all that the one had on which a directory was written.

    Raises:
        Unsupported: it has not.
    """
    criu.check_processor(_must_find(), os.path.join(directory, "images"))


def restore(launch: Launch, directory: str, *, is_still: bool = False) -> int:
    """Let a container go on from a directory, its configuration being in place, and return the id of its monitor.

    Args:
        launch: what it is.
        directory: what was dumped.
        is_still: True to have its own group frozen, so that it does not go on yet.

    Raises:
        Failed, Corrupt: it could not be restored; whatever was made ``kill`` takes away.
    """
    place = launch.place
    try:
        with open(os.path.join(directory, "kept.json"), "rb") as file:
            kept = msgspec.json.decode(file.read(), type=Kept)
    except (OSError, msgspec.MsgspecError) as error:
        raise Corrupt(f"{directory}/kept.json cannot be read: {error}") from error
    missing = [file for file in kept.mounts.values() if not os.path.exists(file)]
    if missing:
        raise Failed(
            f"{place.name} saw {missing[0]} of the node, which is not there any more",
            hint="start lxcfs, or start the guest anew instead",
        )
    scratch = os.path.join(place.run_dir, "criu")
    images = os.path.join(directory, "images")
    plan = RestorePlan(
        criu=_must_find(),
        options=criu.restore_options(
            images,
            mounts=kept.mounts,
            payload=control.payload_group(place.name),
            scratch=scratch,
            confined_by=confinement.move(kept.confined_by, place),
        ),
        name=place.name,
        groups=kept.groups,
        late={one.path for one in cgroup.find_hierarchies() if one.version == 2},
        nics=(launch.nic, *launch.cards),
        first=urgency.PREFIX if urgency.is_hurrying() else (),
        urgent=_urgent(place.name),
        freezers=stillness.freezers(place) if is_still else {},
    )
    criu.restore(place.run_dir, place.log, scratch, plan)
    init = find_init(place.name)
    if isinstance(launch.root, RootTree) and launch.root.idmap is not None:
        check_writable(init, launch.root.idmap)
    return _parent(init)


def _put_first(place: Place) -> None:
    """Have a container's processes go before others', for its memory is written from within them, until ``_put_back``."""
    urgent = _urgent(place.name)
    with suppress(OSError, Error):
        before = {}
        for file in urgent:
            with open(file) as share:
                before[file] = share.read().strip()
        files.write(_before(place), msgspec.json.encode(before).decode())
        _write(urgent)


def _put_back(place: Place) -> None:
    """Give a container's processes the share of the processors that they had; no error if they have it, or have ended."""
    with suppress(OSError), open(_before(place), "rb") as file:
        _write(msgspec.json.decode(file.read(), type=dict[str, str]))


def _write(values: Mapping[str, str]) -> None:
    for file, value in values.items():
        with suppress(OSError), open(file, "w") as share:
            share.write(value)


def _urgent(name: str) -> dict[str, str]:
    """Return what has a container's processes go before others' while they are restored; its limits put an end to that.

    They cannot go first as CRIU does, because the kernel lets nobody into a control group who does. If we die meanwhile, all of it
    is taken away.
    """
    group = cgroup.Cgroup(name)
    shares = build_shares(cgroup.find_versions(group.hierarchies), cpu_weight=_MOST_WEIGHT)
    return {str(file): setting.value for setting in shares for file in group.files_of(setting)}


def find_init(name: str) -> int:
    """Return the id of a container's first process.

    Raises:
        Failed: it has none.
    """
    for pid in cgroup.Cgroup(control.payload_group(name)).pids():
        with suppress(OSError):
            if _status(pid, "NSpid")[-1] == "1":
                return pid
    raise Failed(f"container {name} has ended")


def _parent(pid: int) -> int:
    return int(_status(pid, "PPid")[0])


def _status(pid: int, field: str) -> list[str]:
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name == field:
                return value.split()
    return [""]


def check_writable(init: int, idmap: Idmap) -> None:
    """Check that root of a container may write to its root file system: restored, it could be one that looks right.

    A process with its ids makes a file without a name, of which nothing is left.

    Raises:
        Failed: it may not.
    """
    root = os.open(f"/proc/{init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        # Nothing but kernel calls until _exit: the parent's buffers and handlers must not run twice.
        status = 1
        try:
            os.setgroups([])
            os.setresgid(idmap.first, idmap.first, idmap.first)
            os.setresuid(idmap.first, idmap.first, idmap.first)
            os.fchdir(root)
            status = 0 if os.access(".", os.W_OK) else 2
        finally:
            os._exit(status)
    os.close(root)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise Failed("the restored guest may not write to its own root")


def _wait_until_accepted(init: int) -> None:
    """Let a container's servers accept what has come, which CRIU refuses to dump before; nothing more comes from outside.

    Of one that does not CRIU says so.
    """
    deadline = time.monotonic() + _ACCEPT_SECONDS
    while sockets.count_waiting(init) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _wait_until(look: Callable[[], T | None], is_dumping: Callable[[], bool]) -> T | None:
    """Return what is looked for once it is there; None if the dump has ended before."""
    while is_dumping():
        found = look()
        if found is not None:
            return found
        time.sleep(_LOOK_SECONDS)
    return None


def _leave_unanswered(place: Place, is_dumping: Callable[[], bool]) -> None:
    """Wait for the end of a dump; its script, should it wait at the pipe, gets no answer.

    Raises:
        TimedOut: it does not end.
    """
    deadline = time.monotonic() + _PATIENCE
    while is_dumping():
        # Opened and closed: nobody answers. Who has been answered already reads that first.
        descriptor = _try_to_open(place)
        if descriptor is not None:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise TimedOut(f"CRIU does not let container {place.name} go on")
        time.sleep(_LOOK_SECONDS)


def _wait_until_gone(place: Place) -> None:
    deadline = time.monotonic() + _PATIENCE
    group = cgroup.Cgroup(place.name)
    while group.is_populated():
        if time.monotonic() > deadline:
            raise TimedOut(f"container {place.name} does not end")
        time.sleep(_LOOK_SECONDS)


def _try_to_open(place: Place) -> int | None:
    try:
        return os.open(_pipe(place), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # nobody is at the other end, or there is no pipe
        return None


def _must_find() -> str:
    program = criu.find()
    if program is None:
        raise Unsupported("CRIU is not installed", hint="see wirt doctor")
    return program


def _scratch(place: Place) -> str:
    return os.path.join(place.run_dir, "dump")


def _pipe(place: Place) -> str:
    return os.path.join(_scratch(place), "pipe")


def _still(place: Place) -> str:
    return os.path.join(_scratch(place), "still")


def _ending(place: Place) -> str:
    return os.path.join(_scratch(place), "ending")


def _frozen(place: Place) -> str:
    return os.path.join(_scratch(place), "frozen")


def _before(place: Place) -> str:
    return os.path.join(_scratch(place), "before")


def _script(place: Place) -> str:
    return os.path.join(_scratch(place), criu.SCRIPT)
