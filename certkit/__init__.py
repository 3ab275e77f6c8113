"""certkit: keys, CSRs and client certificates for mutual TLS with a partner."""

__version__ = "0.1.0"
