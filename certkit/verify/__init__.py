"""Whether a certificate may be relied upon: every check as a finding, and the path as evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, Status, concise, critical, ok, roll_up, skipped, unknown, warning
from certkit.times import rfc3339
from certkit.verify import checks, partner, purpose, revocation
from certkit.verify.path import DEFAULT_MAX_DEPTH, NoPath, Search, build_path, is_self_issued, name_of
from certkit.verify.pedantry import pedantry
from certkit.x509.certificate import Certificate
from certkit.x509.crl import Crl
from certkit.x509.der import DerError
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.policy.rules import Policy
    from certkit.x509.certificate import AnyCertificate
    from certkit.x509.keys import KeyFacts

# What reading a field of a certificate that breaks the standard raises.
_UNREADABLE = (InputError, DerError)
_FOREIGN_HINT = "ask the CA for a certificate that browsers would accept, or leave --strict out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a certificate.

    `anchors` None: nothing to trust was given; then the chain is a warning, or skipped with `needs_chain` False. `pins`
    are trusted as they are, CAs or not, and for nothing but themselves; `distrusted` are CAs that were given as anchors
    and are marked as not to be trusted for the purpose. `at` is the moment to judge; `max_depth` counts intermediates.
    `crls` ask for a current CRL for every certificate below the anchor, or for the leaf with `revocation_of_chain`
    False. `strict` makes pedantry critical. `file` are the certificates of the leaf's file in their order, where there
    is one.
    """

    leaf: AnyCertificate
    policy: Policy
    at: datetime
    anchors: Sequence[AnyCertificate] | None = None
    pins: Sequence[AnyCertificate] = ()
    distrusted: Sequence[AnyCertificate] = ()
    untrusted: Sequence[AnyCertificate] = ()
    needs_chain: bool = True
    purpose: str = "client"
    hostname: str | None = None
    email: str | None = None
    client_id: str | None = None
    key: KeyFacts | None = None
    csr: x509.CertificateSigningRequest | None = None
    crls: Sequence[Crl | x509.CertificateRevocationList] = ()
    revocation_of_chain: bool = True
    strict: bool = False
    max_depth: int = DEFAULT_MAX_DEPTH
    file: Sequence[AnyCertificate] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings, and the path they were made over: leaf first, anchor last; only the leaf where there is none."""

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
    """Run all checks that a question asks for; the first failure does not hide the others."""
    leaf = certificate_of(question.leaf)
    try:
        way, path = _chain(question, leaf)
    except _UNREADABLE as error:
        way, path = _unreadable("chain", error), (leaf,)
    # Without a path the last certificate counts as the anchor, so the leaf stands for itself alone.
    csr = question.csr
    findings = [
        way,
        _guarded("validity", lambda: checks.validity(leaf, question.at)),
        _guarded("purpose", lambda: purpose.judge(path, question.purpose)),
        *_names(question, leaf),
        _guarded("key-type", lambda: checks.key_strength(path, question.policy)),
        _guarded("signature-algorithm", lambda: checks.signature_algorithms(path)),
        *_pedantry(question, path),
        _guarded("key-match", lambda: checks.key_match(leaf, question.key)),
        *_partner(question, leaf),
        _guarded("revocation", lambda: _revocation(question, path)),
    ]
    if csr is not None:
        findings.append(_guarded("key-match", lambda: checks.csr_key_match(leaf, csr)))
        findings.append(_guarded("subject", lambda: checks.csr_organization(leaf, csr)))
    return Verdict(concise(findings), path)


def chain(question: Question) -> Finding:
    """Judge the path to an anchor alone."""
    try:
        return _chain(question, certificate_of(question.leaf))[0]
    except _UNREADABLE as error:
        return _unreadable("chain", error)


def _partner(question: Question, leaf: Certificate) -> list[Finding]:
    """What the policy says about the certificate and its file, and what a public CA's or a qualified one is."""
    try:
        file = [certificate_of(each) for each in question.file] or [leaf]
        shown = [*partner.eidas(leaf), *(partner.public_client(leaf) if question.purpose == "client" else [])]
        return [*shown, *partner.limits(leaf, question.policy), *partner.chain_file(file, question.policy)]
    except InputError as error:
        return [unknown("policy", f"the certificate cannot be read: {error.message}", error.hint)]


def certificate_of(found: AnyCertificate) -> Certificate:
    """Return certkit's value of a certificate, whichever of both is given."""
    if isinstance(found, Certificate):
        return found
    from cryptography.hazmat.primitives.serialization import Encoding

    return Certificate.parse(found.public_bytes(Encoding.DER))


def crl_of(found: Crl | x509.CertificateRevocationList) -> Crl:
    """Return certkit's value of a CRL, whichever of both is given."""
    if isinstance(found, Crl):
        return found
    from cryptography.hazmat.primitives.serialization import Encoding

    return Crl.parse(found.public_bytes(Encoding.DER))


def _chain(question: Question, leaf: Certificate) -> tuple[Finding, tuple[Certificate, ...]]:
    if any(certificate_of(each) == leaf for each in question.pins):
        return ok("chain", f"pinned: {name_of(leaf)} is the one that --pin trusts"), (leaf,)
    if question.pins and question.anchors is None:
        return critical("chain", "it is not the certificate that --pin trusts", "check --pin"), (leaf,)
    if not question.needs_chain:
        return skipped("chain", "not requested"), (leaf,)
    if question.anchors is None:
        return warning("chain", "no CA was given, so nothing is trusted", "add --ca FILE, or --no-chain"), (leaf,)
    search, result = _search(question, leaf)
    if isinstance(result, NoPath):
        return critical("chain", result.reason, result.hint), (leaf,)
    if question.strict and question.purpose == "server":
        from certkit.verify import web_pki

        problem = web_pki.problem(search, question.hostname)
        if problem:
            return critical("chain", f"not allowed by the Web PKI's rules: {problem}", _FOREIGN_HINT), result
    shown = " <- ".join(name_of(each) for each in result)
    when = f" (as of {rfc3339(search.at)})" if search.at != question.at else ""
    note = "" if is_self_issued(result[-1]) else "; the last one is trusted as named, although it is not a root CA"
    return ok("chain", f"{shown}{when}{note}"), result


def _search(question: Question, leaf: Certificate) -> tuple[Search, tuple[Certificate, ...] | NoPath]:
    """Search a path at the moment that is asked about, or where the leaf was valid.

    A certificate out of its own dates has a finding for that, so its chain is judged when it was valid; and if that
    fails, at the moment itself, for its CA may have been renewed since.
    """
    begin, end, moment = leaf.not_before, leaf.not_after, question.at
    if not isinstance(begin, Unreadable) and not isinstance(end, Unreadable):
        moment = min(max(moment, begin), end)
    search = Search(
        leaf=leaf,
        anchors=[certificate_of(each) for each in question.anchors or ()],
        distrusted=[certificate_of(each) for each in question.distrusted],
        untrusted=[certificate_of(each) for each in question.untrusted],
        at=moment,
        purpose=question.purpose,
        max_depth=question.max_depth,
    )
    result = build_path(search)
    if isinstance(result, NoPath) and moment != question.at:
        now = replace(search, at=question.at)
        path = build_path(now)
        if not isinstance(path, NoPath):
            return now, path
    return search, result


def _names(question: Question, leaf: Certificate) -> list[Finding]:
    hostname, client_id, email = question.hostname, question.client_id, question.email
    wanted = []
    if hostname is not None:
        wanted.append(_guarded("name", lambda: checks.host_name(leaf, hostname)))
    if client_id is not None:
        wanted.append(_guarded("name", lambda: checks.client_name(leaf, client_id)))
    if email is not None:
        wanted.append(_guarded("name", lambda: checks.email_address(leaf, email)))
    hint = "add --client-id ID, --hostname NAME or --email ADDRESS"
    return wanted or [skipped("name", "no client id, host name or address was given", hint)]


def _pedantry(question: Question, path: Sequence[Certificate]) -> list[Finding]:
    try:
        return pedantry(path, purpose=question.purpose, strict=question.strict)
    except _UNREADABLE as error:
        return [_unreadable("extensions", error)]


def _revocation(question: Question, path: Sequence[Certificate]) -> Finding:
    return revocation.by_lists(
        path,
        crls=[crl_of(each) for each in question.crls],
        others=[certificate_of(each) for each in question.untrusted],
        at=question.at,
        whole_chain=question.revocation_of_chain,
        strict=question.strict,
    )


def _guarded(check: str, judge: Callable[[], Finding]) -> Finding:
    """Make a check whose field cannot be read unknown, so that it hides no other."""
    try:
        return judge()
    except _UNREADABLE as error:
        return _unreadable(check, error)


def _unreadable(check: str, error: Exception) -> Finding:
    return unknown(check, f"the certificate cannot be read: {error}", "inspect it with certkit inspect")
