"""Identities in a directory. Every function raises StoreError if a file is missing, or cannot be read or written."""
