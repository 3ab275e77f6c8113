"""Checks of one certificate, or of those of a path: validity, name, strength, the partner's limits."""

from __future__ import annotations

import ipaddress
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.csr import check
from certkit.findings import Finding, critical, ok, skipped, unknown
from certkit.printable import printable
from certkit.times import rfc3339
from certkit.x509 import csr as requests
from certkit.x509 import describe, keys, names, objects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.policy.rules import Policy
    from certkit.x509.keys import KeyFacts

# A CA's key may be RSA of 2048 bits or more, or one of these (NIST SP 800-186; RFC 8032).
_SOUND_CURVES = {"ec-p256", "ec-p384", "ec-p521", "ed25519", "ed448"}
# Validity includes both of its ends, and CAs backdate a little; a promise in days is kept within a day.
_VALIDITY_SLACK = timedelta(days=1)
_ANSWERS_HINT = "check that this certificate answers this CSR"


def validity(leaf: x509.Certificate, at: datetime) -> Finding:
    """Whether the certificate is valid at a moment (RFC 5280 section 4.1.2.5)."""
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if at > end:
        return critical("validity", f"expired on {rfc3339(end)} (RFC 5280 section 4.1.2.5)", "get a new certificate")
    if at < begin:
        return critical(
            "validity",
            f"not valid before {rfc3339(begin)} (RFC 5280 section 4.1.2.5)",
            "wait until then, or check this machine's clock",
        )
    return ok("validity", f"valid from {rfc3339(begin)} until {rfc3339(end)}")


def client_name(leaf: x509.Certificate, client_id: str) -> Finding:
    """Whether the common name is the client id."""
    found = names.values(names.attributes(leaf.subject), "CN")
    if found == (client_id,):
        return ok("name", f"CN is the client id {printable(client_id)}")
    shown = ", ".join(map(printable, found)) or "absent"
    return critical(
        "name",
        f"CN is {shown}, not the client id {printable(client_id)}",
        "check the client id and the environment that the certificate was made for",
    )


def host_name(leaf: x509.Certificate, hostname: str) -> Finding:
    """Whether the certificate is for a host: DNS name or IP address among its alternative names (RFC 9525)."""
    san = describe.extension(leaf, "SubjectAlternativeName")
    listed = [] if san is None else [names.san_parts(name) for name in san]
    wanted_ip = _ip(hostname.removeprefix("[").removesuffix("]"))
    if wanted_ip is not None:
        matches = any(kind == "IP" and _ip(value) == wanted_ip for kind, value in listed)
    else:
        matches = any(kind == "DNS" and matches_dns(value, hostname) for kind, value in listed)
    if matches:
        return ok("name", f"it is for {printable(hostname)}")
    shown = ", ".join(printable(f"{kind}:{value}") for kind, value in listed[:5]) or "no alternative name"
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return critical(
        "name",
        f"not for {printable(hostname)}: it names {shown}{more}",
        "check the host, or get a certificate for it",
    )


def matches_dns(pattern: str, hostname: str) -> bool:
    """Whether a DNS name of a certificate covers a host; a wildcard is the whole first label (RFC 9525 section 6.3)."""
    pattern, hostname = pattern.lower().removesuffix("."), _ascii(hostname).lower().removesuffix(".")
    if not names.is_dns_name(pattern) or hostname.startswith("*"):
        return False
    if pattern.startswith("*."):
        first, _, rest = hostname.partition(".")
        return bool(first) and "." in rest and rest == pattern[2:]
    return pattern == hostname


def _ascii(hostname: str) -> str:
    """A host name in its ASCII form; one that has none matches nothing."""
    try:
        return hostname if hostname.isascii() else hostname.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def key_strength(path: Sequence[x509.Certificate], policy: Policy) -> Finding:
    """Whether the certificate's key is one that the policy takes, and the CAs' keys are sound."""
    try:
        name, bits = keys.type_and_bits(path[0].public_key())
    except Exception as error:  # noqa: BLE001  a foreign key meets a parser
        reason = printable(objects.short_reason(error))
        return critical("key-type", f"the public key cannot be used: {reason}", f"use one of: {policy.key.describe()}")
    leaf = check.key_finding(name, bits, policy.key, partner=policy.title)
    if not leaf.is_good:
        return leaf
    for ca in path[1:]:
        shown, bits = keys.type_and_bits(ca.public_key())
        if not is_sound_ca_key(shown, bits):
            return critical(
                "key-type",
                f"the CA {names.distinguished_name(ca.subject)} has a weak key: {shown}",
                "ask for a stronger CA",
            )
    return leaf


def is_sound_ca_key(type_name: str, bits: int) -> bool:
    """Whether a CA's key may be relied upon: RSA of 2048 bits or more, or a curve that is sound."""
    return type_name in _SOUND_CURVES or (type_name.startswith("rsa-") and bits >= 2048)


def signature_algorithms(path: Sequence[x509.Certificate]) -> Finding:
    """Whether every signature below the anchor is made with a sound digest; the anchor's own does not matter."""
    below = path[:-1] if len(path) > 1 else path
    used = []
    for certificate in below:
        try:
            digest = certificate.signature_hash_algorithm
        except Exception:  # noqa: BLE001  an algorithm the library does not know
            name = names.distinguished_name(certificate.subject)
            oid = certificate.signature_algorithm_oid.dotted_string
            return unknown(
                "signature-algorithm", f"{name} is signed with {oid}, which is not supported", "ask the issuer"
            )
        if digest is not None and keys.is_weak_digest(digest.name):
            return critical(
                "signature-algorithm",
                f"{names.distinguished_name(certificate.subject)} is signed with {digest.name.upper()}, too weak",
                "ask the issuer for a certificate signed with SHA-256",
            )
        used.append(digest.name.upper() if digest else "EdDSA")
    return ok("signature-algorithm", ", ".join(dict.fromkeys(used)))


def csr_key_match(leaf: x509.Certificate, request: x509.CertificateSigningRequest) -> Finding:
    """Whether a certificate answers a CSR: the same public key."""
    mine, theirs = _key_facts(leaf), requests.public_key_facts(request)
    if isinstance(mine, str) or isinstance(theirs, str):
        return unknown("key-match", "the public key of the certificate or of the CSR cannot be read", _ANSWERS_HINT)
    if mine.spki_sha256 == theirs.spki_sha256:
        return ok("key-match", "the certificate has the CSR's key")
    return critical(
        "key-match",
        f"the certificate has not the CSR's key: SPKI SHA-256 {mine.spki_sha256}, in the CSR {theirs.spki_sha256}",
        _ANSWERS_HINT,
    )


def csr_organization(leaf: x509.Certificate, request: x509.CertificateSigningRequest) -> Finding:
    """Whether a certificate keeps the organization that its CSR asked for."""
    kept = names.values(names.attributes(leaf.subject), "O")
    asked = names.values(names.attributes(request.subject), "O")
    if kept == asked:
        return ok("subject", "the organization is that of the CSR")
    shown = ", ".join(map(printable, kept)) or "absent"
    wanted = ", ".join(map(printable, asked)) or "absent"
    return critical("subject", f"O is {shown}, in the CSR {wanted}", _ANSWERS_HINT)


def email_address(leaf: x509.Certificate, address: str) -> Finding:
    """Whether an e-mail address is among the alternative names (RFC 8550 section 3): the host in any case."""
    san = describe.extension(leaf, "SubjectAlternativeName")
    listed = [value for kind, value in map(names.san_parts, san or ()) if kind == "email"]
    if _address(address) in map(_address, listed):
        return ok("name", f"it is for {printable(address)}")
    shown = ", ".join(map(printable, listed[:5])) or "no e-mail address"
    return critical(
        "name", f"not for {printable(address)}: it names {shown} (RFC 5280 section 4.2.1.6)", "check the address"
    )


def _address(text: str) -> tuple[str, str]:
    local, _, host = text.rpartition("@")
    return local, host.lower()


def key_match(leaf: x509.Certificate, key: KeyFacts | None) -> Finding:
    """Whether a private key belongs to the certificate."""
    if key is None:
        return skipped("key-match", "no private key was given", "add --key KEY")
    facts = _key_facts(leaf)
    if isinstance(facts, str):
        return unknown("key-match", f"the certificate's public key cannot be read: {facts}", "get a new certificate")
    return check.key_match(facts, key, what="certificate")


def _key_facts(certificate: x509.Certificate) -> KeyFacts | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keys.key_facts(certificate.public_key())
    except Exception as error:  # noqa: BLE001  a foreign key meets a parser
        return objects.short_reason(error)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
