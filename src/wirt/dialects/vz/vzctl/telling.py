"""What vzctl says while it gives a running container its parameters."""

from collections.abc import Collection, Sequence

from wirt.dialects.vz import ubc
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.vzctl.call import Call

_CPU = {
    "CPULIMIT": "Setting CPU limit",
    "CPUUNITS": "Setting CPU units",
    "CPUS": "Setting CPUs",
}
_BEANCOUNTERS = {name.upper() for name in ubc.PARAMETERS} - {"AVNUMPROC"}


def tell_cpu(call: Call, config: ConfigFile, keys: Collection[str]) -> None:
    """Say what a container has of the processors, of these keys of its file."""
    for key, said in _CPU.items():
        if key in keys and (value := config.get(key)) is not None:
            call.tell(f"{said}: {value}")


def tell_beancounters(call: Call, keys: Collection[str]) -> None:
    """Say that it is held to beancounters, if some are among these keys."""
    if _BEANCOUNTERS & set(keys):
        call.tell(call.words.limits_set)


def tell_addresses(call: Call, gone: Sequence[str], came: Sequence[str]) -> None:
    """Say which addresses a container has no longer, and which it has now."""
    for what, addresses in (("Deleting", gone), ("Adding", came)):
        if addresses:
            call.tell(f"{what} IP address(es): {' '.join(addresses)}")
