"""``wirt quota``."""

from typing import Any

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.model.quota import Bounds, Owner
from wirt.ops import quotas as verbs
from wirt.units import UNBOUNDED, parse_bytes, render_bytes


class PairType(click.ParamType):
    """``SOFT:HARD``, or what both are."""

    name = "soft:hard"

    def __init__(self, *, is_size: bool) -> None:
        """Read sizes, or numbers."""
        self._is_size = is_size

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        """Return both."""
        soft, colon, hard = str(value).partition(":")
        try:
            # One alone is the hard one.
            return (self._read(soft), self._read(hard)) if colon else (UNBOUNDED, self._read(soft))
        except InvalidInput as error:
            self.fail(str(error), param, context)

    def _read(self, text: str) -> int:
        if text == "unlimited":
            return UNBOUNDED
        if self._is_size:
            return parse_bytes(text)
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise InvalidInput(f"{text!r} is not a number", hint="write one, or unlimited")
        return int(text)


@click.group(short_help="What users of a guest may hold of its disk.")
def quota() -> None:
    """Hold users and groups of a guest to what they may have of its disk.

    It wants a pool of kind image, a kernel with quotas, and wirt set --user-quotas on before the guest's start.
    """


@quota.command("set")
@click.argument("guest")
@click.option("--user", type=int, help="Id of a user, as the guest sees it.")
@click.option("--group", type=int, help="Id of a group.")
@click.option("--space", type=PairType(is_size=True), help="Size, or soft and hard: 900M:1G.")
@click.option("--inodes", type=PairType(is_size=False), help="Files and directories, likewise.")
def set_quota(
    guest: str,
    user: int | None,
    group: int | None,
    space: tuple[int, int] | None,
    inodes: tuple[int, int] | None,
) -> None:
    """Hold a user or group of GUEST to what it may have; what is left out is unlimited."""
    if (user is None) == (group is None):
        raise InvalidInput("say whose quota it is", hint="pass --user ID or --group ID")
    owner, number = (Owner.USER, user) if user is not None else (Owner.GROUP, group)
    assert number is not None
    soft, hard = space or (UNBOUNDED, UNBOUNDED)
    few, most = inodes or (UNBOUNDED, UNBOUNDED)
    bounds = Bounds(bytes_soft=soft, bytes=hard, inodes_soft=few, inodes=most)
    with app.open_context() as context:
        verbs.set_quota(context, guest, owner, number, bounds)
    output.say(
        f"{owner} {number} of guest {guest} may hold {_size(hard)} and {_number(most)} inodes now"
    )


@quota.command("list")
@click.argument("guest")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_quotas(guest: str, as_json: bool) -> None:
    """List what each user and group of GUEST holds and may hold."""
    with app.open_context() as context:
        found = verbs.list_quotas(context, guest)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    rows = [
        (
            f"{one.owner} {one.number}",
            render_bytes(one.bytes),
            _size(one.bounds.bytes_soft),
            _size(one.bounds.bytes),
            str(one.inodes),
            _number(one.bounds.inodes_soft),
            _number(one.bounds.inodes),
        )
        for one in found
    ]
    heads = ("OWNER", "SPACE", "SOFT", "HARD", "INODES", "SOFT", "HARD")
    output.say(output.columns(heads, rows))


def _size(size: int) -> str:
    return "unlimited" if size == UNBOUNDED else render_bytes(size)


def _number(number: int) -> str:
    return "unlimited" if number == UNBOUNDED else str(number)
