"""Revocation by OCSP (RFC 6960): making requests and evaluating responses; an undetermined status is never "ok"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, Status, critical, ok, unknown, warning
from certkit.times import rfc3339
from certkit.verify import revocation
from certkit.verify.path import access_location, is_signed, is_within_dates, own_problem
from certkit.x509 import der as tlv
from certkit.x509 import oids, signatures
from certkit.x509.ocsp import NONCE, OcspResponse
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl
    from certkit.x509.extensions import Extension
    from certkit.x509.ocsp import BasicResponse, SingleResponse

REQUEST_TYPE = "application/ocsp-request"

# Clocks differ a little; a response without an end is believed for a day.
_SKEW = timedelta(minutes=5)
_DEFAULT_FRESHNESS = timedelta(days=1)
_MAX_REASONS = 5
_TRY_HINT = "try again later, or give the CA's CRL with --crl"
_OCSP, _OCSP_SIGNING = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.3.9"
# What may be critical: the nonce; and of a single response, where its status comes from (RFC 6960 section 4.4).
_KNOWN = frozenset({NONCE, "1.3.6.1.5.5.7.48.1.3", "1.3.6.1.5.5.7.48.1.6", "2.5.29.21", "2.5.29.24"})


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
_STRANGER = "it is signed neither by the issuer nor by a responder that the issuer authorized"


class _UnusableError(Exception):
    """A response that cannot be used, and why."""


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
        hint = "give the CA's CRL with --crl"
        raise InputError(f"no OCSP request can be made for {certificate.brief_name}: it breaks the standard", hint=hint)
    # SHA-1 only names the issuer here; it is what every responder knows (RFC 5019 section 2.1.1).
    builder = ocsp.OCSPRequestBuilder().add_certificate(mine, above, SHA1())  # noqa: S303
    return builder.add_extension(OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def judge(
    responses: Sequence[Response],
    certificate: Certificate,
    above: Sequence[Certificate],
    *,
    at: datetime,
    crls: Sequence[Crl] = (),
) -> Finding | None:
    """Return the finding of all responses about a certificate; None if no response is about it.

    `above` is the path from its issuer to the anchor. Unusable responses are dropped. Of the others, and of all their
    single responses, revoked wins; else the most recent counts. `crls` may tell whether a responder that the issuer
    named is revoked itself; if that is unknown, the finding is a warning.
    """
    judged = _Judge(responses, above, at, crls)
    usable = judged.about(certificate)
    reasons = list(dict.fromkeys(judged.dropped))
    more = f"; and {len(reasons) - _MAX_REASONS} more" if len(reasons) > _MAX_REASONS else ""
    who, dropped = certificate.brief_name, "; ".join(reasons[:_MAX_REASONS]) + more
    for single in usable:
        if single.status == "revoked":
            since = rfc3339(single.revoked_at) if single.revoked_at else "an unknown time"
            reason = f" ({REASONS[single.reason]})" if single.reason is not None and single.reason in REASONS else ""
            hint = "stop using it, and get a new certificate"
            return critical("revocation", f"{who} has been revoked since {since}{reason}", hint)
    if not usable:
        message = f"no usable OCSP response for {who}: {dropped}"
        return unknown("revocation", message, _TRY_HINT) if dropped else None
    latest = max(usable, key=lambda each: each.this_update)  # type: ignore[arg-type,return-value]  # only dates are usable
    note = f"; unusable responses: {dropped}" if dropped else ""
    if latest.status == "unknown":
        return unknown("revocation", f"the OCSP responder does not know {who}{note}", "ask the issuer")
    until = f" until {rfc3339(latest.next_update)}" if latest.next_update else ""
    message = f"not revoked: {who}, by OCSP{until}{note}"
    if not judged.unchecked:
        return ok("revocation", message)
    responders = ", ".join(each.brief_name for each in judged.unchecked)
    message += f"; whether the responder itself is revoked was not checked: {responders} (RFC 6960 section 4.2.2.2.1)"
    return warning("revocation", message, "give the CA's CRL with --crl")


class _Judge:
    """The evaluation of given responses at a moment; `dropped` collects why some are unusable.

    `unchecked` are the responders whose own revocation status is unknown.
    """

    def __init__(
        self, responses: Sequence[Response], above: Sequence[Certificate], at: datetime, crls: Sequence[Crl]
    ) -> None:
        self._responses, self._above, self._at, self._crls = responses, above, at, crls
        self._issuer = above[0]
        self.dropped: list[str] = []
        self.unchecked: list[Certificate] = []

    def about(self, certificate: Certificate, *, is_responder: bool = False) -> list[SingleResponse]:
        """Return the usable single responses about a certificate; for a responder, only those signed by its issuer."""
        found: list[SingleResponse] = []
        for response in self._responses:
            try:
                found += self._singles(response, certificate, is_responder=is_responder)
            except _UnusableError as error:
                self.dropped.append(str(error))
            except (InputError, ValueError) as error:
                self.dropped.append(f"it cannot be read: {error}")
        return found

    def _singles(self, response: Response, certificate: Certificate, *, is_responder: bool) -> Iterator[SingleResponse]:
        found = OcspResponse.parse(response.der)
        if found.status != "successful" or found.basic is None:
            raise _UnusableError(f"the responder refused: {found.status}")
        basic = found.basic
        about = [each for each in basic.responses if each.certificate.is_of(certificate, self._issuer)]
        if not about:
            return
        _require_understood(basic.extensions, "the response")
        signer = _signer(basic, self._issuer, self._at)
        if signer != self._issuer:
            if is_responder:
                raise _UnusableError("a responder cannot vouch for a responder")
            self._require_unrevoked(signer)
        sent_back = basic.extension(NONCE)
        # Responders send a nonce back as an OCTET STRING, or bare as before RFC 8954.
        nonces = (tlv.encode(0x04, response.nonce), response.nonce) if response.nonce is not None else ()
        if nonces and sent_back is not None and sent_back.raw not in nonces:
            raise _UnusableError("it is for another request (the nonce differs)")
        for single in about:
            try:
                _require_understood(single.extensions, "the single response")
                _require_current(single, self._at)
            except _UnusableError as error:
                self.dropped.append(str(error))
            else:
                yield single

    def _require_unrevoked(self, responder: Certificate) -> None:
        """Reject a revoked responder; note one whose revocation status is unknown (RFC 6960 section 4.2.2.2.1)."""
        marker = responder.extension(oids.OCSP_NO_CHECK)
        if marker is not None and not isinstance(marker.value, Unreadable):
            return
        statuses = {each.status for each in self.about(responder, is_responder=True)}
        path = (responder, *self._above)
        by_list = revocation.by_lists(path, crls=self._crls, at=self._at, whole_chain=False).status
        if "revoked" in statuses or by_list is Status.CRITICAL:
            raise _UnusableError("its responder's certificate is revoked")
        if statuses != {"good"} and by_list is not Status.OK and responder not in self.unchecked:
            self.unchecked.append(responder)


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
        raise _UnusableError(f"it has been stale since {rfc3339(end)}")


def _signer(basic: BasicResponse, issuer: Certificate, at: datetime) -> Certificate:
    """Return the signer of a response: the issuer, or a responder that it named (RFC 6960 section 4.2.2.2)."""
    scheme = signatures.scheme(basic.signature_algorithm)
    if scheme.is_weak:
        raise _UnusableError(f"it is signed with {scheme.shown}, which is too weak")
    if basic.version != 1:
        raise _UnusableError("it is of an unknown version")
    why = _STRANGER
    for signer in (issuer, *basic.certificates):
        if not basic.is_by(signer):
            continue
        why = _responder_problem(signer, issuer, at) or _signature_problem(signer, basic)
        if not why:
            return signer
    raise _UnusableError(why)


def _signature_problem(signer: Certificate, basic: BasicResponse) -> str:
    key = signer.key
    if isinstance(key, Unreadable):
        return f"the responder's key cannot be read: {key.reason}"
    if any(not each.is_tolerated for each in basic.deviations):
        return "it breaks a rule of its encoding"
    try:
        wrong = basic.signature_problem(key)
    except signatures.UnsupportedError as error:
        return f"its signature cannot be checked: {error}"
    return "its signature does not verify" if wrong else ""


def _responder_problem(signer: Certificate, issuer: Certificate, at: datetime) -> str:
    """Return why a certificate may not sign the issuer's responses; empty if it may."""
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
