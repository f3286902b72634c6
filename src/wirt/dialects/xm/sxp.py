"""S-expressions as xend and xm write them: read, and written one below the other."""

import re
from collections.abc import Iterator, Sequence

from wirt.errors import InvalidInput

Node = str | list["Node"]
Written = str | int | float | Sequence["Written"]

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<open>\()|(?P<close>\))"""
    r"""|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<atom>[^\s()'"\#]+)""",
    re.DOTALL,
)
_PLAIN = re.compile(r"""[^\s()'"\\\#]+""")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DEEPEST = 50
_INDENT = 4


def parse(text: str, *, name: str) -> list[Node]:
    """Return the expressions of a file; ``name`` is what errors call it.

    Raises:
        InvalidInput: a bracket or a quote is open or too many.
    """
    open_lists: list[list[Node]] = [[]]
    for line, kind, token in _tokens(text, name):
        if kind == "open":
            if len(open_lists) > _DEEPEST:
                raise InvalidInput(f"{name}:{line}: this is nested too deeply")
            open_lists.append([])
        elif kind == "close":
            if len(open_lists) == 1:
                raise InvalidInput(f"{name}:{line}: there is a closing bracket too many")
            done = open_lists.pop()
            open_lists[-1].append(done)
        else:
            open_lists[-1].append(token)
    if len(open_lists) > 1:
        raise InvalidInput(f"{name}: a bracket is not closed")
    return open_lists[0]


def render(node: Written, depth: int = 0) -> str:
    """Return an expression: one without others inside in one line, of others each in a line of its own."""
    if isinstance(node, str):
        return _atom(node)
    if not isinstance(node, Sequence):
        return str(node)
    if not any(isinstance(member, Sequence) and not isinstance(member, str) for member in node):
        return f"({' '.join(render(member) for member in node)})"
    head = [render(member) for member in node if not _is_list(member)]
    below = "\n".join(
        " " * (depth + _INDENT) + render(member, depth + _INDENT)
        for member in node
        if _is_list(member)
    )
    return f"({' '.join(head)}\n{below}\n{' ' * depth})"


def children(nodes: Sequence[Node], name: str) -> Iterator[list[Node]]:
    """Yield what stands behind the head of every expression of this name."""
    for node in nodes:
        if isinstance(node, list) and node and node[0] == name:
            yield node[1:]


def value(nodes: Sequence[Node], name: str) -> str | None:
    """Return the first word behind a head; None if there is no such expression, or none in it."""
    for rest in children(nodes, name):
        if rest and isinstance(rest[0], str):
            return rest[0]
    return None


def _is_list(node: Written) -> bool:
    return isinstance(node, Sequence) and not isinstance(node, str)


def _atom(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _tokens(text: str, name: str) -> Iterator[tuple[int, str, str]]:
    place, line = 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidInput(f"{name}:{line}: a quote is not closed")
        kind = match.lastgroup
        if kind is not None:
            token = match[kind]
            yield line, kind, _ESCAPED.sub(r"\1", token) if kind in ("single", "double") else token
        line += match[0].count("\n")
        place = match.end()
