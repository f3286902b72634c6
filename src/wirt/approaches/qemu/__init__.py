"""Unmodified guests on QEMU's machine: emulated (``qemu``), or by the processor's virtualization (``kvm``)."""
