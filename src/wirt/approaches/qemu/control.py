"""QEMU's process and its monitor: started and asked."""

import os
import time
from typing import Any

from wirt.approaches import ownkernel
from wirt.approaches.qemu import build
from wirt.approaches.qemu.machine import ODD, Machine, given
from wirt.approaches.qemu.monitor import Monitor, talking
from wirt.errors import Failed
from wirt.host.run import ENVIRONMENT
from wirt.units import render_bytes

STILL_SECONDS = 10.0
"""How long a guest may take to give memory away without coming any nearer to what is asked of it."""
NO_BOUND = 1 << 50
"""Bytes a second at which memory is sent: whatever it is sent to takes what it can."""
_LOOK_SECONDS = 0.05
_CAPABILITIES = ("events", "auto-converge", "pause-before-switchover")
"""What QEMU can do while it sends a machine's memory, and keeps doing the next time unless it is told not to."""


def start(argv: list[str], identity: str, *, directory: str, log: str, entrances: list[str]) -> int:
    """Start QEMU in ``directory`` and return its process id once its machine exists.

    Raises:
        Failed: it ended before that; the message ends with QEMU's reason.
    """
    ownkernel.start_engine(
        argv,
        identity,
        lambda: _is_up(directory),
        what="QEMU",
        directory=directory,
        log=log,
        entrances=entrances,
        environment=dict(ENVIRONMENT),
    )
    with open(os.path.join(directory, build.PID_FILE)) as file:
        return int(file.read())


def _is_up(directory: str) -> bool:
    """Return whether QEMU answers on its monitor, which it does when the machine is complete.

    Its greeting alone comes sooner, when the machine may still turn out to be impossible.
    """
    try:
        with talking(directory):
            return True
    except Failed:
        return False


def power_down(directory: str) -> None:
    """Press the machine's power button.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "system_powerdown")


def pause(directory: str) -> None:
    """Let the machine's processors stand still, and write out what QEMU has not written of its disks; no error if they do.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "stop")


def go_on(directory: str) -> None:
    """Let the machine's processors go on; no error if they do.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "cont")


def is_paused(directory: str) -> bool:
    """Ask whether the machine's processors stand still.

    Raises:
        Failed: QEMU did not take the command.
    """
    return bool(_execute(directory, "query-status")["status"] == "paused")


def is_out_of_room(directory: str) -> bool:
    """Ask whether the machine's processors stand still because QEMU could not write to a disk's file.

    Raises:
        Failed: QEMU did not take the command.
    """
    return bool(_execute(directory, "query-status")["status"] == "io-error")


def balloon(directory: str, memory: int) -> None:
    """Have the guest make do with ``memory`` bytes, and return when it does.

    Raises:
        Failed: the machine was not made with so much, QEMU did not take the command, or the guest did not give so much away
            in time; it goes on trying.
    """
    most: int = _execute(directory, "query-memory-size-summary")["base-memory"]
    if memory > most:
        raise Failed(
            f"the machine was started with {render_bytes(given(most))} of memory",
            hint="stop the guest to give it more",
        )
    ask_for_memory(directory, memory)
    nearest, deadline = most, 0.0
    while not (
        memory <= (actual := int(_execute(directory, "query-balloon")["actual"])) <= memory + ODD
    ):
        if (left := abs(actual - memory)) < nearest:
            nearest, deadline = left, time.monotonic() + STILL_SECONDS
        # Who has no driver of the balloon never comes nearer, and QEMU does not say that there is none.
        if time.monotonic() > deadline:
            raise Failed(
                f"the guest still has {render_bytes(actual)} of memory",
                hint="it may need it (see free in the guest), or its kernel knows no virtio balloon",
            )
        time.sleep(_LOOK_SECONDS)


def ask_for_memory(directory: str, memory: int) -> None:
    """Have the guest make do with ``memory`` bytes as soon as it can.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "balloon", {"value": memory})


def switch_on(monitor: Monitor, *capabilities: str) -> None:
    """Have QEMU do this while it sends or takes memory, and nothing else of what Wirt ever has it do.

    Raises:
        Failed: QEMU did not take the command.
    """
    wanted = [{"capability": name, "state": name in capabilities} for name in _CAPABILITIES]
    monitor.execute("migrate-set-capabilities", {"capabilities": wanted})


def has_kernel(monitor: Monitor) -> bool:
    """Ask QEMU whether the guest's kernel was handed over: then its system is of a template, and has an agent.

    Raises:
        Failed: it does not say.
    """
    return bool(monitor.execute("qom-get", {"path": "/machine", "property": "kernel"}))


def ask_machine(monitor: Monitor) -> Machine:
    """Ask QEMU what its machine is.

    Raises:
        Failed: it does not say.
    """
    kind: str = monitor.execute("qom-get", {"path": "/machine", "property": "type"})
    memory = monitor.execute("query-memory-size-summary")
    return Machine(
        kind=kind.removesuffix("-machine"),
        cpus=len(monitor.execute("query-cpus-fast")),
        most_cpus=len(monitor.execute("query-hotpluggable-cpus")),
        memory=int(memory["base-memory"]),
    )


def _execute(directory: str, command: str, arguments: dict[str, object] | None = None) -> Any:
    """Give a command to QEMU's monitor and return its answer."""
    with talking(directory) as monitor:
        return monitor.execute(command, arguments)
