"""Parsing of keys, CSRs, certificates, CRLs and containers: pure functions of their bytes."""
