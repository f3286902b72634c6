"""Ways to another node."""
