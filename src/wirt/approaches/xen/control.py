"""Xen's toolstack: domains started, asked and ended by ``xl``; nothing else in Wirt knows how they leave traces.

A domain's ``keeper`` takes it away when it has ended, and ends with it. What a domain says on its console comes from a pseudo
terminal; a small process of Xen's own (``xenconsole``) passes it on to the log, and ends with the domain too. The line to the agent ends in QEMU, which serves the domain's disk, and which holds the pipes of ``ownkernel``.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wirt.approaches import ownkernel
from wirt.approaches.xen import keeper, store
from wirt.errors import Failed
from wirt.host import run
from wirt.host.cgroup import Cgroup
from wirt.host.run import ENVIRONMENT, Streams
from wirt.model.launch import Place

CREATE_SECONDS = 120.0
_MEMORY_SECONDS = 900.0
"""How long it may take to write or read a domain's memory."""
_ANSWER_SECONDS = 60.0
_VERSION = "/sys/hypervisor/version"
_PRIVATE_DIRECTORIES = ("/usr/lib/xen/bin", "/usr/libexec/xen/bin")
_GONE_SECONDS = 30.0
_UDEV_SECONDS = 2.0
_LOOK_SECONDS = 0.05


def info() -> dict[str, str]:
    """Return what xl says of the hypervisor and the machine.

    Raises:
        Failed, TimedOut: it does not.
    """
    lines = run.check(["xl", "info"], timeout=_ANSWER_SECONDS).splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def start(config: str, name: str, *, entrances: Sequence[str], memory: str | None = None) -> int:
    """Make a domain that stands still, and return the process id of its keeper.

    Args:
        config: path of its configuration.
        name: the domain's.
        entrances: of the guest's control group.
        memory: path of what ``save`` wrote, for it to go on from; None: it boots.

    Raises:
        Failed: xl could not; the message ends with its reason.
        TimedOut: it did not say.
    """
    told = ["create", config] if memory is None else ["restore", config, memory]
    told[1:1] = ["-e", "-p"]
    run.check(
        ["/bin/sh", "-c", ownkernel.ENTER, "sh", *entrances, "--", "xl", *told],
        timeout=CREATE_SECONDS if memory is None else _MEMORY_SECONDS,
    )
    return keeper.start(config, name, entrances=entrances)


def number_of(name: str) -> int:
    """Return the number by which Xen knows a domain.

    Raises:
        Failed: there is none of this name.
        TimedOut: xl did not say.
    """
    return int(run.check(["xl", "domid", name], timeout=_ANSWER_SECONDS))


def join_console(domain: int, *, source: int, target: int, entrances: Sequence[str]) -> None:
    """Start what passes a domain's console on, from a descriptor and to one, for as long as the domain lives.

    Args:
        domain: its number.
        source: what is typed at it comes from there.
        target: what it says goes there.
        entrances: of the guest's control group.

    Raises:
        Failed: there is no such program.
    """
    # Called by xl it would not read what is no terminal.
    number = ["--num", str(store.CONSOLE_NUMBER), "--type", "pv", "--interactive"]
    argv = [console_program(), str(domain), *number]
    enter = ["/bin/sh", "-c", ownkernel.ENTER, "sh", *entrances, "--"]
    run.spawn(
        ["/usr/bin/setsid", "--fork", *enter, *argv],
        streams=Streams(stdin=source, stdout=target, stderr=target),
        environment=dict(ENVIRONMENT),
    ).wait()


def console_program() -> str:
    """Return the path of Xen's program for consoles: each version has its own, beside what else is for xl alone.

    Raises:
        Failed: there is none.
    """
    with suppress(OSError):
        words = [Path(_VERSION, part).read_text().strip() for part in ("major", "minor")]
        for directory in (f"/usr/lib/xen-{'.'.join(words)}/bin", *_PRIVATE_DIRECTORIES):
            if os.path.exists(path := os.path.join(directory, "xenconsole")):
                return path
    raise Failed(
        "there is no xenconsole for this version of Xen",
        hint="install the tools of the Xen that runs",
    )


def join_agent(domain: int, directory: str) -> None:
    """Give a domain that stands still a line to its agent, which ends in the pipes of a directory.

    Raises:
        Failed: Xen's store refused.
        TimedOut: it did not say.
    """
    pipes = os.path.join(directory, ownkernel.TO_AGENT.removesuffix(".in"))
    for argv in store.build_agent_line(domain, pipes):
        run.check(argv, timeout=_ANSWER_SECONDS)


def is_there(name: str) -> bool:
    """Ask whether there is a domain of this name, whatever it does."""
    return run.run(["xl", "domid", name], timeout=_ANSWER_SECONDS).status == 0


def state(name: str) -> str:
    """Return a domain's state as xl writes it, "-b----": running, blocked, paused, shut down, crashed, dying; "" if there is none."""
    done = run.run(["xl", "list", name], timeout=_ANSWER_SECONDS)
    return done.stdout.splitlines()[1].split()[4] if done.status == 0 else ""


def processors(name: str) -> int:
    """Return how many virtual processors of a domain's are in use.

    Raises:
        Failed: there is no such domain.
        TimedOut: xl did not say.
    """
    listed = run.check(["xl", "list", name], timeout=_ANSWER_SECONDS)
    return int(listed.splitlines()[1].split()[3])


def wait_processors(name: str, wanted: int) -> bool:
    """Wait a moment for a domain's system to use as many processors by itself, as one with udev may; return whether it does.

    Raises:
        Failed: there is no such domain.
        TimedOut: xl did not say.
    """
    deadline = time.monotonic() + _UDEV_SECONDS
    while not (does := processors(name) >= wanted) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return does


def save(name: str, memory: str) -> None:
    """Have a domain's kernel stop, write down what it holds, and leave it paused.

    Raises:
        Failed: xl could not; the domain goes on.
        TimedOut: it was not done in time.
    """
    run.check(["xl", "save", "-p", name, memory], timeout=_MEMORY_SECONDS)


def disk_numbers(name: str) -> set[int]:
    """Return the numbers of a domain's disks, as Xen counts them; none if there is no such domain."""
    done = run.run(["xl", "block-list", name], timeout=_ANSWER_SECONDS)
    # The first line names the columns.
    return {int(line.split()[0]) for line in done.stdout.splitlines()[1:] if done.status == 0}


def tell(*arguments: str) -> None:
    """Give a command of xl's.

    Raises:
        Failed: xl refused; the message ends with its reason.
        TimedOut: it did not say.
    """
    run.check(["xl", *arguments], timeout=_ANSWER_SECONDS)


def destroy(name: str) -> None:
    """Take a domain away at once, with whatever serves it; no error if there is none.

    Raises:
        Failed: it does not go.
    """
    deadline = time.monotonic() + _GONE_SECONDS
    while is_there(name):
        run.run(["xl", "destroy", name], timeout=_ANSWER_SECONDS)
        if time.monotonic() > deadline:
            raise Failed(f"domain {name} does not end", hint="see xl list, and xl dmesg")
        time.sleep(_LOOK_SECONDS)
    Cgroup(name).kill()


def config_path(place: Place) -> str:
    """Return the path of a domain's configuration file."""
    return os.path.join(ownkernel.private_directory(place), f"{place.name}.cfg")
