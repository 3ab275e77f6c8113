"""Revocation by OCSP (RFC 6960): making requests, and judging responses; what cannot be told is never "ok"."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, critical, ok, unknown
from certkit.times import rfc3339
from certkit.verify import signatures
from certkit.verify.path import access_location, is_signed, is_within_dates, name_of, own_problem
from certkit.x509 import der as tlv
from certkit.x509.extensions import Unreadable
from certkit.x509.ocsp import NONCE, OcspResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate
    from certkit.x509.extensions import Extension
    from certkit.x509.ocsp import BasicResponse, CertificateId, SingleResponse

REQUEST_TYPE = "application/ocsp-request"

# Clocks differ a little; a response without an end is believed for a day.
_SKEW = timedelta(minutes=5)
_DEFAULT_FRESHNESS = timedelta(days=1)
_TRY_HINT = "try again later, or give the CA's list with --crl"
_OCSP, _OCSP_SIGNING = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.3.9"
# What may be critical: the nonce; and of a single response, where its status comes from (RFC 6960 section 4.4).
_KNOWN = frozenset({NONCE, "1.3.6.1.5.5.7.48.1.3", "1.3.6.1.5.5.7.48.1.6", "2.5.29.21", "2.5.29.24"})


# The digests of CertID.
_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
# CRLReason (RFC 5280 section 5.3.1).
REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
_STRANGER = "it is signed neither by the issuer nor by a responder that the issuer named for it"


class _UnusableError(Exception):
    """A response that does not count, and why."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response in DER; a nonce that comes back in it must be `nonce`, if that is not None."""

    der: bytes
    nonce: bytes | None = None


def responder_of(certificate: Certificate) -> str:
    """Return the address of the OCSP responder that a certificate names; empty if it names none."""
    return access_location(certificate, _OCSP)


def request_for(certificate: Certificate, issuer: Certificate, nonce: bytes) -> bytes:
    """Return a request about a certificate, in DER; the nonce binds the response to it (RFC 9654).

    Raises:
        InputError: if the library cannot read one of the certificates.
    """
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import OCSPNonce, ocsp

    mine, above = certificate.cryptography(), issuer.cryptography()
    if mine is None or above is None:
        hint = "give the CA's list with --crl"
        raise InputError(f"no OCSP request can be made for {name_of(certificate)}: it breaks the standard", hint=hint)
    # SHA-1 only names the issuer here; it is what every responder knows (RFC 5019 section 2.1.1).
    builder = ocsp.OCSPRequestBuilder().add_certificate(mine, above, SHA1())  # noqa: S303
    return builder.add_extension(OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def judge(
    responses: Sequence[Response], certificate: Certificate, issuer: Certificate, *, at: datetime
) -> Finding | None:
    """Return what all responses together say of a certificate; None if none is about it.

    Those that do not count are dropped. Of the others, and of all their single responses, revoked wins; else the most
    recent counts.
    """
    who = name_of(certificate)
    usable: list[SingleResponse] = []
    dropped: list[str] = []
    for response in responses:
        try:
            usable += _singles(response, certificate, issuer, at, dropped)
        except _UnusableError as error:
            dropped.append(str(error))
        except (InputError, ValueError) as error:
            dropped.append(f"it cannot be read: {error}")
    if usable:
        note = f"; {len(dropped)} more OCSP response does not count: {dropped[0]}" if dropped else ""
        return _finding(usable, who, note)
    if not dropped:
        return None
    return unknown("revocation", f"the OCSP response about {who} does not count: {dropped[0]}", _TRY_HINT)


def _finding(usable: Sequence[SingleResponse], who: str, note: str) -> Finding:
    for single in usable:
        if single.status == "revoked":
            since = rfc3339(single.revoked_at) if single.revoked_at else "an unknown time"
            reason = f" ({REASONS[single.reason]})" if single.reason is not None and single.reason in REASONS else ""
            hint = "stop using it, and get a new certificate"
            return critical("revocation", f"{who} is revoked, since {since}{reason}", hint)
    latest = max(usable, key=lambda each: each.this_update)  # type: ignore[arg-type,return-value]  # only dates are usable
    if latest.status == "unknown":
        return unknown("revocation", f"the OCSP responder does not know {who}", "ask the issuer")
    until = f" until {rfc3339(latest.next_update)}" if latest.next_update else ""
    return ok("revocation", f"not revoked: {who}, by OCSP{until}{note}")


def _singles(
    response: Response, certificate: Certificate, issuer: Certificate, at: datetime, dropped: list[str]
) -> Iterator[SingleResponse]:
    """Return the single responses about a certificate that count; `dropped` takes why others do not."""
    found = OcspResponse.parse(response.der)
    if found.status != "successful" or found.basic is None:
        raise _UnusableError(f"the responder refuses: {found.status}")
    basic = found.basic
    about = [each for each in basic.responses if _is_about(each.certificate, certificate, issuer)]
    if not about:
        return
    _require_understood(basic.extensions, "the response")
    _require_signed(basic, issuer, at)
    sent_back = basic.extension(NONCE)
    if response.nonce is not None and sent_back is not None and sent_back.raw not in _nonces(response.nonce):
        raise _UnusableError("it answers another request (its nonce differs)")
    for single in about:
        try:
            _require_understood(single.extensions, "the single response")
            _require_current(single, at)
        except _UnusableError as error:
            dropped.append(str(error))
        else:
            yield single


def _nonces(nonce: bytes) -> tuple[bytes, bytes]:
    """Return a nonce as responders send it back: as an OCTET STRING, or bare as before RFC 8954."""
    return tlv.encode(0x04, nonce), nonce


def _is_about(named: CertificateId, certificate: Certificate, issuer: Certificate) -> bool:
    """Return whether a single response names this certificate (RFC 6960 section 4.1.1, CertID)."""
    digest = _DIGESTS.get(named.digest.oid)
    return (
        digest is not None
        and named.serial == certificate.serial
        and named.issuer_name_hash == hashlib.new(digest, certificate.issuer.der).digest()
        and named.issuer_key_hash == hashlib.new(digest, _key_bits(issuer)).digest()
    )


def _require_understood(extensions: Iterable[Extension], what: str) -> None:
    for each in extensions:
        if each.critical and (each.oid not in _KNOWN or isinstance(each.value, Unreadable)):
            raise _UnusableError(f"{what} has a critical extension that certkit does not know: {each.oid}")


def _require_current(single: SingleResponse, at: datetime) -> None:
    begin, end = single.this_update, single.next_update
    if isinstance(begin, Unreadable) or isinstance(end, Unreadable):
        raise _UnusableError("a date in it cannot be read")
    if begin > at + _SKEW:
        raise _UnusableError(f"it is not valid before {rfc3339(begin)}")
    end = end or begin + _DEFAULT_FRESHNESS
    if at > end + _SKEW:
        raise _UnusableError(f"it is stale since {rfc3339(end)}")


def _require_signed(basic: BasicResponse, issuer: Certificate, at: datetime) -> None:
    """Refuse a response that neither the issuer signed nor a responder that it named (RFC 6960 section 4.2.2.2)."""
    scheme = signatures.scheme(basic.signature_algorithm)
    if scheme.is_weak:
        raise _UnusableError(f"it is signed with {scheme.shown}, which is too weak")
    if basic.version != 1:
        raise _UnusableError("it is of an unknown version")
    why = _STRANGER
    for signer in (issuer, *basic.certificates):
        if not _is_named(basic, signer):
            continue
        why = _responder_problem(signer, issuer, at) or _signature_problem(signer, basic)
        if not why:
            return
    raise _UnusableError(why)


def _signature_problem(signer: Certificate, basic: BasicResponse) -> str:
    key = signer.key
    if isinstance(key, Unreadable):
        return f"the responder's key cannot be read: {key.reason}"
    if any(not each.is_tolerated for each in basic.deviations):
        return "it breaks a rule of its encoding"
    try:
        wrong = signatures.problem(basic.signature_algorithm, key, signatures.load(key), basic.signature, basic.tbs)
    except signatures.UnsupportedError as error:
        return f"its signature cannot be checked: {error}"
    return "its signature does not verify" if wrong else ""


def _responder_problem(signer: Certificate, issuer: Certificate, at: datetime) -> str:
    """Say why a certificate may not sign the issuer's responses; empty if it may."""
    if signer == issuer:
        return ""
    usages, usage = signer.extended_key_usage, signer.key_usage
    problem = own_problem(signer)
    if signer.issuer.key != issuer.subject.key or not is_signed(signer, issuer):
        return _STRANGER
    if problem is not None:
        return f"its responder's certificate is not accepted: {problem.reason}"
    if isinstance(usages, Unreadable) or _OCSP_SIGNING not in (usages or ()):
        return "its responder's certificate is not for signing OCSP responses (RFC 6960 section 4.2.2.2)"
    if usage is not None and (isinstance(usage, Unreadable) or not usage & {"digitalSignature", "nonRepudiation"}):
        return "its responder's key usage does not allow digital signatures (RFC 5280 section 4.2.1.3)"
    if not is_within_dates(signer, at):
        return "its responder's certificate is not valid at that time"
    return ""


def _is_named(basic: BasicResponse, signer: Certificate) -> bool:
    if basic.responder_name is not None:
        return basic.responder_name.key == signer.subject.key
    return basic.responder_key_hash == hashlib.sha1(_key_bits(signer), usedforsecurity=False).digest()


def _key_bits(certificate: Certificate) -> bytes:
    """Return the bits of the public key without their wrapping, which CertID hashes."""
    spki = certificate.spki
    *_, bits = tlv.children(spki, *tlv.only(spki, tlv.SEQUENCE))
    return spki[bits[2] + 1 : bits[3]]
