"""A partner's rules: what they can say, how they are written down, and where they are kept."""
