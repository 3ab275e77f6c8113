"""The certificates that may stand in a path, and who signed whom: read once, checked once, within a budget."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING

from certkit.x509 import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cryptography import x509

    CanonicalName = tuple[frozenset[tuple[str, str]], ...]

# More signatures than this above one leaf are no chain but an attack.
MAX_SIGNATURE_CHECKS = 500
MAX_PATHS = 100
_MAX_STEPS = 5_000


def canonical(name: x509.Name) -> CanonicalName:
    """A name such that two are equal if they differ in case, white space or string type only (RFC 5280 section 7.1)."""
    return tuple(frozenset((item.oid.dotted_string, _folded(item.value)) for item in rdn) for rdn in name.rdns)


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


class Pool:
    """The certificates that can be reached from a leaf by issuer names, and the paths through them."""

    def __init__(
        self, leaf: x509.Certificate, *, anchors: Iterable[x509.Certificate], untrusted: Iterable[x509.Certificate]
    ) -> None:
        self.leaf = leaf
        self.anchors = dict.fromkeys(anchors)
        self._names: dict[x509.Certificate, tuple[CanonicalName, CanonicalName]] = {}
        self._by_subject: dict[CanonicalName, list[x509.Certificate]] = {}
        self._signed: dict[tuple[x509.Certificate, x509.Certificate], bool | None] = {}
        # Anchors first, so that the shortest way to one is found first.
        self._unreadable: list[x509.Certificate] = []
        for candidate in dict.fromkeys((*self.anchors, *untrusted)):
            if not self._is_readable(candidate):
                self._unreadable.append(candidate)
            else:
                self._by_subject.setdefault(self._names[candidate][0], []).append(candidate)
        self._is_readable(leaf)

    def named(self, child: x509.Certificate) -> list[x509.Certificate]:
        """The certificates that bear the name of another one's issuer."""
        issuer = self._names[child][1] if child in self._names else canonical(child.issuer)
        return self._by_subject.get(issuer, [])

    def issuers(self, child: x509.Certificate) -> list[x509.Certificate]:
        """The certificates that bear the issuer's name and may have signed another one."""
        return [parent for parent in self.named(child) if self._has_signed(parent, child) is not False]

    def has_unreadable(self, child: x509.Certificate) -> bool:
        """Whether a certificate that bears the name of another one's issuer was left out, for it cannot be read."""
        issuer = canonical(child.issuer)
        return any(self._names.get(each, (None,))[0] == issuer for each in self._unreadable)

    def is_self_issued(self, certificate: x509.Certificate) -> bool:
        """Whether subject and issuer are the same name."""
        subject, issuer = self._names.get(certificate) or (
            canonical(certificate.subject),
            canonical(certificate.issuer),
        )
        return subject == issuer

    def paths(self, max_depth: int) -> Iterator[tuple[x509.Certificate, ...]]:
        """Ways from the leaf to an anchor without loops, short ones first; not too many of them."""
        if self.leaf in self.anchors:
            yield (self.leaf,)
        waiting: list[tuple[x509.Certificate, ...]] = [(self.leaf,)]
        found = 0
        for _ in range(_MAX_STEPS):
            if not waiting or found >= MAX_PATHS:
                return
            path = waiting.pop(0)
            for parent in self.issuers(path[-1]):
                if parent in path:
                    continue
                if parent in self.anchors:
                    found += 1
                    yield (*path, parent)
                if len(path) <= max_depth and parent not in self.anchors:
                    waiting.append((*path, parent))

    def _has_signed(self, parent: x509.Certificate, child: x509.Certificate) -> bool | None:
        pair = (parent, child)
        if pair not in self._signed:
            within = len(self._signed) < MAX_SIGNATURE_CHECKS
            self._signed[pair] = signed_by(child, parent) if within else False
        return self._signed[pair]

    def _is_readable(self, certificate: x509.Certificate) -> bool:
        """Whether names, extensions and key can be read; what cannot is a stranger, and no reason to stop."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._names[certificate] = canonical(certificate.subject), canonical(certificate.issuer)
                return certificate.extensions is not None and certificate.public_key() is not None
        except Exception:  # noqa: BLE001  as above
            return False


def differ_in_spelling(path: Sequence[x509.Certificate]) -> bool:
    """Whether an issuer's name is the same only after folding."""
    pairs = itertools.pairwise(path)
    return any(child.issuer.public_bytes() != parent.subject.public_bytes() for child, parent in pairs)


def _folded(value: str | bytes) -> str:
    return " ".join(value.split()).casefold() if isinstance(value, str) else value.hex()
