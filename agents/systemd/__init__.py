"""systemd: its notification protocol, and the unit that the agent runs as."""
