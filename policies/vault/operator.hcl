# The operator of a store of identities: may do everything in the store, and remove identities for good.
#
# Written for the store vault://secret/certkit. For another mount and prefix:
#   sed 's,"secret/\([a-z]*\)/certkit/,"MOUNT/\1/PREFIX/,' operator.hcl | bao policy write certkit-operator -

path "secret/data/certkit/*" {
  capabilities = ["create", "read", "update", "delete"]
}

# The names, the facts of certificates, and removal with every version.
path "secret/metadata/certkit/*" {
  capabilities = ["list", "read", "update", "delete"]
}

# To restore secrets deleted by mistake, and to destroy single versions by hand.
path "secret/undelete/certkit/*" {
  capabilities = ["update"]
}
path "secret/delete/certkit/*" {
  capabilities = ["update"]
}
path "secret/destroy/certkit/*" {
  capabilities = ["update"]
}

# As in the ACL policy `default`: look up and renew the token itself.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "sys/capabilities-self" {
  capabilities = ["update"]
}
