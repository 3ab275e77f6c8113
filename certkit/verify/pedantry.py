"""Rules of RFC 5280 that few enforce: worth knowing, and a rejection only with `--strict`.

For client certificates of private CAs these are notes; for servers, warnings. An authority key identifier that is not
the CA's is a warning for both, because OpenSSL finds no path then.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.findings import Finding, Status, ok
from certkit.verify import constraints
from certkit.verify.path import fits
from certkit.x509 import extensions as kinds
from certkit.x509 import oids, signatures
from certkit.x509.certificate import kept
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certkit.x509.certificate import Certificate

_FLAWLESS = ok("extensions", "as RFC 5280 requires")
_MAX_SERVER_LIFETIME = timedelta(days=398)
# What conforming CAs do not mark as critical; OpenSSL does not process it, so it refuses the certificate then.
_NEVER_CRITICAL = {
    oids.AUTHORITY_KEY_IDENTIFIER: "authority key identifier (RFC 5280 section 4.2.1.1)",
    oids.SUBJECT_KEY_IDENTIFIER: "subject key identifier (RFC 5280 section 4.2.1.2)",
    oids.TLS_FEATURES: "list of TLS features (RFC 7633 section 4.1)",
}
# `serial-zero` and the like are departures like any other, with their own wording here.
_SERIALS = ("serial-negative", "serial-zero", "serial-long")


def pedantry(path: Sequence[Certificate], purpose: str, strict: bool) -> list[Finding]:  # noqa: FBT001
    """Return the findings `extensions`: one for each rule that is broken, or one if all hold."""
    leaf = path[0]
    departures = [(leaf, message) for message in _departures(leaf, is_anchor=False)]
    if purpose == "server":
        departures += [(leaf, message) for message in _server_departures(leaf)]
    for ca in path[1:]:
        departures += [(ca, message) for message in _ca_departures(ca, ca is path[-1])]
    if strict and leaf.is_ca:
        departures.append((leaf, "is a CA certificate used as a leaf (section 4.2.1.9)"))
    if strict and leaf.subject.is_empty:
        san = leaf.extension(oids.SUBJECT_ALT_NAME)
        if san is not None and not san.critical:
            message = "has an empty subject and alternative names that are not critical (section 4.2.1.6)"
            departures.append((leaf, message))
    misfits = list(_misfits(path))
    found = [f"{each.brief_name} {message}" for each, message in (*misfits, *departures)]
    if not found:
        return [_FLAWLESS]
    hint = "ask the issuer for a certificate that follows RFC 5280"
    if strict or purpose == "server":
        status = Status.CRITICAL if strict else Status.WARNING
        return [Finding("extensions", status, each, hint) for each in found]
    if misfits:
        hint = "check the intermediate certificate, or ask the issuer for a certificate that follows RFC 5280"
        return [Finding("extensions", Status.WARNING, each, hint) for each in found[: len(misfits)]]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return [ok("extensions", f"minor deviations from RFC 5280: {found[0]}{more} (--strict rejects this)")]


def _misfits(path: Sequence[Certificate]) -> Iterator[tuple[Certificate, str]]:
    """Yield what servers reject although RFC 5280 allows it."""
    for child, ca in itertools.pairwise(path):
        if not fits(child, ca):
            message = f"has an authority key identifier (RFC 5280 section 4.2.1.1) that does not fit {ca.brief_name}"
            yield child, f"{message}; OpenSSL and GnuTLS then find no issuer, so a server rejects it"
        key = child.key
        # Neither the names nor the key identifiers distinguish it from its issuer.
        if key and child.is_self_issued and fits(child, child) and signatures.fits(child.signature_algorithm, key):
            message = "has the name of its issuer, and no key identifiers that tell their keys apart"
            yield child, f"{message}; OpenSSL takes it for self-signed, so a server rejects it"
    for each in path:
        for oid, critical, _, _ in each.extensions:
            if critical and oid in _NEVER_CRITICAL:
                yield each, f"has a critical {_NEVER_CRITICAL[oid]}; OpenSSL rejects this, and so does a server"


def _departures(certificate: Certificate, *, is_anchor: bool) -> Iterator[str]:
    """Yield the rules that were broken, each with a name in `DEVIATIONS`, and the missing extensions."""
    for each in certificate.deviations:
        section = each.source.removeprefix("RFC 5280 ")
        if each.id not in _SERIALS:
            yield f"departs from the standard: {each.message} ({section})"
        elif not is_anchor or each.id == "serial-negative":
            yield f"has a serial number out of bounds: {each.message} ({section})"
    limits = certificate.name_constraints
    if isinstance(limits, kinds.NameConstraints):
        for message in constraints.lenient_readings(limits):
            yield f"has {message} (section 4.2.1.10)"
    if not is_anchor:
        if certificate.authority_key_identifier is None:
            yield "has no authority key identifier (section 4.2.1.1)"
        key = certificate.key
        if not isinstance(key, Unreadable) and key.type.startswith("rsa-") and key.bits % 8:
            yield f"has an RSA key of {key.bits} bits, not divisible by 8 (CA/B BR 6.1.6)"


@kept
def _ca_departures(ca: Certificate, is_anchor: bool) -> tuple[str, ...]:  # noqa: FBT001  as it is kept by
    found = list(_departures(ca, is_anchor=is_anchor))
    if ca.version == 1:
        found.append("is a version 1 certificate, which cannot say that it is a CA (section 4.2.1.9)")
    elif ca.subject_key_identifier is None:
        found.append("has no subject key identifier (section 4.2.1.2)")
    if not is_anchor and ca.key_usage is None:
        found.append("is a CA without key usage (section 4.2.1.3)")
    if not is_anchor and not all(each.critical for each in ca.extensions if each.oid == oids.BASIC_CONSTRAINTS):
        found.append("has basic constraints that are not critical (section 4.2.1.9)")
    return tuple(found)


def _server_departures(certificate: Certificate) -> Iterator[str]:
    listed = {each.value.lower() for each in certificate.subject_alt_name or () if each.kind in {"DNS", "IP"}}
    for common_name in certificate.subject.values("CN"):
        if common_name.lower() not in listed:
            yield "has a common name that is not among its alternative names (CA/B BR 7.1.4.3)"
    begin, end = certificate.not_before, certificate.not_after
    if not isinstance(begin, Unreadable) and not isinstance(end, Unreadable) and end - begin > _MAX_SERVER_LIFETIME:
        yield f"is valid for {(end - begin).days} days, more than 398 (CA/B BR 6.3.2)"
    if certificate.extended_key_usage is None:
        yield "has no extended key usage (CA/B BR 7.1.2.7.10)"
