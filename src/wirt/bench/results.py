"""The results directory: ``results/RUN/run.jsonl``, written line by line and read back.

The runner appends, everything else reads. It knows the format and its damages, and nothing of what
the figures mean. A run killed at any instant leaves whole lines and at most one partly written
line at the end, which ``open_resume`` cuts off; any other damage is not the runner's and is
refused.
"""

import errno
import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from wirt.bench.doubts import find_wrong
from wirt.bench.sample import (
    FORMAT_VERSION,
    BlockEnd,
    Effort,
    Failure,
    Finish,
    Header,
    Record,
    Run,
    Sample,
)
from wirt.errors import (
    Busy,
    Conflict,
    Corrupt,
    Error,
    Failed,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutOfSpace,
    WrongState,
)
from wirt.host.files import sync_directory

FILE_NAME = "run.jsonl"

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


_IMPORT_AGAIN = "take it in again: wirt results import"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A line of ``wirt results list``."""

    run: str
    profile: str | None = None
    started: float | None = None
    """Unix time, seconds."""
    subjects: list[str] = []
    suites: list[str] = []
    blocks: int = 0
    """Blocks begun."""
    samples: int = 0
    """Measured passes, warm-up not counted."""
    failures: int = 0
    complete: bool = False
    running: bool = False
    """True while a command measures it."""
    problem: str | None = None
    """Why the file cannot be read; the other fields are empty then."""


class RunWriter:
    """The one writer of a run's file. What was appended is on the disk when ``append`` returns.

    It holds a lock on the file as long as it is open, so that a run is not resumed twice at once.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: Path, header: Header, *records: Record) -> Self:
        """Begin a new run's file with its header and what there is already, making the directories above it.

        Raises:
            Conflict: there is a run of that name.
            Failed: it cannot be written, and is not there.
            OutOfSpace: the disk is full, and it is not there.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise _write_failed(path, error) from error
        writer = cls(path, descriptor)
        try:
            writer._lock()
            try:
                writer._write(header, *records)
            except OSError as error:
                raise _write_failed(path, error) from error
            # The name is not on the disk before its directory is.
            sync_directory(str(path.parent))
        except BaseException:
            path.unlink(missing_ok=True)
            writer.close()
            raise
        return writer

    def append(self, *records: Record) -> None:
        """Write one or more records and wait until the disk has them.

        Raises:
            OutOfSpace: the disk is full; the file is as it was before.
            Failed: it cannot be written for another reason.
        """
        try:
            self._write(*records)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise _write_failed(self.path, error) from error
            raise OutOfSpace(
                f"the disk is full, {_shown(self.path)} cannot be continued",
                hint=f"free some space, then run wirt compare --resume {self.path.parent.name}",
            ) from error

    def _write(self, *records: Record) -> None:
        """Append records whole and wait until the disk has them, or leave the file as it was."""
        end = os.fstat(self._descriptor).st_size
        lines = _ENCODER.encode_lines(records)
        try:
            written = os.write(self._descriptor, lines)
            if written < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise

    def close(self) -> None:
        """Close the file, which gives the lock back."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                f"run {self.path.parent.name} is being measured by another wirt compare",
                hint="wait for it to end, or stop it",
            ) from error


def new_run_id(results: Path, started: float) -> str:
    """Return a free id for a run begun at a Unix time, such as 20260101-1200 (UTC)."""
    stem = time.strftime("%Y%m%d-%H%M", time.gmtime(started))
    number, run = 1, stem
    while (results / run).exists():
        number += 1
        run = f"{stem}-{number}"
    return run


def run_path(results: Path, run: str) -> Path:
    """Return the file of ``run`` below the directory ``results``; it need not exist.

    Raises:
        InvalidInput: ``run`` is no run's id, so that it could name a file elsewhere.
    """
    if _RUN_ID.fullmatch(run) is None:
        raise InvalidInput(
            f"{run!r} is not the id of a run", hint="wirt results list shows the runs there are"
        )
    return results / run / FILE_NAME


def find_run(results: Path, run: str) -> Path:
    """Return the file of a run that exists.

    Raises:
        InvalidInput: ``run`` is no run's id.
        NotFound: there is no such run.
    """
    path = run_path(results, run)
    if not path.is_file():
        raise NotFound(f"there is no run {run}", hint="wirt results list shows the runs there are")
    return path


def read_run(path: Path) -> Run:
    """Read a run's file whole; one without its last record is a run that was interrupted.

    Raises:
        NotFound: there is no such file.
        Corrupt: the file is cut short, damaged, or was written by a newer Wirt.
    """
    run, rest = _parse(path, _read(path))
    if rest:
        raise _cut_short(path, run)
    return run


def open_resume(path: Path) -> tuple[Run, RunWriter]:
    """Open an interrupted run to continue it: what it has so far, and the writer to append with.

    A partly written last line is cut off.

    Raises:
        NotFound: there is no such file.
        WrongState: the run came to its end, or another program measured it.
        Busy: another command is measuring it.
        Corrupt: the file is damaged, or was written by a newer Wirt.
    """
    try:
        writer = RunWriter(path, os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError as error:
        raise _open_failed(path, error) from error
    try:
        writer._lock()
        run, rest = _parse(path, _read(path))
        if run.header.is_imported:
            raise WrongState(
                f"run {run.header.run} was imported, so there is nothing here to go on measuring",
                hint=f"wirt results show {run.header.run} shows it",
            )
        if run.finish is not None:
            raise WrongState(
                f"run {run.header.run} is complete, there is nothing to resume",
                hint=f"wirt results show {run.header.run} shows it",
            )
        if rest:
            os.truncate(path, path.stat().st_size - rest)
    except BaseException:
        writer.close()
        raise
    return run, writer


def write_run(path: Path, run: Run) -> None:
    """Store a run that is at hand as a whole, such as an imported one.

    Raises:
        Conflict: there is a run of that name.
        Failed, OutOfSpace: it cannot be written; nothing of it is left.
    """
    records: list[Record] = [*run.samples, *run.efforts, *run.failures, *run.ends]
    if run.finish is not None:
        records.append(run.finish)
    RunWriter.create(path, run.header, *records).close()


def find_interrupted(results: Path) -> str:
    """Return the id of the run that was begun last of those that were interrupted.

    One whose last line was only partly written is one of them.

    Raises:
        NotFound: there is none.
    """
    found = []
    for path in results.glob(f"*/{FILE_NAME}"):
        with suppress(Error):
            run, _ = _parse(path, _read(path))
            unfinished = run.finish is None and not run.header.is_imported
            if unfinished and not _is_being_measured(path):
                found.append((run.header.started, path.parent.name))
    if not found:
        raise NotFound(
            "there is no interrupted run to go on with",
            hint="begin one with wirt compare; wirt results list shows the runs there are",
        )
    return max(found)[1]


def list_runs(results: Path) -> list[Summary]:
    """Return a summary of every run below ``results``, oldest first, the unreadable ones too."""
    if not results.is_dir():
        return []
    found = [_summary(path) for path in sorted(results.glob(f"*/{FILE_NAME}"))]
    return sorted(found, key=lambda summary: (summary.started or 0.0, summary.run))


def _summary(path: Path) -> Summary:
    name = path.parent.name
    try:
        run = read_run(path)
    except Error as error:
        return Summary(run=name, problem=str(error))
    measured = [sample for sample in run.samples if sample.phase == "measure"]
    return Summary(
        run=name,
        profile=run.header.profile,
        started=run.header.started,
        subjects=[subject.name for subject in run.header.subjects],
        suites=run.header.suites,
        blocks=len({sample.block for sample in measured}),
        samples=len(measured),
        failures=len(run.failures),
        complete=run.finish is not None,
        running=run.finish is None and _is_being_measured(path),
    )


def _is_being_measured(path: Path) -> bool:
    """Say whether some command holds the lock of a run's file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _open_failed(path, error) from error


def _parse(path: Path, content: bytes) -> tuple[Run, int]:
    """Return the run in ``content`` and the length of the partly written line at its end."""
    *lines, last = content.split(b"\n")
    if not lines:
        if not last:
            raise Corrupt(f"{_shown(path)} is empty", hint=_start_again(path))
        raise Corrupt(
            f"{_shown(path)} is cut short at line 1, before anything was measured",
            hint=_start_again(path),
        )
    header = _parse_header(path, lines[0])
    run = Run(header=header, samples=[], efforts=[], failures=[], finish=None, ends=[])
    finish: Finish | None = None
    for number, line in enumerate(lines[1:], start=2):
        try:
            record = _DECODER.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _damaged(path, number, str(error)) from error
        if finish is not None:
            raise _damaged(path, number, "the run ended on the line before")
        if wrong := find_wrong(record, header):
            raise _damaged(path, number, wrong)
        match record:
            case Sample():
                run.samples.append(record)
            case Effort():
                run.efforts.append(record)
            case Failure():
                run.failures.append(record)
            case BlockEnd():
                run.ends.append(record)
            case Finish():
                finish = record
            case Header():
                raise _damaged(path, number, "a second header")
    return msgspec.structs.replace(run, finish=finish), len(last)


def _parse_header(path: Path, line: bytes) -> Header:
    """Read the first line: the version before the fields, which a newer Wirt may have changed."""
    try:
        raw: Any = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _foreign(path, str(error)) from error
    if not isinstance(raw, dict) or raw.get("kind") != "header":
        raise _foreign(path, "its first line is no header")
    version = raw.get("format")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise Corrupt(
            f"{_shown(path)} was written by a newer Wirt "
            f"(format {version}, this one reads {FORMAT_VERSION})",
            hint="upgrade Wirt",
        )
    try:
        header = msgspec.convert(raw, Header)
    except msgspec.ValidationError as error:
        raise _damaged(path, 1, str(error)) from error
    if wrong := find_wrong(header, header):
        raise _damaged(path, 1, wrong)
    return header


def _cut_short(path: Path, run: Run) -> Corrupt:
    records = len(run.samples) + len(run.efforts) + len(run.failures) + len(run.ends)
    kept = 1 + records + (run.finish is not None)
    name = run.header.run
    if run.finish is not None:
        return _damaged(path, kept + 1, "the run ended on the line before")
    go_on = f"run wirt compare --resume {name} to continue it"
    return Corrupt(
        f"{_shown(path)} is cut short at line {kept + 1}",
        hint=_IMPORT_AGAIN if run.header.is_imported else go_on,
    )


def _damaged(path: Path, line: int, reason: str) -> Corrupt:
    return Corrupt(
        f"{_shown(path)} is damaged at line {line}",
        detail=reason,
        hint="restore it from a copy, or measure again",
    )


def _foreign(path: Path, reason: str) -> Corrupt:
    return Corrupt(
        f"{_shown(path)} is not a results file of Wirt",
        detail=reason,
        hint="wirt results list shows the runs there are",
    )


def _start_again(path: Path) -> str:
    return f"remove {_shown(path.parent)} and measure again"


def _shown(path: Path) -> str:
    """Return a path as messages show it: from the results directory on, if it lies in one."""
    parts = path.parts
    return str(Path(*parts[parts.index("results") :])) if "results" in parts else str(path)


def _open_failed(path: Path, error: OSError) -> Error:
    if isinstance(error, FileNotFoundError):
        return NotFound(
            f"there is no file {_shown(path)}", hint="wirt results list shows the runs there are"
        )
    if isinstance(error, PermissionError):
        return NotPermitted(
            f"{_shown(path)} cannot be read: {error.strerror}", hint="run it as root"
        )
    return Failed(f"{_shown(path)} cannot be read: {error.strerror}", hint="check its permissions")


def _write_failed(path: Path, error: OSError) -> Error:
    if error.errno == errno.ENOSPC:
        return OutOfSpace(
            f"the disk is full, {_shown(path)} cannot be written",
            hint="free some space and try again",
        )
    if isinstance(error, FileExistsError):
        return Conflict(
            f"there is a run {path.parent.name} already", hint="give the new one another name"
        )
    if isinstance(error, PermissionError):
        return NotPermitted(
            f"{_shown(path)} cannot be written: {error.strerror}", hint="run it as root"
        )
    return Failed(
        f"{_shown(path)} cannot be written: {error.strerror}", hint="check its permissions"
    )
