"""The command `rtu`: one file per sub-command."""
