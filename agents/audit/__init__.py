"""Ship the audit log: every line of every file once, in order, and provably so."""
