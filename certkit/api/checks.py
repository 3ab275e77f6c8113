"""Checks as functions: bytes in, a report out. Only `probe` and `verify(ocsp=True)` use the network.

What is given as bytes may also be a `pathlib.Path`, whose name messages then mention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.signatures import public
from certkit.errors import InputError, RefusedError
from certkit.findings import Finding, Status, roll_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.api.arguments import Data, Passphrase
    from certkit.csr.check import PolicyFit
    from certkit.probe import Probe
    from certkit.secret import Secret
    from certkit.x509.items import Budget


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A certificate of a chain: its subject, and its dates (UTC; None if they cannot be read)."""

    subject: str
    not_before: datetime | None
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check: the status of the whole, the subject, and a finding for each check.

    It iterates over its findings. `chain` is what the verdict of `verify` rests on, leaf first, and `valid_until` when
    that verdict ends (UTC), if it is known. `fits` has the findings of `check_csr` by policy.
    """

    status: Status
    subject: str | None
    findings: tuple[Finding, ...]
    valid_until: datetime | None = None
    chain: tuple[ChainLink, ...] = ()
    fits: tuple[PolicyFit, ...] = ()

    @classmethod
    def of(cls, subject: str | None, findings: Iterable[Finding], **more: Any) -> Report:
        """Return a report with the status that follows from its findings."""
        listed = tuple(findings)
        return cls(roll_up(each.status for each in listed), subject, listed, **more)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def is_ok(self) -> bool:
        """Whether nothing is critical or undetermined; warnings are allowed."""
        return self.status in {Status.OK, Status.WARNING}

    @public
    def require(self) -> None:
        """Raise unless the report is ok.

        Raises:
            certkit.RefusedError: if a finding is critical or could not be determined; with all findings.
        """
        if bad := [each for each in self.findings if each.is_bad]:
            reasons = "; ".join(f"{each.id}: {each.message}" for each in bad)
            raise RefusedError(reasons, hint=bad[0].hint, findings=self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the document that the command prints with --json."""
        from certkit.report import json

        if self.fits:
            return json.judged_by(self.status, self.subject, [(each.policy, each.findings) for each in self.fits])
        return json.judged(self.status, self.subject, self.findings)


@public
def verify(  # noqa: PLR0913  as many as the command has options
    certificate: Data,
    *,
    ca: Sequence[Data | str] | None = None,
    pins: Sequence[Data] = (),
    untrusted: Sequence[Data] = (),
    no_chain: bool = False,
    crls: Sequence[Data] = (),
    ocsp: bool = False,
    ocsp_responses: Sequence[Data] = (),
    key: Any = None,
    csr: Data | None = None,
    passphrase: Passphrase | None = None,
    policy: str = "general",
    purpose: str = "client",
    client_id: str | None = None,
    hostname: str | None = None,
    email: str | None = None,
    whole_chain_revocation: bool = True,
    max_depth: int | None = None,
    strict: bool = False,
    timeout: float = arguments.TIMEOUT_SECONDS,
    now: datetime | None = None,
) -> Report:
    """Check whether a certificate can be relied upon, as `certkit verify` does.

    Args:
        certificate: PEM, DER or PKCS#12; it may hold its intermediates too, and its key.
        ca: the CA certificates to trust, or `system` for those of this machine; only a CA's certificate vouches for
            others. Without them the chain is a warning.
        pins: certificates to trust as they are, CA or not.
        untrusted: intermediates that may be needed.
        no_chain: skip the chain.
        crls: a current CRL is required for every certificate below the anchor (see `whole_chain_revocation`).
        ocsp: ask the OCSP responders that the certificates name.
        ocsp_responses: OCSP responses in DER.
        key: a private key that must belong to the certificate: data, or a key of the package cryptography.
        csr: the CSR that the certificate must answer.
        passphrase: opens an encrypted key or PKCS#12.
        policy: a policy's name, or the path of a policy file.
        purpose: `client`, `server` or `any`.
        client_id: what the CN must be.
        hostname: a DNS name or IP address that must be among the alternative names.
        email: an e-mail address that must be in the certificate.
        whole_chain_revocation: whether `crls` must cover every certificate, or only the leaf.
        max_depth: the largest number of intermediates.
        strict: apply every rule of RFC 5280, and the Web PKI's rules to servers.
        timeout: seconds for each OCSP responder.
        now: the moment to judge; by default the present.

    Raises:
        certkit.InputError: if an argument cannot be read.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit import processes
    from certkit.findings import skipped
    from certkit.policy import catalogue
    from certkit.verify import Question
    from certkit.verify import verify as run
    from certkit.verify.anchors import TrustSettings
    from certkit.verify.path import DEFAULT_MAX_DEPTH
    from certkit.x509 import describe, keys, objects
    from certkit.x509.items import Budget

    secret = arguments.secret(passphrase)
    data, name = arguments.content(certificate, "the certificate")
    bundle = objects.bundle(data, name=name, passphrase=secret, budget=Budget(processes.Allowance()))
    leaf = describe.leaf_of(bundle.certificates)
    facts = bundle.info.facts if bundle.info else None
    key_file = skipped("key-file", "no key file was given", "add --key KEY")
    if key is not None:
        held = arguments.held_key(key, secret)
        facts, key_file = keys.key_facts(held.key.public_key()), held.file
    asked = None
    if csr is not None:
        content, where = arguments.content(csr, "the CSR")
        asked = objects.csr(content, name=where)
    settings = TrustSettings(purpose)
    question = Question(
        leaf=leaf,
        policy=catalogue.load(policy),
        at=now or arguments.now(),
        anchors=arguments.anchors(ca, settings),
        pins=[*arguments.gathered(objects.certificates, pins, "pins"), *settings.trusted],
        distrusted=settings.rejected,
        untrusted=[
            *(each for each in bundle.certificates if each is not leaf),
            *arguments.gathered(objects.certificates, untrusted, "untrusted"),
        ],
        needs_chain=not no_chain,
        purpose=purpose,
        hostname=hostname,
        email=email,
        client_id=client_id,
        key=facts,
        csr=asked,
        crls=arguments.gathered(objects.crls, crls, "crls"),
        revocation_of_chain=whole_chain_revocation,
        strict=strict,
        max_depth=DEFAULT_MAX_DEPTH if max_depth is None else max_depth,
        file=bundle.certificates,
    )
    verdict = run(question)
    if ocsp or ocsp_responses:
        from certkit.net import ocsp as responders

        found = responders.check(
            verdict.path,
            at=question.at,
            now=arguments.now(),
            responses=[arguments.content(each, "ocsp_responses")[0] for each in ocsp_responses],
            crls=question.crls,
            ask=ocsp,
            whole_chain=whole_chain_revocation,
            timeout=timeout,
        )
        verdict = verdict.with_revocation(found)
    end = verdict.holds_until
    chain = (ChainLink(each.display_name, each.not_before or None, each.not_after or None) for each in verdict.path)
    findings = (*verdict.findings, key_file)
    return Report.of(leaf.display_name, findings, valid_until=end, chain=tuple(chain) if end else ())


@public
def check_csr(
    data: Data, *, policy: str | Sequence[str] = "general", key: Any = None, passphrase: Passphrase | None = None
) -> Report:
    """Check the exact bytes of a CSR against the rules of one or several partners, as `certkit csr check` does.

    With several policies the worst result decides, and `fits` has the findings of each.

    Raises:
        certkit.InputError: if no CSR, or not the key, can be read.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.csr import check
    from certkit.policy import catalogue
    from certkit.x509 import keys, objects

    rules = [catalogue.load(each) for each in ([policy] if isinstance(policy, str) else dict.fromkeys(policy))]
    content, name = arguments.content(data, "the CSR")
    request = objects.csr(content, name=name)
    held = None if key is None else arguments.held_key(key, arguments.secret(passphrase))
    facts = keys.key_facts(held.key.public_key()) if held else None
    fits = tuple(
        check.PolicyFit.of(
            each, [*check.for_checkers(check.findings(request, content, each, key=facts)), *check.key_file(each, held)]
        )
        for each in rules
    )
    return Report.of(request.subject.text, (finding for fit in fits for finding in fit.findings), fits=fits)


@public
def probe(  # noqa: PLR0913  as many as the command has options
    url: str | None,
    certificate: Data,
    *,
    key: Any = None,
    passphrase: Passphrase | None = None,
    policy: str | None = None,
    ca: Sequence[Data | str] | None = None,
    token: Passphrase | None = None,
    timeout: float = arguments.TIMEOUT_SECONDS,
    proxy: str | None = None,
    now: datetime | None = None,
) -> Probe:
    """Connect to a server with a client certificate, and return how it reacts, as `certkit probe` does.

    Args:
        url: an https URL or HOST[:PORT]; None for that of the policy.
        certificate: PEM, DER or PKCS#12, with its intermediates or without, and with its key or without.
        key: its private key: data, or a key of the package cryptography.
        passphrase: opens an encrypted key or PKCS#12.
        policy: the partner, by a policy's name or the path of a policy file.
        ca: CAs to trust for the server; by default the `system`'s.
        token: an access token to send.
        timeout: seconds in total.
        proxy: `http://HOST:PORT`, empty for none; by default that of the environment.
        now: the moment to judge; by default the present.

    Raises:
        certkit.InputError: if an argument cannot be used; a server that is not reached is a finding.
        certkit.PolicyError: if there is no such policy.
    """
    from dataclasses import replace

    from certkit.net.tls import Credentials
    from certkit.policy import catalogue
    from certkit.probe import probe as run
    from certkit.probe import target, url_of

    rules = None if policy is None else catalogue.load(policy)
    where = url or (url_of(rules) if rules else None)
    if where is None:
        raise InputError("no server given", hint="give URL, HOST:PORT or --policy")
    to = target(where)
    chain, held = arguments.pair(certificate, key, arguments.secret(passphrase))
    found = run(
        to,
        credentials=Credentials.of(held.key, chain),
        anchors=arguments.anchors(ca),
        token=arguments.secret(token),
        now=now or arguments.now(),
        timeout=timeout,
        proxy=proxy,
        addresses=rules.hosts if rules else None,
    )
    return replace(found, findings=(*found.findings, held.file))


@public
def inspect(data: Data, *, passphrase: Passphrase | None = None) -> list[dict[str, Any]]:
    """Describe every object in the data, as `certkit inspect --json` does.

    Raises:
        certkit.InputError: if there is nothing that certkit knows, or an object cannot be read.
    """
    from certkit import processes
    from certkit.x509.items import Budget

    budget = Budget(processes.Allowance())
    found, _, failure = described(*arguments.content(data, "the data"), arguments.secret(passphrase), budget)
    if failure is not None:
        raise failure
    return found


def described(
    data: bytes, name: str, passphrase: Secret | None, budget: Budget
) -> tuple[list[dict[str, Any]], list[str], InputError | None]:
    """Describe every object in some data; return also which fields cannot be read, and the error about the others."""
    from certkit.x509 import describe, objects
    from certkit.x509.items import Broken

    found: list[dict[str, Any]] = []
    problems: list[str] = []
    broken: list[Broken] = []
    for item in objects.read(data, passphrase=passphrase, budget=budget):
        if isinstance(item, Broken):
            broken.append(item)
            continue
        found.append(facts := describe.describe(item))
        if facts.get("problems"):
            problems.append(f"a field of {item.kind.words}: {facts['problems'][0]}")
    if broken:
        count = sum(not each.is_limit for each in broken)
        reason, hint = objects.summary(broken[0], count, is_complete=count == len(broken))
        return found, problems, InputError(f"cannot read {name}: {reason}", hint=hint)
    if not found:
        what = "a key, CSR, certificate, CRL or PKCS#12 bundle"
        return found, problems, objects.wrong_kind(what, data, [], name=name)
    return found, problems, None
