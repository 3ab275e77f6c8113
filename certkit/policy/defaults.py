"""The defaults where a policy says nothing, for callers that need no policy file."""

from __future__ import annotations

DEFAULT_WARN = "28d"
DEFAULT_CRITICAL = "7d"
