"""The commands of OpenVZ: vzctl 4.11's way to say things, and where the two differ, on demand, that of 2006."""
