# The end of old records: a database login that may call two functions, and nothing else.

path "database/creds/retention" {
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
