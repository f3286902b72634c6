"""Wirt: Linux server virtualization of every kind, run from one definition and measured."""

__version__ = "0.1.0"
