"""Checks as functions: bytes in, a report out. Only `probe` and `verify(ocsp=True)` use the network.

What is given as bytes may also be a `pathlib.Path`, whose name messages then mention.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.errors import RefusedError
from certkit.findings import Finding, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from certkit.api.arguments import Data, Passphrase
    from certkit.policy.rules import Policy
    from certkit.probe import Probe


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
    that verdict ends (UTC), if it is known.
    """

    status: Status
    subject: str | None
    findings: tuple[Finding, ...]
    valid_until: datetime | None = None
    chain: tuple[ChainLink, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def is_ok(self) -> bool:
        """Whether nothing is critical or undetermined; warnings are allowed."""
        return self.status in {Status.OK, Status.WARNING}

    def require(self) -> None:
        """Raise unless the report is ok.

        Raises:
            certkit.RefusedError: if a finding is critical or could not be determined; with all findings.
        """
        bad = [each for each in self.findings if each.status in {Status.CRITICAL, Status.UNKNOWN}]
        if not self.is_ok:
            reasons = "; ".join(f"{each.id}: {each.message}" for each in bad)
            raise RefusedError(reasons, hint=bad[0].hint if bad else "", findings=self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the document that the command prints with --json."""
        from certkit.report import json

        return json.judged(self.status, self.subject, self.findings)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A CSR (PEM), its new private key (PKCS#8 PEM; None where a key was given), and how the policy judges it."""

    csr: bytes
    key: bytes | None = field(repr=False)
    report: Report


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
    timeout: float = 10.0,
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
    from certkit.verify import Question, anchors, crl_of
    from certkit.verify import verify as run
    from certkit.verify.path import DEFAULT_MAX_DEPTH
    from certkit.x509 import describe, keys, objects
    from certkit.x509.items import Budget

    secret = arguments.secret(passphrase)
    data, name = arguments.content(certificate, "the certificate")
    bundle = objects.bundle(data, name=name, passphrase=secret, budget=Budget(processes.Allowance()))
    leaf = describe.leaf_of(bundle.certificates)
    facts = bundle.info.facts if bundle.info else None
    if key is not None:
        facts = keys.key_facts(arguments.private_key(key, secret).public_key())
    asked = None
    if csr is not None:
        content, where = arguments.content(csr, "the CSR")
        asked = objects.csr(content, name=where).value
    settings = anchors.trust_settings([each for each in ca or () if each != arguments.SYSTEM], purpose)
    question = Question(
        leaf=leaf,
        policy=_policy(policy),
        at=now or arguments.now(),
        anchors=arguments.anchors(ca),
        pins=[*arguments.gathered(objects.certificate_values, pins, "pins"), *settings.trusted],
        distrusted=settings.rejected,
        untrusted=[
            *(each for each in bundle.certificates if each is not leaf),
            *arguments.gathered(objects.certificate_values, untrusted, "untrusted"),
        ],
        needs_chain=not no_chain,
        purpose=purpose,
        hostname=hostname,
        email=email,
        client_id=client_id,
        key=facts,
        csr=asked,
        crls=arguments.gathered(objects.crl_values, crls, "crls"),
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
            crls=[crl_of(each) for each in question.crls],
            ask=ocsp,
            whole_chain=whole_chain_revocation,
            timeout=timeout,
        )
        verdict = verdict.with_revocation(found)
    end = verdict.holds_until
    chain = (ChainLink(each.display_name, each.not_before or None, each.not_after or None) for each in verdict.path)
    return Report(verdict.status, leaf.display_name, verdict.findings, end, tuple(chain) if end else ())


def check_csr(data: Data, *, policy: str = "general", key: Any = None, passphrase: str | bytes | None = None) -> Report:
    """Check the exact bytes of a CSR against a partner's rules, as `certkit csr check` does.

    Raises:
        certkit.InputError: if no CSR, or not the key, can be read.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.csr import check
    from certkit.findings import roll_up
    from certkit.x509 import keys, names, objects

    facts = None
    if key is not None:
        facts = keys.key_facts(arguments.private_key(key, arguments.secret(passphrase)).public_key())
    content, name = arguments.content(data, "the CSR")
    findings = tuple(check.check(content, _policy(policy), key=facts, name=name))
    subject = names.subject_or_none(objects.csr(content, name=name).value)
    return Report(roll_up(each.status for each in findings), subject, findings)


def create_csr(
    *,
    policy: str = "general",
    key: Any = None,
    key_type: str | None = None,
    passphrase: str | bytes | None = None,
    **subject: Any,
) -> NewRequest:
    """Create a CSR, and a private key unless one is given, in memory; nothing is written.

    Args:
        policy: a policy's name, or the path of a policy file.
        key: a private key to use: data, or a key of the package cryptography.
        key_type: such as `ec-p256` or `rsa-3072`; by default the policy's first.
        passphrase: opens `key`, or encrypts the new one.
        **subject: as the options of `certkit csr create`: `organization`, `country`, `state`, `locality`, `units`,
            `common_name`, `email`, `san`, or `subject` (`NAME=VALUE` texts in order), `key_usage`,
            `extended_key_usage`, `qc_type`, `psd2_role`, `psd2_authority`, `psd2_authority_id`; lists are sequences of
            texts.

    Raises:
        certkit.RefusedError: if the policy refuses the subject, the key or the CSR.
        certkit.InputError: if an argument cannot be read or used.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.csr import create, keyfile
    from certkit.findings import roll_up, skipped
    from certkit.x509 import keys
    from certkit.x509.keys import KeySpec

    rules, secret = _policy(policy), arguments.secret(passphrase)
    if key is None:
        spec = KeySpec.parse(key_type) if key_type else create.default_spec(rules)
        held = keyfile.new_key(spec)
    else:
        held = arguments.private_key(key, secret)
    made = create.create(
        arguments.subject(subject),
        rules,
        key=keyfile.HeldKey(held, skipped("key-file", "the key is in memory"), is_encrypted=secret is not None),
        key_path=None,
        csr_path=None,
        writing=keyfile.Writing(now=arguments.now()),
    ).csr
    report = Report(roll_up(each.status for each in made.findings), made.subject, made.findings)
    return NewRequest(made.pem, keys.to_pem(held, secret).reveal() if key is None else None, report)


def generate_key(key_type: str = "ec-p256", *, passphrase: str | bytes | None = None) -> bytes:
    """Create a private key (PKCS#8 PEM) in memory, such as `ec-p256` or `rsa-3072`; a passphrase encrypts it.

    Raises:
        certkit.InputError: if there is no such type.
    """
    from certkit.csr import keyfile
    from certkit.x509 import keys
    from certkit.x509.keys import KeySpec

    return keys.to_pem(keyfile.new_key(KeySpec.parse(key_type)), arguments.secret(passphrase)).reveal()


def probe(  # noqa: PLR0913  as many as the command has options
    url: str,
    certificate: Data,
    *,
    key: Any = None,
    passphrase: str | bytes | None = None,
    ca: Sequence[Data | str] | None = None,
    token: str | bytes | None = None,
    timeout: float = 10.0,
    proxy: str | None = None,
    now: datetime | None = None,
) -> Probe:
    """Connect to a server with a client certificate, and return how it reacts, as `certkit probe` does.

    Args:
        url: an https URL or HOST[:PORT].
        certificate: PEM, DER or PKCS#12, with its intermediates or without, and with its key or without.
        key: its private key: data, or a key of the package cryptography.
        passphrase: opens an encrypted key or PKCS#12.
        ca: CAs to trust for the server; by default the `system`'s.
        token: an access token to send.
        timeout: seconds in total.
        proxy: `http://HOST:PORT`, empty for none; by default that of the environment.
        now: the moment to judge; by default the present.

    Raises:
        certkit.InputError: if an argument cannot be used; a server that is not reached is a finding.
    """
    from certkit.net.tls import Credentials
    from certkit.probe import probe as run
    from certkit.probe import target

    chain, held = arguments.pair(certificate, key, arguments.secret(passphrase))
    return run(
        target(url),
        credentials=Credentials.of(held, chain),
        anchors=arguments.anchors(ca),
        token=arguments.secret(token),
        now=now or arguments.now(),
        timeout=timeout,
        proxy=proxy,
    )


def verify_webhook(
    body: bytes,
    signature: str,
    *,
    environment: str | None = None,
    policy: str | None = None,
    key: bytes | None = None,
) -> Report:
    """Check that Wise signed a delivery, as `certkit wise webhook verify` does.

    Args:
        body: the exact bytes of the request's body.
        signature: the value of the header `X-Signature-SHA256`.
        environment: `sandbox` or `production`: use the key that Wise publishes for it.
        policy: use the key of this policy, such as a rehearsal's.
        key: use this public key (PEM). Give one of the three.

    Raises:
        certkit.InputError: if not exactly one of the three is given, or the key cannot be read.
    """
    from certkit.errors import InputError
    from certkit.wise import addresses, deliveries

    if [environment, policy, key].count(None) != 2:
        raise InputError("give one of environment, policy and key", hint='environment="sandbox", for example')
    if key is None:
        rules = _policy(policy or addresses.policy_of(environment or ""))
        key = rules.webhooks.signing_key.encode()
        if not key:
            raise InputError(f"policy {rules.name} has no webhooks.signing_key", hint="give key=")
    found = deliveries.verify(body, signature, key)
    return Report(found.status, None, (found,))


def inspect(data: Data, *, passphrase: str | bytes | None = None) -> list[dict[str, Any]]:
    """Describe every object in the data, as `certkit inspect --json` does.

    Raises:
        certkit.InputError: if there is nothing that certkit knows, or an object cannot be read.
    """
    from certkit.errors import InputError
    from certkit.x509 import describe, objects
    from certkit.x509.items import Broken

    found: list[dict[str, Any]] = []
    content, name = arguments.content(data, "the data")
    for item in objects.read(content, passphrase=arguments.secret(passphrase)):
        if isinstance(item, Broken):
            reason, hint = objects.summary(item, 1)
            raise InputError(f"cannot read {name}: {reason}", hint=hint)
        found.append(describe.describe(item))
    if not found:
        raise objects.wrong_kind("a key, CSR, certificate, CRL or PKCS#12 bundle", content, [], name=name)
    return found


def _policy(name: str) -> Policy:
    from certkit.policy import catalogue

    return catalogue.load(name)
