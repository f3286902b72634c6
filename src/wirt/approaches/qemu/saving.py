"""A machine's memory and devices in a file, and a machine that goes on from it.

QEMU writes what it would send to another QEMU, to a descriptor that it is handed. The machine stands still from before that
until it is told to go on.
"""

import os
from collections.abc import Callable

from wirt.approaches import keptmachine, ownkernel
from wirt.approaches.qemu import control, holding
from wirt.approaches.qemu.monitor import Monitor, talking
from wirt.errors import Failed, TimedOut
from wirt.host.consolelog import read_last_lines
from wirt.model.launch import Place

_MEMORY = "memory"
"""Its name in a checkpoint's directory."""
_STALL_SECONDS = 60.0
"""How long nothing may be written before it is given up."""


def save(place: Place, directory: str, written: Callable[[], None]) -> None:
    """Write what the machine holds into a directory; it stands still afterwards, or goes on if that fails.

    Raises:
        Failed: it could not be written.
    """
    own = ownkernel.private_directory(place)
    try:
        with talking(own) as monitor:
            holding.mark(place)
            monitor.execute("stop")
            found = control.ask_machine(monitor)
            keptmachine.write(directory, found)
            _write_memory(monitor, os.path.join(directory, _MEMORY))
        written()
    except BaseException:
        holding.let_go_on(place)
        raise


def load(place: Place, directory: str) -> None:
    """Have a machine that waits for it take what a directory holds, and go on.

    Raises:
        Failed: it could not; says why if QEMU does. It has ended then.
    """
    memory = os.open(os.path.join(directory, _MEMORY), os.O_RDONLY | os.O_CLOEXEC)
    try:
        with talking(ownkernel.private_directory(place)) as monitor:
            control.switch_on(monitor, "events")
            monitor.hand_over(memory, _MEMORY)
            monitor.execute("migrate-incoming", {"uri": f"fd:{_MEMORY}"})
            while (status := _next_status(monitor)) != "completed":
                if status == "failed":
                    raise Failed("it failed")
            monitor.execute("cont")
    except Failed as error:
        last = (read_last_lines(place.log) or ["it did not say why"])[-1]
        raise Failed(
            f"QEMU could not go on from the memory of {place.name}: {last}",
            hint=f"see {place.log}",
        ) from error
    finally:
        os.close(memory)


def _write_memory(monitor: Monitor, path: str) -> None:
    memory = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        control.switch_on(monitor, "events")
        monitor.execute("migrate-set-parameters", {"max-bandwidth": control.NO_BOUND})
        monitor.hand_over(memory, _MEMORY)
        monitor.execute("migrate", {"uri": f"fd:{_MEMORY}"})
        while (status := _next_status(monitor)) != "completed":
            if status in ("failed", "cancelled"):
                found = monitor.execute("query-migrate")
                why = found.get("error-desc", "it does not say why")
                raise Failed(f"QEMU could not write down the machine's memory: {why}")
        os.fsync(memory)
    finally:
        os.close(memory)


def _next_status(monitor: Monitor) -> str:
    """Return what has become of the transfer when that changes."""
    event = monitor.wait_for("MIGRATION", timeout=_STALL_SECONDS)
    if event is None:
        raise TimedOut(f"QEMU was not done after {_STALL_SECONDS:g} s")
    return str(event["data"]["status"])
