"""Drivers for what is wired to the board; they know nothing of the station above them."""
