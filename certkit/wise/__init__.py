"""Use cases of the Wise Platform: OAuth tokens (the facts are those of Wise's documentation, read on 2026-11-22)."""
