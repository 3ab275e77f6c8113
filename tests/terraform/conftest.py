"""Fixtures: the stores over which use cases keep their promises."""

from __future__ import annotations

from tests.identity.conftest import make_store, store

__all__ = ["make_store", "store"]
