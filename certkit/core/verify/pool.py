"""The certificates that may stand in a path: found by names, compared as RFC 5280 section 7.1 asks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from certkit.core import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography import x509

    CanonicalName = tuple[frozenset[tuple[str, str]], ...]

# More than this many certificates above one leaf is no chain but an attack.
MAX_RELEVANT = 1_000


def canonical(name: x509.Name) -> CanonicalName:
    """A name such that two of them are equal if they differ in case, white space or string type only."""
    return tuple(frozenset((item.oid.dotted_string, _folded(item.value)) for item in rdn) for rdn in name.rdns)


def relevant(leaf: x509.Certificate, candidates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """The candidates that can be reached from the leaf by issuer names, without duplicates, nearest first.

    Certificates whose names cannot be read are left out; a file may hold many strangers.
    """
    by_subject: dict[CanonicalName, list[x509.Certificate]] = {}
    for candidate in dict.fromkeys(candidates):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                by_subject.setdefault(canonical(candidate.subject), []).append(candidate)
        except ValueError:
            continue
    found: dict[x509.Certificate, None] = {}
    waiting = [leaf]
    seen: set[CanonicalName] = set()
    while waiting and len(found) < MAX_RELEVANT:
        issuer = canonical(waiting.pop(0).issuer)
        if issuer in seen:
            continue
        seen.add(issuer)
        for candidate in by_subject.get(issuer, ()):
            found[candidate] = None
            waiting.append(candidate)
    return list(found)[:MAX_RELEVANT]


def issuers_of(child: x509.Certificate, candidates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The candidates that bear the name of a certificate's issuer."""
    wanted = canonical(child.issuer)
    return [candidate for candidate in candidates if canonical(candidate.subject) == wanted]


def signed_by(child: x509.Certificate, parent: x509.Certificate) -> bool | None:
    """Whether one certificate is signed with the key of another; None where the library cannot tell."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keys.is_signature(
                parent.public_key(),
                child.signature,
                child.tbs_certificate_bytes,
                child.signature_algorithm_parameters,
                child.signature_hash_algorithm,
            )
    except Exception:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
        return None


def _folded(value: str | bytes) -> str:
    return " ".join(value.split()).casefold() if isinstance(value, str) else value.hex()
