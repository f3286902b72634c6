"""What a person is told who asks for what no network can be; part of ``test_bad_input``."""

BAD_NETWORK: dict[str, tuple[list[str], int, str]] = {
    "forward-unreadable": (
        ["forward", "add", "old", "web"],
        2,
        "'web' is not a port forward; write the node's port and the guest's, such as 8080:80, "
        "5000-5009:5000-5009/udp or 192.0.2.2:8080:80",
    ),
    "forward-to-an-unknown-guest": (
        ["forward", "add", "nosuch", "8080:80"],
        3,
        "there is no guest nosuch; see wirt list",
    ),
    "nat-neither-on-nor-off": (
        ["network", "nat", "perhaps"],
        2,
        "invalid value for 'on|off': 'perhaps' is not one of 'on', 'off'; see wirt network nat "
        "--help",
    ),
    "set-rate-nonsense": (
        ["set", "old", "--rate-in", "fast"],
        2,
        "invalid value for '--rate-in': 'fast' is not a rate; write bits per second with kbit, "
        "mbit or gbit, such as 10mbit, or unlimited; see wirt set --help",
    ),
    "set-rate-too-slow": (
        ["set", "old", "--rate-out", "10"],
        2,
        "a guest cannot be held to 10 bit/s; ask for 64 kbit/s to 100 Gbit/s",
    ),
    "set-dns-of-nobody": (
        ["set", "old", "--dns", "dns.example.org"],
        2,
        "'dns.example.org' is not the address of a name server; such as 192.0.2.53",
    ),
}
