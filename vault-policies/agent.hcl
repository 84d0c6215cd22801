# flowrex-agent on each node: its own credentials for Consul and for the object store.

path "kv/data/flowrex/agent" {
  capabilities = ["read"]
}

# Backups: a data key for each, which only this key opens again.
path "transit/datakey/plaintext/flowrex-backup" {
  capabilities = ["update"]
}
path "transit/decrypt/flowrex-backup" {
  capabilities = ["update"]
}

# PostgreSQL logins: one that reads everything, for dumps; one that makes databases and fills them,
# for a restore that an operator asked for. Each is in Vault's audit log when it is taken.
path "database/creds/backup" {
  capabilities = ["read"]
}
path "database/creds/restore" {
  capabilities = ["read"]
}
# Keep such a login alive while it is used, and give it back; its id is known to its owner alone.
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/revoke" {
  capabilities = ["update"]
}

# What the physical backups are encrypted with.
path "kv/data/flowrex/physical" {
  capabilities = ["read"]
}

# Vault's own snapshot. It is sealed: without the unseal keys nobody reads what is in it.
path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}

# The agent's own token: look at it, keep it alive, give it back.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
