"""The Wise Platform: OAuth tokens, the guided set-up and webhooks, by Wise's documentation of 2026-11-22."""
