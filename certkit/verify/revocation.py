"""Revocation by lists (CRLs, RFC 5280 section 6.3): not revoked, revoked, or undetermined, which is never "ok"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, critical, ok, skipped, unknown
from certkit.times import rfc3339
from certkit.verify.lists import HOLD, REMOVE, Listing, RevocationList, Target
from certkit.verify.path import NoPath, Search, build_path, is_within_dates
from certkit.verify.statements import Clear, Statement, together
from certkit.verify.troubles import Problem, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from certkit.verify.lists import Key
    from certkit.verify.statements import Revocation
    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl

    Path = Sequence[Certificate]

# So many certificates are judged for one verdict, those of list signers included; so many certificates of the key that
# signed a list are followed to the anchor, and so many for all lists.
_MAX_JUDGED = 100
_MAX_WAYS = 4
_MAX_BUILT = 40
_NO_LISTS = skipped("revocation", "no CRL was given", "add --crl FILE")


def by_lists(
    path: Path,
    *,
    crls: Sequence[Crl],
    others: Sequence[Certificate] = (),
    at: datetime,
    whole_chain: bool = True,
    strict: bool = False,
) -> Finding:
    """Check whether the certificates of a path below its anchor, or the leaf only, are revoked by lists at a moment.

    `others` may hold the certificates that signed the lists. Revoked outweighs undetermined across the chain. With
    `strict`, lists must follow RFC 5280 section 5 to the letter.
    """
    if not crls:
        return _NO_LISTS
    if len(path) < 2:
        return unknown("revocation", "without a chain, certkit cannot tell whose CRL to trust", "add --ca FILE")
    judge = _Judge(path, crls, others, at, whole_chain=whole_chain, strict=strict)
    judged = path[:-1] if whole_chain else path[:1]
    pairs = [(each, judge.answer(path[number:])) for number, each in enumerate(judged)]
    for certificate, answer in pairs:
        if isinstance(answer, Listing):
            reason = f" ({answer.reason})" if answer.reason else ""
            message = f"{certificate.brief_name} has been revoked since {rfc3339(answer.since)}{reason}"
            is_held = answer.reason == HOLD
            hint = "ask the CA why; it can lift a hold" if is_held else "stop using it; get a new certificate"
            return critical("revocation", message, hint)
    for certificate, answer in pairs:
        if isinstance(answer, Problem):
            return answer.finding(certificate)
    scope = "every certificate below the anchor" if whole_chain else "the leaf (--revocation leaf)"
    clear = [(each, answer) for each, answer in pairs if isinstance(answer, Clear)]
    until = rfc3339(min(answer.until for _, answer in clear))
    pending = [(each.brief_name, answer.later) for each, answer in clear if answer.later]
    later = [f"; {who} will be revoked on {rfc3339(since)}" for who, since in pending]
    return ok("revocation", f"not revoked: {scope}; the first CRL expires on {until}{''.join(later)}")


class _Judge:
    """The evaluation of lists at a moment."""

    def __init__(
        self,
        path: Path,
        crls: Iterable[Crl],
        others: Sequence[Certificate],
        at: datetime,
        *,
        whole_chain: bool,
        strict: bool,
    ) -> None:
        self._path, self._at, self._whole_chain, self._strict = path, at, whole_chain, strict
        self._others = others
        self._lists: dict[Key, list[RevocationList]] = {}
        self._has_unreadable = False
        for crl in dict.fromkeys(crls):
            try:
                read = RevocationList(crl)
            except (InputError, ValueError):
                self._has_unreadable = True
            else:
                self._lists.setdefault(read.issuer, []).append(read)
        self._left = _MAX_JUDGED
        self._ways: dict[Certificate, Path | None] = {}
        self._by_name: dict[Key, list[Certificate]] = {}
        for each in dict.fromkeys([*path, *others]):
            try:
                self._by_name.setdefault(each.subject.key, []).append(each)
            except InputError:
                continue  # an unreadable certificate is unrelated

    def answer(self, way: Path, pending: frozenset[Certificate] = frozenset()) -> Revocation:
        """Return the verdict of all lists on a certificate; `way` is its path, itself first.

        `pending` are the certificates being judged already: they signed lists that others depend on.
        """
        self._left -= bool(pending)
        if self._left < 0 and pending:
            return Problem(Trouble.SIGNER_UNKNOWN, "of too many")
        statements: list[Statement] = []
        problems = [Problem(Trouble.UNREADABLE if self._has_unreadable else Trouble.MISSING)]
        try:
            target = Target(way[0])
            for each in [each for issuer in target.list_issuers for each in self._lists.get(issuer, ())]:
                found = self._statement(each, target, way, pending | {way[0]})
                if isinstance(found, Problem):
                    problems.append(found)
                else:
                    statements.append(found)
            # What a CA signed about itself counts only if no other list covers it.
            by_others = together([each for each in statements if not each.is_own], target, self._at, problems)
            if isinstance(by_others, Problem) and any(each.is_own for each in statements):
                return together(statements, target, self._at, problems)
        except (InputError, ValueError):
            return Problem(Trouble.UNREADABLE)
        return by_others

    def _statement(
        self, found: RevocationList, target: Target, way: Path, pending: frozenset[Certificate]
    ) -> Statement | Problem:
        """Return a list's statement on a certificate, if the list is authorised (RFC 5280 section 6.3.3)."""
        try:
            reasons = found.reasons(target)
            if isinstance(reasons, Problem):
                return reasons
            signer = self._signer(found, way, pending)
            if isinstance(signer, Problem):
                return signer
            entry = found.entry(target)
            problem = found.problem(self._at, strict=self._strict)
        except (InputError, ValueError):
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

    def _signer(self, found: RevocationList, way: Path, pending: frozenset[Certificate]) -> Certificate | Problem:
        """Return the unrevoked certificate that signed a list and was allowed to."""
        ways = self._signer_ways(found, way)
        if isinstance(ways, Problem):
            return ways
        troubles = []
        for each in ways:
            trouble = self._signer_trouble(each, way, pending)
            if trouble is None:
                return each[0]
            troubles.append(trouble)
        return max(troubles, key=lambda each: each.trouble.order)

    def _signer_trouble(self, signer: Path, way: Path, pending: frozenset[Certificate]) -> Problem | None:
        """Return why a signer's own revocation status rules it out; those in the path are judged separately."""
        for number, each in enumerate(signer[:-1]):
            if each in pending or each in way[1:] or each in self._path:
                continue
            answer = self.answer(signer[number:], pending)
            if isinstance(answer, Listing):
                return Problem(Trouble.SIGNER_REVOKED, each.brief_name)
            if isinstance(answer, Problem) and (self._whole_chain or self._left < 0):
                return Problem(Trouble.SIGNER_UNKNOWN, each.brief_name)
        return None

    def _signer_ways(self, found: RevocationList, way: Path) -> list[Path] | Problem:
        """Return the paths of authorised signers of a list: a certificate above the one judged, or another one.

        `way` is the path of the certificate that is judged, itself first. Signers whose key the list names come first.
        """
        others = sorted(
            self._by_name.get(found.issuer, ()),
            key=lambda each: found.key_identifier is None or each.subject_key_identifier != found.key_identifier,
        )
        named = [*(each for each in way[1:] if each.subject.key == found.issuer), *others]
        if not named:
            return Problem(Trouble.NO_SIGNER, found.name)
        signed = [each for each in named if found.is_signed_by(each)]
        if not signed:
            return Problem(Trouble.UNSIGNED, found.name)
        # Key usage, where present, must have cRLSign (RFC 5280 section 4.2.1.3).
        allowed = [each for each in signed if each.key_usage is None or "cRLSign" in (each.key_usage or ())]
        if not allowed:
            return Problem(Trouble.CA_MAY_NOT if signed[0] in way[1:] else Trouble.SIGNER_MAY_NOT, signed[0].brief_name)
        if allowed[0] in way[1:]:
            return [way[way.index(allowed[0]) :]]
        trusted = [trusted for each in allowed[:_MAX_WAYS] if (trusted := self._trusted(each))]
        return trusted or Problem(Trouble.UNTRUSTED, allowed[0].brief_name)

    def _trusted(self, signer: Certificate) -> Path | None:
        """Return a path from a signer to the same anchor; None if there is none."""
        if signer in self._path:
            return self._path[self._path.index(signer) :]
        if not is_within_dates(signer, self._at):
            return None
        if signer not in self._ways and len(self._ways) < _MAX_BUILT:
            between = [*self._path[1:-1], *self._others]
            result = build_path(Search(leaf=signer, anchors=[self._path[-1]], untrusted=between, at=self._at))
            self._ways[signer] = None if isinstance(result, NoPath) else result
        return self._ways.get(signer)
