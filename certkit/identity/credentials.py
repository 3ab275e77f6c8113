"""The credentials and trust bundle of a generation, read from the store and kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, RefusedError
from certkit.identity import overview
from certkit.x509 import keys, objects

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.net.tls import Credentials
    from certkit.secret import Secret
    from certkit.stores.base import Store, StoredIdentity
    from certkit.x509.certificate import Certificate


@dataclass(frozen=True, slots=True)
class GenerationCredentials:
    """A generation's number, its credentials, and the certificates of its trust bundle; None if it has no bundle."""

    generation: str
    credentials: Credentials
    anchors: list[Certificate] | None


def of_generation(store: Store, identity: StoredIdentity, number: str | None = None) -> GenerationCredentials:
    """Return the credentials of a generation, by default the active one.

    Raises:
        InputError: if no generation is active, it has no certificate yet, or the stored data cannot be read.
    """
    from certkit.net.tls import Credentials

    name, number = identity.name, number or identity.record.active
    if number is None:
        raise overview.none_active(identity)
    generation = overview.generation(identity, number)
    issued = generation.issued
    if issued is None:
        hint = f"install the issued certificate: certkit identity install {name} CERT"
        raise InputError(f"{name}: generation {number} has no certificate yet", hint=hint)
    what = f"generation {number} of {name}"
    key = private_key(store, name, number)
    chain = objects.certificates(issued.fullchain, name=what)
    bundle = overview.trust_bundle(identity, generation)
    anchors = objects.certificates(bundle, name=f"the trust bundle of {what}") if bundle else None
    return GenerationCredentials(number, Credentials(key, tuple(chain)), anchors)


def require_trusted(identity: StoredIdentity, number: str, *, now: datetime) -> None:
    """Refuse a generation whose certificate does not lead to a CA that the settings trust.

    A token that may move the pointer may not change the settings, and so cannot plant a certificate of another CA.

    Raises:
        RefusedError: if the certificate does not lead to such a CA.
        InputError: if the record is of certkit 0.1.0 and in Vault, where its trust bundle is not used.
    """
    from certkit.verify import chain
    from certkit.verify.path import Search

    name, generation = identity.name, overview.generation(identity, number)
    bundle = overview.trust_bundle(identity, generation)
    if identity.record.is_legacy and not bundle:
        hint = "have an operator run: certkit store migrate"
        raise InputError(f"{name} has a record of certkit 0.1.0, whose trust bundle is ignored", hint=hint)
    if not bundle or generation.issued is None:
        return
    leaf, *untrusted = objects.certificates(generation.issued.fullchain, name=f"generation {number} of {name}")
    anchors = objects.certificates(bundle, name=f"the trust bundle of {name}")
    found = chain(Search(leaf, anchors, untrusted=[*untrusted, *anchors], at=now, purpose="client"))
    if not found.is_good:
        message = f"{name}: the certificate of generation {number} is not trusted: {found.message}"
        hint = (
            f"check who installed it: certkit identity log {name}; a new CA: certkit identity update {name} --ca FILE"
        )
        raise RefusedError(message, hint=hint, findings=[found])


def require_pair(identity: StoredIdentity, number: str, key: Secret) -> None:
    """Refuse a private key (PEM) that cannot be read, or that does not belong to the certificate of its generation.

    Raises:
        InputError: if the key is unreadable or does not belong to the certificate, or the store cannot be read.
    """
    what = f"generation {number} of {identity.name}"
    leaf = overview.certificate(overview.generation(identity, number))
    held = objects.private_key(key.reveal(), name=f"the private key of {what}").value
    if leaf is not None and not keys.is_pair(held, leaf):
        hint = (
            f"restore both from a backup, or request a new certificate: certkit identity renew {identity.name} --force"
        )
        raise InputError(f"cannot use {what}: its private key does not belong to its certificate", hint=hint)


def private_key(store: Store, name: str, number: str) -> Any:
    """Return the private key of a generation.

    Raises:
        InputError: if the stored data cannot be read.
    """
    return objects.private_key(store.key(name, number).reveal(), name=f"generation {number} of {name}").value
