"""Revocation by lists (CRLs, RFC 5280 section 6.3): not revoked, revoked, or cannot tell; the last is never "ok"."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from certkit.core import names
from certkit.core.printable import printable
from certkit.core.times import rfc3339
from certkit.core.verify import openssl, pool
from certkit.findings import Finding, critical, ok, skipped, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

_GET_NEW = "get the CA's current list"
# OpenSSL's errors over lists (x509_vfy.h), in words.
_CANNOT_TELL = {
    3: ("there is no list for", _GET_NEW + " for it, and give it with --crl"),
    8: ("a list is not signed by the CA that it names, for", "get the list from the CA itself"),
    11: ("the list is not valid yet, for", "check this machine's clock"),
    12: ("the list is stale, for", _GET_NEW),
    33: ("the signer of the list is missing, for", "add its certificate with --untrusted"),
    35: ("the signer of the list may not sign lists, for", "ask the CA"),
    36: ("the list has a critical extension that is not known, for", "ask the CA for a plain list"),
    44: ("the list does not cover this kind of certificate, for", "get the list that its distribution point names"),
    54: ("the signer of the list is not trusted, for", "get the list from the CA itself"),
}
_REVOKED = 23
_REVOKED_HINT = "stop using it, and get a new certificate"


def by_lists(
    path: Sequence[x509.Certificate],
    *,
    crls: Sequence[x509.CertificateRevocationList],
    others: Sequence[x509.Certificate] = (),
    at: datetime,
    whole_chain: bool = True,
) -> Finding:
    """Whether the certificates of a path below its anchor, or the leaf only, are revoked by lists at a moment.

    `others` may hold the certificates of those who sign the lists.
    """
    if not crls:
        return skipped("revocation", "no revocation list was given", "add --crl FILE")
    if len(path) < 2:
        return unknown("revocation", "without a chain nobody can say whose list counts", "add --ca FILE")
    judged = path[:-1] if whole_chain else path[:1]
    for number, certificate in enumerate(judged):
        found = _entry(certificate, path[number + 1], crls, at)
        if found:
            return critical(
                "revocation", f"{_name(certificate)} is revoked, {found}", "stop using it; get a new certificate"
            )
    answer = openssl.validate(
        path[0],
        anchors=[path[-1]],
        untrusted=[*path[1:-1], *(each for each in others if each not in path)],
        at=at,
        crls=crls,
        whole_chain=whole_chain,
    )
    if isinstance(answer, openssl.Refusal):
        return _refused(answer, judged, crls)
    scope = "every certificate below the anchor" if whole_chain else "the leaf (only it was asked for)"
    return ok("revocation", f"not revoked: {scope}{_until(crls)}")


def _entry(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> str:
    """Since when and why a list of the issuer's own revokes a certificate, even a stale list; empty if none does."""
    from cryptography import x509

    wanted = pool.canonical(certificate.issuer)
    for crl in crls:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if pool.canonical(crl.issuer) != wanted or not _is_signed(crl, issuer):
                    continue
                entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if entry is None or entry.revocation_date_utc > at or _has(entry.extensions, x509.CertificateIssuer):
                    continue
                reason = next((e.value.reason for e in entry.extensions if isinstance(e.value, x509.CRLReason)), None)
        except ValueError:
            continue
        if reason is not x509.ReasonFlags.remove_from_crl:
            return f"since {rfc3339(entry.revocation_date_utc)}" + (f" ({reason.value})" if reason else "")
    return ""


def _is_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    key: Any = issuer.public_key()  # a kind that cannot sign raises TypeError
    try:
        return bool(crl.is_signature_valid(key))
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _refused(
    answer: openssl.Refusal, judged: Sequence[x509.Certificate], crls: Sequence[x509.CertificateRevocationList]
) -> Finding:
    if answer.code == _REVOKED:
        shown = ", ".join(map(_name, judged))
        return critical("revocation", f"a list revokes one of: {shown}", _REVOKED_HINT)
    what, hint = _CANNOT_TELL.get(answer.code, (f"cannot tell ({printable(answer.words)}), for", _GET_NEW))
    return unknown("revocation", f"{what} {_first_without(judged, crls) if answer.code == 3 else _all(judged)}", hint)


def _first_without(judged: Sequence[x509.Certificate], crls: Sequence[x509.CertificateRevocationList]) -> str:
    issuers = {pool.canonical(crl.issuer) for crl in crls}
    missing = [each for each in judged if pool.canonical(each.issuer) not in issuers]
    return f"{_name(missing[0])}, issued by {names.distinguished_name(missing[0].issuer)}" if missing else _all(judged)


def _all(judged: Sequence[x509.Certificate]) -> str:
    return " or ".join(map(_name, judged))


def _name(certificate: x509.Certificate) -> str:
    return names.distinguished_name(certificate.subject)


def _until(crls: Sequence[x509.CertificateRevocationList]) -> str:
    ends = [crl.next_update_utc for crl in crls if crl.next_update_utc]
    return f"; the first list ends on {rfc3339(min(ends))}" if ends else ""


def _has(extensions: x509.Extensions, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(extension.value, kind) for extension in extensions)
