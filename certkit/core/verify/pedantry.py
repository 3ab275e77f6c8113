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
    found = [message for number, each in enumerate(path) for message in _departures(each, number, path, purpose)]
    if not found:
        return [ok("extensions", "as RFC 5280 asks")]
    if strict:
        status = Status.CRITICAL
    elif purpose == "server":
        status = Status.WARNING
    else:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        return [
            ok("extensions", f"accepted, though not to the letter of RFC 5280: {found[0]}{more} (--strict lists them)")
        ]
    return [
        Finding("extensions", status, message, "ask the issuer; without --strict it is accepted") for message in found
    ]


def _departures(
    certificate: x509.Certificate, number: int, path: Sequence[x509.Certificate], purpose: str
) -> Iterator[str]:
    who = names.distinguished_name(certificate.subject) or "the certificate"
    is_anchor = number == len(path) - 1 and number > 0
    if not is_anchor:
        if describe.extension(certificate, "AuthorityKeyIdentifier") is None:
            yield f"{who} has no authority key identifier (section 4.2.1.1)"
        if not 0 < certificate.serial_number < 1 << 159:
            yield f"{who} has a serial number out of bounds (section 4.1.2.2)"
    if number > 0:
        yield from _ca_departures(certificate, who, is_anchor=is_anchor)
    elif purpose == "server":
        yield from _server_departures(certificate, who)


def _ca_departures(certificate: x509.Certificate, who: str, *, is_anchor: bool) -> Iterator[str]:
    if describe.extension(certificate, "SubjectKeyIdentifier") is None:
        yield f"{who} has no subject key identifier (section 4.2.1.2)"
    if is_anchor:
        return
    if describe.extension(certificate, "KeyUsage") is None:
        yield f"{who} is a CA without key usage (section 4.2.1.3)"
    if not all(each.critical for each in certificate.extensions if each.oid.dotted_string == "2.5.29.19"):
        yield f"{who} has basic constraints that are not critical (section 4.2.1.9)"


def _server_departures(certificate: x509.Certificate, who: str) -> Iterator[str]:
    san = describe.extension(certificate, "SubjectAlternativeName")
    listed = {value.lower() for kind, value in map(names.san_parts, san or ()) if kind in {"DNS", "IP"}}
    for common_name in values(names.attributes(certificate.subject), "CN"):
        if common_name.lower() not in listed:
            yield f"the common name of {who} is not among its alternative names (CA/B BR 7.1.4.3)"
    if describe.extension(certificate, "ExtendedKeyUsage") is None:
        yield f"{who} has no extended key usage (CA/B BR 7.1.2.7.10)"
