"""Configuration files of domains: read as values, and nothing in them is ever run."""

import pytest

from wirt.dialects.xm.pyfile import Value, read_values
from wirt.errors import InvalidInput


def read(text: str, **given: Value) -> dict[str, Value]:
    return read_values(text, name="web", given=given)


def test_literals_names_sums_and_percent_are_values() -> None:
    found = read(
        '"""A domain."""\n'
        "base = 'web'  # a comment\n"
        "name = base + '-%d' % number\n"
        "memory = 128 + 128\n"
        "disk = ['phy:%s/%s,sda1,w' % ('vg', name)] + ['phy:vg/swap,sda2,w',]\n"
        "disk += ['file:/a,xvdc,r']\n"
        "cpu = -1\n"
        "weight = 1.5\n"
        "a = b = None\n"
        "pair = (1, True)\n"
        "table = {'x': [1]}\n"
        "pass\n",
        number=3,
    )

    assert found == {
        "number": 3,
        "base": "web",
        "name": "web-3",
        "memory": 256,
        "disk": ["phy:vg/web-3,sda1,w", "phy:vg/swap,sda2,w", "file:/a,xvdc,r"],
        "cpu": -1,
        "weight": 1.5,
        "a": None,
        "b": None,
        "pair": (1, True),
        "table": {"x": [1]},
    }


READ_NEVER_RUN = "; these files are read, never run: write the value itself"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = open('x')", f"web:1: a call cannot be read{READ_NEVER_RUN}"),
        ("a = 1\nopen('x')", f"web:2: a call cannot be read{READ_NEVER_RUN}"),
        ("import os", f"web:1: an import cannot be read{READ_NEVER_RUN}"),
        ("from os import path", f"web:1: an import cannot be read{READ_NEVER_RUN}"),
        ("def f():\n  pass", f"web:1: a function cannot be read{READ_NEVER_RUN}"),
        ("class C: pass", f"web:1: a class cannot be read{READ_NEVER_RUN}"),
        ("f = lambda: 1", f"web:1: a function cannot be read{READ_NEVER_RUN}"),
        ("if 1:\n  a = 1", f"web:1: a condition cannot be read{READ_NEVER_RUN}"),
        ("a = 1 if 2 else 3", f"web:1: a condition cannot be read{READ_NEVER_RUN}"),
        ("for i in [1]:\n  a = i", f"web:1: a loop cannot be read{READ_NEVER_RUN}"),
        ("while 1: pass", f"web:1: a loop cannot be read{READ_NEVER_RUN}"),
        ("a = [i for i in (1, 2)]", f"web:1: a loop cannot be read{READ_NEVER_RUN}"),
        ("a = ''.join", f"web:1: an attribute cannot be read{READ_NEVER_RUN}"),
        ("a = [1][0]", f"web:1: an index cannot be read{READ_NEVER_RUN}"),
        ("b = 1\na = f'{b}'", f"web:2: an f-string cannot be read{READ_NEVER_RUN}"),
        ("a = 1 < 2", f"web:1: a comparison cannot be read{READ_NEVER_RUN}"),
        ("a = 1 or 2", f"web:1: and, or cannot be read{READ_NEVER_RUN}"),
        ("a = [*'ab']", f"web:1: a star cannot be read{READ_NEVER_RUN}"),
        ("a = {1}", f"web:1: a set cannot be read{READ_NEVER_RUN}"),
        ("a = (b := 1)", f"web:1: an assignment within a value cannot be read{READ_NEVER_RUN}"),
        ("try:\n  a = 1\nfinally:\n  pass", f"web:1: a try cannot be read{READ_NEVER_RUN}"),
        ("with 1: pass", f"web:1: a with cannot be read{READ_NEVER_RUN}"),
        ("del a", f"web:1: a del cannot be read{READ_NEVER_RUN}"),
        ("raise a", f"web:1: a raise cannot be read{READ_NEVER_RUN}"),
        ("assert 1", f"web:1: an assert cannot be read{READ_NEVER_RUN}"),
        ("global a", f"web:1: a global cannot be read{READ_NEVER_RUN}"),
        ("a = 'x' * 9", f"web:1: this cannot be read{READ_NEVER_RUN}"),
        ("a = b'x'", f"web:1: this cannot be read{READ_NEVER_RUN}"),
        ("a.b = 1", "web:1: only a name can be set"),
        ("a, b = 1, 2", "web:1: only a name can be set"),
        ("a = b", "web:1: b is not set; set it above"),
        ("a += 'x'", "web:1: a is not set; set it above"),
        ("a = 'x' + 1", "web:1: a string and a number cannot be put together; use %"),
        ("a = [] + ()", "web:1: a list and a tuple cannot be put together; use %"),
        ("a = {} + None", "web:1: a dictionary and nothing cannot be put together; use %"),
        ("a = -'x'", "web:1: only a number can be negative"),
        ("a = {1: 2}", "web:1: the key of a dictionary is no string"),
        ("a = {**{}}", "web:1: the key of a dictionary is no string"),
        ("a = 5 % 3", "web:1: % puts strings and numbers into a string, and nothing else"),
        ("a = '%s' % [1]", "web:1: % puts strings and numbers into a string, and nothing else"),
        ("a = '%9999d' % 1", "web:1: '%9999d' makes too much of a value"),
        ("a = '%*d' % (9, 1)", "web:1: '%*d' makes too much of a value"),
        (
            "a = '%d' % 'x'",
            "web:1: '%d' does not fit its values: %d format: a real number is required, not str",
        ),
        (
            "a = '%s %s' % 'x'",
            "web:1: '%s %s' does not fit its values: not enough arguments for format string",
        ),
        (f"a = {2**63}", "web:1: this number is too large"),
        (f"a = {'(' * 60}1{',)' * 60}", "web:1: this is nested too deeply"),
        ("a = 'x'\n" + "a = a + a\n" * 20, "web:18: this becomes too long"),
        ("a = [1]\n" + "a += a\n" * 20, "web:18: this becomes too long"),
        (
            "a = 'x\n",
            "web:1: this is no Python: unterminated string literal (detected at line 1); "
            'write KEY = "value", or KEY = [ "value", ... ]',
        ),
        ("a\0", "web cannot be read: it is no text that anybody wrote"),
        ("(" * 90_000, None),
        ("-" * 90_000 + "1", None),
        ("#" * 300_000, "web is too long for a configuration file"),
    ],
)
def test_what_is_more_than_a_value_is_refused_with_its_line(text: str, message: str | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)

    assert message in (None, str(caught.value))
    assert "\n" not in str(caught.value)


def test_escape_that_python_will_not_have_some_day_says_nothing() -> None:
    assert read("a = '\\d'") == {"a": "\\d"}
