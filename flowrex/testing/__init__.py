"""Stand-ins that behave as the servers do; the contract tests hold both to the same cases."""
