"""``vzctl``: finds the subcommand and gives it what stands behind it."""

from collections.abc import Callable, Sequence
from importlib import import_module

from wirt.console import output
from wirt.dialects.vz import program
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.vzctl.call import Call
from wirt.dialects.vz.words import IN_2006, NOW, speaking

VERSION = "4.11.1"
"""The vzctl whose syntax this is."""

_HERE = "wirt.dialects.vz.vzctl"
COMMANDS = {
    "create": f"{_HERE}.create:create",
    "destroy": f"{_HERE}.lifecycle:destroy",
    "delete": f"{_HERE}.lifecycle:destroy",
    "start": f"{_HERE}.lifecycle:start",
    "stop": f"{_HERE}.lifecycle:stop",
    "restart": f"{_HERE}.lifecycle:restart",
    "status": f"{_HERE}.lifecycle:status",
    "mount": f"{_HERE}.mounting:mount",
    "umount": f"{_HERE}.mounting:unmount",
    "set": f"{_HERE}.set:set_parameters",
    "exec": f"{_HERE}.inside:execute",
    "exec2": f"{_HERE}.inside:execute",
    "exec3": f"{_HERE}.inside:execute",
    "enter": f"{_HERE}.inside:enter",
    "console": f"{_HERE}.inside:console",
    "runscript": f"{_HERE}.inside:run_script",
    "snapshot": f"{_HERE}.snapshot:create",
    "snapshot-delete": f"{_HERE}.snapshot:delete",
    "snapshot-list": f"{_HERE}.snapshot:show",
    "snapshot-mount": f"{_HERE}.snapshot:mount",
    "snapshot-switch": f"{_HERE}.snapshot:switch",
    "snapshot-umount": f"{_HERE}.snapshot:unmount",
    "compact": f"{_HERE}.missing:compact",
    **dict.fromkeys(("chkpnt", "suspend"), f"{_HERE}.checkpoint:save"),
    **dict.fromkeys(("restore", "resume"), f"{_HERE}.checkpoint:restore"),
    **dict.fromkeys(
        ("convert", "quotaon", "quotaoff", "quotainit"),
        f"{_HERE}.missing:refuse",
    ),
}
USAGE = """\
Usage: vzctl [--quiet | --verbose] [--skiplock] [--compat=2006] <command> <CTID|name> [parameters]

vzctl create <ctid> [--ostemplate <name>] [--config <name>] [--layout simfs]
   [--ipadd <addr>] [--hostname <name>] [--name <name>] [--description <text>]
   [--diskspace <soft>[:<hard>]] [--diskinodes <soft>[:<hard>]]
vzctl start <ctid> [--force] [--wait]
vzctl stop <ctid> [--fast]
vzctl restart <ctid> [--force] [--wait] [--fast]
vzctl destroy | mount | umount | status <ctid>
vzctl enter <ctid> [--exec <command> [arg ...]]
vzctl console <ctid> [<tty>]
vzctl exec | exec2 <ctid> <command> [arg ...]
vzctl runscript <ctid> <script>
vzctl set <ctid> [--save] [--force] [--setmode restart|ignore] [--applyconfig <name>]
   [--name <name>] [--description <text>] [--onboot yes|no] [--bootorder <N>]
   [--disabled yes|no] [--stop-timeout <seconds>] [--userpasswd <user>:<password>]
   [--ipadd <addr>] [--ipdel <addr>|all] [--hostname <name>] [--nameserver <addr>]
   [--searchdomain <name>] [--cpus <N>] [--cpulimit <N>]
   [--cpuunits <N>] [--cpumask <list>|all]
   [--ioprio 0-7] [--iolimit <MiB>] [--iopslimit <N>]
   [--capability <name>:on|off[,...]] [--features <name>:on|off[,...]]
   [--iptables <module>[,...]] [--netfilter full]
   [--devnodes <device>:r|w|rw|none] [--devices b|c:<major>:<minor>:r|w|rw|none]
   [--ram <bytes>] [--swap <bytes>] [--diskspace <soft>[:<hard>]] [--<beancounter> N[:N]]
vzctl snapshot <ctid> [--id <uuid>] [--skip-suspend] [--skip-config]
vzctl snapshot-switch | snapshot-delete <ctid> --id <uuid>
vzctl snapshot-mount <ctid> --id <uuid> [--target <dir>]
vzctl snapshot-umount <ctid> --id <uuid>
vzctl snapshot-list <ctid> [-H] [-o field[,field...]] [--id <uuid>]
vzctl chkpnt <ctid> [--suspend] [--dump] [--resume | --kill]
vzctl restore <ctid> [--undump] [--resume]"""

Subcommand = Callable[[Call], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments)


def find_command(name: str) -> Subcommand:
    """Return the function of a subcommand, whose module is only now imported."""
    module, _, function = COMMANDS[name].partition(":")
    command: Subcommand = getattr(import_module(module), function)
    return command


def _run(arguments: list[str]) -> int:
    flags: set[str] = set()
    compat = None
    while arguments and arguments[0].startswith("--"):
        flag = arguments.pop(0)
        if flag.startswith("--compat="):
            compat = flag.partition("=")[2]
        elif flag in ("--quiet", "--verbose", "--skiplock", "--version", "--help"):
            flags.add(flag)
        else:
            raise Refused(Code.SYNTAX, f"Invalid option {flag}")
    words = IN_2006 if program.is_2006(compat) else NOW
    if "--version" in flags:
        output.say(f"vzctl version {VERSION}")
        return Code.OK
    if "--help" in flags or not arguments:
        output.say(USAGE)
        return Code.OK if "--help" in flags else Code.SYNTAX
    verb = arguments.pop(0)
    if verb not in COMMANDS:
        raise Refused(Code.SYNTAX, f"Bad command: {verb}")
    if not arguments:
        raise Refused(Code.VALUE, f"{'VPS' if words is IN_2006 else 'CT'} ID missing")
    if arguments[0] == "0" and verb != "set":
        raise Refused(Code.VALUE, "Only set actions are allowed for CT0")
    call = Call(
        verb=verb,
        ctid=arguments[0],
        arguments=tuple(arguments[1:]),
        words=words,
        is_quiet="--quiet" in flags,
    )
    with speaking(words):
        return find_command(verb)(call)
