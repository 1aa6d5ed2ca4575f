"""The only code that may operate an output."""
