# Terraform, or another program that provisions: creates identities and generations, installs certificates, and moves
# the pointer. It writes private keys and never reads one back. It chooses the settings of the identities that it creates
# (the policy, the issuer, the trust bundle, the addresses) and cannot change them afterwards; it removes nothing.
#
# Written for the store vault://secret/certkit. For another mount and prefix:
#   sed 's,"secret/\([a-z]*\)/certkit/,"MOUNT/\1/PREFIX/,' provisioner.hcl | bao policy write certkit-provisioner -

# The names of identities and generations.
path "secret/metadata/certkit/" {
  capabilities = ["list"]
}
path "secret/metadata/certkit/+/" {
  capabilities = ["list"]
}
path "secret/metadata/certkit/+/generations/" {
  capabilities = ["list"]
}
path "secret/metadata/certkit/+/generations/+/" {
  capabilities = ["list"]
}

# The settings, once; the log, entry by entry. There is no right to change either.
path "secret/data/certkit/+/settings" {
  capabilities = ["create", "read"]
}
path "secret/data/certkit/+/log/+" {
  capabilities = ["create"]
}

path "secret/data/certkit/+/pointer" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/certkit/+/generations/+/certificate" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/certkit/+/generations/+/answer-*" {
  capabilities = ["create", "read"]
}
path "secret/data/certkit/+/generations/+/key" {
  capabilities = ["create"]
}

# The facts of certificates, and no other setting of their secrets.
path "secret/metadata/certkit/+/generations/+/certificate" {
  capabilities       = ["read", "update"]
  allowed_parameters = { "custom_metadata" = [] }
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
