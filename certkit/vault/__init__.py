"""Vault and OpenBao: secrets in KV version 2, certificates from PKI mounts, encryption by Transit.

    settings                       the environment
    connection                     one of urllib3's connections, bounded in time and in size
    transport                      hvac's requests over kept connections: redirected, repeated, in doubt
    client  kv  fields             what certkit requests

Only `settings` and `errors` are cheap to import: the others load sockets, TLS and hvac on first use.
"""
