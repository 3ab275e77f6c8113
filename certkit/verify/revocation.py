"""Revocation by lists (CRLs, RFC 5280 section 6.3): not revoked, revoked, or cannot tell; the last is never "ok"."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, skipped, unknown
from certkit.times import rfc3339
from certkit.verify.lists import RevocationList
from certkit.verify.scope import HOLD, REMOVE, Target
from certkit.verify.signers import Signers
from certkit.verify.statements import Clear, Revoked, Statement, together
from certkit.verify.troubles import WORDS, Problem, Trouble
from certkit.x509 import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.verify.lists import Entry
    from certkit.verify.pool import CanonicalName
    from certkit.verify.statements import Answer

    Path = Sequence[x509.Certificate]

# So many certificates are judged for one answer, those of list signers included.
_MAX_JUDGED = 100


def by_lists(
    path: Path,
    *,
    crls: Sequence[x509.CertificateRevocationList],
    others: Sequence[x509.Certificate] = (),
    at: datetime,
    whole_chain: bool = True,
) -> Finding:
    """Whether the certificates of a path below its anchor, or the leaf only, are revoked by lists at a moment.

    `others` may hold the certificates of those who sign the lists. Revoked beats "cannot tell" across the chain.
    """
    if not crls:
        return skipped("revocation", "no revocation list was given", "add --crl FILE")
    if len(path) < 2:
        return unknown("revocation", "without a chain nobody can say whose list counts", "add --ca FILE")
    judge = _Judge(path, crls, others, at, whole_chain=whole_chain)
    judged = path[:-1] if whole_chain else path[:1]
    answers = [judge.answer(path[number:]) for number in range(len(judged))]
    pairs = list(zip(judged, answers, strict=True))
    for certificate, answer in pairs:
        if isinstance(answer, Revoked):
            return _revoked(certificate, answer.entry)
    for certificate, answer in pairs:
        if isinstance(answer, Problem):
            return _cannot_tell(certificate, answer)
    scope = "every certificate below the anchor" if whole_chain else "the leaf (only it was asked for)"
    return _clear(scope, [(each, answer) for each, answer in pairs if isinstance(answer, Clear)])


class _Judge:
    """What lists say of certificates at a moment."""

    def __init__(
        self,
        path: Path,
        crls: Iterable[x509.CertificateRevocationList],
        others: Sequence[x509.Certificate],
        at: datetime,
        *,
        whole_chain: bool,
    ) -> None:
        self._path, self._at, self._whole_chain = path, at, whole_chain
        self._signers = Signers(path, others, at)
        self._lists, self._has_unreadable = _read(crls)
        self._left = _MAX_JUDGED

    def answer(self, way: Path, pending: frozenset[x509.Certificate] = frozenset()) -> Answer:
        """What all lists together say of a certificate; `way` is its path, itself first.

        `pending` are those for whose sake it is asked: they signed the lists that others depend on.
        """
        self._left -= bool(pending)
        if self._left < 0 and pending:
            return Problem(Trouble.SIGNER_UNKNOWN, "of too many")
        try:
            target = Target(way[0])
            return self._answer(target, way, pending | {way[0]})
        except Exception:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
            return Problem(Trouble.UNREADABLE)

    def _answer(self, target: Target, way: Path, pending: frozenset[x509.Certificate]) -> Answer:
        statements: list[Statement] = []
        problems = [Problem(Trouble.UNREADABLE if self._has_unreadable else Trouble.MISSING)]
        for issuer in target.list_issuers:
            for each in self._lists.get(issuer, ()):
                found = self._statement(each, target, way, pending)
                (problems if isinstance(found, Problem) else statements).append(found)  # type: ignore[arg-type]
        # What someone signed about himself is heard only where nobody else can tell.
        by_others = together([each for each in statements if not each.is_own], target, self._at, problems)
        if isinstance(by_others, Problem) and any(each.is_own for each in statements):
            return together(statements, target, self._at, problems)
        return by_others

    def _statement(
        self, found: RevocationList, target: Target, way: Path, pending: frozenset[x509.Certificate]
    ) -> Statement | Problem:
        """What a list says of a certificate, if it may (RFC 5280 section 6.3.3)."""
        try:
            reasons = found.reasons(target)
            if isinstance(reasons, Problem):
                return reasons
            signer = self._signer(found, way, pending)
            if isinstance(signer, Problem):
                return signer
            entry = found.entry(target)
            problem = self._problem(found)
        except Exception:  # noqa: BLE001  as above
            return Problem(Trouble.UNREADABLE)
        is_later = entry is not None and entry.since > self._at
        return Statement(
            source=found,
            reasons=reasons,
            entry=None if is_later else entry,
            later=entry.since if entry is not None and is_later and entry.reason != REMOVE else None,
            problem=problem,
            is_held_valid=found.end is not None and self._at <= found.end,
            is_own=signer in pending,
        )

    def _problem(self, found: RevocationList) -> Problem | None:
        if not found.is_understood:
            return Problem(Trouble.CRITICAL)
        if found.is_weak:
            return Problem(Trouble.WEAK)
        return found.staleness(self._at)

    def _signer(
        self, found: RevocationList, way: Path, pending: frozenset[x509.Certificate]
    ) -> x509.Certificate | Problem:
        """The certificate that signed a list, may sign it, and is not revoked."""
        ways = self._signers.ways(found, way)
        if isinstance(ways, Problem):
            return ways
        troubles = []
        for each in ways:
            trouble = self._trouble(each, way, pending)
            if trouble is None:
                return each[0]
            troubles.append(trouble)
        return max(troubles, key=lambda each: each.trouble)

    def _trouble(self, signer: Path, way: Path, pending: frozenset[x509.Certificate]) -> Problem | None:
        """Why a signer does not count for its own revocation; those in the path are judged on their own."""
        for number, each in enumerate(signer[:-1]):
            if each in pending or each in way[1:] or each in self._path:
                continue
            answer = self.answer(signer[number:], pending)
            if isinstance(answer, Revoked):
                return Problem(Trouble.SIGNER_REVOKED, _name(each))
            if isinstance(answer, Problem) and (self._whole_chain or self._left < 0):
                return Problem(Trouble.SIGNER_UNKNOWN, _name(each))
        return None


def _read(
    crls: Iterable[x509.CertificateRevocationList],
) -> tuple[dict[CanonicalName, list[RevocationList]], bool]:
    """The lists by issuer, each once; and whether there are some that cannot be read."""
    from cryptography.hazmat.primitives.hashes import SHA256

    found: dict[CanonicalName, list[RevocationList]] = {}
    unreadable = False
    for crl in {each.fingerprint(SHA256()): each for each in crls}.values():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read = RevocationList(crl)
        except Exception:  # noqa: BLE001  as above
            unreadable = True
            continue
        found.setdefault(read.issuer, []).append(read)
    return found, unreadable


def _revoked(certificate: x509.Certificate, entry: Entry) -> Finding:
    reason = f" ({entry.reason})" if entry.reason else ""
    hint = "ask the CA why; it may take a hold back" if entry.reason == HOLD else "stop using it; get a new certificate"
    return critical("revocation", f"{_name(certificate)} is revoked, since {rfc3339(entry.since)}{reason}", hint)


def _cannot_tell(certificate: x509.Certificate, problem: Problem) -> Finding:
    words, hint = WORDS[problem.trouble]
    said = words.format(x=_name(certificate), y=_issuer(certificate), detail=problem.detail)
    return unknown("revocation", said, hint)


def _clear(scope: str, answers: Sequence[tuple[x509.Certificate, Clear]]) -> Finding:
    until = rfc3339(min(answer.until for _, answer in answers))
    later = [f"; {_name(each)} is revoked from {rfc3339(answer.later)} on" for each, answer in answers if answer.later]
    return ok("revocation", f"not revoked: {scope}; the first list ends on {until}{''.join(later)}")


def _issuer(certificate: x509.Certificate) -> str:
    try:
        return names.distinguished_name(certificate.issuer)
    except Exception:  # noqa: BLE001  as above
        return "a name that cannot be read"


def _name(certificate: x509.Certificate) -> str:
    return names.subject_or_none(certificate) or "a certificate that cannot be read"
