"""The identity that tokens belong to, and the endpoint that issues them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, InputError
from certkit.identity.addresses import require_allowed
from certkit.net import http
from certkit.stores.base import AbsentError, StoredIdentity
from certkit.stores.record import Record, Settings, require_name
from certkit.wise.addresses import ENVIRONMENTS, optional, require_base_url
from certkit.wise.oauth import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.policy.rules import Policy
    from certkit.stores.base import Store
    from certkit.x509.certificate import Certificate


def identity(store: Store, name: str, *, policy: str | None, base_url: str | None, keep: bool = True) -> StoredIdentity:
    """Return the identity with that name, and create it if it does not exist, because tokens come before the key.

    `policy` is a policy's name or path. Without one, a new identity for a base URL belongs to the sandbox. With `keep`
    False, a new identity is not stored.

    Raises:
        InputError: if it does not exist and no environment is given, or it exists and belongs to another environment.
        StoreError: if the store cannot be used.
    """
    try:
        found = store.load(require_name(name))
    except AbsentError as error:
        if policy is None and base_url is None:
            hint = "check the name; to start with tokens, add --environment or --base-url"
            raise AbsentError(error.message, hint=hint) from error
        settings = Settings(policy=policy or ENVIRONMENTS["sandbox"], base_url=base_url)
        if not keep:
            return StoredIdentity(name, Record(settings=settings))
        with contextlib.suppress(ConflictError):  # another run was faster
            store.create(name, Record(settings=settings))
        found = store.load(name)
    known = found.record.settings.policy
    if policy not in {None, known}:
        raise InputError(
            f"{name}: the identity is enrolled for {known}, not {policy}",
            hint="leave --environment out (or --policy) to go on with it, or use another name",
        )
    return found


def endpoint(
    store: Store,
    found: StoredIdentity,
    policy: Policy,
    *,
    base_url: str | None = None,
    plain: bool = False,
    anchors: Sequence[Certificate] | None = None,
    timeout: float = http.TIMEOUT_SECONDS,
) -> TokenEndpoint:
    """Return the token endpoint: the mTLS host if there is an active pair, else the plain host.

    `base_url` replaces the host, and `plain` leaves the pair out. The pair stays in memory. The trusted CAs are
    `anchors`, else the identity's trust bundle; without a pair, they are the system's.

    Raises:
        InputError: if the policy has no such host, the base URL is not safe, or the pair cannot be read.
        StoreError: if the store cannot be used.
    """
    from certkit.identity import credentials

    base = optional(require_base_url, base_url or found.record.settings.base_url)
    if base is not None and base_url is None:
        require_allowed(store, base, policy)
    pair = None
    if found.record.active is not None and not plain and not (base or "").startswith("http:"):
        pair = credentials.of_generation(store, found)
    host = base or (policy.hosts.api_mtls if pair else policy.hosts.api)
    if not host:
        raise InputError(f"policy {policy.name}: it has no API host", hint="give --base-url")
    if base is None:
        require_allowed(store, host, policy)
    bundle = pair.anchors if pair else None
    return TokenEndpoint(
        url=host.rstrip("/") + policy.hosts.token_path,
        credentials=pair.credentials if pair else None,
        anchors=anchors if anchors is not None else bundle,
        timeout=timeout,
    )
