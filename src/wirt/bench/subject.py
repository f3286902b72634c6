"""Where workloads run: the host itself, or guests made for the purpose.

A subject is set up once a block and gone at its end, because the start of a guest is the unit that figures are repeated
by. The host has a user land beside it, a chroot of the template's root: its Apache and its C compiler are then the
guests' own, and only what is measured differs.
"""

import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Protocol

import msgspec

from wirt.approaches.base import Approach
from wirt.approaches.hypervisor import OnHypervisor
from wirt.bench.sample import HOST, HOST_AGAIN, Effort
from wirt.bench.workloads import Measurement, build_argv, parse_line
from wirt.errors import Error, Failed, TimedOut, Unsupported
from wirt.host import interrupts, run
from wirt.host.consolelog import read_last_lines
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.model.limits import Limits
from wirt.model.migration import Mode
from wirt.model.resources import RootTree
from wirt.ops import copy_in, execute
from wirt.ops.checkpoint import checkpoint, find_obstacles
from wirt.ops.clone import clone
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.migrate import MigrateRequest, migrate
from wirt.ops.resume import resume
from wirt.ops.secondhome import LOCK, second_home
from wirt.ops.start import READY_SECONDS, start, wait_ready
from wirt.ops.steps.ladder import Ladder
from wirt.ops.stop import stop

BUNDLE = "/opt/wirt-workloads"
WORK = "/var/tmp"
HTTP_PORT = 80
HOST_HTTP_PORT = 8180
"""Apache that runs among the host's processes keeps clear of the one that the host may have itself."""
_HTTP_SECONDS = 60.0
_HTTP_LOOK_SECONDS = 0.01
_SETTLE = """\
command -v systemctl >/dev/null || exit 0
for attempt in $(seq 300); do
    case $(systemctl is-system-running --wait 2>/dev/null) in running|degraded|maintenance) exit 0 ;; esac
    sleep 0.1
done
exit 1
"""
"""Waits until a guest's system has come up: at first there is no bus yet to ask about it."""
_START_APACHE = "mkdir -p /run/lock && exec apache2ctl start"
"""Without an init nobody has made the directories below /run that Apache expects."""
_LOG_LINES = 40
_WORKLOAD_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "LANG": "C",
}
"""The same everywhere: the shell tests depend on the locale by 17 %."""

Note = Callable[[Effort], None]


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What all guests of a run have in common."""

    run: str
    template: str
    limits: Limits
    bundle: str
    """Directory of the built workloads on the host."""
    serves: bool = False
    """The template has a web server: web serving is measured too."""


class Subject(Protocol):
    """Where workloads run, for one block."""

    subject: str
    """Its name in the results; several web servers of a kind share it."""

    def launch(self, block: int, note: Note) -> None:
        """Make it and start it, without waiting for it.

        Raises:
            Error: it cannot be made or started.
        """
        ...

    def settle(self, block: int, note: Note, *, workloads: bool) -> None:
        """Wait until it is ready for work; with ``workloads`` their programs are in it then.

        Raises:
            Error: it does not answer, or its disk is full.
        """
        ...

    def measure(self, test: str, seconds: float, cpus: frozenset[int] | None) -> Measurement:
        """Run one pass of a test, bound to ``cpus``; None: to none.

        Raises:
            Error: the program could not be run, failed, or said nothing that can be read.
        """
        ...

    def live(self) -> dict[str, float]:
        """Take another guest of its kind through its life, and return the seconds of each verb that it has.

        Raises:
            Error: one of them failed.
        """
        ...

    def serve(self) -> str:
        """Make sure that its Apache answers and return the address of its page.

        Raises:
            Failed, TimedOut: it does not.
        """
        ...

    def log_tail(self) -> str | None:
        """Return the end of its log; None if it keeps none."""
        ...

    def close(self) -> None:
        """Take it away; no error if it was never made.

        Raises:
            Error: something of it is left.
        """
        ...


class GuestSubject:
    """One guest of one approach, for one block."""

    def __init__(
        self, context: Context, definition: Definition, *, subject: str, approach: str, number: int
    ) -> None:
        """Describe the guest; nothing is made yet."""
        self._context = context
        self._definition = definition
        self.subject = subject
        self._approach = approach
        self.name = f"cmp-{definition.run}-{subject}-{number}"
        self._guest: Guest | None = None
        self._started = 0.0

    def launch(self, block: int, note: Note) -> None:
        """Make the guest and start it, without waiting for it."""
        with self._timed(note, block, "create"):
            self._guest = create(self._context, self._request(self.name))
        with self._timed(note, block, "start"):
            self._guest = start(self._context, self.name, ready_seconds=None)
        self._started = time.monotonic()

    def settle(self, block: int, note: Note, *, workloads: bool) -> None:
        """Wait until the guest answers and its system has come up; copy the workloads in."""
        with self._timed(note, block, "ready", since=self._started):
            wait_ready(self._context, self.guest, READY_SECONDS)
        if self._approach != "chroot":
            with self._timed(note, block, "settle"):
                self._check(f"the system of guest {self.name} did not come up", _SETTLE)
        if workloads:
            with self._timed(note, block, "copy workloads"):
                copy_in.copy_in(self._context, self.guest, self._definition.bundle, BUNDLE)

    @property
    def guest(self) -> Guest:
        """Return the guest, which has been made."""
        if self._guest is None:
            raise Failed(f"guest {self.name} was not made")
        return self._guest

    def root_path(self) -> str:
        """Return the directory of the node that the root of a guest without a kernel of its own is mounted at."""
        root = Ladder(self._context, self.guest).root.attached()
        assert isinstance(root, RootTree)
        return root.path

    def measure(self, test: str, seconds: float, cpus: frozenset[int] | None) -> Measurement:
        """Run one pass in the guest."""
        argv = build_argv(test, seconds, BUNDLE, WORK)
        with _captured(test) as (streams, result):
            status = execute.execute_in(
                self._context,
                self.guest,
                argv,
                streams=streams,
                environment=_WORKLOAD_ENVIRONMENT,
                cpus=cpus,
            )
            return result(status)

    def live(self) -> dict[str, float]:
        """Make, start, clone, stop and destroy another guest, and have one more go to a second home, if it can go live."""
        seconds: dict[str, float] = {}
        can_go = False
        with self._gone_afterwards(f"{self.name}-life", f"{self.name}-copy") as (name, copy):
            with _clocked(seconds, "create"):
                create(self._context, self._request(name))
            with _clocked(seconds, "start"):
                guest = start(self._context, name, ready_seconds=None)
            with _clocked(seconds, "ready"):
                wait_ready(self._context, guest, READY_SECONDS)
            if self._definition.serves:
                with _clocked(seconds, "answer"):
                    self._serve(guest)
            # Where the node or the approach cannot, there is no such verb.
            with suppress(Unsupported):
                find_obstacles(self._context, name)
                # Not in the middle of its start-up, when what is written down of it changes before all of it is read.
                self._check(f"the system of guest {name} did not come up", _SETTLE, guest=guest)
                can_go = not find_obstacles(self._context, name)
                if can_go:
                    with _clocked(seconds, "checkpoint"):
                        checkpoint(self._context, name, "life")
                    with _clocked(seconds, "resume"):
                        resume(self._context, name)
            with _clocked(seconds, "stop"):
                stop(self._context, name)
            # An approach whose roots are images cannot: it has no such verb.
            with suppress(Unsupported), _clocked(seconds, "clone"):
                clone(self._context, name, copy, lives_with=LOCK, progress=lambda text: None)
            with _clocked(seconds, "destroy"):
                destroy(self._context, name)
        if can_go and reaches_second_home(self._context.approach(self._approach)):
            self._go(seconds)
        return seconds

    def _go(self, seconds: dict[str, float]) -> None:
        """Have a guest of its own go to a second home, from which it does not come back: what is measured before is of one that stays."""
        with (
            self._gone_afterwards(f"{self.name}-goes") as (name,),
            second_home(self._context, f"cmp-{self._definition.run}"),
        ):
            create(self._context, self._request(name))
            guest = start(self._context, name)
            self._check(f"the system of guest {name} did not come up", _SETTLE, guest=guest)
            request = MigrateRequest(
                guest=name, node=f"cmp-{self._definition.run}", mode=Mode.LIVE, lives_with=LOCK
            )
            # What is in the way of this one alone is not in that of the others.
            with suppress(Unsupported):
                with _clocked(seconds, "migrate"):
                    done = migrate(self._context, request, progress=lambda text: None)
                if done.unseen_seconds is not None:
                    seconds["downtime"] = done.unseen_seconds

    @contextmanager
    def _gone_afterwards(self, *names: str) -> Iterator[tuple[str, ...]]:
        """Give names to guests, and see to it that none of them is left."""
        try:
            yield names
        finally:
            with interrupts.held_back():
                known = {guest.name for guest in self._context.store.guests()}
                for name in known.intersection(names):
                    destroy(self._context, name, force=True)

    def _request(self, name: str) -> CreateRequest:
        limits = self._definition.limits
        most_cpus = self._context.approach(self._approach).needs.most_cpus
        if most_cpus is not None:
            limits = msgspec.structs.replace(limits, cpus=min(limits.cpus, most_cpus))
        return CreateRequest(
            name=name,
            approach=self._approach,
            template=self._definition.template,
            limits=limits,
            lives_with=LOCK,
        )

    def serve(self) -> str:
        """Return the address of the guest's page once it answers; a chroot's Apache is started first."""
        return self._serve(self.guest)

    def _serve(self, guest: Guest) -> str:
        if self._approach != "chroot":
            url = f"http://{guest.address}:{HTTP_PORT}/"
        else:
            listen = f"{guest.address}:{HOST_HTTP_PORT}"
            url = f"http://{listen}/"
            self._check(
                f"Apache of {guest.name} cannot serve on {listen}",
                _START_APACHE,
                environment={"WIRT_LISTEN": listen},
                guest=guest,
            )
        wait_http(url, _HTTP_SECONDS)
        return url

    def log_tail(self) -> str | None:
        """Return the end of the guest's console log, None if nothing is in it."""
        if self._guest is None:
            return None
        lines = read_last_lines(self._context.home.place(self._guest.id).log)
        return "\n".join(lines[-_LOG_LINES:]) or None

    def close(self) -> None:
        """Destroy the guest."""
        known = {guest.name for guest in self._context.store.guests()}
        if self.name in known:
            destroy(self._context, self.name, force=True)
        self._guest = None

    def _check(
        self,
        otherwise: str,
        script: str,
        environment: Mapping[str, str] | None = None,
        *,
        guest: Guest | None = None,
    ) -> None:
        """Run a shell script in the guest, or in another one, that must succeed.

        Raises:
            Failed: it did not; the message is ``otherwise`` with what it said first.
        """
        with tempfile.TemporaryFile() as said:
            status = execute.execute_in(
                self._context,
                guest or self.guest,
                ["/bin/sh", "-c", script],
                streams=Streams(stdout=said.fileno(), stderr=said.fileno()),
                environment={**_WORKLOAD_ENVIRONMENT, **(environment or {})},
            )
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
        if status != 0:
            reason = text.partition("\n")[0] or f"exit status {status}"
            raise Failed(f"{otherwise}: {reason}", detail=text)

    @contextmanager
    def _timed(
        self, note: Note, block: int, step: str, *, since: float | None = None
    ) -> Iterator[None]:
        began = time.monotonic() if since is None else since
        yield
        note(Effort(subject=self.subject, step=step, seconds=time.monotonic() - began, block=block))


class HostSubject:
    """The host: its own processes, with the template's user land beside them.

    Working files lie in the user land's root, made as a guest's is: the file tests are to show what the approach costs,
    and not what a copy-on-write root does, which every approach could do without.
    """

    def __init__(self, context: Context, definition: Definition, *, subject: str) -> None:
        """Describe the host as a subject; ``subject`` is HOST or HOST_AGAIN."""
        self.subject = subject
        self._bundle = definition.bundle
        self._userland = GuestSubject(
            context, definition, subject=subject, approach="chroot", number=1
        )

    def launch(self, block: int, note: Note) -> None:
        """Make the user land."""
        self._userland.launch(block, note)

    def settle(self, block: int, note: Note, *, workloads: bool) -> None:
        """Copy the workloads into the user land, for the one test that runs there."""
        self._userland.settle(block, note, workloads=workloads)

    def measure(self, test: str, seconds: float, cpus: frozenset[int] | None) -> Measurement:
        """Run one pass among the host's processes."""
        if test == "C":  # the one that needs a user land: the compiler is to be the guests' own
            return self._userland.measure(test, seconds, cpus)
        argv = build_argv(test, seconds, self._bundle, self._userland.root_path() + WORK)
        with _captured(test) as (streams, result):
            status = run.attach(argv, streams=streams, environment=_WORKLOAD_ENVIRONMENT, cpus=cpus)
            return result(status)

    def live(self) -> dict[str, float]:
        """Refuse: the host is there all the time."""
        raise Unsupported("the host has no life that could be measured")

    def serve(self) -> str:
        """Return the address of the page of an Apache among the host's processes, the template's."""
        return self._userland.serve()

    def log_tail(self) -> str | None:
        """Return nothing: the host keeps no log for us."""
        return None

    def close(self) -> None:
        """Take the user land away, and the working files with it."""
        self._userland.close()


def reaches_second_home(approach: Approach) -> bool:
    """Say whether guests can be in a home with a network of its own: a hypervisor joins their cards to bridges of the node's own network."""
    return not isinstance(approach, OnHypervisor)


def make_subject(context: Context, definition: Definition, name: str, number: int) -> Subject:
    """Return the subject called ``name``: the host, the host again, or a guest of the approach of that name.

    Of guests there may be several, told apart by their ``number``.
    """
    if name in (HOST, HOST_AGAIN):
        return HostSubject(context, definition, subject=name)
    return GuestSubject(context, definition, subject=name, approach=name, number=number)


def wait_http(url: str, timeout: float) -> None:
    """Return when a page answers with success.

    Raises:
        TimedOut: it did not within ``timeout`` seconds.
    """
    # Proxies are for the world outside; these servers are on our own bridge.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + timeout
    reason = "no answer"
    while time.monotonic() < deadline:
        try:
            with opener.open(url, timeout=2):
                return
        except (OSError, HTTPException) as error:
            reason = str(error)
            time.sleep(_HTTP_LOOK_SECONDS)
    raise TimedOut(f"no page at {url} within {timeout:g} s: {reason}")


@contextmanager
def _clocked(seconds: dict[str, float], verb: str) -> Iterator[None]:
    """Write down how long a verb takes that succeeds."""
    began = time.monotonic()
    yield
    seconds[verb] = time.monotonic() - began


@contextmanager
def _captured(
    test: str,
) -> Iterator[tuple[Streams, Callable[[int], Measurement]]]:
    """Give a workload's output a place to go, and a function that reads the measurement from it."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:

        def result(status: int) -> Measurement:
            for stream in (said, complained):
                stream.seek(0)
            if status != 0:
                lines = complained.read().decode(errors="replace").strip().splitlines()
                reason = lines[-1] if lines else f"exit status {status}"
                raise Failed(f"the test {test} failed: {reason}")
            return parse_line(said.read().decode(errors="replace"), test)

        yield Streams(stdout=said.fileno(), stderr=complained.fileno()), result


def close_all(subjects: Sequence[Subject]) -> list[tuple[Subject, Error]]:
    """Close every subject, whatever happens to one, and return those that could not be closed with the reason.

    A person who interrupts it waits until it is done: that is what was asked for by the first interrupt.
    """
    failed = []
    with interrupts.held_back():
        for subject in subjects:
            try:
                subject.close()
            except Error as error:
                failed.append((subject, error))
    return failed
