"""The cards of a running guest with its own kernel, set up inside by its agent: found by their MAC, whatever they are called there."""

import os
from collections.abc import Callable, Sequence

import msgspec

from wirt.approaches import addressing
from wirt.errors import Busy, Failed, TimedOut
from wirt.host import links
from wirt.host.run import Streams
from wirt.model.resources import Nic

RunInside = Callable[[list[str], Streams], int]
"""Runs a command in the guest and returns its exit status."""

_CARD = "CARD"
"""Stands for what the guest's kernel calls a card."""

_LOOKS = 100
_NOT_THERE = 111
_FIND = f"""\
mac=$1; shift
looks=0
while :; do
    for path in /sys/class/net/*; do
        [ -e "$path/device" ] && read -r found <"$path/address" && [ "$found" = "$mac" ] && break 2
    done
    looks=$((looks + 1))
    [ $looks -lt {_LOOKS} ] || exit {_NOT_THERE}
    sleep 0.1
done
card=${{path##*/}}
"""
"""A card that has just been put in is there a moment later. A bridge or a bond in the guest may have its MAC, and is no device."""

_FORGET = """\
for file in /run/systemd/network/*-"$card".network; do
    # What the kernel's command line said of a card that had this name at the start is not of this one.
    if [ -e "$file" ]; then rm -f "$file"; networkctl reload; fi
done
"""
_TELL = f"""\
for line; do printf '%s\\n' "$line"; done | sed "s/{_CARD}/$card/g" | ip -batch -
"""
_DOWN = 'ip link set "$card" down\n'


def set_up(run: RunInside, nic: Nic) -> None:
    """Give a card that has just been put in its addresses and its MTU; again is no error.

    Raises:
        Failed, TimedOut: the guest's agent does not answer, or its kernel refused.
    """
    _run(run, _FIND + _FORGET + _TELL, nic, addressing.set_up(_inside(nic), "replace"))


def plug(run: RunInside, nic: Nic, *, put_in: Callable[[], bool]) -> None:
    """Give a running guest another card, or set it up if the guest has it; again is no error.

    If a guest that has it does not answer, it keeps it as it is: else a command that was killed could neither be finished nor
    undone for as long as the guest is silent.

    Args:
        run: runs commands in it.
        nic: the card.
        put_in: has the engine put it in, and returns whether it was not there yet.

    Raises:
        Failed, TimedOut, Busy: the guest's agent does not answer, or the engine or the guest's kernel refused.
    """
    is_new = put_in()
    try:
        set_up(run, nic)
    except (Busy, TimedOut):
        if is_new:
            raise


def change(run: RunInside, before: Nic, after: Nic) -> None:
    """Give a card other addresses and another MTU; again is no error.

    Raises:
        Failed, TimedOut: the guest's agent does not answer, or its kernel refused.
    """
    mtu = after.mtu or addressing.USUAL_MTU
    links.batch([f"link set {after.interface} mtu {mtu}"])
    _run(run, _FIND + _TELL, after, addressing.change(_inside(before), _inside(after), mtu=mtu))


def set_down(run: RunInside, nic: Nic) -> None:
    """Set a card down.

    Raises:
        Failed, TimedOut: the guest's agent does not answer, or its kernel refused.
    """
    _run(run, _FIND + _DOWN, nic, ())


def _inside(nic: Nic) -> Nic:
    return msgspec.structs.replace(nic, name=_CARD)


def _run(run: RunInside, script: str, nic: Nic, lines: Sequence[str]) -> None:
    said = os.memfd_create("said", os.MFD_CLOEXEC)
    try:
        argv = ["/bin/sh", "-c", script, "sh", nic.mac, *lines]
        status = run(argv, Streams(stdout=said, stderr=said))
        if status == _NOT_THERE:
            raise Failed(
                f"the guest's kernel found no card {nic.name}",
                hint="it needs a driver for that (virtio_net in a machine of QEMU)",
            )
        if status != 0:
            text = os.pread(said, 65536, 0).decode(errors="replace").strip()
            last = (text.splitlines() or ["it did not say why"])[-1]
            raise Failed(f"card {nic.name} was not set up in the guest: {last}", detail=text)
    finally:
        os.close(said)
