"""Connections: the code that opens sockets. import-linter enforces it, and names the exceptions in pyproject.toml."""
