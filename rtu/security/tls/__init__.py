"""TLS: contexts from files, which suites and versions, whom to trust at this moment, and the proof that it works."""
