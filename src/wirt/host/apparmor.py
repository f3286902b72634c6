"""AppArmor's profiles in the kernel, as far as they have to be taken away.

liblxc loads a profile and a namespace of profiles for each container, and its monitor takes them away when the container
ends. A monitor that was killed does not, and nothing else in the kernel ever does.
"""

import os
from contextlib import suppress

from wirt.host import files

_KERNEL = "/sys/kernel/security/apparmor"


def remove_profiles(prefix: str, *, kernel: str = _KERNEL) -> None:
    """Take away every profile and namespace whose name begins with ``prefix``; no error where there is no AppArmor.

    Source: the files of securityfs that apparmor_parser(8) uses; a name written to ``.remove`` unloads that profile.

    Raises:
        NotPermitted, Failed: the kernel refused.
    """
    with files.translated(f"take away the AppArmor profiles {prefix}*"):
        for namespace in _names(f"{kernel}/policy/namespaces"):
            if namespace.startswith(prefix):
                with suppress(FileNotFoundError):
                    os.rmdir(f"{kernel}/policy/namespaces/{namespace}")
        for profile in _loaded(f"{kernel}/profiles"):
            if profile.startswith(prefix):
                with suppress(FileNotFoundError), open(f"{kernel}/.remove", "w") as file:
                    file.write(profile)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _loaded(path: str) -> list[str]:
    """Return the names of the loaded profiles, which the kernel lists as ``NAME (MODE)``."""
    try:
        with open(path) as lines:
            return [line.rpartition(" (")[0] for line in lines]
    except FileNotFoundError:
        return []
