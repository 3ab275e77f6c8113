"""The version of certkit, where the build and the code both read it."""

__version__ = "0.2.0"
