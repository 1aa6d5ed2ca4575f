"""What the station knows: signals, their present values, and how these are encoded."""
