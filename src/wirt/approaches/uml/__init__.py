"""Paravirtualization by User-Mode Linux: a guest with its own adapted kernel, as processes of the node."""
