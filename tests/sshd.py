"""An ssh server of a test's own, on the loopback, with keys of its own."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest

SEPARATED = "/run/sshd"
"""The empty directory that sshd wants; the system's makes it, if it runs."""
SSHD = which("sshd", path="/usr/sbin")


class Host:
    """An ssh server on the loopback that lets in one key and no other, with a directory of its own."""

    def __init__(self, base: Path) -> None:
        self._base = base
        for key in ("host", "user"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / key)]
            subprocess.run(keygen, check=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (base / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {base}/host\nPidFile none\n"
            f"AuthorizedKeysFile {base}/user.pub\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        )
        key = (base / "host.pub").read_text()
        (base / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")

    def options(self, known_hosts: str = "known_hosts") -> tuple[str, ...]:
        return (
            "-F/dev/null",
            f"-p{self.port}",
            f"-i{self._base}/user",
            f"-oUserKnownHostsFile={self._base}/{known_hosts}",
        )

    def serve(self) -> "subprocess.Popen[bytes]":
        assert SSHD is not None
        server = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self._base / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert server.stderr is not None
        assert b"listening" in server.stderr.readline()
        return server


@contextmanager
def serving(base: Path) -> Iterator[Host]:
    """Give a server that keeps its things below a directory."""
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    made = Host(base)
    is_ours = not os.path.isdir(SEPARATED)
    os.makedirs(SEPARATED, mode=0o755, exist_ok=True)
    with made.serve() as server:
        try:
            yield made
        finally:
            server.terminate()
    if is_ours:
        os.rmdir(SEPARATED)
