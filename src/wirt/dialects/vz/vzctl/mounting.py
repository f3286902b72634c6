"""``vzctl mount`` and ``umount``."""

from wirt import app
from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.vzctl import scripts
from wirt.dialects.vz.vzctl.call import Call
from wirt.model.lifecycle import State
from wirt.ops.guests import observed
from wirt.ops.mount import mount as mount_guest
from wirt.ops.mount import unmount as unmount_guest


def mount(call: Call) -> int:
    """Mount the root of a container that does not run."""
    call.no_options()
    with app.open_context() as context:
        guest = ctid.find(context, call.ctid)
        if observed(context, guest).state is not State.STOPPED:
            raise Refused(Code.MOUNTED, f"{call.words.capital} is already mounted")
        scripts.run_on_node(context, guest, "premount")
        with ends_with(Code.MOUNT):
            root = mount_guest(context, guest.name)
        try:
            scripts.run_on_node(context, guest, "mount", root)
        except Refused:
            unmount_guest(context, guest.name)
            raise
    call.tell(f"{call.words.capital} is mounted")
    return Code.OK


def unmount(call: Call) -> int:
    """Unmount it."""
    call.no_options()
    words = call.words
    with app.open_context() as context:
        guest = observed(context, ctid.find(context, call.ctid))
        if guest.state.is_up:
            raise Refused(Code.RUNNING, f"{words.capital} is running", hint="stop it first")
        if guest.state is not State.MOUNTED:
            raise Refused(Code.NOT_MOUNTED, f"{words.capital} is not mounted")
        with ends_with(Code.MOUNT):
            # Which is where it is already.
            root = mount_guest(context, guest.name)
        scripts.run_on_node(context, guest, "umount", root)
        with ends_with(Code.UNMOUNT):
            unmount_guest(context, guest.name)
        scripts.run_on_node(context, guest, "postumount")
    call.tell(f"{words.capital} is unmounted")
    return Code.OK
