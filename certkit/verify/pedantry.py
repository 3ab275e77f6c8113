"""What RFC 5280 asks and few enforce: worth knowing, and a refusal only with `--strict`.

For client certificates of private CAs these are notes; for servers, warnings.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.findings import Finding, Status, ok
from certkit.x509 import describe, keys, names
from certkit.x509.names import values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography import x509


_MAX_SERVER_LIFETIME = timedelta(days=398)


def pedantry(path: Sequence[x509.Certificate], *, purpose: str, strict: bool) -> list[Finding]:
    """The findings `extensions`: one for each departure from the letter, or one that there is none."""
    departures = [(each, said) for number, each in enumerate(path) for said in _departures(each, number, path, purpose)]
    if strict:
        departures += [(path[0], said) for said in _strict_departures(path[0])]
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
        yield from _key_departures(certificate)
    if number > 0:
        yield from _ca_departures(certificate, is_anchor=is_anchor)
        return
    if purpose == "server":
        yield from _server_departures(certificate)


def _key_departures(certificate: x509.Certificate) -> Iterator[str]:
    try:
        name, bits = keys.type_and_bits(certificate.public_key())
    except Exception:  # noqa: BLE001  a foreign key meets a parser; that has a finding of its own
        return
    if name.startswith("rsa-") and bits % 8:
        yield f"has an RSA key of {bits} bits, not divisible by 8 (CA/B BR 6.1.6)"


def _ca_departures(certificate: x509.Certificate, *, is_anchor: bool) -> Iterator[str]:
    if describe.extension(certificate, "SubjectKeyIdentifier") is None:
        yield "has no subject key identifier (section 4.2.1.2)"
    if is_anchor:
        return
    if describe.extension(certificate, "KeyUsage") is None:
        yield "is a CA without key usage (section 4.2.1.3)"
    if not all(each.critical for each in certificate.extensions if each.oid.dotted_string == "2.5.29.19"):
        yield "has basic constraints that are not critical (section 4.2.1.9)"


def _strict_departures(certificate: x509.Certificate) -> Iterator[str]:
    if describe.is_ca(certificate):
        yield "is a CA certificate, and used as if it were none (section 4.2.1.9)"
    if not list(certificate.subject):
        san = [each for each in certificate.extensions if each.oid.dotted_string == "2.5.29.17"]
        if not all(each.critical for each in san):
            yield "has an empty subject and alternative names that are not critical (section 4.2.1.6)"


def _server_departures(certificate: x509.Certificate) -> Iterator[str]:
    san = describe.extension(certificate, "SubjectAlternativeName")
    listed = {value.lower() for kind, value in map(names.san_parts, san or ()) if kind in {"DNS", "IP"}}
    for common_name in values(names.attributes(certificate.subject), "CN"):
        if common_name.lower() not in listed:
            yield "has a common name that is not among its alternative names (CA/B BR 7.1.4.3)"
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    if lifetime > _MAX_SERVER_LIFETIME:
        yield f"is valid for {lifetime.days} days, more than 398 (CA/B BR 6.3.2)"
    if describe.extension(certificate, "ExtendedKeyUsage") is None:
        yield "has no extended key usage (CA/B BR 7.1.2.7.10)"
