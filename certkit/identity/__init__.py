"""The life of a client certificate: use cases over any store of identities, one file for each."""
