"""``xm``, the command of Xen's domains: the syntax and the words of Xen 3.0.3, and what 3.4 added to them."""
