# A program or host that uses one identity, here `wise-sandbox`: reads which generation is in use, and the certificates
# and private keys of this identity, and stores its tokens. It sees no other identity, and changes nothing else.
#
# Written for the store vault://secret/certkit. For another mount, prefix and identity:
#   sed 's,"secret/\([a-z]*\)/certkit/wise-sandbox/,"MOUNT/\1/PREFIX/NAME/,' consumer.hcl | bao policy write NAME -

path "secret/data/certkit/wise-sandbox/settings" {
  capabilities = ["read"]
}
path "secret/data/certkit/wise-sandbox/pointer" {
  capabilities = ["read"]
}
path "secret/data/certkit/wise-sandbox/generations/+/certificate" {
  capabilities = ["read"]
}
path "secret/data/certkit/wise-sandbox/generations/+/key" {
  capabilities = ["read"]
}

# Which generations there are.
path "secret/metadata/certkit/wise-sandbox/generations/" {
  capabilities = ["list"]
}
path "secret/metadata/certkit/wise-sandbox/generations/+/" {
  capabilities = ["list"]
}

# The tokens: the first host that finds one due refreshes it for all.
path "secret/metadata/certkit/wise-sandbox/tokens/" {
  capabilities = ["list"]
}
path "secret/data/certkit/wise-sandbox/tokens/+" {
  capabilities = ["create", "read", "update"]
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
