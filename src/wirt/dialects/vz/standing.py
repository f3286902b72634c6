"""What a guest is held to and called now, as a container's file says it: where the file of a guest that ``wirt create`` made begins."""

from collections.abc import Collection, Mapping
from contextlib import suppress

from wirt.dialects.vz import ubc
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.resolver import node_names
from wirt.dialects.vz.settings import PRIORITY_WEIGHT, Bad, limits_of, naming_of, units_of
from wirt.model.guest import Guest
from wirt.units import UNBOUNDED, render_cpus


def begun(guest: Guest, config: ConfigFile, keys: Collection[str]) -> ConfigFile:
    """Return the file of a guest which says, of keys that are to be changed and that it says nothing of yet, what the guest has.

    So what is not saved is over at its next start. A container that ``vzctl create`` made has what creation gives then; and what
    no value of a key says exactly, as a weight between two priorities, is not said.
    """
    if guest.number is not None:
        return config
    for key, value in _standing(guest).items():
        if key in keys and config.get(key) is None:
            said = config.replace(key, value)
            # What no value of a key can be is not said either.
            with suppress(Bad):
                is_exact = limits_of(said, guest.limits) == guest.limits
                if is_exact and naming_of(said, guest.naming, node_names) == guest.naming:
                    config = said
    return config


def _standing(guest: Guest) -> Mapping[str, str]:
    limits, naming = guest.limits, guest.naming
    pages = limits.memory // ubc.PAGE
    return {
        "CPUS": str(limits.cpus),
        "CPULIMIT": str(round(limits.cpu_limit * 100)),
        "CPUUNITS": str(units_of(limits)),
        "CPUMASK": render_cpus(limits.cpu_pin) or "all",
        "PHYSPAGES": f"0:{pages}",
        "PRIVVMPAGES": f"{pages}:{pages}",
        "NUMPROC": f"{limits.processes}:{limits.processes}",
        "NUMPTY": f"{limits.terminals}:{limits.terminals}",
        "QUOTATIME": str(round(limits.disk_grace)),
        "IOPRIO": str(limits.io_weight // PRIORITY_WEIGHT - 1),
        "IOLIMIT": _bound(limits.io_read),
        "IOPSLIMIT": _bound(limits.iops_read),
        "HOSTNAME": naming.hostname or "",
        "NAMESERVER": " ".join(naming.dns),
        "SEARCHDOMAIN": " ".join(naming.search),
    }


def _bound(value: int) -> str:
    return "0" if value == UNBOUNDED else str(value)
