"""Issuers: who turns a CSR into a certificate."""
