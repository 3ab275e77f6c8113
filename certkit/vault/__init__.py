"""Vault and OpenBao: secrets in KV version 2, certificates from PKI mounts, encryption by Transit.

    settings  variables  login  route    what the environment says
    connection  tls  answers             one connection, bounded in time and in size
    transport  written  failures         requests over many of them: kept, redirected, repeated
    session  response  link  refusals    hvac, sent that way
    client  kv  in_order  fields         what certkit asks for
    pki  transit  health                 and what it asks for more rarely

Only `settings` and `errors` are free: the others bring sockets, TLS and hvac with their first use.
"""
