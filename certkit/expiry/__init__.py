"""Checks of how near certificates are to their expiry, wherever they are kept."""
