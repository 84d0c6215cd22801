"""Snapshots of what a cluster is rebuilt from: Consul, Vault, Nomad and Redis."""
