"""Connections for the tests, closed after each."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from certkit.secret import Secret
from certkit.vault.client import Vault
from certkit.vault.kv import Kv
from certkit.vault.settings import VaultSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "s.the-token-of-this-test"


@pytest.fixture
def connect() -> Iterator[Callable[[VaultSettings], Vault]]:
    """Connect with some settings."""
    with contextlib.ExitStack() as stack:
        yield lambda settings: stack.enter_context(Vault.connect(settings))


@pytest.fixture
def odd_vault(connect):
    """Connect to an odd server, with short pauses and a token."""

    def connected(server, **changes):
        defaults = {"address": server.address, "token": Secret(TOKEN.encode()), "pause": 0.01, "timeout": 5}
        return connect(VaultSettings(**(defaults | changes)))

    return connected


@pytest.fixture
def odd_kv(odd_vault):
    """The secrets of an odd server, at the mount `secret`."""
    return lambda server, **changes: Kv(odd_vault(server, **changes).transport, "secret")
