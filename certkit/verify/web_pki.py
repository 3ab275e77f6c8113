"""The Web PKI's rules for servers (CA/Browser Forum), which `--strict` adds: judged by `cryptography`'s verifier."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from certkit.x509 import foreign

if TYPE_CHECKING:
    from certkit.verify.path import Search

# The verifier cannot count more intermediates.
_MAX_DEPTH = 255
# Parts of the verifier's messages, and what they mean.
_MEANINGS = (
    ("max chain depth", "the chain has more intermediates than --max-depth allows"),
    ("Forbidden public key", "a key is of a kind that the rules do not accept"),
    ("Forbidden signature", "a certificate is signed with an algorithm that the rules do not accept"),
    ("unaccounted-for critical", "a certificate has a critical extension that the rules do not know"),
    ("serial number", "a certificate has a serial number that the rules forbid"),
    ("subjectAltName", "the alternative names are not as the rules require"),
    ("authorityKeyIdentifier", "an authority key identifier is missing or not as the rules require"),
    ("keyUsage", "the key usage is not as the rules require"),
    ("EKU", "the extended key usage is not as the rules require"),
    ("extendedKeyUsage", "the extended key usage is not as the rules require"),
    ("extension is missing", "an extension that the rules require is missing"),
)


def problem(search: Search, hostname: str | None) -> str | None:
    """Return the rule that a path breaks; None if it breaks none.

    Without a host name, the certificate's own first name is used.
    """
    from cryptography.x509 import DNSName, IPAddress
    from cryptography.x509.verification import PolicyBuilder, Store

    if hostname is None:
        names = (each.value for each in search.leaf.subject_alt_name or () if each.kind == "DNS" and not each.problem)
        hostname = next((name.replace("*", "x", 1) for name in names), None)
    if hostname is None:
        return "it has no host name among its alternative names"
    subject: DNSName | IPAddress
    try:
        subject = IPAddress(ipaddress.ip_address(hostname))
    except ValueError:
        try:
            subject = DNSName(hostname)
        except ValueError:
            return "the host name is not in its ASCII form"
    leaf = search.leaf.cryptography()
    anchors = [found for each in search.anchors if (found := each.cryptography())]
    between = [found for each in search.untrusted if (found := each.cryptography())]
    if leaf is None or not anchors:
        return "a certificate of the chain breaks a rule of its encoding"
    builder = PolicyBuilder().store(Store(anchors)).time(search.at.replace(tzinfo=None))
    verifier = builder.max_chain_depth(min(search.max_depth, _MAX_DEPTH)).build_server_verifier(subject)
    _, error = foreign.try_or_error(lambda _: verifier.verify(leaf, between), b"")
    if error is None:
        return None
    return next((words for part, words in _MEANINGS if part in str(error)), "a browser would find no trusted chain")
