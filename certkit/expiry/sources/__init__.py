"""Where certificates are seen: one file for each kind of place."""
