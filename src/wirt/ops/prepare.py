"""``prepare``: what stands in the way of a checkpoint, taken out of it where Wirt can."""

from wirt.errors import Failed
from wirt.host.run import Streams
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.execute import execute_in, listening
from wirt.ops.steps.checkpointing import checkpointable, find_obstacles

DIRECTORY, DROP_IN = "/etc/systemd/system", "wirt-checkpoint.conf"
_SAID = 4096
"""Bytes of what the guest says that are kept."""

_SANDBOXING = (
    "LoadCredential=",
    "PrivateDevices=no",
    "PrivateIPC=no",
    "PrivateMounts=no",
    "PrivateNetwork=no",
    "PrivateTmp=no",
    "PrivateUsers=no",
    "ProtectControlGroups=no",
    "ProtectHome=no",
    "ProtectHostname=no",
    "ProtectKernelLogs=no",
    "ProtectKernelModules=no",
    "ProtectKernelTunables=no",
    "ProtectProc=default",
    "ProcSubset=all",
    "ProtectSystem=no",
    "BindPaths=",
    "BindReadOnlyPaths=",
    "ExecPaths=",
    "InaccessiblePaths=",
    "NoExecPaths=",
    "ReadOnlyPaths=",
    "ReadWritePaths=",
    "TemporaryFileSystem=",
)
"""What gives a unit a view of its own of mounts, host name, IPC, network or users (systemd.exec(5)), reset."""

_SCRIPT = """
set -e
for unit; do
    mkdir -p "{directory}/$unit.d"
    printf '%s\\n' '[Service]' {lines} >"{directory}/$unit.d/{drop_in}"
done
systemctl daemon-reload
for unit; do
    [ ! -e "/run/credentials/$unit" ] || umount -l "/run/credentials/$unit"
    case $(systemctl show --property=Type --value "$unit") in
    oneshot) ;;
    *) systemctl try-restart "$unit" ;;
    esac
done
"""


def prepare(context: Context, name: str) -> list[str]:
    """Switch the sandboxing of units off that a running guest cannot be checkpointed with, and return their names.

    They are restarted for it. Where nothing of that kind stands in the way nothing is done; what else does is left.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        Failed: the guest's systemd did not do it; some units may have been changed.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "checkpoint", guest.name)
        approach = checkpointable(context, guest)
        obstacles = find_obstacles(context, guest, approach)
        units = sorted({one.unit for one in obstacles if one.unit is not None})
        if not units:
            return []
        lines = " ".join(f"'{line}'" for line in _SANDBOXING)
        with listening(_SAID, last=True) as (said, heard):
            script = _SCRIPT.format(lines=lines, directory=DIRECTORY, drop_in=DROP_IN)
            status = execute_in(
                context,
                guest,
                ["/bin/sh", "-c", script, "sh", *units],
                streams=Streams(stdout=said, stderr=said),
            )
        if status != 0:
            raise Failed(
                f"guest {guest.name} could not be prepared: its systemd ended {status}",
                detail=heard.content.decode(errors="replace"),
            )
    return units
