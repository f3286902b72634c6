"""Reads a domain's configuration file: Python in its syntax, of which only values are understood, and nothing is run.

xm executes such a file. Here it is taken apart, and what is no literal, name, ``+``, ``%``, list, tuple or dictionary is refused
with its line. So a file from a stranger can at worst be wrong.
"""

import ast
import re
import warnings
from collections.abc import Mapping

from wirt.errors import InvalidInput

Value = str | int | float | bool | list["Value"] | tuple["Value", ...] | dict[str, "Value"] | None

MOST_BYTES = 256 * 1024
"""Of a file: a hundred times what one has."""
_MOST_LENGTH = 64 * 1024
"""Characters of a string and members of a list; each line may double what the one before made."""
_DEEPEST = 50
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{4,}|\*)")
"""A conversion that would write a thousand blanks, or let a value say how many."""

_KINDS: Mapping[type[ast.AST], str] = {
    ast.Call: "a call",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.FunctionDef: "a function",
    ast.AsyncFunctionDef: "a function",
    ast.ClassDef: "a class",
    ast.Lambda: "a function",
    ast.If: "a condition",
    ast.IfExp: "a condition",
    ast.For: "a loop",
    ast.While: "a loop",
    ast.ListComp: "a loop",
    ast.SetComp: "a loop",
    ast.DictComp: "a loop",
    ast.GeneratorExp: "a loop",
    ast.Try: "a try",
    ast.With: "a with",
    ast.Delete: "a del",
    ast.Attribute: "an attribute",
    ast.Subscript: "an index",
    ast.JoinedStr: "an f-string",
    ast.Compare: "a comparison",
    ast.BoolOp: "and, or",
    ast.Starred: "a star",
    ast.Set: "a set",
    ast.NamedExpr: "an assignment within a value",
    ast.Raise: "a raise",
    ast.Assert: "an assert",
    ast.Global: "a global",
}


def read_values(text: str, *, name: str, given: Mapping[str, Value]) -> dict[str, Value]:
    """Return what a file sets, and what was set before it.

    Args:
        text: the file.
        name: what errors call it.
        given: variables that it may use.

    Raises:
        InvalidInput: it is no Python, or more than values.
    """
    if len(text) > MOST_BYTES:
        raise InvalidInput(f"{name} is too long for a configuration file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python will not have some day
            tree = ast.parse(text)
    except SyntaxError as error:
        raise InvalidInput(
            f"{name}:{error.lineno or 1}: this is no Python: {error.msg}",
            hint='write KEY = "value", or KEY = [ "value", ... ]',
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise InvalidInput(f"{name} cannot be read: it is no text that anybody wrote") from None
    reader = _Reader(name, dict(given))
    for statement in tree.body:
        reader.take(statement)
    return reader.values


class _Reader:
    """The names that are bound so far."""

    def __init__(self, name: str, values: dict[str, Value]) -> None:
        self._name = name
        self.values = values

    def take(self, statement: ast.stmt) -> None:
        """Bind what a statement binds."""
        match statement:
            case ast.Assign(targets=targets, value=value):
                found = self._value(value, 0)
                for target in targets:
                    self.values[self._target(target)] = found
            case ast.AugAssign(target=ast.Name() as target, op=ast.Add(), value=value):
                before = self._value(ast.copy_location(ast.Name(id=target.id), target), 0)
                self.values[target.id] = self._sum(statement, before, self._value(value, 0))
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                pass  # a comment of the other kind
            case ast.Expr(value=value):
                raise self._refused(value)
            case _:
                raise self._refused(statement)

    def _target(self, target: ast.expr) -> str:
        if not isinstance(target, ast.Name):
            raise self._error(target, "only a name can be set")
        return target.id

    def _value(self, node: ast.expr, depth: int) -> Value:
        if depth > _DEEPEST:
            raise self._error(node, "this is nested too deeply")
        match node:
            case ast.Constant(value=str() | int() | float() | None as value):
                return self._small(node, value)
            case ast.Name(id=name):
                if name not in self.values:
                    raise self._error(node, f"{name} is not set", "set it above")
                return self.values[name]
            case ast.List(elts=members):
                return [self._value(member, depth + 1) for member in members]
            case ast.Tuple(elts=members):
                return tuple(self._value(member, depth + 1) for member in members)
            case ast.Dict(keys=keys, values=members):
                return self._dictionary(node, keys, members, depth)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self._value(operand, depth + 1)
                if not isinstance(number, int | float):
                    raise self._error(node, "only a number can be negative")
                return -number
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._sum(node, self._value(left, depth + 1), self._value(right, depth + 1))
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                return self._text(node, self._value(left, depth + 1), self._value(right, depth + 1))
            case _:
                raise self._refused(node)

    def _dictionary(
        self, node: ast.expr, keys: list[ast.expr | None], members: list[ast.expr], depth: int
    ) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, member in zip(keys, members, strict=True):
            name = self._value(key, depth + 1) if key is not None else None
            if not isinstance(name, str):
                raise self._error(node, "the key of a dictionary is no string")
            found[name] = self._value(member, depth + 1)
        return found

    def _sum(self, node: ast.AST, left: Value, right: Value) -> Value:
        match left, right:
            case (str(), str()) | (list(), list()) | (tuple(), tuple()):
                return self._small(node, left + right)  # type: ignore[operator]
            case (int() | float(), int() | float()):
                return self._small(node, left + right)
            case _:
                raise self._error(
                    node, f"{_kind(left)} and {_kind(right)} cannot be put together", "use %"
                )

    def _text(self, node: ast.AST, form: Value, values: Value) -> Value:
        """Return a text with values put in; a value is a string or a number, and no conversion is wider than a line."""
        members = values if isinstance(values, tuple) else (values,)
        if not isinstance(form, str) or not all(isinstance(m, str | int | float) for m in members):
            raise self._error(node, "% puts strings and numbers into a string, and nothing else")
        if _WIDE.search(form):
            raise self._error(node, f"{form[:40]!r} makes too much of a value")
        try:
            return self._small(node, form % members)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._error(node, f"{form[:40]!r} does not fit its values: {error}") from None

    def _small(self, node: ast.AST, value: Value) -> Value:
        if isinstance(value, str | list | tuple) and len(value) > _MOST_LENGTH:
            raise self._error(node, "this becomes too long")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise self._error(node, "this number is too large")
        return value

    def _refused(self, node: ast.AST) -> InvalidInput:
        kind = _KINDS.get(type(node), "this")
        return self._error(
            node,
            f"{kind} cannot be read",
            "these files are read, never run: write the value itself",
        )

    def _error(self, node: ast.AST, message: str, hint: str | None = None) -> InvalidInput:
        line = getattr(node, "lineno", 1)
        return InvalidInput(f"{self._name}:{line}: {message}", hint=hint)


def _kind(value: Value) -> str:
    match value:
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case tuple():
            return "a tuple"
        case dict():
            return "a dictionary"
        case _:
            return "nothing"
