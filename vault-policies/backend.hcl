# The backend: its own static secrets, and a database login of its own.

# JWT key, Redis user and password.
path "kv/data/flowrex/backend" {
  capabilities = ["read"]
}

# A PostgreSQL login in flowrex_app, for as long as its lease lives.
path "database/creds/backend" {
  capabilities = ["read"]
}

# What Nomad does with the token on the task's behalf: look at it, keep it alive, keep the lease of
# the login alive (whose id only its owner knows), and give the token back.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
path "sys/leases/renew" {
  capabilities = ["update"]
}
