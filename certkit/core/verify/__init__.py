"""Whether a certificate may be relied upon: every check as a finding, and the path as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.core import names, objects
from certkit.core.printable import printable
from certkit.core.times import rfc3339
from certkit.core.verify import checks
from certkit.core.verify.path import DEFAULT_MAX_DEPTH, NoPath, build_path
from certkit.findings import Finding, Status, critical, ok, roll_up, skipped, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.core.keys import KeyFacts
    from certkit.core.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a certificate.

    `anchors` None: nothing to trust was given; then the chain is a warning, or skipped with `needs_chain` False.
    `at` is the moment to judge; `max_depth` counts intermediates.
    """

    leaf: x509.Certificate
    policy: Policy
    at: datetime
    anchors: Sequence[x509.Certificate] | None = None
    untrusted: Sequence[x509.Certificate] = ()
    needs_chain: bool = True
    purpose: str = "client"
    hostname: str | None = None
    client_id: str | None = None
    key: KeyFacts | None = None
    csr: x509.CertificateSigningRequest | None = None
    max_depth: int = DEFAULT_MAX_DEPTH


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings, and the path they were made over: leaf first, anchor last; only the leaf where there is none."""

    findings: tuple[Finding, ...]
    path: tuple[x509.Certificate, ...]

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.findings)


def verify(question: Question) -> Verdict:
    """All checks that a question asks for; the first failure does not hide the others."""
    leaf = question.leaf
    try:
        chain, path = _chain(question)
    except ValueError as error:
        chain, path = _unreadable("chain", error), (leaf,)
    # Without a path the last certificate counts as the anchor, so the leaf stands for itself alone.
    findings = [
        chain,
        _guarded("validity", lambda: checks.validity(leaf, question.at)),
        _guarded("purpose", lambda: checks.purpose(path, question.purpose)),
        _guarded("name", lambda: _name(question)),
        _guarded("key-type", lambda: checks.key_strength(path, question.policy)),
        _guarded("signature-algorithm", lambda: checks.signature_algorithms(path)),
        _guarded("key-match", lambda: checks.key_match(leaf, question.key)),
        _guarded("policy", lambda: checks.limits(leaf, question.policy)),
        skipped("revocation", "no revocation list was given"),
    ]
    if question.csr is not None:
        findings += checks.matches_csr(leaf, question.csr)
    return Verdict(tuple(findings), path)


def _chain(question: Question) -> tuple[Finding, tuple[x509.Certificate, ...]]:
    leaf = question.leaf
    if not question.needs_chain:
        return skipped("chain", "not asked for"), (leaf,)
    if question.anchors is None:
        return warning("chain", "no CA was given, so nothing is trusted", "add --ca FILE, or --no-chain"), (leaf,)
    result = _build(question, question.at)
    if not isinstance(result, NoPath):
        return ok("chain", " <- ".join(names.distinguished_name(each.subject) for each in result)), result
    # A certificate out of its own dates has a finding for that; the chain is judged when it was valid.
    moment = _within_validity(leaf, question.at)
    if moment != question.at:
        then = _build(question, moment)
        if not isinstance(then, NoPath):
            shown = " <- ".join(names.distinguished_name(each.subject) for each in then)
            return ok("chain", f"{shown} (as of {rfc3339(moment)})"), then
        result = then
    return critical("chain", result.reason, result.hint), (leaf,)


def _build(question: Question, at: datetime) -> tuple[x509.Certificate, ...] | NoPath:
    return build_path(
        question.leaf,
        anchors=question.anchors or (),
        untrusted=question.untrusted,
        at=at,
        max_depth=question.max_depth,
    )


def _within_validity(leaf: x509.Certificate, at: datetime) -> datetime:
    return min(max(at, leaf.not_valid_before_utc), leaf.not_valid_after_utc)


def _name(question: Question) -> Finding:
    if question.hostname is not None:
        return checks.host_name(question.leaf, question.hostname)
    if question.client_id is not None:
        return checks.client_name(question.leaf, question.client_id)
    return skipped("name", "no client id or host name was given", "add --client-id ID or --hostname NAME")


def _guarded(check: str, judge: Callable[[], Finding]) -> Finding:
    """A check whose field cannot be read is unknown, and hides no other."""
    try:
        return judge()
    except Exception as error:  # noqa: BLE001  a field of a hostile certificate may raise when it is read
        return _unreadable(check, error)


def _unreadable(check: str, error: Exception) -> Finding:
    reason = printable(objects.short_reason(error))
    return unknown(check, f"the certificate cannot be read: {reason}", "look at it with certkit inspect")
