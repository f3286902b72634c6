"""A container that is started with the node by ``wirt boot``, which stands for OpenVZ's service: as ``vzctl start`` would start it."""

from wirt.dialects.vz import conf, ctid
from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.vzctl import scripts
from wirt.dialects.vz.vzctl.holding import bring_to_file, check_file
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.stop import stop


def prepare(context: Context, guest: Guest) -> bool:
    """Bring a guest to its file, if it has one; return whether it may be started.

    Raises:
        Refused: as ``check_file`` and ``bring_to_file``, the file cannot be read, or a script stands in the way.
    """
    config = conf.read_config(context.home, ctid.ctid_of(guest))
    if config.get("DISABLED") == "yes":
        return False
    check_file(context, guest, config)
    scripts.check_startable(context, guest)
    bring_to_file(context, guest, config)
    scripts.run_on_node(context, guest, "premount")
    return True


def run_script(context: Context, guest: Guest) -> None:
    """Run a guest's own script in it, once it has been started.

    Raises:
        Refused: it failed; the guest is stopped again.
    """
    try:
        scripts.run_inside(context, guest, "start")
    except Refused:
        stop(context, guest.name, force=True)
        raise
