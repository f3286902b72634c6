"""What the kernel holds a container to, read back from its cgroups."""

from tests.homes import HomeUnderTest
from wirt.host.cgroup import find_hierarchies


def kernel_says(
    home: HomeUnderTest, controller: str, first: str, second: str, *, outer: bool = False
) -> str:
    """Return the first word of a file of the home's one container.

    Args:
        home: it has one guest, and that runs.
        controller: in whose tree the file is.
        first: its name in version 1.
        second: its name in version 2.
        outer: True for the cgroup that has other guests' beside it, else the one with the processes.
    """
    name = f"w{home.home.tag}-{home.guests()[0].id}"
    hierarchy = next(h for h in find_hierarchies() if controller in h.controllers)
    file = first if hierarchy.version == 1 else second
    below = "" if outer else f"/lxc.payload.{name}"
    with open(f"{hierarchy.path}/{name}{below}/{file}") as text:
        return text.read().split()[0]


def cpu_weight(home: HomeUnderTest) -> int:
    """Return the weight that the home's one container has, as of version 2, rounded down."""
    said = int(kernel_says(home, "cpu", "cpu.shares", "cpu.weight", outer=True))
    version = next(h.version for h in find_hierarchies() if "cpu" in h.controllers)
    return said * 100 // 1024 if version == 1 else said


def cpu_pin(home: HomeUnderTest) -> str:
    """Return the processors that the home's one container runs on."""
    return kernel_says(home, "cpuset", "cpuset.effective_cpus", "cpuset.cpus.effective")
