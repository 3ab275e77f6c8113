"""Verification of a certificate: a finding for each check, and the path as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.csr import check
from certkit.errors import InputError
from certkit.findings import Finding, Status, concise, critical, ok, roll_up, skipped, unknown, warning
from certkit.times import rfc3339
from certkit.verify import checks, partner, purpose, revocation
from certkit.verify.path import DEFAULT_MAX_DEPTH, NoPath, Search, build_path_in_time, content_problem
from certkit.verify.pedantry import pedantry
from certkit.x509.der import DerError
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from certkit.policy.rules import Policy
    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl
    from certkit.x509.csr import Csr
    from certkit.x509.spki import KeyFacts

# What may be raised when a field of a malformed certificate is read.
_UNREADABLE = (InputError, DerError)
_NO_NAME = skipped(
    "name", "no client id, host name or address was given", "add --client-id ID, --hostname NAME or --email ADDRESS"
)
_FOREIGN_HINT = "ask the CA for a certificate that browsers would accept, or leave --strict out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The checks requested for a certificate.

    `anchors` None: no anchors were given; then the chain is a warning, or skipped with `needs_chain` False. `pins` are
    trusted as they are, CAs or not, and for nothing but themselves; `distrusted` are CAs that were given as anchors and
    are marked as not to be trusted for the purpose. `at` is the moment to judge; `max_depth` counts intermediates.
    `crls` ask for a current CRL for every certificate below the anchor, or for the leaf with `revocation_of_chain`
    False. `strict` makes pedantry critical. `file` are the certificates of the leaf's file in their order, where there
    is one.
    """

    leaf: Certificate
    policy: Policy
    at: datetime
    anchors: Sequence[Certificate] | None = None
    pins: Sequence[Certificate] = ()
    distrusted: Sequence[Certificate] = ()
    untrusted: Sequence[Certificate] = ()
    needs_chain: bool = True
    purpose: str = "client"
    hostname: str | None = None
    email: str | None = None
    client_id: str | None = None
    key: KeyFacts | None = None
    csr: Csr | None = None
    crls: Sequence[Crl] = ()
    revocation_of_chain: bool = True
    strict: bool = False
    max_depth: int = DEFAULT_MAX_DEPTH
    file: Sequence[Certificate] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings, and the path they are about: leaf first, anchor last; only the leaf if there is no path."""

    findings: tuple[Finding, ...]
    path: tuple[Certificate, ...]

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.findings)

    def with_revocation(self, findings: Sequence[Finding]) -> Verdict:
        """Return the verdict with more findings about revocation."""
        return Verdict(concise((*self.findings, *findings)), self.path)

    @property
    def holds_until(self) -> datetime | None:
        """The earliest end of a certificate in the path; None if one cannot be read."""
        try:
            ends = [each.not_after for each in self.path if not isinstance(each.not_after, Unreadable)]
        except InputError:
            return None
        return min(ends) if len(ends) == len(self.path) else None


def verify(question: Question) -> Verdict:
    """Run all checks of a question; the first failure does not hide the others."""
    leaf, at = question.leaf, question.at
    try:
        chain_finding, path = _chain(question, leaf)
    except _UNREADABLE as error:
        chain_finding, path = _unreadable("chain", error), (leaf,)
    # Without a path the last certificate counts as the anchor, so the leaf stands for itself alone.
    findings = [
        chain_finding,
        *_guarded("validity", checks.validity, leaf, at),
        *_guarded("purpose", purpose.judge, path, question.purpose),
    ]
    for wanted, judge in (
        (question.hostname, checks.host_name),
        (question.client_id, checks.client_name),
        (question.email, checks.email_address),
    ):
        if wanted is not None:
            findings += _guarded("name", judge, leaf, wanted)
    if findings[-1].id != "name":
        findings.append(_NO_NAME)
    findings += _guarded("key-type", check.key_type, leaf.key, question.policy)
    findings += _guarded("signature-algorithm", checks.signature_algorithms, path)
    findings += _guarded("extensions", pedantry, path, question.purpose, question.strict)
    if chain_finding.status is not Status.CRITICAL:  # with a chain it has been judged
        findings += _guarded("extensions", _content, leaf)
    findings += _guarded("key-match", checks.key_match, leaf, question.key)
    findings += partner.judge(leaf, question.file, question.policy, question.purpose)
    findings += _guarded(
        "revocation",
        lambda: revocation.by_lists(
            path,
            crls=question.crls,
            others=question.untrusted,
            at=at,
            whole_chain=question.revocation_of_chain,
            strict=question.strict,
        ),
    )
    if question.csr is not None:
        findings += _guarded("key-match", checks.csr_key_match, leaf, question.csr)
        findings += _guarded("subject", checks.csr_organization, leaf, question.csr)
    return Verdict(concise(findings), path)


def chain(search: Search) -> Finding:
    """Judge a path to an anchor alone."""
    try:
        return _judged(search)[0]
    except _UNREADABLE as error:
        return _unreadable("chain", error)


def _chain(question: Question, leaf: Certificate) -> tuple[Finding, tuple[Certificate, ...]]:
    if question.pins and leaf in question.pins:
        return ok("chain", f"pinned: {leaf.brief_name} is the one that --pin trusts"), (leaf,)
    if question.pins and question.anchors is None:
        return critical("chain", f"{leaf.brief_name} is not the certificate that --pin trusts", "check --pin"), (leaf,)
    if not question.needs_chain:
        return skipped("chain", "not requested"), (leaf,)
    if question.anchors is None:
        return warning("chain", "no CA was given, so nothing is trusted", "add --ca FILE, or --no-chain"), (leaf,)
    search = Search(
        leaf=leaf,
        anchors=question.anchors,
        distrusted=question.distrusted,
        untrusted=question.untrusted,
        at=question.at,
        purpose=question.purpose,
        max_depth=question.max_depth,
    )
    return _judged(search, is_web=question.strict and question.purpose == "server", hostname=question.hostname)


def _judged(
    asked: Search, *, is_web: bool = False, hostname: str | None = None
) -> tuple[Finding, tuple[Certificate, ...]]:
    """Search for a path, which with `is_web` must follow the Web PKI's rules, and return the finding with the path."""
    search, result = build_path_in_time(asked)
    if isinstance(result, NoPath):
        return critical("chain", result.reason, result.hint), (asked.leaf,)
    if is_web:
        from certkit.verify import web_pki

        problem = web_pki.problem(search, hostname)
        if problem:
            return critical("chain", f"not allowed by the Web PKI's rules: {problem}", _FOREIGN_HINT), result
    shown = " <- ".join(each.brief_name for each in result)
    when = f" (as of {rfc3339(search.at)})" if search.at != asked.at else ""
    note = "" if result[-1].is_self_issued else "; the last one is trusted as named, although it is not a root CA"
    return ok("chain", f"{shown}{when}{note}"), result


def _content(leaf: Certificate) -> list[Finding]:
    """Return the finding if a certificate breaks a rule for which it is refused whoever issued it."""
    problem = content_problem(leaf)
    return [] if problem is None else [critical("extensions", problem.reason, problem.hint)]


def _guarded(check: str, judge: Callable[..., Finding | list[Finding]], *args: Any) -> list[Finding]:
    """Make a check whose field cannot be read unknown, so that it hides no other."""
    try:
        found = judge(*args)
    except _UNREADABLE as error:
        return [_unreadable(check, error)]
    return [found] if isinstance(found, Finding) else found


def _unreadable(check: str, error: Exception) -> Finding:
    return unknown(check, f"the certificate cannot be read: {error}", "inspect it with certkit inspect")
