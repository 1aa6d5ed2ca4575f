"""How fast, and how much is kept: measured beside two peers in one run, never asserted.

    python -m bench [NAME ...] [--quick] [--json FILE]

Every server runs in a child process (`bench.serve_*`); the master is the same few lines of plain sockets for all.
"""
