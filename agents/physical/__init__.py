"""Physical backups with point-in-time recovery: pgBackRest, driven and watched."""
