"""Says whether a template has what guests of an approach begin with: before one is made, not when it is started."""

from wirt.approaches.base import Needs
from wirt.model.capability import Capability, no, yes
from wirt.model.template import Template


def judge_template(template: Template, approach: str, needs: Needs) -> Capability:
    """Return whether guests of an approach can be made from a template.

    One that nobody has looked into gets the benefit of the doubt; the start of its guests will tell.
    """
    if needs.init and template.has_init is False:
        return no(
            approach,
            f"template {template.name} has no /sbin/init, which is the first program of its guests",
            "put a system such as systemd into it, or use the approach chroot",
        )
    if needs.kernel_image and template.has_kernel is False:
        return no(
            approach,
            f"template {template.name} has no kernel with its modules, which its guests boot",
            "add linux-image-cloud-amd64 to its packages, or use the approach chroot or lxc",
        )
    return yes(approach, f"template {template.name} has what its guests begin with")
