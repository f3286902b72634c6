"""The domains: guests with a kernel of their own that run, and the node itself as domain 0.

A domain has the name that its file gave it, which may be none that a guest can have (``xenU_1``); its guest is called by the name
that comes nearest. The file's content is kept beside the guest as ``domain.sxp`` and goes with it. A domain gets its id when xm first
sees it run, counted up from 1 since the node was started, as Xen does; ids are kept below WIRT_RUN, so that a boot forgets them.
"""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from wirt.dialects.xm import sxp
from wirt.dialects.xm.definition import Definition, define, from_sxp, to_sxp
from wirt.dialects.xm.program import NoDomain
from wirt.errors import Error, InvalidInput, Unsupported
from wirt.host import files, lock
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.model.names import MAX_NAME, check_name
from wirt.ops.context import LOCK_SECONDS, Context
from wirt.ops.guests import observed

PRIVILEGED = "Domain-0"
DEFINITION = "domain.sxp"
"""The file in a guest's directory."""
_LONGEST_FILE = 1024 * 1024


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """One guest as xm sees it."""

    guest: Guest
    number: int | None
    """Its id; None: it does not run."""
    definition: Definition | None
    """What its file said; None: it was made otherwise."""

    @property
    def name(self) -> str:
        """Return the name of its file, as long as its guest has not been given another since."""
        if self.definition is None or guest_name(self.definition.name) != self.guest.name:
            return self.guest.name
        return self.definition.name

    @property
    def memory(self) -> int:
        """Return its memory in MiB."""
        return self.guest.limits.memory >> 20


class _Ids(msgspec.Struct):
    """What is kept of ids: which run has which, and which was the last."""

    last: int = 0
    runs: dict[str, int] = {}


def list_domains(context: Context) -> list[Domain]:
    """Return the guests with a kernel of their own by id, those that do not run by name behind the others."""
    guests = [
        observed(context, guest)
        for guest in context.store.guests()
        if context.approach(guest.approach).needs.own_kernel
    ]
    numbers = _number(context.home, [guest for guest in guests if guest.state.is_up])
    found = [
        Domain(
            guest=guest,
            number=numbers.get(guest.id),
            definition=read_definition(context.home, guest),
        )
        for guest in guests
    ]
    return sorted(found, key=lambda one: (one.number is None, one.number or 0, one.name))


def is_privileged(text: str) -> bool:
    """Return whether domain 0 is meant."""
    return text in ("0", PRIVILEGED)


def check_unprivileged(verb: str, text: str) -> None:
    """Check that domain 0 is not meant, to which that cannot be done.

    Raises:
        Unsupported: it is.
    """
    if is_privileged(text):
        raise Unsupported(f"Cannot {verb} privileged domain 0")


def find(context: Context, text: str) -> Domain:
    """Return the running domain of a name or an id.

    Raises:
        NoDomain: there is none.
    """
    running = [one for one in list_domains(context) if one.number is not None]
    return _find(running, text)


def find_any(context: Context, text: str) -> Domain:
    """Return the domain of a name or an id, whether it runs or not.

    Raises:
        NoDomain: there is none.
    """
    return _find(list_domains(context), text)


def guest_name(name: str) -> str:
    """Return the name of the guest of a domain: letters made small, and what a host name may not hold a hyphen.

    Raises:
        InvalidInput: nothing is left of it.
    """
    made = nearest_name(name)
    if not made:
        raise InvalidInput(f"{name!r} is not a domain name", hint="use a-z and 0-9, such as web1")
    return check_name(made)


def nearest_name(text: str) -> str:
    """Return what comes nearest to a text of the names that guests and nodes may have; nothing if none is near."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME].strip("-")


def read_definition(home: Home, guest: Guest) -> Definition | None:
    """Return what a guest's file said; None if it was made otherwise, or that cannot be read any more."""
    path = _path(home, guest)
    try:
        with open(path) as file:
            text = file.read(_LONGEST_FILE)
    except (OSError, UnicodeDecodeError):
        return None
    with suppress(Error, IndexError):
        return define(from_sxp(sxp.parse(text, name=path)[0], name=path), name=path)
    return None


def keep_definition(home: Home, guest: Guest, definition: Definition) -> None:
    """Keep what a guest's file said.

    Raises:
        OutOfSpace, Failed: it could not be.
    """
    with files.translated(f"keep the definition of {definition.name}"):
        files.write_atomically(_path(home, guest), render_definition(definition).encode())


def render_definition(definition: Definition) -> str:
    """Return what is kept of a definition."""
    return sxp.render(to_sxp(definition)) + "\n"


def _path(home: Home, guest: Guest) -> str:
    return os.path.join(home.guest(guest.id), DEFINITION)


def _find(domains: Iterable[Domain], text: str) -> Domain:
    listed = list(domains)
    for one in listed:
        if text in (one.name, one.guest.name):
            return one
    for one in listed:
        if one.number is not None and text == str(one.number):
            return one
    raise NoDomain(text)


def _number(home: Home, running: Sequence[Guest]) -> dict[str, int]:
    """Return the ids of running guests, having given one to each that has none, the one that was started first first."""
    path = os.path.join(home.run, "xm-ids.json")
    with files.translated("number the domains"):
        os.makedirs(os.path.dirname(home.lock("xm")), mode=0o700, exist_ok=True)
        with lock.hold(home.lock("xm"), "the ids of domains", wait=LOCK_SECONDS):
            kept = _read_ids(path)
            keys = {_run_of(guest): guest for guest in running}
            ids = _Ids(
                last=kept.last, runs={run: kept.runs[run] for run in keys if run in kept.runs}
            )
            new = sorted(keys.keys() - ids.runs.keys(), key=lambda run: _age(keys[run]))
            for run in new:
                ids.last += 1
                ids.runs[run] = ids.last
            if ids != kept:
                files.replace(path, msgspec.json.encode(ids).decode())
    return {keys[run].id: number for run, number in ids.runs.items()}


def _read_ids(path: str) -> _Ids:
    """Return what was kept; of a file that was cut short by a crash, nothing."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=_Ids)
    except (FileNotFoundError, msgspec.MsgspecError):
        return _Ids()


def _run_of(guest: Guest) -> str:
    """Return what tells one run of a guest from the next."""
    handle = guest.handle
    return f"{guest.id} {handle and handle.pid} {handle and handle.started}"


def _age(guest: Guest) -> tuple[int, str]:
    return (guest.handle.started or 0) if guest.handle else 0, guest.name
