"""Domains of the Xen hypervisor: paravirtualized (``xen``), or with the processor's help (``xen-pvh``)."""
