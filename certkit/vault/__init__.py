"""Vault and OpenBao: secrets in KV version 2, certificates from PKI mounts, encryption by Transit.

    settings  variables  login     what the environment says
    connection                     one of urllib3's connections, bounded in time and in size
    transport                      hvac's requests over kept connections: redirected, repeated, in doubt
    client  kv  fields             what certkit asks for
    pki  transit  health           and what it asks for more rarely

Only `settings` and `errors` are free: the others bring sockets, TLS and hvac with their first use.
"""
