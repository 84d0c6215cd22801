# alertmanager: where it sends alerts, and its login at the mail server.

path "kv/data/flowrex/alertmanager" {
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
