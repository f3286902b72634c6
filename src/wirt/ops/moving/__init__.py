"""What ``migrate`` and ``receive`` share: how a guest goes to another node, and who owns it meanwhile."""
