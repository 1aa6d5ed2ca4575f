"""Who may connect and what they may do: roles, TLS, admission of known masters, the audit trail."""
