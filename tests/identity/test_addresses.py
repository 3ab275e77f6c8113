"""Which addresses of a record are used: those of a shipped policy, and those that this host allows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from certkit.errors import InputError
from certkit.identity.addresses import require_allowed
from certkit.policy import catalogue
from certkit.stores.file.store import FileStore

POLICY = catalogue.load("wise-sandbox")


@dataclass(frozen=True)
class InVault:
    """The attributes of a store in Vault that concern addresses."""

    allowed_hosts: tuple[str, ...] = ()


@pytest.mark.parametrize("url", [POLICY.hosts.api, POLICY.hosts.api_mtls, f"{POLICY.hosts.api_mtls}/v1"])
def test_the_hosts_of_a_shipped_policy(url):
    """Need no configuration."""
    require_allowed(InVault(), url, POLICY)


@pytest.mark.parametrize(
    "url", ["https://evil.example/oauth/token", "https://api.sandbox.transferwise.tech.evil.example"]
)
def test_another_host_is_refused(url):
    """Whoever may write the record would collect the secrets there; the host may allow it."""
    with pytest.raises(InputError, match="neither the policy nor this host allows"):
        require_allowed(InVault(), url, POLICY)
    host = url.removeprefix("https://").partition("/")[0]
    require_allowed(InVault((host.upper(),)), url, POLICY)


def test_a_policy_of_ones_own_allows_nothing():
    """Its text is part of the record."""
    from dataclasses import replace

    with pytest.raises(InputError, match="allows"):
        require_allowed(InVault(), POLICY.hosts.api, replace(POLICY, name="mine"))


def test_ones_own_files(tmp_path):
    """May name whatever they like."""
    require_allowed(FileStore(tmp_path), "https://proxy.example", POLICY)
