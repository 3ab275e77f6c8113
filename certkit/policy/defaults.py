"""What holds where a policy says nothing, for those who need to read no policy."""

from __future__ import annotations

DEFAULT_WARN = "28d"
DEFAULT_CRITICAL = "7d"
