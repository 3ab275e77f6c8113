"""Sources of certificates: one file for each kind of place."""
