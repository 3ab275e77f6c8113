"""Checks of one certificate, or of those of a path: validity, name, strength, the partner's limits."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from certkit.csr import check
from certkit.findings import Finding, critical, ok, skipped, unknown
from certkit.printable import brief
from certkit.times import rfc3339
from certkit.verify.path import TWO_ALGORITHMS, names_two_algorithms
from certkit.x509 import foreign, keys, names, signatures
from certkit.x509.signatures import UnsupportedError
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate
    from certkit.x509.csr import Csr
    from certkit.x509.spki import KeyFacts

_NO_KEY = skipped("key-match", "no private key was given", "add --key KEY")
_CSR_HINT = "check that this certificate was issued for this CSR"
_SHOWN_NAMES = 5


def validity(leaf: Certificate, at: datetime) -> Finding:
    """Check whether the certificate is valid at a moment (RFC 5280 section 4.1.2.5)."""
    begin, end = leaf.not_before, leaf.not_after
    if isinstance(begin, Unreadable) or isinstance(end, Unreadable):
        why = next(each.reason for each in (begin, end) if isinstance(each, Unreadable))
        return unknown("validity", f"a date cannot be read: {why}", "get a new certificate")
    if at > end:
        return critical("validity", f"expired on {rfc3339(end)} (RFC 5280 section 4.1.2.5)", "get a new certificate")
    if at < begin:
        return critical(
            "validity",
            f"not valid before {rfc3339(begin)} (RFC 5280 section 4.1.2.5)",
            "wait until then, or check this machine's clock, or the time given",
        )
    return ok("validity", f"valid from {rfc3339(begin)} until {rfc3339(end)}")


def client_name(leaf: Certificate, client_id: str) -> Finding:
    """Check whether the common name is the client id."""
    found = leaf.subject.values("CN")
    if found == (client_id,):
        return ok("name", f"CN is the client id {brief(client_id)}")
    shown = ", ".join(map(brief, found)) or "absent"
    return critical(
        "name",
        f"CN is {shown}, not the client id {brief(client_id)}",
        "check the client id and the environment that the certificate was made for",
    )


def host_name(leaf: Certificate, hostname: str) -> Finding:
    """Check whether the certificate is for a host: DNS name or IP address among its alternative names (RFC 9525)."""
    listed = leaf.subject_alt_name or ()
    if isinstance(leaf.subject_alt_name, Unreadable):
        return _unreadable_names(leaf.subject_alt_name)
    wanted = _ip(hostname.removeprefix("[").removesuffix("]"))
    if wanted is not None:
        matches = any(each.kind == "IP" and not each.problem and _ip(each.value) == wanted for each in listed)
    else:
        matches = any(each.kind == "DNS" and not each.problem and matches_dns(each.value, hostname) for each in listed)
    if matches:
        return ok("name", f"the certificate is valid for {brief(hostname)}")
    more = f" and {len(listed) - _SHOWN_NAMES} more" if len(listed) > _SHOWN_NAMES else ""
    shown = ", ".join(brief(str(each)) for each in listed[:_SHOWN_NAMES]) + more
    shown = f"its names are {shown}" if listed else "it has no alternative name"
    return critical(
        "name",
        f"the certificate is not valid for {brief(hostname)}: {shown}",
        "check the host, or get a certificate for it",
    )


def matches_dns(pattern: str, hostname: str) -> bool:
    """Return whether a DNS name of a certificate covers a host; a wildcard is the whole first label (RFC 9525 6.3)."""
    try:
        hostname = hostname if hostname.isascii() else hostname.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    pattern, hostname = pattern.lower().removesuffix("."), hostname.lower().removesuffix(".")
    if not names.is_dns_name(pattern) or hostname.startswith("*"):
        return False
    if pattern.startswith("*."):
        first, _, rest = hostname.partition(".")
        return bool(first) and "." in rest and rest == pattern[2:]
    return pattern == hostname


def email_address(leaf: Certificate, address: str) -> Finding:
    """Check whether an e-mail address is among the alternative names (RFC 8550 section 3): the host in any case."""
    if isinstance(leaf.subject_alt_name, Unreadable):
        return _unreadable_names(leaf.subject_alt_name)
    listed = [each for each in leaf.subject_alt_name or () if each.kind == "email" and not each.problem]
    if any(_address(address) == _address(each.value) for each in listed):
        return ok("name", f"the certificate is valid for {brief(address)}")
    names = ", ".join(brief(each.value) for each in listed[:_SHOWN_NAMES])
    shown = f"its addresses are {names}" if names else "it has no e-mail address"
    return critical(
        "name",
        f"the certificate is not valid for {brief(address)}: {shown} (RFC 5280 section 4.2.1.6)",
        "check the address",
    )


def signature_algorithms(path: Sequence[Certificate]) -> Finding:
    """Check whether every signature below the anchor names one algorithm, with a sound digest."""
    used = []
    for certificate in path[:-1] if len(path) > 1 else path:
        if names_two_algorithms(certificate):
            message = f"{certificate.brief_name} {TWO_ALGORITHMS}"
            return critical("signature-algorithm", message, "ask the issuer for a certificate that follows RFC 5280")
        try:
            scheme = signatures.scheme(certificate.signature_algorithm)
        except UnsupportedError as error:
            message = f"{certificate.brief_name} cannot be verified: {error}"
            return unknown("signature-algorithm", message, "ask the issuer")
        if scheme.is_weak:
            return critical(
                "signature-algorithm",
                f"{certificate.brief_name} is signed with {scheme.shown}, which is too weak",
                "ask the issuer for a certificate signed with SHA-256",
            )
        used.append(scheme.shown)
    return ok("signature-algorithm", ", ".join(dict.fromkeys(used)))


def key_match(leaf: Certificate, key: KeyFacts | None) -> Finding:
    """Check whether a private key belongs to the certificate."""
    if key is None:
        return _NO_KEY
    facts = _key_facts(leaf)
    if facts is None:
        return unknown("key-match", "the certificate's public key cannot be read", "get a new certificate")
    return check.key_match(facts, key, what="certificate")


def csr_key_match(leaf: Certificate, request: Csr) -> Finding:
    """Check whether a certificate was issued for a CSR: the same public key."""
    mine, theirs = _key_facts(leaf), request.spki_sha256
    if mine is None or isinstance(request.key, Unreadable):
        return unknown("key-match", "the public key of the certificate or of the CSR cannot be read", _CSR_HINT)
    if mine.spki_sha256 == theirs:
        return ok("key-match", "the certificate's key is the CSR's key")
    return critical(
        "key-match",
        f"the certificate's key is not the CSR's key: SPKI SHA-256 {mine.spki_sha256}, in the CSR {theirs}",
        _CSR_HINT,
    )


def csr_organization(leaf: Certificate, request: Csr) -> Finding:
    """Check whether a certificate has the organization of its CSR."""
    kept = leaf.subject.values("O")
    asked = request.subject.values("O")
    if kept == asked:
        return ok("subject", "the organization matches the CSR")
    shown = ", ".join(map(brief, kept)) or "absent"
    wanted = ", ".join(map(brief, asked)) or "absent"
    return critical("subject", f"O is {shown}, but {wanted} in the CSR", _CSR_HINT)


def _key_facts(certificate: Certificate) -> KeyFacts | None:
    """Return the facts of a key as the library encodes it, or as its bytes have them if the library would change it."""
    key = certificate.key
    if not isinstance(key, Unreadable) and (key.is_pss or key.has_explicit_curve):
        return key.facts
    return foreign.attempt(lambda _: keys.key_facts(certificate.public_key()), b"")


def _unreadable_names(found: Unreadable) -> Finding:
    return unknown("name", f"the alternative names cannot be read: {found.reason}", "get a new certificate")


def _address(text: str) -> tuple[str, str]:
    local, _, host = text.rpartition("@")
    return local, host.lower()


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
