"""What is in the bytes of keys, CSRs, certificates, lists and containers: pure functions."""
