"""Identities in a directory."""
