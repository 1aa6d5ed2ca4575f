"""What must not be lost: events, the newest measured values, and the file that outlives a restart."""
