"""The way in: opened devices are read, and what they say becomes values of the point table."""
