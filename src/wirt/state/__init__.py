"""Which guests there are."""
