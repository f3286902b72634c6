"""The screen of an emulated guest: VNC at a socket that only root reaches."""

import json
import os
import socket
import stat
import struct
import time

from tests.homes import HomeUnderTest

SECONDS = 120.0


class Viewer:
    """A VNC client that knows just enough (RFC 6143): no authentication, raw pixels of 32 bits."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS)
        directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        try:
            self._socket.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        finally:
            os.close(directory)
        self.version = self._read(12)
        self._socket.sendall(b"RFB 003.008\n")
        self._read(self._read(1)[0])
        self._socket.sendall(b"\1")
        assert self._read(4) == b"\0\0\0\0"
        self._socket.sendall(b"\1")
        self.width, self.height = struct.unpack(">HH", self._read(4))
        self._read(16)
        self._read(struct.unpack(">I", self._read(4))[0])

    def lit(self) -> int:
        """Return how many pixels of the whole picture are not black."""
        self._socket.sendall(struct.pack(">BBHi", 2, 0, 1, 0))
        self._socket.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        assert self._read(2)[0] == 0
        found = 0
        for _ in range(struct.unpack(">H", self._read(2))[0]):
            _, _, width, height, encoding = struct.unpack(">HHHHi", self._read(12))
            assert encoding == 0
            pixels = self._read(width * height * 4)
            found += sum(pixels[at : at + 3] != b"\0\0\0" for at in range(0, len(pixels), 4))
        return found

    def close(self) -> None:
        self._socket.close()

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._socket.recv(size - len(found))
            assert part, "the server hung up"
            found += part
        return found


def test_what_a_machine_shows_is_seen_by_vnc_and_by_root_alone(guest_home: HomeUnderTest) -> None:
    guest_home.wirt("create", "web", "-a", "qemu", "--memory", "256M", "--screen", status=0)
    rows = guest_home.wirt("show", "web", status=0).stdout.splitlines()
    path = next(row.partition("VNC at ")[2] for row in rows if row.startswith("screen"))
    guest_home.wirt("start", "web", "--no-wait", status=0)
    mode = os.stat(os.path.dirname(path)).st_mode
    deadline = time.monotonic() + SECONDS
    lit = 0
    while lit < 500:
        assert time.monotonic() < deadline, "the screen stays black"
        viewer = Viewer(path)
        lit = viewer.lit()
        viewer.close()
        time.sleep(0.2)
    guest_home.wirt("destroy", "--force", "web", status=0)

    assert viewer.version.startswith(b"RFB 003.")
    assert stat.S_IMODE(mode) == 0o700


def test_approach_without_a_graphics_card_gives_no_screen(guest_home: HomeUnderTest) -> None:
    done = guest_home.wirt("create", "web", "-a", "uml", "--screen", status=6)

    assert done.stderr == (
        "wirt: guest web cannot have a screen: approach uml has no machine with a graphics card; use "
        "the approach qemu or kvm\n"
    )
    assert json.loads(guest_home.wirt("list", "--json", status=0).stdout) == []
