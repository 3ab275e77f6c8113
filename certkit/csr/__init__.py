"""Certificate signing requests: built, checked and created."""
