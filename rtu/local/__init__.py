"""The machine the station runs on: its service manager, and the operator on site."""
