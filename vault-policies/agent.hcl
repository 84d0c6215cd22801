# flowrex-agent on each node: its own credentials for Consul and for the object store.

path "kv/data/flowrex/agent" {
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
