"""Who signed a revocation list, and whether that one may (RFC 5280 section 6.3.3 f and g)."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

from certkit.verify.explain import NoPath
from certkit.verify.path import Search, build_path
from certkit.verify.pool import canonical
from certkit.verify.troubles import Problem, Trouble
from certkit.x509 import describe, names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.verify.lists import RevocationList
    from certkit.verify.pool import CanonicalName

    Path = Sequence[x509.Certificate]

# So many certificates of the key that signed a list are followed to the anchor, and so many for all lists.
_MAX_WAYS = 4
_MAX_BUILT = 40


class Signers:
    """The certificates that may have signed lists: those of a path, and others."""

    def __init__(self, path: Path, others: Sequence[x509.Certificate], at: datetime) -> None:
        self._path, self._others, self._at = path, others, at
        self._ways: dict[x509.Certificate, Path | None] = {}

    def ways(self, found: RevocationList, way: Path) -> list[Path] | Problem:
        """The paths of those who signed a list and may: of a certificate above the one judged, or of another.

        `way` is the path of the certificate that is judged, itself first.
        """
        named = [*self._named(way[1:], found.issuer), *self._others_named(found)]
        if not named:
            return Problem(Trouble.NO_SIGNER, found.name)
        signed = [each for each in named if found.is_signed_by(each)]
        if not signed:
            return Problem(Trouble.UNSIGNED, found.name)
        allowed = [each for each in signed if may_sign_lists(each)]
        if not allowed:
            return Problem(Trouble.CA_MAY_NOT if signed[0] in way[1:] else Trouble.SIGNER_MAY_NOT, _name(signed[0]))
        if allowed[0] in way[1:]:
            return [way[way.index(allowed[0]) :]]
        trusted = [trusted for each in allowed[:_MAX_WAYS] if (trusted := self._trusted(each))]
        return trusted or Problem(Trouble.UNTRUSTED, _name(allowed[0]))

    def _others_named(self, found: RevocationList) -> list[x509.Certificate]:
        """The others of a list's name; those whose key the list hints at come first, which is only a hint."""
        named = self._by_name.get(found.issuer, [])
        return sorted(named, key=lambda each: found.key_identifier is None or _identifier(each) != found.key_identifier)

    def _trusted(self, signer: x509.Certificate) -> Path | None:
        """A path from a signer to the same anchor; None if there is none."""
        if signer in self._path:
            return self._path[self._path.index(signer) :]
        if signer not in self._ways and len(self._ways) < _MAX_BUILT:
            between = [*self._path[1:-1], *self._others]
            result = build_path(Search(leaf=signer, anchors=[self._path[-1]], untrusted=between, at=self._at))
            self._ways[signer] = None if isinstance(result, NoPath) else result
        return self._ways.get(signer)

    @functools.cached_property
    def _by_name(self) -> dict[CanonicalName, list[x509.Certificate]]:
        found: dict[CanonicalName, list[x509.Certificate]] = {}
        for each in dict.fromkeys([*self._path, *self._others]):
            name = _subject(each)
            if name is not None:
                found.setdefault(name, []).append(each)
        return found

    @staticmethod
    def _named(certificates: Path, name: CanonicalName) -> list[x509.Certificate]:
        return [each for each in certificates if _subject(each) == name]


def may_sign_lists(certificate: x509.Certificate) -> bool:
    """Whether a certificate's key usage, where present, has cRLSign (RFC 5280 section 4.2.1.3)."""
    try:
        usage = describe.extension(certificate, "KeyUsage")
    except Exception:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
        return False
    return usage is None or bool(usage.crl_sign)


def _subject(certificate: x509.Certificate) -> CanonicalName | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return canonical(certificate.subject)
    except Exception:  # noqa: BLE001  as above
        return None


def _identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        found = describe.extension(certificate, "SubjectKeyIdentifier")
    except Exception:  # noqa: BLE001  as above
        return None
    return None if found is None else bytes(found.digest)


def _name(certificate: x509.Certificate) -> str:
    return names.subject_or_none(certificate) or "a certificate that cannot be read"
