"""System containers by LXC."""
