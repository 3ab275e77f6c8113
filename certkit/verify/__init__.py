"""Whether a certificate may be relied upon: every check as a finding, and the path as evidence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, Status, concise, critical, ok, roll_up, skipped, unknown, warning
from certkit.printable import printable
from certkit.times import rfc3339
from certkit.verify import checks, partner, purpose, revocation
from certkit.verify.explain import NoPath
from certkit.verify.path import DEFAULT_MAX_DEPTH, Search, build_path, web_pki_problem
from certkit.verify.pedantry import pedantry
from certkit.x509 import names, objects
from certkit.x509.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.policy.rules import Policy
    from certkit.x509.keys import KeyFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a certificate.

    `anchors` None: nothing to trust was given; then the chain is a warning, or skipped with `needs_chain` False.
    `at` is the moment to judge; `max_depth` counts intermediates. `crls` ask for a current list for every certificate
    below the anchor, or for the leaf with `revocation_of_chain` False. `strict` makes pedantry critical. `file` are the
    certificates of the leaf's file in their order, where there is one.
    """

    leaf: x509.Certificate
    policy: Policy
    at: datetime
    anchors: Sequence[x509.Certificate] | None = None
    untrusted: Sequence[x509.Certificate] = ()
    needs_chain: bool = True
    purpose: str = "client"
    hostname: str | None = None
    email: str | None = None
    client_id: str | None = None
    key: KeyFacts | None = None
    csr: x509.CertificateSigningRequest | None = None
    crls: Sequence[x509.CertificateRevocationList] = ()
    revocation_of_chain: bool = True
    strict: bool = False
    max_depth: int = DEFAULT_MAX_DEPTH
    file: Sequence[x509.Certificate] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings, and the path they were made over: leaf first, anchor last; only the leaf where there is none."""

    findings: tuple[Finding, ...]
    path: tuple[x509.Certificate, ...]

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.findings)

    def with_revocation(self, findings: Sequence[Finding]) -> Verdict:
        """The verdict with more findings about revocation."""
        return Verdict(concise((*self.findings, *findings)), self.path)

    @property
    def holds_until(self) -> datetime | None:
        """The earliest end of a certificate in the path; None if one cannot be read."""
        try:
            return min(each.not_valid_after_utc for each in self.path)
        except ValueError:
            return None


def verify(question: Question) -> Verdict:
    """All checks that a question asks for; the first failure does not hide the others."""
    leaf = question.leaf
    try:
        chain, path = _chain(question)
    except Exception as error:  # noqa: BLE001  a field of a hostile certificate may raise when it is read
        chain, path = _unreadable("chain", error), (leaf,)
    # Without a path the last certificate counts as the anchor, so the leaf stands for itself alone.
    findings = [
        chain,
        _guarded("validity", lambda: checks.validity(leaf, question.at)),
        _guarded("purpose", lambda: purpose.judge(path, question.purpose)),
        *_names(question),
        _guarded("key-type", lambda: checks.key_strength(path, question.policy)),
        _guarded("signature-algorithm", lambda: checks.signature_algorithms(path)),
        *_pedantry(question, path),
        _guarded("key-match", lambda: checks.key_match(leaf, question.key)),
        *_partner(question),
        _guarded("revocation", lambda: _revocation(question, path)),
    ]
    csr = question.csr
    if csr is not None:
        findings.append(_guarded("key-match", lambda: checks.csr_key_match(leaf, csr)))
        findings.append(_guarded("subject", lambda: checks.csr_organization(leaf, csr)))
    return Verdict(concise(findings), path)


def _partner(question: Question) -> list[Finding]:
    """What the policy says about the certificate and its file, and what a public CA's or a qualified one is."""
    try:
        from cryptography.hazmat.primitives.serialization import Encoding

        leaf = Certificate.parse(question.leaf.public_bytes(Encoding.DER))
        file = [Certificate.parse(each.public_bytes(Encoding.DER)) for each in question.file]
        shown = [*partner.eidas(leaf), *(partner.public_client(leaf) if question.purpose == "client" else [])]
        return [*shown, *partner.limits(leaf, question.policy), *partner.chain_file(file or [leaf], question.policy)]
    except InputError as error:
        return [unknown("policy", f"the certificate cannot be read: {error.message}", error.hint)]


def _chain(question: Question) -> tuple[Finding, tuple[x509.Certificate, ...]]:
    leaf = question.leaf
    if not question.needs_chain:
        return skipped("chain", "not asked for"), (leaf,)
    if question.anchors is None:
        return warning("chain", "no CA was given, so nothing is trusted", "add --ca FILE, or --no-chain"), (leaf,)
    # A certificate out of its own dates has a finding for that; its chain is judged when it was valid.
    moment = min(max(question.at, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
    search = Search(
        leaf=leaf,
        anchors=question.anchors,
        untrusted=question.untrusted,
        at=moment,
        purpose=question.purpose,
        max_depth=question.max_depth,
    )
    result = build_path(search)
    if isinstance(result, NoPath):
        return critical("chain", result.reason, result.hint), (leaf,)
    if question.strict and question.purpose == "server":
        problem = web_pki_problem(search, question.hostname)
        if problem:
            hint = "ask the CA for a certificate that browsers would accept, or leave --strict out"
            return critical("chain", f"not by the Web PKI's rules: {printable(problem)}", hint), result
    shown = " <- ".join(names.distinguished_name(each.subject) for each in result)
    when = f" (as of {rfc3339(moment)})" if moment != question.at else ""
    root = result[-1]
    note = "" if root.subject == root.issuer else "; the last one is trusted because you named it, though it is no root"
    return ok("chain", f"{shown}{when}{note}"), result


def _names(question: Question) -> list[Finding]:
    leaf, wanted = question.leaf, []
    if question.hostname is not None:
        hostname = question.hostname
        wanted.append(_guarded("name", lambda: checks.host_name(leaf, hostname)))
    if question.client_id is not None:
        client_id = question.client_id
        wanted.append(_guarded("name", lambda: checks.client_name(leaf, client_id)))
    if question.email is not None:
        email = question.email
        wanted.append(_guarded("name", lambda: checks.email_address(leaf, email)))
    hint = "add --client-id ID, --hostname NAME or --email ADDRESS"
    return wanted or [skipped("name", "no client id, host name or address was given", hint)]


def _pedantry(question: Question, path: Sequence[x509.Certificate]) -> list[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pedantry(path, purpose=question.purpose, strict=question.strict)
    except Exception as error:  # noqa: BLE001  as above
        return [_unreadable("extensions", error)]


def _revocation(question: Question, path: Sequence[x509.Certificate]) -> Finding:
    return revocation.by_lists(
        path, crls=question.crls, others=question.untrusted, at=question.at, whole_chain=question.revocation_of_chain
    )


def _guarded(check: str, judge: Callable[[], Finding]) -> Finding:
    """A check whose field cannot be read is unknown, and hides no other."""
    try:
        return judge()
    except Exception as error:  # noqa: BLE001  as above
        return _unreadable(check, error)


def _unreadable(check: str, error: Exception) -> Finding:
    reason = printable(objects.short_reason(error))
    return unknown(check, f"the certificate cannot be read: {reason}", "look at it with certkit inspect")
