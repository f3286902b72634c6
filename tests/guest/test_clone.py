"""A clone of a guest with a kernel of its own: what its original holds, and who it is itself."""

import pytest
from tests.homes import HomeUnderTest

IDENTITY = "cat /etc/machine-id; hostname; ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


@pytest.mark.long
@pytest.mark.parametrize("approach", ["qemu", "uml"])
def test_clone_of_a_running_guest_with_its_own_kernel_is_another_with_the_same_files(
    guest_home: HomeUnderTest, approach: str
) -> None:
    home = guest_home
    home.wirt("create", "-a", approach, "--memory", "512M", "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "--", "sh", "-c", "echo kept > /root/file; sync", status=0)
    said = home.wirt("clone", "web", "two", status=0).stdout
    home.wirt("start", "two", status=0)
    kept = home.wirt("exec", "two", "--", "cat", "/root/file", status=0).stdout
    first, second = [
        home.wirt("exec", name, "--", "sh", "-c", IDENTITY, status=0).stdout.splitlines()
        for name in ("web", "two")
    ]

    assert said.startswith(f"guest two cloned from web: {approach}, ")
    assert kept == "kept\n"
    assert [mine == its for mine, its in zip(first, second, strict=True)] == [False] * 3
    assert (first[1], second[1]) == ("web", "two")
