"""The command line of mmdebstrap for one template: pure, nothing is run here."""

import shlex
from collections.abc import Sequence

from wirt.host.run import WITH_US
from wirt.model.template import TemplateSpec

PRIVATE = (
    *WITH_US,
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)
"""Put before a command that mounts things: its mounts are seen by nobody else, and it ends, with its children and
its mounts, when Wirt does, even by kill -9."""

HURRY = "force-unsafe-io"
"""dpkg's option not to wait for the disk at every file: the root is thrown away if the machine fails meanwhile. To be
taken out of the root's ``/etc/dpkg/dpkg.cfg.d/99mmdebstrap`` afterwards, for a guest's files are not."""

SCRIPT_IN_ROOT = "/tmp/wirt-script"


def build_argv(
    spec: TemplateSpec, *, tree: str, sources: str, settings: str, scripts: Sequence[str]
) -> list[str]:
    """Return the command that makes the root of ``spec``.

    Args:
        spec: what the root is made of.
        tree: directory that becomes the root.
        sources: apt sources file of the suite.
        settings: apt.conf file for fetching; removed from the root afterwards by the caller.
        scripts: files with the texts of ``spec.scripts``, in order.
    """
    argv = ["mmdebstrap", "--mode=root", "--format=directory", "--variant=minbase"]
    if spec.packages:
        argv.append(f"--include={','.join(spec.packages)}")
    argv += [f"--aptopt={settings}", f"--dpkgopt={HURRY}"]
    argv += [f"--dpkgopt=path-exclude={path}" for path in spec.exclude]
    argv += [f"--customize-hook={_script_hook(script)}" for script in scripts]
    return [*argv, spec.suite, tree, sources]


def _script_hook(script: str) -> str:
    """Return the shell line that runs a script inside the root; mmdebstrap gives it the root as ``$1``."""
    inside = f'"$1"{SCRIPT_IN_ROOT}'
    return (
        f"install -m 755 {shlex.quote(script)} {inside}"
        f' && chroot "$1" {SCRIPT_IN_ROOT} && rm {inside}'
    )
