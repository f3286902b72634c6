"""The kinds of virtualization, each behind the same port."""
