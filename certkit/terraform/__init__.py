"""Terraform: public facts go through it, and never a private key, a token or a passphrase."""
