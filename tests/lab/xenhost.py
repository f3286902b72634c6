"""The lab host on Xen: a hypervisor under QEMU's emulation, and a Debian of a few processes as its first domain.

QEMU boots Xen itself, with the domain's kernel and ramdisk as the modules that a boot loader would hand over. Its processor is one
that knows little: what Xen does not have to save for each domain, it cannot lose under emulation. The project, and a home that has
the shipped template already, come on a second disk, which is made anew for each session.
"""

import gzip
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.host import (
    PROJECT,
    PYTHON,
    Host,
    cache,
    copy,
    copy_project,
    ensure_template,
    last_said,
)

from wirt import app
from wirt.approaches import ownkernel
from wirt.approaches.agent import Ended
from wirt.errors import Error
from wirt.host import process, run
from wirt.model.guest import Handle
from wirt.model.home import Home
from wirt.model.launch import Place
from wirt.storage.templates.store import FORMS

NAME, TEMPLATE = "lab-xen", "wirt-lab-xen"
GUESTS_TEMPLATE = "debian-12-web"
_BOOT_SECONDS = 900.0
_AGENT_SECONDS = 120.0
_LOOK_SECONDS = 0.2

_MACHINE = ("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64,+svm,+npt")
XEN_ARGUMENTS = (
    "dom0_mem=1536M,max:1536M dom0_max_vcpus=1 console=com1 com1=115200,8n1 spec-ctrl=no"
)
_KERNEL_ARGUMENTS = "root=/dev/vda rw console=hvc0 panic=-1 net.ifnames=0 mitigations=off"
_HOME_BYTES = 8 << 30
"""Of the second disk, which is mostly holes."""

_PROGRAMS = {
    "wirt": "from wirt.cli.entry import entry",
    "xm": "from wirt.dialects.xm.entry import xm",
}


class XenHost(Host):
    """A running lab host on Xen with the project in it."""

    def __init__(self, place: Place, handle: Handle) -> None:
        """Describe one that runs; ``open_xen_lab`` makes it."""
        self._place = place
        self._handle = handle

    def run(self, *argv: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command in the first domain and return what it said, whatever its status.

        Raises:
            AssertionError: it did not end in time, or the host has ended; with what its console said last.
        """
        deadline = time.monotonic() + seconds
        try:
            with ownkernel.open_agent(self._place, self._handle, _AGENT_SECONDS) as agent:
                pid = agent.start_command(list(argv), environment=dict(run.ENVIRONMENT))
            while (ended := self._result(pid)) is None:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{argv} did not end within {seconds:g} s\n{self._said()}")
                time.sleep(_LOOK_SECONDS)
        except Error as error:
            raise AssertionError(f"{argv}: {error}\n{self._said()}") from error
        out, said = (text.decode(errors="replace") for text in (ended.stdout, ended.stderr))
        return subprocess.CompletedProcess(argv, ended.status, out, said)

    def _result(self, pid: int) -> Ended | None:
        with ownkernel.open_agent(self._place, self._handle, _AGENT_SECONDS) as agent:
            return agent.take_result(pid)

    def _said(self) -> str:
        return last_said([Path(self._place.log)])


@contextmanager
def open_xen_lab(xen_arguments: str = XEN_ARGUMENTS) -> Iterator[XenHost]:
    """Boot the lab host on Xen with the project and the shipped template in it, and take it away.

    Args:
        xen_arguments: what the hypervisor is told.

    Raises:
        AssertionError: it did not start; says what its console said last.
    """
    home = cache()
    ensure_template(home, TEMPLATE)
    with app.open_context(home) as context:
        tree, root, boot = (
            context.templates.path_of_form(TEMPLATE, form) for form in ("tree", "image", "boot")
        )
    with tempfile.TemporaryDirectory(prefix="wirt-xen-") as work:
        xen, project = f"{work}/xen", f"{work}/project.img"
        # Xen comes packed, which QEMU does not read.
        packed = next(Path(tree, "boot").glob("xen-*-amd64.gz"))
        Path(xen).write_bytes(gzip.decompress(packed.read_bytes()))
        _make_disk(project)
        place = Place(name=NAME, run_dir=work, log=f"{work}/console.log")
        directory = ownkernel.make_channel(place)
        argv = [
            # Whoever is killed leaves no machine behind that nobody knows.
            *("setpriv", "--pdeathsig", "KILL", "nice", "-n", "10"),
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
            *(*_MACHINE, "-smp", "2", "-m", "4G", "-no-reboot"),
            *("-kernel", xen, "-append", xen_arguments),
            *("-initrd", f"{boot}/vmlinuz {_KERNEL_ARGUMENTS},{boot}/initrd.img"),
            *("-drive", f"if=virtio,format=raw,snapshot=on,file={root}"),
            *("-drive", f"if=virtio,format=raw,cache=unsafe,file={project}"),
            *("-chardev", f"file,id=console,path={place.log}", "-serial", "chardev:console"),
            *("-device", "virtio-serial-pci", "-chardev", "pipe,id=agent,path=agent"),
            *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
        ]
        with open(f"{work}/qemu.log", "wb") as said:
            engine = subprocess.Popen(
                argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        try:
            handle = Handle(pid=engine.pid, started=process.start_time(engine.pid))
            try:
                ownkernel.wait_ready(place, handle, _BOOT_SECONDS)
                host = XenHost(place, handle)
                host.check("test", "-e", "/run/lab-started")
            except (Error, AssertionError) as error:
                said_last = last_said([Path(place.log), Path(f"{work}/qemu.log")])
                raise AssertionError(f"Xen did not start up: {error}\n{said_last}") from error
            yield host
        finally:
            engine.kill()
            engine.wait()


def _make_disk(path: str) -> None:
    """Make the disk with the project, and the home of Wirt's that is in the first domain."""
    with app.open_context(Home()) as context:
        forms = {
            form: context.templates.path_of_form(GUESTS_TEMPLATE, form)
            for form in ("image", "boot")
        }
    with tempfile.TemporaryDirectory(prefix="wirt-xen-") as staging:
        project = Path(staging, "wirt")
        copy_project(project)
        environment = project / ".venv"
        python = ("/usr/bin/python3", "-m")
        subprocess.run([*python, "venv", "--without-pip", environment], check=True)
        packages = next(environment.glob("lib/python3.*/site-packages"))
        (packages / "wirt.pth").write_text(f"{PROJECT}/src\n{PROJECT}/site-packages\n")
        for name, line in _PROGRAMS.items():
            program = environment / "bin" / name
            call = line.rpartition(" ")[2]
            program.write_text(f"#!{PYTHON}\n{line}\nraise SystemExit({call}())\n")
            program.chmod(0o755)
        # It takes an emulated processor ten seconds.
        how = ("-q", "--invalidation-mode", "unchecked-hash", "-s", project, "-p", PROJECT)
        subprocess.run(
            [*python, "compileall", *how, project / "src", project / "site-packages"],
            check=True,
        )
        template = Path(staging, "home/templates", GUESTS_TEMPLATE)
        template.mkdir(parents=True)
        copy(Path(forms["image"]).parent / "template.json", template / "template.json")
        copy(Path(forms["boot"]), template / FORMS["boot"])
        # Mostly holes, which stay holes.
        subprocess.run(
            ["cp", "--sparse=always", forms["image"], template / FORMS["image"]], check=True
        )
        with open(path, "wb") as file:
            os.truncate(file.fileno(), _HOME_BYTES)
        subprocess.run(
            ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", staging, path], check=True
        )
