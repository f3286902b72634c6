"""``vzctl start``, ``stop``, ``restart``, ``destroy`` and ``status``."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.suspended import DUMPS, is_suspended
from wirt.dialects.vz.vzctl import scripts
from wirt.dialects.vz.vzctl.booting import run_script
from wirt.dialects.vz.vzctl.call import Call
from wirt.dialects.vz.vzctl.checkpoint import go_on
from wirt.dialects.vz.vzctl.holding import bring_to_file, check_file
from wirt.dialects.vz.vzctl.snapshot import unmount_targets
from wirt.dialects.vz.vzctl.telling import tell_addresses, tell_cpu
from wirt.dialects.vz.words import NOW
from wirt.errors import Conflict, WrongState
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops.context import Context
from wirt.ops.destroy import destroy as destroy_guest
from wirt.ops.execute import execute as execute_in_guest
from wirt.ops.guests import observed
from wirt.ops.mount import unmount as unmount_guest
from wirt.ops.start import READY_SECONDS
from wirt.ops.start import start as start_guest
from wirt.ops.stop import stop as stop_guest

NO_OPTIONS: Mapping[str, str] = {}
_OF_START = ("force", "wait", "skip-fsck", "skip-remount", "skip_ve_setup")
_OF_STOP = ("fast", "skip-umount")
_HAS_STARTED = [
    "/bin/sh",
    "-c",
    # It answers nobody yet when its first process has just begun, nor is that called systemd then.
    "exec >/dev/null 2>&1; case $(readlink /proc/1/exe) in */systemd) timeout 300 sh -c "
    "'until [ -S /run/systemd/private ]; do sleep 0.1; done; systemctl is-system-running --wait' ;; esac",
]
"""Ends when systemd has done all that it does at a start, well or not."""
_TIMED_OUT = 124
"""What timeout(1) ends with."""
STOP_SECONDS = 120.0
"""What vzctl gives a container to shut down, if nothing is configured."""


def start(call: Call) -> int:
    """Start a container, with the limits that its file says."""
    options = _flags(call, _OF_START)
    with app.open_context() as context:
        _start(call, context, options)
    return Code.OK


def stop(call: Call) -> int:
    """Stop a container; one that does not run is left alone."""
    options = _flags(call, _OF_STOP)
    with app.open_context() as context:
        _stop(call, context, is_fast="fast" in options)
    return Code.OK


def restart(call: Call) -> int:
    """Stop a container if it runs, and start it."""
    options = _flags(call, (*_OF_START, *_OF_STOP))
    with app.open_context() as context:
        restart_in(call, context, options)
    return Code.OK


def restart_in(call: Call, context: Context, options: Mapping[str, str] = NO_OPTIONS) -> None:
    """Do that within a command that has opened the home.

    Raises:
        Refused: it cannot be; what would keep it from being started is said before it is stopped.
    """
    guest = observed(context, ctid.find(context, call.ctid))
    _check_can_start(call, context, guest, options)
    call.tell(f"Restarting {call.words.container}")
    if guest.state.is_up:
        _stop(call, context, is_fast="fast" in options)
    _start(call, context, options)


def destroy(call: Call) -> int:
    """Delete a container; its file is kept as ``CTID.conf.destroyed``."""
    call.no_options()
    words = call.words
    with app.open_context() as context:
        guest = ctid.find(context, call.ctid)
        with ends_with(Code.RUNNING, WrongState):
            if observed(context, guest).state.is_up:
                raise Refused(
                    Code.RUNNING, f"{words.capital} is currently running", hint="stop it first"
                )
            if observed(context, guest).state is State.MOUNTED:
                raise Refused(
                    Code.MOUNTED, f"{words.capital} is currently mounted", hint="umount it first"
                )
            call.tell(f"Destroying {words.container} private area: {context.home.guest(guest.id)}")
            if guest.snapshots:
                unmount_targets(context, guest.name)
            destroy_guest(context, guest.name)
        conf.put_aside(context.home, ctid.ctid_of(guest))
    call.tell(f"{words.capital} private area was destroyed")
    return Code.OK


def status(call: Call) -> int:
    """Say whether a container is there, mounted and running."""
    call.no_options()
    with app.open_context() as context:
        try:
            guest = observed(context, ctid.find(context, call.ctid))
        except Refused as error:
            if error.exit_code != Code.NO_CONFIG:
                raise
            output.say(f"{call.words.ctid} {call.ctid} deleted unmounted down")
            return Code.OK
    mounted = "unmounted" if guest.state is State.STOPPED else "mounted"
    running = "running" if guest.state.is_up else "down"
    suspended = " suspended" if call.words is NOW and is_suspended(guest) else ""
    output.say(f"{call.words.ctid} {ctid.ctid_of(guest)} exist {mounted} {running}{suspended}")
    return Code.OK


def _flags(call: Call, own: Sequence[str]) -> Mapping[str, str]:
    """Return the options of ``start``, ``stop`` or ``restart``, of which vzctl reads all alike.

    Raises:
        Refused: there is another, or one that is the other's.
    """
    options = dict(call.options([*_OF_START, *_OF_STOP], code=Code.SYNTAX))
    for name in options:
        if name not in own:
            raise Refused(Code.SYNTAX, f"Option --{name} is not applicable to {call.verb} command")
    return options


def _start(call: Call, context: Context, options: Mapping[str, str]) -> None:
    words = call.words
    with ends_with(Code.RUNNING, WrongState):
        guest = observed(context, ctid.find(context, call.ctid))
        config = _check_can_start(call, context, guest, options)
        if guest.state.is_up:
            raise Refused(Code.RUNNING, f"{words.capital} is already running")
        if guest.suspended in DUMPS:
            call.tell("Dump exists, trying to restore from it")
            call.tell(f"Restoring {words.container} ...")
            with ends_with(Code.RESUME):
                go_on(call, context, guest)
            return
        bring_to_file(context, guest, config, words)
        if guest.state is State.MOUNTED:
            # It is mounted again, as its own programs see it.
            unmount_guest(context, guest.name)
        scripts.run_on_node(context, guest, "premount")
        call.tell(words.starting)
        with ends_with(Code.ADD_ADDRESS, Conflict):
            started = start_guest(
                context, guest.name, ready_seconds=READY_SECONDS if "wait" in options else None
            )
    run_script(context, started)
    call.tell(f"{words.capital} is mounted")
    tell_addresses(call, (), started.card.addresses)
    tell_cpu(call, config, set(config.names()))
    if "wait" not in options:
        call.tell(f"{words.capital} start in progress...")
        return
    call.tell(f"{words.capital} start in progress, waiting ...")
    _wait_started(context, started)
    call.tell(f"{words.capital} started successfully")


def _wait_started(context: Context, guest: Guest) -> None:
    """Wait until a container's system has started what it starts; one without systemd is not asked.

    Raises:
        Refused: that takes too long.
    """
    if execute_in_guest(context, guest.name, _HAS_STARTED) == _TIMED_OUT:
        raise Refused(Code.WAIT, "Container wait failed - timeout expired")


def _check_can_start(
    call: Call, context: Context, guest: Guest, options: Mapping[str, str]
) -> ConfigFile:
    """Return the file of a guest, once nothing has been found that keeps it from being started if it does not run.

    Raises:
        Refused: it is disabled, or suspended by another than vzctl, or its file cannot be.
    """
    config = conf.read_config(context.home, ctid.ctid_of(guest))
    if config.get("DISABLED") == "yes" and "force" not in options:
        raise Refused(Code.DISABLED, f"{call.words.capital} start disabled")
    if guest.suspended not in (None, *DUMPS):
        raise Refused(
            Code.RESUME,
            f"{call.words.capital} is suspended: a start would lose what it was doing",
            hint=f"let it go on: wirt resume {guest.name}; "
            f"or give that up: wirt snapshot delete {guest.name} {guest.suspended}",
        )
    check_file(context, guest, config)
    scripts.check_startable(context, guest)
    return config


def _stop(call: Call, context: Context, *, is_fast: bool) -> None:
    words = call.words
    guest = ctid.find(context, call.ctid)
    if not observed(context, guest).state.is_up:
        output.note(f"Unable to stop: {words.container} is not running")
        return
    if not is_fast:
        scripts.run_inside(context, guest, "stop")
    is_told_apart = is_fast and words is NOW
    call.tell(f"{'Killing' if is_told_apart else 'Stopping'} {words.container} ...")
    with ends_with(Code.STOP):
        try:
            stop_guest(context, guest.name, timeout=_patience(context, guest), force=is_fast)
        except WrongState:
            # Another command that was waited for has stopped it.
            if observed(context, guest).state.is_up:
                raise
    call.tell(f"{words.capital} was stopped")
    scripts.run_on_node(context, guest, "postumount")
    call.tell(f"{words.capital} is unmounted")


def _patience(context: Context, guest: Guest) -> float:
    """Return the seconds that a container's own shutdown may take. It can be stopped even if its file cannot be read."""
    with suppress(Refused):
        own = conf.read_config(context.home, ctid.ctid_of(guest)).get("STOP_TIMEOUT")
        seconds = own or conf.read_global(context.home).get("STOP_TIMEOUT") or ""
        if seconds.isascii() and seconds.isdigit():
            return float(seconds)
    return STOP_SECONDS
