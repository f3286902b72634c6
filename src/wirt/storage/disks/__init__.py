"""Disks that guests have beside their roots, and images of whole disks from elsewhere and for elsewhere."""
