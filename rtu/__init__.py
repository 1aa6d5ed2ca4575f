"""An IEC 60870-5-104 controlled station for Linux single-board RTUs."""

__version__ = "0.1.0"
"""Asking the installed package for it would take 3 MiB, and longer than reading a station file."""
