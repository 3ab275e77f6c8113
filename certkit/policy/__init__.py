"""A partner's rules: what they can say, how they are written down, and where they are kept."""

from __future__ import annotations

# Thresholds where a policy says nothing, for callers that need no policy file.
DEFAULT_WARN = "28d"
DEFAULT_CRITICAL = "7d"
