"""The life of a client certificate: use cases over any store of identities, one file for each.

Every function that takes a store raises StoreError if the store cannot be used.
"""
