"""Changing the settings of an identity: trust bundle, issuer, probe URL, and deploy hook."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from certkit.errors import RefusedError
from certkit.findings import Status
from certkit.identity import credentials, install, limits, overview
from certkit.identity.done import Done
from certkit.x509 import objects
from certkit.x509.certificate import to_pem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.record import Record, Settings
    from certkit.x509.certificate import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes: CAs to add, or to replace the trust bundle with, and other settings by name."""

    anchors: Sequence[Certificate] = ()
    replaces_anchors: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, known: Settings) -> Settings:
        """Return the settings after the changes."""
        bundle = known.trust_bundle
        if self.anchors:
            before = [] if self.replaces_anchors or not bundle else objects.certificates(bundle.encode(), name="CAs")
            added = [each for each in self.anchors if each not in before]
            bundle = to_pem([*before, *added]).decode("ascii")
        return replace(known, trust_bundle=bundle, **self.settings)


def update(
    store: Store, identity: StoredIdentity, policy: Policy, changes: Changes, *, force: bool = False, now: datetime
) -> Done:
    """Change the settings of an identity; repeating this changes nothing.

    Raises:
        RefusedError: if all CAs have expired or belong to another environment, or, without `force`, if the active
            certificate would no longer verify; nothing is written.
        StoreError: if the store cannot be used, or its token may not change settings.
    """
    settings = changes.apply(identity.record.settings)
    is_owed = "deploy_hook" in changes.settings and identity.record.undeployed_hook is not None
    if settings == identity.record.settings and not is_owed:
        return Done(identity, changed=False)
    if changes.anchors:
        limits.require_current(identity.name, changes.anchors, now)
        neighbours = limits.Neighbours(store, identity.name, policy, identity)
        install.refuse(identity.name, neighbours.sharing_trust(changes.anchors))
        active = identity.record.active
        if active is not None and not force:
            planned = replace(identity, record=replace(identity.record, settings=settings))
            try:
                credentials.require_trusted(planned, active, now=now)
            except RefusedError as error:
                error.hint = "add the CA instead of replacing the bundle, or use --force"
                raise

    def edit(record: Record) -> Record:
        # A new hook replaces one that was given for a single run and failed.
        owed = None if "deploy_hook" in changes.settings else record.undeployed_hook
        return replace(record, settings=changes.apply(record.settings), undeployed_hook=owed)

    return Done(store.change(identity, edit), changed=True, findings=_contradicted(identity, changes))


def _contradicted(identity: StoredIdentity, changes: Changes) -> tuple[Finding, ...]:
    """Return a warning if the active certificate has another common name than the new client id."""
    from certkit.verify import checks

    client_id, active = changes.settings.get("client_id"), identity.record.active
    if client_id is None or active is None:
        return ()
    leaf = overview.certificate(overview.generation(identity, active))
    if leaf is None:
        return ()
    found = checks.client_name(leaf, client_id)
    message = f"the active certificate's {found.message}"
    return () if found.is_good else (replace(found, status=Status.WARNING, message=message),)
