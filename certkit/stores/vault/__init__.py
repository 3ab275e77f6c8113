"""Identities in HashiCorp Vault or OpenBao."""
