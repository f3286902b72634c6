"""What a domain of Xen's boots from that has Debian's kernel and no system of Wirt's: for tests that run in the lab host on Xen."""

import os
import subprocess
from pathlib import Path

from tests.homes import BUSYBOX

KERNEL = f"/boot/vmlinuz-{os.uname().release}"
"""The node's own, of which the modules are too."""

_MODULES = ("xen_blkfront", "crc32c_generic", "ext4", "xen_netfront")
_INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in {modules}; do /bin/busybox insmod "/$module"; done
for word in $(/bin/busybox cat /proc/cmdline); do
    case $word in root=*) root=${{word#root=}} ;; esac
done
until [ -b "$root" ]; do /bin/busybox usleep 10000; done
/bin/busybox mount -o ro "$root" /root || exit 1
/bin/busybox mount -o move /dev /root/dev
/bin/busybox umount /proc
/bin/busybox echo "going to $root"
exec /bin/busybox switch_root /root /sbin/init
"""


def build_ramdisk(directory: Path) -> str:
    """Make a ramdisk of busybox and the modules of the node's kernel, in the order in which they need each other; return its path."""
    path = directory / "ramdisk"
    show = ("modprobe", "--show-depends", "--ignore-install")
    lines = [line for name in _MODULES for line in output(*show, name).splitlines()]
    modules = list(dict.fromkeys(line.split()[1] for line in lines if line.startswith("insmod")))
    root = path.with_suffix(".d")
    for name in ("bin", "dev", "proc", "root"):
        (root / name).mkdir(parents=True)
    for name in modules:
        (root / Path(name).name).write_bytes(Path(name).read_bytes())
    (root / "bin/busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (root / "init").write_text(_INIT.format(modules=" ".join(Path(m).name for m in modules)))
    for name in ("bin/busybox", "init"):
        (root / name).chmod(0o755)
    names = "\n".join(str(one.relative_to(root)) for one in sorted(root.rglob("*")))
    pack = [BUSYBOX, "cpio", "-o", "-H", "newc"]
    with path.open("wb") as file:
        subprocess.run(pack, input=names.encode(), stdout=file, cwd=root, check=True)
    return str(path)


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
