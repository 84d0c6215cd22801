# prometheus: Vault's own metrics, with the token that Nomad gives to the task.

path "sys/metrics" {
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
