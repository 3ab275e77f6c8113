"""Certificate signing requests: building, checking and creating them."""
