"""The Terraform integration: it passes public facts only, never a private key, a token or a passphrase."""
