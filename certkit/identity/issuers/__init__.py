"""Issuers: whatever turns a CSR into a certificate."""
