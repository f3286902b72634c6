"""Taking away what a container's profile leaves, on a kernel that is a directory."""

from pathlib import Path

import pytest

from wirt.errors import Failed
from wirt.host import apparmor

LISTED = """\
lsb_release (enforce)
lxc-wabcd-000001_</run/wirt/guests/000001> (enforce)
lxc-wabcd-000010_</run/wirt/guests/000010> (complain)
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    for name in ("lxc-wabcd-000001_<-run-wirt>", "lxc-wabcd-000010_<-run-wirt>"):
        (tmp_path / "policy" / "namespaces" / name).mkdir(parents=True)
    (tmp_path / "profiles").write_text(LISTED)
    (tmp_path / ".remove").touch()
    return tmp_path


def test_remove_profiles_takes_the_named_ones_and_no_others(kernel: Path) -> None:
    apparmor.remove_profiles("lxc-wabcd-000001_", kernel=str(kernel))

    assert (kernel / ".remove").read_text() == "lxc-wabcd-000001_</run/wirt/guests/000001>"
    left = [path.name for path in (kernel / "policy" / "namespaces").iterdir()]
    assert left == ["lxc-wabcd-000010_<-run-wirt>"]


def test_remove_profiles_where_there_is_no_apparmor_does_nothing(tmp_path: Path) -> None:
    apparmor.remove_profiles("lxc-wabcd-000001_", kernel=str(tmp_path / "none"))

    assert list(tmp_path.iterdir()) == []


def test_remove_profiles_that_the_kernel_refuses_says_so(kernel: Path) -> None:
    (kernel / "policy/namespaces/lxc-wabcd-000001_<-run-wirt>" / "busy").touch()

    with pytest.raises(Failed, match="cannot take away the AppArmor profiles lxc-wabcd-000001_"):
        apparmor.remove_profiles("lxc-wabcd-000001_", kernel=str(kernel))
