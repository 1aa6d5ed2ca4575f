"""The machine the station runs on: its service manager."""
