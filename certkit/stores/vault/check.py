"""Checks of a store in Vault: the server, the token, the mount, the token's rights, and every identity.

Nothing is changed, and keys are not read; a token that may read no certificates is enough for the rest.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.durations import spoken
from certkit.errors import InputError, StoreError
from certkit.findings import Finding, critical, ok, unknown, warning
from certkit.stores.record import FINGERPRINT
from certkit.stores.vault import layout, rights
from certkit.stores.vault.secrets import expected
from certkit.times import rfc3339
from certkit.vault.errors import Fault, VaultError
from certkit.vault.kv import Metadata, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from certkit.errors import CertkitError
    from certkit.stores.record import Record
    from certkit.stores.vault.store import VaultStore

_MOST_SKEW_SECONDS = 60
_SHORT_TTL_SECONDS = 300
_MOST_SECONDS = 2**35  # a thousand years; a server may say any number

_INSTALL = "install its certificate again"
_FATAL = {Fault.BAD_TOKEN, Fault.NO_MOUNT, Fault.NOT_KV_2, Fault.NO_NAMESPACE}
_RESTORE = "bring it back with `bao kv undelete`, or from a backup"


def check(store: VaultStore) -> list[Finding]:
    """Return findings `server`, `clock`, `token`, `mount`, `access`, `store`, and `identity:NAME` for each identity."""
    found: list[Finding] = []
    for name, look in (
        ("server", _server),
        ("token", _token),
        ("mount", _mount),
        ("access", _access),
        ("store", _store),
    ):
        try:
            found += look(store)
        except InputError as error:
            found.append(_finding(name, error))
            kind = _kind(error)
            if kind is not None and (kind.is_about_the_server or kind in _FATAL):
                break  # every further request would fail in the same way
    return found


def _kind(error: InputError) -> Fault | None:
    """Return the kind of an error from Vault; None for other errors."""
    return error.kind if isinstance(error, VaultError) else None


def _finding(check: str, error: InputError) -> Finding:
    """Return an error as a finding: unknown if the server cannot be reached, or denies access."""
    kind = _kind(error)
    is_away = kind is not None and kind.is_about_the_server and kind is not Fault.SEALED
    cannot_tell = is_away or kind in {Fault.NO_MOUNT, Fault.DENIED, Fault.RATE_LIMITED, Fault.SERVER, Fault.NOT_VAULT}
    return (unknown if cannot_tell else critical)(check, error.message, error.hint)


def _server(store: VaultStore) -> Iterator[Finding]:
    found = store.secrets.vault.health()
    address = store.secrets.vault.address
    if found is None:
        yield ok("server", f"{address} answers")
        return
    if not found.is_initialized:
        yield critical("server", f"{address} is not initialised", "initialise it: `bao operator init`")
    elif found.is_sealed:
        yield critical("server", f"{address} is sealed", "unseal it: `bao operator unseal`")
    else:
        yield ok("server", f"{address} answers, version {found.version}{', a standby' if found.is_standby else ''}")
    if store.clock is None:
        return
    apart = abs((found.clock - store.clock()).total_seconds())
    if apart > _MOST_SKEW_SECONDS:
        message = f"the server's clock says {rfc3339(found.clock)}, {apart:,.0f} seconds off this host's clock"
        yield warning("clock", message, "set both clocks, for example by NTP")
    else:
        yield ok("clock", "the clocks of the server and this host agree")


def _token(store: VaultStore) -> Iterator[Finding]:
    token = store.secrets.vault.token()
    if "root" in token.policies:
        hint = "use one with an ACL policy of policies/vault"
        yield warning("token", "it is a root token, which can do anything", hint)
        return
    seconds = min(max(token.ttl, 0), _MOST_SECONDS)
    life = "never expires" if token.ttl == 0 else f"valid for {spoken(timedelta(seconds=seconds))}"
    message = f"{token.display_name}, {life}{', and can be renewed' if token.is_renewable else ''}"
    if 0 < token.ttl < _SHORT_TTL_SECONDS and not token.is_renewable:
        yield warning("token", message, "log in again")
    else:
        yield ok("token", message)


def _mount(store: VaultStore) -> Iterator[Finding]:
    store.secrets.vault.kv(store.secrets.location)
    yield ok("mount", f"{store.secrets.vault.mount(store.secrets.location).path} is KV version 2")


def _access(store: VaultStore) -> Iterator[Finding]:
    """Yield a finding about the role that the token can take, or the rights that it lacks for all of them."""
    mount = store.secrets.vault.mount(store.secrets.location).path
    place = rights.Place(mount, store.secrets.location.removeprefix(mount))
    name = "NAME"  # an identity that exists, if one is visible
    with contextlib.suppress(StoreError):
        name = next(iter(store.names()), name)
    paths = {thing: place.path(thing, name=name, number="0001") for thing in rights.THINGS}
    capabilities = store.secrets.vault.capabilities(list(paths.values()))
    granted = {thing: capabilities[path] for thing, path in paths.items()}
    role = rights.role_of(granted)
    if role is not None:
        yield ok("access", f"the token has the rights of policies/vault/{role}.hcl")
        return
    for thing, has in granted.items():
        if lacks := rights.missing(thing, has):
            hint = f"to allow it, add to an ACL policy of the token: {place.rule(thing)}"
            yield warning("access", f"the token may not {thing.what}: {', '.join(lacks)}", hint)


def _store(store: VaultStore) -> Iterator[Finding]:
    names = store.names()
    yield ok("store", f"{len(names)} {'identity' if len(names) == 1 else 'identities'} in {store.uri}")
    for name in names:
        yield from _identity(store, name)


def _identity(store: VaultStore, name: str) -> Iterator[Finding]:
    check = f"identity:{name}"
    try:
        record = _record(store, name)
        begun = store.secrets.generations(name)
        whole = [number for number, has_key in begun.items() if has_key]
        paths = [layout.certificate(name, number) for number in whole]
        stored = dict(zip(whole, (each for _, each in store.secrets.kv.read_many(paths)), strict=True))
        troubles = list(_faults(check, record, whole, _metadata(store, name, stored)))
        troubles = troubles or list(_certificates(store, name, record, stored))
        if record is not None and record.owes_hook:
            hint = f"fix it, and run it again: certkit identity activate {name} --store {store.uri}"
            troubles.append(critical(check, "a deploy hook failed and has not succeeded since", hint))
    except InputError as error:
        yield _finding(check, error)
        return
    summary = f"{len(whole)} generation{'' if len(whole) == 1 else 's'}"
    if unfinished := len(begun) - len(whole):
        summary += f", {unfinished} more incomplete"
    if record is not None:
        summary += f", {record.active or 'none'} active"
    yield from troubles or [ok(check, summary)]


def _record(store: VaultStore, name: str) -> Record | None:
    """Read the record of an identity; None if the token may not read it."""
    try:
        return store.secrets.record(name)[0]
    except VaultError as error:
        if error.kind is Fault.DENIED:
            return None
        raise


def _metadata(
    store: VaultStore, name: str, certificates: Mapping[str, Stored | CertkitError | None]
) -> dict[str, Metadata | None]:
    """Return the metadata of each certificate, which come with it; those of unreadable ones are requested."""
    known: dict[str, Metadata | None] = {
        number: Metadata(each.version, is_deleted=False, custom_metadata=each.custom_metadata)
        for number, each in certificates.items()
        if isinstance(each, Stored)
    }
    return known | store.secrets.metadata(name, [each for each in certificates if each not in known])


def _faults(
    check: str, record: Record | None, whole: list[str], metadata: dict[str, Metadata | None]
) -> Iterator[Finding]:
    """Yield the faults of an identity: `whole` are its generations that have a key."""
    for number in whole:
        known = metadata[number]
        if known is None or known.is_deleted:
            yield critical(check, f"the certificate of generation {number} is deleted", _RESTORE)
        elif known.version > 1 and not layout.facts_of(known):
            message = f"the facts about the certificate of generation {number} are missing, so expiry cannot check it"
            yield warning(check, message, _INSTALL)
    if record is not None and record.is_legacy:
        message = "the record is of certkit 0.1.0: its issuer, addresses and trust bundle are not used"
        hint = (
            "have an operator migrate it soon, for a provisioner could create settings beside it: certkit store migrate"
        )
        yield warning(check, message, hint)
    elif record is not None and (unlisted := [each for each in whole if each not in record.generations]):
        message = f"not in the pointer: generation {', '.join(unlisted)}, of a killed run or of another user"
        yield warning(check, message, "see `certkit identity log`, and remove it with `bao kv metadata delete`")
    if record is not None and record.active is not None and record.active not in whole:
        yield critical(check, f"generation {record.active}, which is active, is missing", "activate another one")


def _certificates(
    store: VaultStore, name: str, record: Record | None, certificates: Mapping[str, Stored | CertkitError | None]
) -> Iterator[Finding]:
    """Yield the faults of the certificates themselves, if the token may read them."""
    from certkit.x509 import objects

    check = f"identity:{name}"
    for number, found in certificates.items():
        place = store.secrets.place(layout.certificate(name, number))
        try:
            if (stored := expected(found)) is None:
                continue  # its metadata show this
            generation = layout.generation_of(number, stored.data, trust_bundle=None, where=place)
            if generation.issued is None:
                continue
            leaf = objects.certificates(generation.issued.certificate, name=place)[0]
        except InputError as error:
            if _kind(error) is not Fault.DENIED:
                yield _finding(check, error)
            continue
        known = record.facts_of(number).get(FINGERPRINT) if record else None
        if known not in {None, leaf.fingerprint_sha256}:
            message = f"the certificate of generation {number} is not the one that the record describes"
            yield critical(check, message, "see who wrote it, in Vault's audit log; then restore it")
