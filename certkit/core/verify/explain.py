"""The first cause of a missing path, in plain words: found by walking up from the leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.core import describe, names
from certkit.core.printable import printable
from certkit.core.times import rfc3339
from certkit.core.verify import pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

_LOOK = "look at each certificate with certkit inspect, and ask the issuer"


@dataclass(frozen=True, slots=True)
class NoPath:
    """Why no path leads from a certificate to an anchor: the first cause in plain words, and what to do.

    `is_undecided`: there may be one, and nobody here can tell.
    """

    reason: str
    hint: str
    is_undecided: bool = False


def first_cause(
    leaf: x509.Certificate,
    *,
    anchors: Sequence[x509.Certificate],
    candidates: Sequence[x509.Certificate],
    at: datetime,
    engine: str,
) -> NoPath:
    """Why there is no path; `engine` is what the engine said, for causes that the walk does not find."""
    current, seen = leaf, {leaf}
    while True:
        named = pool.issuers_of(current, candidates)
        if not named:
            return _missing(current, anchors)
        issuers = [each for each in named if pool.signed_by(current, each) is not False]
        if not issuers:
            return _wrong_key(current)
        problem = _defect(issuers, at)
        if problem is not None:
            return problem
        unseen = [each for each in issuers if each not in seen]
        if not unseen or any(each in anchors for each in issuers):
            return _from_engine(engine)
        current = unseen[0]
        seen.add(current)


def _wrong_key(current: x509.Certificate) -> NoPath:
    who, issuer = names.distinguished_name(current.subject), names.distinguished_name(current.issuer)
    if who == issuer:
        return NoPath(
            f"{who} is self-signed, and a different certificate from the trusted one of that name",
            "trust it with --ca only if it is the partner's CA",
        )
    return NoPath(
        f"a CA named {issuer} is there, but {who} is not signed with its key (RFC 5280 section 6.1.3)",
        "the CA may have been renewed, or belong to another environment; get the right CA certificate",
    )


def _missing(current: x509.Certificate, anchors: Sequence[x509.Certificate]) -> NoPath:
    issuer = names.distinguished_name(current.issuer) or "(an empty name)"
    if pool.canonical(current.subject) == pool.canonical(current.issuer):
        return NoPath(
            f"{issuer} is self-signed and not among the trusted CAs",
            "trust it with --ca only if it is the partner's CA",
        )
    where = ca_issuers(current)
    fetch = f"; the certificate says where: {printable(where)}" if where else ""
    trusted = ", ".join(names.distinguished_name(anchor.subject) for anchor in list(anchors)[:3]) or "none"
    return NoPath(
        f"the issuer {issuer} is missing (trusted: {trusted})",
        f"add its certificate with --untrusted, or with --ca if it is the root{fetch}",
    )


def _defect(issuers: Sequence[x509.Certificate], at: datetime) -> NoPath | None:
    """What rules out every one of these issuers, in the words of the last; None if one of them is sound."""
    problem = None
    for issuer in issuers:
        problem = _one_defect(issuer, at)
        if problem is None:
            return None
    return problem


def _one_defect(issuer: x509.Certificate, at: datetime) -> NoPath | None:
    name = names.distinguished_name(issuer.subject)
    try:
        if at > issuer.not_valid_after_utc:
            ended = rfc3339(issuer.not_valid_after_utc)
            return NoPath(f"the CA {name} expired on {ended} (RFC 5280 section 6.1.3)", "get the CA's new certificate")
        if at < issuer.not_valid_before_utc:
            begins = rfc3339(issuer.not_valid_before_utc)
            return NoPath(f"the CA {name} is not valid before {begins} (RFC 5280 section 6.1.3)", "check the clock")
        if not describe.is_ca(issuer):
            return NoPath(
                f"{name} signed a certificate and is no CA (RFC 5280 section 4.2.1.9)",
                "do not trust this chain; ask the partner",
            )
        usage = describe.extension(issuer, "KeyUsage")
    except ValueError as error:
        return NoPath(f"the CA {name} cannot be read: {printable(str(error))}", _LOOK)
    if usage is not None and not usage.key_cert_sign:
        return NoPath(
            f"the CA {name} may not sign certificates, by its key usage (RFC 5280 section 4.2.1.3)", "ask the partner"
        )
    return None


# What the engines say, by a part of it, and what it means.
_MEANINGS = (
    (
        "path length",
        "a CA in the chain may not have so many CAs below it (RFC 5280 section 4.2.1.9)",
    ),
    ("max depth", "the chain has more intermediates than --max-depth allows"),
    (
        "permitted name constraints",
        "a name is outside of what a CA in the chain may issue (RFC 5280 section 4.2.1.10)",
    ),
    ("permitted subtree", "a name is outside of what a CA in the chain may issue (RFC 5280 section 4.2.1.10)"),
    ("excluded", "a name is one that a CA in the chain must not issue (RFC 5280 section 4.2.1.10)"),
    ("unaccounted-for critical", "a certificate has a critical extension that is not known (RFC 5280 section 4.2)"),
    ("unhandled critical", "a certificate has a critical extension that is not known (RFC 5280 section 4.2)"),
    ("too weak", "a CA in the chain has a key that is too weak"),
    ("Forbidden public key", "a CA in the chain has a type of key that is not accepted"),
    ("Forbidden signature", "a certificate in the chain is signed with an algorithm that is not accepted"),
    ("explicit policy", "the chain has not the certificate policy that a CA in it asks for (RFC 5280 section 6.1.5)"),
    ("serial number", "a certificate has a serial number that RFC 5280 section 4.1.2.2 forbids"),
    ("signature does not match", "a signature in the chain does not fit its issuer's key (RFC 5280 section 6.1.3)"),
)


def _from_engine(engine: str) -> NoPath:
    said = " ".join(engine.removeprefix("validation failed: ").split())[:200]
    meaning = next((words for part, words in _MEANINGS if part in said), None)
    return NoPath(meaning or f"no trusted path: {printable(said)}", _LOOK)


def ca_issuers(certificate: x509.Certificate) -> str:
    """The address of the issuer's certificate, if the certificate tells one (RFC 5280 section 4.2.2.1)."""
    from cryptography.x509.oid import AuthorityInformationAccessOID

    return describe.access_location(certificate, AuthorityInformationAccessOID.CA_ISSUERS)
