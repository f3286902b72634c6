"""CPUs and disks that a guest cannot have, and what is said then."""

from tests.conftest import TINY

CREATE = ["create", "-t", TINY, "new"]
BAD_SIZES = {
    "cpus-none": (
        [*CREATE, "--cpus", "0"],
        2,
        "0 CPUs cannot be given; this node has {cpus}; ask for 1 to {cpus}",
    ),
    "cpus-more-than-there-are": (
        [*CREATE, "--cpus", "9999"],
        2,
        "9999 CPUs cannot be given; this node has {cpus}; ask for 1 to {cpus}",
    ),
    "disk-too-small": (
        [*CREATE, "--disk", "1K"],
        2,
        "a disk of 1 KiB is too small; give at least 64 MiB",
    ),
    "disk-smaller-than-the-image-below-it": (
        [*CREATE, "-a", "qemu", "--disk", "1G"],
        6,
        "guest new cannot have a disk of 1 GiB: on pool image it is at least as large as its "
        "template's image, which has 4 GiB; leave --disk out, or ask for more",
    ),
    "cpus-more-than-user-mode-linux-knows": (
        [*CREATE, "-a", "uml", "--cpus", "2"],
        6,
        "guest new cannot have 2 CPUs: the kernel of approach uml knows 1; leave --cpus out, or use "
        "the approach qemu or kvm",
    ),
}
