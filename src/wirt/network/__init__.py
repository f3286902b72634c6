"""How guests are joined to the node."""
