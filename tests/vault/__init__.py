"""Vault and OpenBao, against real servers and odd ones."""
