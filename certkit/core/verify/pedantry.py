"""What RFC 5280 asks and few enforce: worth knowing, and a refusal only with `--strict`.

For client certificates of private CAs these are notes; for servers, warnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.core import describe, names
from certkit.core.names import values
from certkit.findings import Finding, Status, ok

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography import x509


def pedantry(path: Sequence[x509.Certificate], *, purpose: str, strict: bool) -> list[Finding]:
    """The findings `extensions`: one for each departure from the letter, or one that there is none."""
    departures = [(each, said) for number, each in enumerate(path) for said in _departures(each, number, path, purpose)]
    if not departures:
        return [ok("extensions", "as RFC 5280 asks")]
    if strict or purpose == "server":
        status = Status.CRITICAL if strict else Status.WARNING
        hint = "ask the issuer for a certificate that follows RFC 5280 to the letter"
        return [Finding("extensions", status, _said(*each), hint) for each in departures]
    more = f", and {len(departures) - 1} more" if len(departures) > 1 else ""
    return [ok("extensions", f"not to the letter of RFC 5280: {_said(*departures[0])}{more} (--strict refuses that)")]


def _said(certificate: x509.Certificate, departure: str) -> str:
    return f"{names.distinguished_name(certificate.subject) or 'the certificate'} {departure}"


def _departures(
    certificate: x509.Certificate, number: int, path: Sequence[x509.Certificate], purpose: str
) -> Iterator[str]:
    is_anchor = number == len(path) - 1 and number > 0
    if not is_anchor:
        if describe.extension(certificate, "AuthorityKeyIdentifier") is None:
            yield "has no authority key identifier (section 4.2.1.1)"
        if not 0 < certificate.serial_number < 1 << 159:
            yield "has a serial number out of bounds (section 4.1.2.2)"
    if number > 0:
        yield from _ca_departures(certificate, is_anchor=is_anchor)
    elif purpose == "server":
        yield from _server_departures(certificate)


def _ca_departures(certificate: x509.Certificate, *, is_anchor: bool) -> Iterator[str]:
    if describe.extension(certificate, "SubjectKeyIdentifier") is None:
        yield "has no subject key identifier (section 4.2.1.2)"
    if is_anchor:
        return
    if describe.extension(certificate, "KeyUsage") is None:
        yield "is a CA without key usage (section 4.2.1.3)"
    if not all(each.critical for each in certificate.extensions if each.oid.dotted_string == "2.5.29.19"):
        yield "has basic constraints that are not critical (section 4.2.1.9)"


def _server_departures(certificate: x509.Certificate) -> Iterator[str]:
    san = describe.extension(certificate, "SubjectAlternativeName")
    listed = {value.lower() for kind, value in map(names.san_parts, san or ()) if kind in {"DNS", "IP"}}
    for common_name in values(names.attributes(certificate.subject), "CN"):
        if common_name.lower() not in listed:
            yield "has a common name that is not among its alternative names (CA/B BR 7.1.4.3)"
    if describe.extension(certificate, "ExtendedKeyUsage") is None:
        yield "has no extended key usage (CA/B BR 7.1.2.7.10)"
