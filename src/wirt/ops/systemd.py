"""Units of systemd, as text: what they have in common."""

from collections.abc import Mapping


def build_command(program: str, arguments: str, environment: Mapping[str, str]) -> str:
    """Return the lines of a service that run a command of Wirt.

    Args:
        program: path of ``wirt``.
        arguments: plain words.
        environment: what names the home, if it is another than the default.
    """
    home = "".join(
        f"Environment={_quoted(f'{key}={value}')}\n" for key, value in sorted(environment.items())
    )
    return f"{home}ExecStart={_quoted(program)} {arguments}"


def _quoted(text: str) -> str:
    """Return a word as systemd reads it back: see systemd.syntax(7), and specifiers in systemd.unit(5)."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{safe}"'
