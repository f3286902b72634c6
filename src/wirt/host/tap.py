"""Opening a tap device that is there, for an engine that may not."""

import fcntl
import os
import struct

from wirt.host import files

_DEVICE = "/dev/net/tun"
_SET_INTERFACE = 0x400454CA
_TAP, _NO_PACKET_INFORMATION, _OFFLOADS = 0x0002, 0x1000, 0x4000
"""Source: linux/if_tun.h: TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR."""


def open_tap(name: str) -> int:
    """Return a descriptor of a tap device, as QEMU itself would open it; the caller closes it.

    Raises:
        Failed: the kernel refused, as it does if somebody has it open.
    """
    with files.translated(f"open {name}"):
        opened = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
        try:
            # Without the header for offloads the card would be another one than that of the command line.
            flags = _TAP | _NO_PACKET_INFORMATION | _OFFLOADS
            fcntl.ioctl(opened, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), flags))
            os.set_blocking(opened, False)
        except BaseException:
            os.close(opened)
            raise
    return opened
