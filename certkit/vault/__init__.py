"""Vault and OpenBao: secrets in KV version 2, and certificates from PKI mounts.

    settings  variables  login        what the environment says
    route  tls  connection  answers   one connection, bounded in time and in size
    transport  failures  response     requests over many of them: kept, redirected, repeated
    session  link                     hvac, sent that way
    client  kv  fields  fan_out       what certkit asks for

Only `settings` and `errors` may be imported before Vault is wanted: the rest brings sockets, TLS and hvac.
"""
