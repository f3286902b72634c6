"""The kernel and the programs of the node; knows no guests."""
