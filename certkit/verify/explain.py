"""The first cause of a missing path, in plain words: found by walking up from the leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.printable import printable
from certkit.times import rfc3339
from certkit.x509 import describe, keys, names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.verify.pool import Pool

_LOOK = "look at each certificate with certkit inspect, and ask the issuer"


@dataclass(frozen=True, slots=True)
class NoPath:
    """Why no path leads from a certificate to an anchor: the first cause in plain words, and what to do."""

    reason: str
    hint: str


def first_cause(pool: Pool, *, at: datetime, objections: Sequence[str], max_depth: int) -> NoPath:
    """Why there is no path; `objections` are what the judges said of complete ones, for what the walk does not see."""
    current, seen = pool.leaf, {pool.leaf}
    for _ in range(max_depth + 2):
        if not pool.named(current):
            return _missing(pool, current)
        issuers = pool.issuers(current)
        if not issuers:
            return _wrong_key(current)
        problem = _defect(current, issuers, at)
        if problem is not None:
            return problem
        if any(each in pool.anchors for each in issuers):
            break
        unseen = [each for each in issuers if each not in seen]
        if not unseen:
            return _circle(pool, current)
        current = unseen[0]
        seen.add(current)
    if not objections:
        return NoPath("the chain has more intermediates than --max-depth allows", "raise it if that is meant")
    return NoPath(meaning_of(objections[0]), _LOOK)


def _circle(pool: Pool, current: x509.Certificate) -> NoPath:
    if pool.is_self_issued(current):
        return _missing(pool, current)
    return NoPath(
        f"the CAs of the chain only sign each other; no trusted one signed any of them (trusted: {_trusted(pool)})",
        "add the CA that signed one of them, with --untrusted or --ca",
    )


def _trusted(pool: Pool) -> str:
    shown = ", ".join(names.distinguished_name(anchor.subject) for anchor in list(pool.anchors)[:3]) or "none"
    return shown + (f" and {len(pool.anchors) - 3} more" if len(pool.anchors) > 3 else "")


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


def _missing(pool: Pool, current: x509.Certificate) -> NoPath:
    issuer = names.distinguished_name(current.issuer) or "(an empty name)"
    trusted = _trusted(pool)
    if pool.has_unreadable(current):
        return NoPath(f"the CA {issuer} is there and cannot be read: it breaks the standard", _LOOK)
    if pool.is_self_issued(current):
        return NoPath(
            f"{issuer} is self-signed and not among the trusted CAs (trusted: {trusted})",
            "trust it with --ca only if it is the partner's CA",
        )
    where = ca_issuers(current)
    fetch = f"; the certificate says where: {printable(where)}" if where else ""
    return NoPath(
        f"the issuer {issuer} is missing (trusted: {trusted})",
        f"add its certificate with --untrusted, or with --ca if it is the root{fetch}",
    )


def _defect(current: x509.Certificate, issuers: Sequence[x509.Certificate], at: datetime) -> NoPath | None:
    """What rules out a certificate's signature, or every one of its issuers (the last's reason); None if nothing."""
    weak = _weak_signature(current)
    if weak is not None:
        return weak
    problem = None
    for issuer in issuers:
        problem = _one_defect(issuer, at)
        if problem is None:
            return None
    return problem


def _weak_signature(certificate: x509.Certificate) -> NoPath | None:
    try:
        digest = certificate.signature_hash_algorithm
    except Exception:  # noqa: BLE001  an algorithm that the library does not know
        return None
    if digest is None or not keys.is_weak_digest(digest.name):
        return None
    name = names.distinguished_name(certificate.subject)
    return NoPath(
        f"{name} is signed with {digest.name.upper()}, which is too weak",
        "ask the issuer for a certificate signed with SHA-256",
    )


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
    except Exception as error:  # noqa: BLE001  a field of a hostile certificate may raise when it is read
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
    ("does not allow the purpose", "a CA in the chain may not issue for this purpose (RFC 5280 section 4.2.1.12)"),
    ("not a CA certificate", "a certificate in the chain is no CA and signed another one (RFC 5280 section 4.2.1.9)"),
    ("uplicate extension", "a certificate has the same extension twice (RFC 5280 section 4.2)"),
    ("name constraints", "a name is outside of what a CA in the chain may issue (RFC 5280 section 4.2.1.10)"),
    ("not signed as it stands", "a certificate was changed outside of what is signed (RFC 5280 section 4.1.1.2)"),
    ("serial number", "a certificate has a serial number that RFC 5280 section 4.1.2.2 forbids"),
    ("signature does not match", "a signature in the chain does not fit its issuer's key (RFC 5280 section 6.1.3)"),
)


def meaning_of(said: str) -> str:
    """What an engine's words mean, in plain ones; its own words where nobody has found plain ones yet."""
    said = " ".join(said.removeprefix("validation failed: ").split())[:200]
    return next((words for part, words in _MEANINGS if part in said), f"no trusted path: {printable(said)}")


def ca_issuers(certificate: x509.Certificate) -> str:
    """The address of the issuer's certificate, if the certificate tells one (RFC 5280 section 4.2.2.1)."""
    from cryptography.x509.oid import AuthorityInformationAccessOID

    return describe.access_location(certificate, AuthorityInformationAccessOID.CA_ISSUERS)
