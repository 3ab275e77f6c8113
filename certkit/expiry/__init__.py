"""How near certificates are to their end, wherever they are kept."""
