"""Connections: the only code that opens sockets."""
