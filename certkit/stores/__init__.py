"""Stores of identities: one module or package for each kind."""
