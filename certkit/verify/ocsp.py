"""Revocation by OCSP (RFC 6960): making requests, and judging responses; what cannot be told is never "ok"."""

from __future__ import annotations

import hashlib
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, unknown
from certkit.printable import printable
from certkit.times import rfc3339
from certkit.verify import pool
from certkit.x509 import der as tlv
from certkit.x509 import describe, keys, names
from certkit.x509.objects import short_reason

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509
    from cryptography.x509 import ocsp

REQUEST_TYPE = "application/ocsp-request"

# Clocks differ a little; a response without an end is believed for a day.
_SKEW = timedelta(minutes=5)
_DEFAULT_FRESHNESS = timedelta(days=1)
_TRY_HINT = "try again later, or give the CA's list with --crl"


def responder_of(certificate: x509.Certificate) -> str:
    """The address of the OCSP responder that a certificate names; empty if it names none."""
    from cryptography.x509.oid import AuthorityInformationAccessOID

    return describe.access_location(certificate, AuthorityInformationAccessOID.OCSP)


def request_for(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """A request about a certificate, in DER; the nonce binds the answer to it (RFC 9654)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import ocsp

    # SHA-1 only names the issuer here; it is what every responder knows (RFC 5019 section 2.1.1).
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA1())  # noqa: S303
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def judge(
    response: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    at: datetime,
    nonce: bytes | None = None,
) -> Finding | None:
    """What a response says of a certificate; None if it is about others. A nonce that comes back must be ours."""
    who = names.distinguished_name(certificate.subject)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _judge(response, certificate, issuer, at, nonce, who)
    except Exception as error:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
        reason = printable(short_reason(error))
        return unknown("revocation", f"the OCSP response about {who} cannot be read: {reason}", _TRY_HINT)


def _judge(
    response: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime,
    nonce: bytes | None,
    who: str,
) -> Finding | None:
    from cryptography.x509 import ocsp

    answer = ocsp.load_der_ocsp_response(response)
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        status = answer.response_status.name.lower().replace("_", " ")
        return unknown("revocation", f"the OCSP responder does not answer about {who}: {status}", _TRY_HINT)
    single = next((each for each in answer.responses if _is_about(each, certificate, issuer)), None)
    if single is None:
        return None
    problem = _distrust(answer, issuer, at, nonce) or _staleness(single, at)
    if problem:
        return unknown("revocation", f"the OCSP response about {who} does not count: {problem}", _TRY_HINT)
    if single.certificate_status is ocsp.OCSPCertStatus.GOOD:
        until = f" until {rfc3339(single.next_update_utc)}" if single.next_update_utc else ""
        return ok("revocation", f"not revoked: {who}, by OCSP{until}")
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        return unknown("revocation", f"the OCSP responder does not know {who}", "ask the issuer")
    since = rfc3339(single.revocation_time_utc) if single.revocation_time_utc else "an unknown time"
    reason = f" ({single.revocation_reason.value})" if single.revocation_reason else ""
    hint = "stop using it, and get a new certificate"
    return critical("revocation", f"{who} is revoked, since {since}{reason}", hint)


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a single response names this certificate (RFC 6960 section 4.1.1, CertID)."""
    digest = single.hash_algorithm.name
    return (
        single.serial_number == certificate.serial_number
        and single.issuer_name_hash == hashlib.new(digest, certificate.issuer.public_bytes()).digest()
        and single.issuer_key_hash == hashlib.new(digest, _key_bits(issuer)).digest()
    )


def _distrust(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime, nonce: bytes | None) -> str:
    """Why nobody should believe a response; empty if it is signed by whom it must be (RFC 6960 section 4.2.2.2)."""
    from cryptography import x509

    signers = [issuer, *(each for each in answer.certificates if _is_delegated(each, issuer, at))]
    named = [each for each in signers if _is_named(answer, each)]
    if not named:
        return "it is signed neither by the issuer nor by whom the issuer named for it"
    if not any(_has_signed(each, answer) for each in named):
        return "its signature does not verify"
    sent_back = next((each.value.nonce for each in answer.extensions if isinstance(each.value, x509.OCSPNonce)), None)
    if nonce is not None and sent_back is not None and sent_back != nonce:
        return "it answers another request (its nonce differs)"
    return ""


def _staleness(single: ocsp.OCSPSingleResponse, at: datetime) -> str:
    if single.this_update_utc > at + _SKEW:
        return f"it is not valid before {rfc3339(single.this_update_utc)}"
    end = single.next_update_utc or single.this_update_utc + _DEFAULT_FRESHNESS
    if at > end + _SKEW:
        return f"it is stale since {rfc3339(end)}"
    return ""


def _is_named(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    if answer.responder_name is not None:
        return pool.canonical(answer.responder_name) == pool.canonical(signer.subject)
    return answer.responder_key_hash == hashlib.sha1(_key_bits(signer), usedforsecurity=False).digest()


def _is_delegated(signer: x509.Certificate, issuer: x509.Certificate, at: datetime) -> bool:
    """Whether the issuer made a certificate for signing OCSP responses, which is valid at that moment."""
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = describe.extension(signer, "ExtendedKeyUsage") or ()
    return (
        ExtendedKeyUsageOID.OCSP_SIGNING in list(usage)
        and pool.canonical(signer.issuer) == pool.canonical(issuer.subject)
        and pool.signed_by(signer, issuer) is True
        and signer.not_valid_before_utc <= at <= signer.not_valid_after_utc
    )


def _has_signed(signer: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    digest = answer.signature_hash_algorithm
    if digest is not None and keys.is_weak_digest(digest.name):
        return False
    key = signer.public_key()
    return keys.is_signature(key, answer.signature, answer.tbs_response_bytes, None, digest) is True


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The bits of the public key without their wrapping, which CertID hashes."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    outer = next(iter(tlv.elements(spki)))
    *_, bits = tlv.elements(spki, outer.start, outer.end)
    return spki[bits.start + 1 : bits.end]
