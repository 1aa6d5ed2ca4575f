"""The audit trail: records, their catalogue and bounds, the chained file, the journal, and the way to a log server."""
