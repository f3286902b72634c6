"""A machine with systemd, copied: its guests boot under every approach, with its own kernel under QEMU."""

import subprocess
from pathlib import Path

import pytest
from tests import homes
from tests.guest.conftest import ShippedTemplate
from tests.homes import HomeUnderTest

MOTD = "the old machine\n"
STALE = "auto ens18\niface ens18 inet static\n  address 192.0.2.1/24\n"


@pytest.mark.long
def test_guests_of_a_copied_machine_boot_and_have_their_own_address_and_id(
    template: ShippedTemplate,
) -> None:
    with homes.open_home() as home:
        machine = machine_of(home, template)
        home.wirt("template", "from-machine", machine, "old", status=0)
        seen = {approach: boot(home, approach) for approach in ("lxc", "uml", "qemu")}

        ids = {said.pop("id") for said in seen.values()}
        assert seen == {name: {"motd": MOTD, "failed": ""} for name in seen}
        assert len(ids) == len(seen)


def machine_of(home: HomeUnderTest, template: ShippedTemplate) -> str:
    """Return the root of a machine: the shipped one, with what a machine of its own has besides."""
    root = home.base / "machine"
    subprocess.run(["cp", "-a", template.tree, root], check=True)
    (root / "etc/motd").write_text(MOTD)
    (root / "etc/fstab").write_text("UUID=1234 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n")
    (root / "etc/network").mkdir(exist_ok=True)
    (root / "etc/network/interfaces").write_text(STALE)
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    for path in ("multi-user.target.wants/systemd-networkd.service", "wirt-agent.service"):
        Path(root, "etc/systemd/system", path).unlink()
    return str(root)


def boot(home: HomeUnderTest, approach: str) -> dict[str, str]:
    """Start a guest of the copy, and return what it says of itself."""
    home.wirt("create", approach, "-t", "old", "-a", approach, "--memory", "256M", status=0)
    home.wirt("start", approach, status=0)
    address = next(guest.address for guest in home.guests() if guest.name == approach)
    script = (
        "cat /etc/motd; until [ -S /run/systemd/private ]; do :; done; "
        "systemctl is-system-running --wait >/dev/null; "
        f"ip -br address | grep -q {address}/ || echo no address"
    )
    said = home.wirt("exec", approach, "--", "sh", "-c", script).stdout
    failed = home.wirt("exec", approach, "--", "systemctl", "--failed", "--no-legend").stdout
    own = home.wirt("exec", approach, "--", "cat", "/etc/machine-id").stdout
    home.wirt("destroy", "--force", approach, status=0)
    return {"motd": said, "failed": failed, "id": own}
