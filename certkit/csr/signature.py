"""Checks of a CSR's signature: made with its own key, and with a digest that the partner accepts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from certkit.csr import build
from certkit.findings import Finding, critical, ok, unknown
from certkit.x509 import describe, keys

if TYPE_CHECKING:
    from certkit.policy.rules import CsrRules
    from certkit.x509.csr import Csr


def own_key(request: Csr) -> Finding:
    """Return whether the CSR's signature is that of its own key."""
    match request.is_signature_valid:
        case True:
            return ok("signature", "the CSR is signed with its own key")
        case None:
            message = "the signature cannot be verified: the key or the algorithm is not supported"
            return unknown("signature", message, "create a new CSR with certkit csr create")
        case _:
            message = "the signature does not match the CSR: it was changed, or signed with another key"
            return critical("signature", message, "create a new CSR")


def algorithm(request: Csr, rules: CsrRules, *, partner: str) -> Finding:
    """Return whether the digest is sound, and one that the partner accepts."""
    from cryptography.exceptions import UnsupportedAlgorithm

    hint = "sign it with SHA-256: openssl req -new -sha256, or certkit csr create"
    loaded, oid = request.cryptography(), request.signature_algorithm.oid
    name = describe.algorithm_name(oid)
    # For a CSR that the library does not load, the name of the algorithm gives the digest.
    named = re.search(r"sha(1|224|256|384|512)|md[25]", name.lower())
    unsupported = critical("signature-algorithm", f"the signature algorithm {oid} is not supported", hint)
    if loaded is None and named is None and not name.startswith(("Ed", "ML-DSA")):
        return unsupported
    try:
        digest = build.digest_name(loaded) if loaded is not None else named and named[0]
    except UnsupportedAlgorithm:
        return unsupported
    if digest is None:
        return ok("signature-algorithm", name)
    if keys.is_weak_digest(digest):
        return critical("signature-algorithm", f"{digest.upper()} is too weak for a signature", hint)
    if digest not in rules.digests:
        return critical("signature-algorithm", f"{digest.upper()} is not accepted by {partner}", hint)
    return ok("signature-algorithm", digest.upper())
