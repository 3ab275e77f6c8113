"""Addresses in a record that may be used: those of a shipped policy, and those that this host allows.

A writer of records in Vault could otherwise have the client secret, the refresh token or the client certificate sent to
a server of their own. An address typed on the command line is the user's own choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store


def require_allowed(store: Store, url: str, policy: Policy) -> None:
    """Refuse an address of a record that neither a shipped policy nor the host configuration names.

    Raises:
        InputError: if the address is not allowed, unless it is in a file store, which is the user's own.
    """
    from certkit.policy import catalogue

    if store.allowed_hosts is None:
        return
    host = (urlsplit(url).hostname or "").lower()
    hosts = policy.hosts
    named = (
        [each for each in (hosts.api, hosts.api_mtls, hosts.web) if each] if catalogue.is_shipped(policy.name) else []
    )
    known = {(urlsplit(each).hostname or "").lower() for each in named}
    if host not in known | {each.lower() for each in store.allowed_hosts}:
        raise InputError(
            f"cannot use {url} from the store: neither the policy nor this host allows {host}",
            hint=(
                f"if the address is right, add {host} to `allow` in [hosts] in the"
                f" host configuration (certkit config show)"
            ),
        )
