"""The code that opens sockets; import-linter enforces this, with the exceptions that pyproject.toml lists."""
