"""A guest agent with memory: it speaks the protocol over descriptors and runs commands on the node, in a thread."""

import base64
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class FakeAgent:
    """Answers what is asked until it is closed.

    Args:
        requests: descriptor that requests come from.
        answers: descriptor that answers go to.
        sleeps_through: how many requests it lets lie until one more comes.
    """

    def __init__(self, requests: int, answers: int, *, sleeps_through: int = 0) -> None:
        self.asked: list[str] = []
        """Commands, in order."""
        self.longest = 0
        """Bytes of the longest request."""
        self.files: dict[int, tuple[str, bytearray]] = {}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._requests = requests
        self._sleeps_through = sleeps_through
        self._answers = answers
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @contextmanager
    def serving(self) -> Iterator["FakeAgent"]:
        self._thread.start()
        try:
            yield self
        finally:
            os.close(self._stop)
            self._thread.join()
            os.close(self._wake)
            for process in self.processes.values():
                process.kill()
                process.wait()
                for stream in (process.stdout, process.stderr):
                    assert stream is not None
                    stream.close()

    def _serve(self) -> None:
        received = b""
        while True:
            ready, _, _ = select.select([self._requests, self._wake], [], [])
            if self._wake in ready:
                return
            received += os.read(self._requests, 65536)
            if received.count(b"\n") <= self._sleeps_through:
                continue
            self._sleeps_through = 0
            while b"\n" in received:
                line, _, received = received.partition(b"\n")
                self.longest = max(self.longest, len(line) + 1)
                self._answer(line)

    def _answer(self, line: bytes) -> None:
        delimited = line.startswith(b"\xff")
        request = json.loads(line.lstrip(b"\xff"))
        command, arguments = request["execute"], request.get("arguments", {})
        self.asked.append(command)
        method = getattr(self, command.replace("-", "_"), None)
        if method is None:
            answer: dict[str, Any] = {"error": {"class": "CommandNotFound", "desc": "unknown"}}
        else:
            answer = {"return": method(**{k.replace("-", "_"): v for k, v in arguments.items()})}
        rest = (b"\xff" if delimited else b"") + json.dumps(answer).encode() + b"\n"
        while rest:
            select.select([], [self._answers], [])
            rest = rest[os.write(self._answers, rest) :]

    def guest_sync_delimited(self, id: int) -> int:  # noqa: A002
        return id

    def guest_ping(self) -> dict[str, Any]:
        return {}

    def guest_exec(
        self, path: str, arg: list[str], env: list[str], capture_output: bool, input_data: str = ""
    ) -> dict[str, int]:
        process = subprocess.Popen(
            [path, *arg],
            env=dict(pair.split("=", 1) for pair in env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.processes[process.pid] = process
        assert process.stdin is not None
        # A program may have ended without having read it, which is no error of the agent's.
        with suppress(BrokenPipeError):
            process.stdin.write(base64.b64decode(input_data))
            process.stdin.close()
        process.stdin = None
        return {"pid": process.pid}

    def guest_exec_status(self, pid: int) -> dict[str, Any]:
        process = self.processes[pid]
        try:
            out, err = process.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            return {"exited": False}
        status: dict[str, Any] = {"exited": True}
        if process.returncode < 0:
            status["signal"] = signal.Signals(-process.returncode)
        else:
            status["exitcode"] = process.returncode
        for name, content in (("out", out), ("err", err)):
            if content:
                status[f"{name}-data"] = base64.b64encode(content).decode()
                status[f"{name}-truncated"] = False
        return status

    def guest_file_open(self, path: str, mode: str) -> int:
        handle = 1000 + len(self.files)
        self.files[handle] = (path, bytearray())
        return handle

    def guest_file_write(self, handle: int, buf_b64: str) -> dict[str, Any]:
        content = base64.b64decode(buf_b64)
        self.files[handle][1].extend(content)
        return {"count": len(content), "eof": False}

    def guest_file_close(self, handle: int) -> dict[str, Any]:
        path, content = self.files[handle]
        with open(path, "wb") as file:
            file.write(content)
        return {}
