"""Findings of `store check` about what this host would refuse to do for an identity.

A store's own check covers completeness and permissions. This one finds records that name programs, addresses or
certificates that a mere writer of records must not choose.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal

from certkit.errors import InputError, RefusedError
from certkit.files import reading
from certkit.files.folder import Folder
from certkit.findings import critical, unknown, warning
from certkit.identity import addresses, credentials, overview
from certkit.identity.issuers import IssuerKind, IssuerSpec
from certkit.identity.programs import is_path, unusable
from certkit.x509 import describe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from certkit.findings import Finding
    from certkit.identity.programs import Programs
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity


def audit(
    store: Store, identity: StoredIdentity, policy: Policy, programs: Programs, *, hooks: Path, now: datetime
) -> Iterator[Finding]:
    """Yield what is unsafe about an identity: programs, addresses, and a certificate that its settings do not trust.

    `hooks` is the directory of its hooks.
    """
    check, record = f"identity:{identity.name}", identity.record
    yield from programs_of(identity, programs)
    try:
        if reading.exists(hooks):
            with Folder.open(hooks, trust=programs.host.trust):
                programs.deploy_d(hooks)
        for path, why in unusable(hooks):
            where = shlex.quote(str(path))
            hint = f"chmod +x {where}, or move it away" if path.exists() else f"fix it or remove it: rm {where}"
            yield warning(check, f"the hook {path} never runs: {why}", hint)
    except InputError as error:
        yield critical(check, error.message, error.hint)
    for url in filter(None, (record.settings.base_url, record.settings.probe)):
        try:
            if url != "policy":
                addresses.require_allowed(store, url, policy)
        except InputError as error:
            yield critical(check, error.message, error.hint)
    if record.active is not None and not record.is_legacy:
        yield from _certificate(check, identity, record.active, now)


def programs_of(identity: StoredIdentity, programs: Programs) -> Iterator[Finding]:
    """Yield the programs that the settings of an identity name and that will not run."""
    settings = identity.record.settings
    asked: list[tuple[Literal["issuer", "hook"], str]] = []
    if (spec := IssuerSpec.parse(settings.issuer)).kind is IssuerKind.COMMAND:
        asked.append(("issuer", spec.where))
    if settings.deploy_hook is not None:
        asked.append(("hook", settings.deploy_hook))
    for kind, text in asked:
        try:
            programs.stored(kind, text, identity=identity.name)
        except InputError as error:
            # A name unknown to this host may be known on the host that needs it; a path in Vault never runs.
            severity = critical if is_path(text) else warning
            yield severity(f"identity:{identity.name}", error.message, error.hint)


def _certificate(check: str, identity: StoredIdentity, number: str, now: datetime) -> Iterator[Finding]:
    try:
        credentials.require_trusted(identity, number, now=now)
        found = overview.certificate(overview.generation(identity, number))
    except RefusedError as error:
        yield critical(check, error.message, error.hint)
        return
    except InputError as error:
        yield unknown(check, error.message, error.hint)
        return
    if found is None:
        yield critical(check, f"generation {number}, which is active, has no certificate", "activate another one")
        return
    facts = identity.record.facts_of(number)
    if any(facts.get(name, value) != value for name, value in describe.facts(found).items()):
        hint = f"see who changed the record: certkit identity log {identity.name}"
        yield critical(check, f"the facts that the record has of generation {number} are not its certificate's", hint)
