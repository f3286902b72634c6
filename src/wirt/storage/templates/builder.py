"""Builds the root of a template with mmdebstrap, in a directory that the caller owns and throws away on failure."""

import os
import re
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

from wirt.errors import Failed
from wirt.host.run import ENVIRONMENT, Streams, check, exit_status, spawn
from wirt.model.template import TemplateSpec
from wirt.storage.templates.apt import (
    carried_settings,
    read_own_suite,
    read_sources,
    render_deb822,
    select_suite,
)
from wirt.storage.templates.mmdebstrap import HURRY, PRIVATE, build_argv
from wirt.storage.templates.workdir import empty_directory

_HOOK = re.compile(r"running --customize-hook .*/script-(\d+) ")
_FAILED_HOOK = re.compile(r"command failed: .*/script-(\d+) ")
_HEADLINES = tuple(
    f"I: {word}" for word in ("running apt", "downloading", "extracting", "installing", "cleaning")
)
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
_OF_THE_NODE = ("etc/hostname", "etc/resolv.conf", "etc/apt/apt.conf.d/99mmdebstrap")
"""What mmdebstrap leaves of the machine it ran on."""


def build_root(spec: TemplateSpec, work: str, *, lock: int, progress: Callable[[str], None]) -> str:
    """Build the root of ``spec`` below ``work`` and return its path.

    Args:
        spec: what the root is made of.
        work: directory of the caller's.
        progress: is told what is being done, a short text at a time.
        lock: descriptor of the lock on ``work``; the build inherits it, so that nobody takes the directory for a dead
            build's while a process of it still runs.

    Raises:
        Unsupported: apt has no source for the suite, or a program is missing.
        Failed: mmdebstrap failed; the detail is the end of what it said.
    """
    tree, inputs = f"{work}/root", Path(work, "inputs")
    sources = inputs / "wirt.sources"
    settings = inputs / "fetch.conf"
    chosen = render_deb822(
        select_suite(read_sources(), spec.suite, sibling=read_own_suite(spec.distribution))
    )
    inputs.mkdir()
    sources.write_text(chosen)
    settings.write_text(carried_settings(check(["apt-config", "dump"])))
    scripts = []
    for number, text in enumerate(spec.scripts, 1):
        script = inputs / f"script-{number}"
        script.write_text(text)
        scripts.append(str(script))
    # apt fetches as its own user, who must be able to reach the root.
    os.chmod(work, 0o711)
    temporary = inputs / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    environment = {
        **ENVIRONMENT,
        **{name: os.environ[name] for name in _with_capitals(_PROXIES) if name in os.environ},
        "TMPDIR": str(temporary),
        # Debian's kernel packages then make no initial ramdisk: guests boot with a small one of ours.
        "INITRD": "No",
    }
    argv = build_argv(
        spec, tree=tree, sources=str(sources), settings=str(settings), scripts=scripts
    )
    _run_reporting(
        [*PRIVATE, *argv], what=spec.name, lock=lock, environment=environment, progress=progress
    )
    _neutralise(tree)
    shutil.rmtree(inputs)
    return tree


def _run_reporting(
    argv: list[str],
    *,
    what: str,
    lock: int,
    environment: dict[str, str],
    progress: Callable[[str], None],
) -> None:
    """Run the build, passing mmdebstrap's own headlines on, and end every process of it before returning."""
    said: deque[str] = deque(maxlen=40)
    reader, writer = os.pipe()
    with os.fdopen(reader, errors="replace") as lines:
        try:
            process = spawn(
                argv,
                streams=Streams(stdout=writer, stderr=writer),
                environment=environment,
                keep=(lock,),
            )
        finally:
            os.close(writer)
        try:
            for line in lines:
                said.append(line.rstrip())
                if headline := _headline(line):
                    progress(headline)
        except BaseException:
            process.kill()
            # The pipe ends when the last process of the build has: only then may its directory be removed.
            for _ in lines:
                pass
            raise
        finally:
            status = exit_status(process.wait())
    if status != 0:
        raise Failed(
            _explain(what, list(said), status),
            detail="\n".join(said),
            hint="check the suite, the packages and the scripts of the template",
        )


def _explain(name: str, said: list[str], status: int) -> str:
    """Return what went wrong: the first error of apt or mmdebstrap, or the last words of a script."""
    errors = [number for number, line in enumerate(said) if line.startswith("E: ")]
    if not errors:
        return f"mmdebstrap could not build template {name}: exit status {status}"
    first = said[errors[0]]
    if script := _FAILED_HOOK.search(first):
        last_words = said[errors[0] - 1] if errors[0] else ""
        reason = (
            last_words if last_words and not last_words.startswith("I: ") else "it said nothing"
        )
        return f"script {script[1]} of template {name} failed: {reason}"
    return f"mmdebstrap could not build template {name}: {first[3:]}"


def _headline(line: str) -> str | None:
    """Return what mmdebstrap says it is doing, for a person; None for the rest of what it says."""
    if script := _HOOK.search(line):
        return f"running script {script[1]} of the template"
    return line[3:].strip().rstrip(".") if line.startswith(_HEADLINES) else None


def _neutralise(tree: str) -> None:
    """Take out what belongs to this machine or to one run: device nodes, names, temporary files."""
    for path in _OF_THE_NODE:
        Path(tree, path).unlink(missing_ok=True)
    options = Path(tree, "etc/dpkg/dpkg.cfg.d/99mmdebstrap")
    kept = [line for line in options.read_text().splitlines() if line != HURRY]
    options.write_text("".join(f"{line}\n" for line in kept))
    for name in ("dev", "run", "tmp"):
        empty_directory(f"{tree}/{name}")
    # A booted system makes it anew; programs in a chroot, Apache among them, expect it there.
    lock = Path(tree, "run/lock")
    lock.mkdir()
    lock.chmod(0o1777)


def _with_capitals(names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, *(name.upper() for name in names))
