# redis-exporter: its own user and password in Redis.

path "kv/data/flowrex/redis-exporter" {
  capabilities = ["read"]
}

# What Nomad does with the token on the task's behalf: look at it, keep it alive, give it back.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
