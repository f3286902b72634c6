"""CRIU's programs, as functions: which one works here, and how a container's processes are dumped and restored.

A dump is made by ``criu dump`` itself. A restore goes through ``lxc-checkpoint``, which starts the monitor that a container
needs, and which runs whatever is called ``criu`` in its path: a script that is made here, with the options that are right.
The guest's network is not in the images: it is made anew, as it is at a start, which spares CRIU a dozen programs.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from wirt.approaches.lxc import control
from wirt.approaches.lxc.restorescript import RestorePlan, build_criu_script, build_network_script
from wirt.errors import Failed, Unsupported
from wirt.host import files, links, lxcfs, mountinfo, process, run
from wirt.model.capability import Capability, no, yes

_OWN = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 4, "build", "criu", "criu"
)
"""Where ``scripts/set-up`` puts a newer one if the system's does not do."""
_WATCHED = (
    "/etc",
    "/usr/share/dbus-1",
    # A watched link (/etc/localtime) comes back as a watch of what it leads to.
    "/usr/share/zoneinfo",
    "/usr/local/share",
    "/usr/lib/systemd",
    "/var/lib",
    "/var/spool",
)
"""Where watched files are looked for: an overlay does not tell CRIU the path of a watch, only its inode."""
LOG, SCRIPT = "criu.log", "script"
_FAILING = "because of failure on restore"
"""What CRIU says of it when it gives a restore up (``restore_root_task`` in ``criu/cr-restore.c``)."""
_LOOK_SECONDS = 0.5
_END_SECONDS = 5.0
_HINT = "scripts/set-up criu unpacks a newer one beside Wirt"
_OLDEST = (3, 19)
"""The first that leaves the network alone if it is asked to: others run ``iptables``, which Wirt's guests have not."""


def find() -> str | None:
    """Return the path of the CRIU to use: the one beside Wirt, which is there if the system's does not do, or that."""
    own = os.environ.get("WIRT_CRIU") or os.path.normpath(_OWN)
    return own if os.access(own, os.X_OK) else run.find_program("criu")


def probe() -> Capability:
    """Ask CRIU whether this kernel has all that it needs."""
    name = "memory"
    criu = _find_to_ask(name)
    if isinstance(criu, Capability):
        return criu
    done = run.run([criu, "check"])
    if done.status != 0 and not links.is_up("lo"):
        return no(
            name, "CRIU asks the kernel by way of the loopback, which is down", "ip link set lo up"
        )
    if done.status != 0:
        return no(name, f"criu check: {_last_error(done.stderr + done.stdout)}", _HINT)
    said = re.search(r"Version: (\S+)", run.check([criu, "--version"]))
    version = said.group(1) if said else ""
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return no(
            name, f"{criu} is CRIU {version or 'of unknown version'}, older than {oldest}", _HINT
        )
    return yes(name, f"CRIU {version}: {criu}")


def _find_to_ask(name: str) -> str | Capability:
    """Return the path of the CRIU to ask for a capability, or why it cannot be asked."""
    criu = find()
    if criu is None:
        return no(name, "CRIU is not installed", _HINT)
    if os.geteuid() != 0:
        return no(name, "only root can ask CRIU", "run wirt doctor as root for an answer")
    return criu


def describing_command(criu: str, images: str) -> list[str]:
    """Return the command that writes down beside a container's images what the processor has."""
    return [criu, "cpuinfo", "dump", f"--images-dir={images}", f"--log-file={os.devnull}"]


def check_processor(criu: str, images: str) -> None:
    """Check whether the processor has what was written down; nothing may have been.

    Raises:
        Unsupported: it has not.
    """
    if not os.path.exists(os.path.join(images, "cpuinfo.img")):
        return
    done = run.run([criu, "cpuinfo", "check", f"--images-dir={images}"])
    if done.status != 0:
        raise Unsupported(
            "this node's processor lacks what programs may use that found it when they were started: "
            + _last_error(done.stderr + done.stdout),
            hint="use a node with the same processor",
        )


def probe_tracking() -> Capability:
    """Ask CRIU whether the kernel marks the pages that a process writes to, so that only those have to be written again."""
    name = "changes"
    criu = _find_to_ask(name)
    if isinstance(criu, Capability):
        return criu
    if run.run([criu, "check", "--feature", "mem_dirty_track"]).status != 0:
        return no_tracking()
    return yes(
        name, "the kernel marks the pages that a process writes to: only they are written again"
    )


def no_tracking() -> Capability:
    """Say that the kernel does not mark pages."""
    return no(
        "changes",
        "the kernel does not mark the pages that a process writes to (CONFIG_MEM_SOFT_DIRTY)",
        "every checkpoint holds all of the memory, and all of it is written while the guest stands still",
    )


def external_mounts(pid: int) -> dict[str, str]:
    """Return where a container's root shows files of the node, its devices and what lxcfs serves, and which these are."""
    with open(f"/proc/{pid}/mountinfo", errors="surrogateescape") as lines:
        found = mountinfo.parse_mounts(line.rstrip("\n") for line in lines)
    tops = {"devtmpfs": "/dev", lxcfs.TYPE: lxcfs.directory()}
    return {one.mount_point: tops[one.type] + one.root for one in found if one.type in tops}


def dump_command(
    criu: str,
    pid: int,
    images: str,
    *,
    scratch: str,
    mounts: Iterable[str],
    keep_running: bool,
    earlier: str | None = None,
    tracks: bool = False,
    ahead: bool = False,
    frozen_by: str | None = None,
) -> list[str]:
    """Return the command that dumps a container.

    Args:
        criu: which one.
        pid: its init.
        images: an empty directory.
        scratch: a directory for its log; the file ``SCRIPT`` in it is run when everything has been written, while nothing
            in the container runs.
        mounts: those that show files of the node.
        keep_running: False to end the container when it has been dumped.
        earlier: images of it, by their path from these, of which what has not changed is taken; they were written with ``tracks``.
        tracks: True to have the kernel mark from now on what is changed.
        ahead: True to write nothing but memory, while the container runs.
        frozen_by: directory of its control group, if it is frozen by that and is to stay so; None: it runs.
    """
    return [
        criu,
        "pre-dump" if ahead else "dump",
        f"--tree={pid}",
        f"--images-dir={images}",
        f"--work-dir={scratch}",
        f"--log-file={LOG}",
        "-v2",
        _script_option(scratch),
        *_COMMON,
        *(f"--external=mnt[{point}]:{_key(point)}" for point in mounts),
        # Nothing comes through: the card's other end has been taken off the bridge.
        "--network-lock=skip",
        *(["--leave-running"] if keep_running and not ahead else []),
        *([f"--freeze-cgroup={frozen_by}"] if frozen_by else []),
        *_tracking(earlier, tracks=tracks),
    ]


def _tracking(earlier: str | None, *, tracks: bool) -> list[str]:
    # CRIU asks for marks before it looks at them.
    return [
        *(["--track-mem"] if tracks or earlier else []),
        *([f"--prev-images-dir={earlier}"] if earlier else []),
    ]


_COMMON = (
    "--tcp-established",
    "--file-locks",
    "--link-remap",
    "--ext-unix-sk",
    "--ghost-limit=64M",
    "--empty-ns=net",
    "--manage-cgroups=none",
    "--enable-external-sharing",
    "--enable-external-masters",
    *(f"--irmap-scan-path={path}" for path in _WATCHED),
)


def restore_options(
    images: str,
    *,
    scratch: str,
    mounts: Mapping[str, str],
    payload: str,
    confined_by: str | None = None,
) -> list[str]:
    """Return the options of ``criu restore`` for a container whose cgroups are there, but for its root and parentage.

    Args:
        images: what was dumped.
        scratch: a directory for its log; the file ``SCRIPT`` in it makes the container's network.
        mounts: those that showed files of the node, and which.
        payload: the cgroup of the container.
        confined_by: what the AppArmor labels of its processes begin with from now on; None: as they were.
    """
    return [
        f"--images-dir={images}",
        f"--work-dir={scratch}",
        f"--log-file={LOG}",
        "-v2",
        "--restore-detached",
        "--restore-sibling",
        _script_option(scratch),
        *_COMMON,
        *(f"--external=mnt[{_key(point)}]:{file}" for point, file in mounts.items()),
        f"--cgroup-root=/{payload}",
        *([f"--lsm-profile=apparmor:{confined_by}"] if confined_by else []),
    ]


def restore(lxc_path: str, log: str, scratch: str, plan: RestorePlan) -> None:
    """Restore a container and return when it runs.

    Args:
        lxc_path: where its configuration is.
        log: what LXC complains of if it fails.
        scratch: a directory for the scripts.
        plan: what they are made from.

    Raises:
        Failed: it could not be; the detail is what CRIU said.
    """
    os.makedirs(scratch, mode=0o700, exist_ok=True)
    files.write(os.path.join(scratch, SCRIPT), build_network_script(plan), mode=0o700)
    files.write(os.path.join(scratch, "criu"), build_criu_script(plan), mode=0o700)
    logged = control.log_size(lxc_path)
    with _ending_when_it_fails(scratch):
        # No pipe: the restored container would hold it for as long as it lives.
        status = run.attach(
            [
                control.RESTORE,
                f"--lxcpath={lxc_path}",
                f"--name={plan.name}",
                "--restore",
                f"--checkpoint-dir={scratch}",
                *control.logging(lxc_path),
                "--quiet",
            ],
            streams=run.SILENT,
            # Which goes first as a whole, and ends with the restore.
            new_session=True,
            environment={**run.ENVIRONMENT, "PATH": f"{scratch}:/usr/sbin:/sbin"},
        )
    if status != 0:
        control.keep_complaints(lxc_path, logged, log)
        raise failed(f"CRIU could not restore container {plan.name}", scratch)


@contextmanager
def _ending_when_it_fails(scratch: str) -> Iterator[None]:
    """End a CRIU that has failed late in a restore, as long as the block runs: by itself it does not.

    It waits for the container's first process, which it has killed, and which waits for others that only CRIU could bury.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if _FAILING in _read_log(scratch) and not over.wait(_END_SECONDS):
                for pid in process.find_by_argument(_script_option(scratch)):
                    process.end(pid)
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _read_log(scratch: str) -> str:
    with suppress(FileNotFoundError), open(os.path.join(scratch, LOG), errors="replace") as file:
        return file.read()
    return ""


def _script_option(scratch: str) -> str:
    """Return the option by which a CRIU that works in a directory is found."""
    return f"--action-script={scratch}/{SCRIPT}"


def failed(what: str, scratch: str) -> Failed:
    """Return the error of a program that failed: the first thing it complained about in its log, which is the detail."""
    lines = _read_log(scratch).splitlines()
    for line in lines:
        found = re.search(r"Error \([^)]*\): (.*)", line)
        # Said by every CRIU without CAP_SYS_RESOURCE, which then goes on.
        if found and "RLIMIT_NOFILE for self" not in line:
            return Failed(f"{what}: {found.group(1).strip()}", detail="\n".join(lines[-30:]))
    return Failed(f"{what}: it left no reason in its log", detail="\n".join(lines[-30:]))


def _last_error(said: str) -> str:
    lines = [line for line in said.splitlines() if "Error" in line]
    return lines[-1].rpartition("): ")[2] if lines else "it does not look good"


def _key(point: str) -> str:
    return "node" + point.replace("/", "-")
