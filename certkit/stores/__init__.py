"""Where identities live: one file for each kind of store."""
