"""Templates: what guests' roots are made from, built or imported once and kept packed."""
