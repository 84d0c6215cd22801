"""flowrex-agent: one process on each node that ships the audit log, makes backups and watches."""
