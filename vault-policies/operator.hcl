# The operator, who deploys: sees which secrets there are and how old they are, never their values,
# but for those of the deployer's own notifications.

# Names, versions and times of the secrets.
path "kv/metadata/flowrex/*" {
  capabilities = ["read", "list"]
}

path "kv/data/flowrex/deployer" {
  capabilities = ["read"]
}

# How long database logins live.
path "database/roles/backend" {
  capabilities = ["read"]
}
path "database/roles/migrate" {
  capabilities = ["read"]
}

# The operator's own token: look at it, keep it alive, give it back.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
