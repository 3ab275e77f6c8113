"""The Terraform provider `certkit/certkit`: resources and data sources over the use cases, one file for each.

No private key, token or passphrase is an attribute of anything here, so none gets into a plan, a state or an output.
"""
