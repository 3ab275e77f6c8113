# The cron job that watches expiry: sees which identities there are, which generation is in use, and the facts of
# certificates, and reads certificates. It reads no key and no token.
#
# Written for the store vault://secret/certkit. For another mount and prefix:
#   sed 's,"secret/\([a-z]*\)/certkit/,"MOUNT/\1/PREFIX/,' monitor.hcl | bao policy write certkit-monitor -

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

# The settings, and the state, which names the generation in use.
path "secret/data/certkit/+/settings" {
  capabilities = ["read"]
}
path "secret/data/certkit/+/pointer" {
  capabilities = ["read"]
}

path "secret/data/certkit/+/generations/+/certificate" {
  capabilities = ["read"]
}

# The facts of certificates: their validity and their subjects.
path "secret/metadata/certkit/+/generations/+/certificate" {
  capabilities = ["read"]
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
