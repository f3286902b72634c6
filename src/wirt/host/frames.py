"""Keeping the frames that come for somebody who cannot take them just now, and sending them on afterwards.

The kernel keeps them: they wait in the queue of a socket that takes only those, however many fit. What is left unfinished in
them (checksums and the cutting of large ones, which the kernel puts off until a card does it) is kept and sent on with them, in the
header that PACKET_VNET_HDR puts before each.
"""

import ctypes
import socket
import struct
from contextlib import suppress

_ALL = 0x0003
_PACKET = 263
_MEMBERSHIP, _VNET_HEADER = 1, 15
_PROMISCUOUS = 1
_ATTACH_FILTER, _BUFFER_FORCE = 26, 33
_BUFFER_BYTES = 8 << 20
_LARGEST = 1 << 17
"""Bytes; one that is still to be cut is up to 64 KiB long."""
_SOURCE = 10 + 6
"""Where the MAC of whoever has sent it is in a frame with that header, a struct virtio_net_hdr."""
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_WORD, _LOAD_HALF, _EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
"""Sources: packet(7), linux/if_packet.h, linux/filter.h, asm-generic/socket.h."""


class Frames:
    """What is sent to one MAC over a bridge, whoever sends it, from now on."""

    def __init__(self, bridge: str, mac: str) -> None:
        """Begin to keep them.

        Raises:
            OSError: there is no such bridge.
        """
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(_PACKET, _VNET_HEADER, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, _BUFFER_BYTES)
            self._take_only(bytes.fromhex(mac.replace(":", "")))
            # What a bridge carries from port to port it shows only so.
            number = socket.if_nametoindex(bridge)
            wish = struct.pack("=iHH8x", number, _PROMISCUOUS, 0)
            self._socket.setsockopt(_PACKET, _MEMBERSHIP, wish)
            self._socket.bind((bridge, _ALL))
        except BaseException:
            self._socket.close()
            raise

    def forget(self) -> None:
        """Drop what has been kept so far."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(_LARGEST)

    def deliver(self) -> int:
        """Send on what has been kept, to wherever the bridge knows its receiver to be now, and return how many there were.

        The last act: nothing is kept any more. What cannot be sent is lost, as any frame may be.
        """
        number = 0
        with self._socket, suppress(OSError):
            # What comes from now on its receiver gets by itself.
            self._filter([(_RETURN, 0, 0, 0)])
            own: bytes = self._socket.getsockname()[4]
            while True:
                frame = bytearray(self._socket.recv(_LARGEST))
                # As ours: switches would learn that who has sent it is here, and the answers would come to us.
                frame[_SOURCE : _SOURCE + len(own)] = own
                number += 1
                with suppress(OSError):
                    self._socket.send(frame)
        return number

    def _take_only(self, mac: bytes) -> None:
        first, last = struct.unpack("!HI", mac)
        self._filter(
            [
                (_LOAD_WORD, 0, 0, 2),
                (_EQUAL, 0, 3, last),
                (_LOAD_HALF, 0, 0, 0),
                (_EQUAL, 0, 1, first),
                (_RETURN, 0, 0, _LARGEST),
                (_RETURN, 0, 0, 0),
            ]
        )

    def _filter(self, instructions: list[tuple[int, int, int, int]]) -> None:
        program = b"".join(_INSTRUCTION.pack(*one) for one in instructions)
        kept = ctypes.create_string_buffer(program)
        length = len(program) // _INSTRUCTION.size
        said = struct.pack("HL", length, ctypes.addressof(kept))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, said)
