"""The agent's credentials: files, and what Vault gives for them, renewed and replaced in time."""
