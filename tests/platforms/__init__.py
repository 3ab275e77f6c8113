"""Other operating systems, simulated."""
