"""`certkit verify`: whether a certificate may be relied upon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.findings import exit_code, roll_up, skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.findings import Finding
    from certkit.verify import Question, Verdict
    from certkit.x509.certificate import Certificate


@click.command()
@inputs.file_argument("source", metavar="CERT")
@click.option(
    "--ca",
    "cas",
    multiple=True,
    metavar="FILE|DIR|system",
    help="Trust the CA certificates in this file or directory; may be repeated.",
)
@inputs.file_option(
    "--pin", "pins", multiple=True, metavar="CERT", help="Trust exactly this certificate; may be repeated."
)
@inputs.file_option("--untrusted", multiple=True, metavar="FILE", help="Intermediate certificates; may be repeated.")
@click.option("--no-chain", is_flag=True, help="Do not check the chain.")
@inputs.file_option("--crl", "crls", multiple=True, metavar="FILE", help="CRL to check against; may be repeated.")
@click.option("--ocsp", is_flag=True, help="Query the OCSP responders named in the certificates.")
@inputs.file_option(
    "--ocsp-response", "responses", multiple=True, metavar="FILE", help="OCSP response to use, DER; may be repeated."
)
@click.option(
    "--revocation",
    type=click.Choice(["chain", "leaf"]),
    default="chain",
    show_default=True,
    help="Certificates whose revocation status is required.",
)
@inputs.file_option("--key", metavar="KEY", help="Check that this private key belongs to the certificate.")
@inputs.file_option("--csr", "csr_source", metavar="CSR", help="Compare key and organization with this CSR.")
@inputs.policy_option
@click.option("--client-id", "--common-name", metavar="ID", help="Check that the common name is this client id.")
@click.option(
    "--purpose",
    type=click.Choice(["client", "server", "any"]),
    default="client",
    show_default=True,
    help="Required purpose.",
)
@click.option("--hostname", metavar="NAME", help="Check that the certificate is valid for this DNS name or IP address.")
@click.option("--email", metavar="ADDRESS", help="Check that the certificate is valid for this e-mail address.")
@click.option(
    "--max-depth", type=click.IntRange(min=0), default=8, show_default=True, help="Maximum number of intermediates."
)
@click.option("--strict", is_flag=True, help="Apply every rule of RFC 5280, and the Web PKI's rules to servers.")
@click.option(
    "--timeout",
    type=inputs.Seconds(min=0, min_open=True, max=600),
    default=10,
    show_default=True,
    help="Time allowed per OCSP responder, in seconds.",
)
@click.option("--at", metavar="TIME", help="Evaluate as of this time: RFC 3339 or a date.  [default: now]")
@inputs.passphrase_option
@reporting
def verify(output: Output, *, source: str, **options: Any) -> int:
    """Check whether a certificate can be used for mutual TLS, and explain why not.

    CERT is PEM, DER or PKCS#12 and may contain intermediates; the first certificate that is not a CA's is checked.
    Chain, dates, purpose, name, key, strength, revocation and the partner's limits are all checked, and every finding
    is shown with a hint. Exits 0 if everything passes, 1 for a warning, 2 if a check failed, 3 if
    something could not be determined.

    \b
    Why does the partner reject my certificate?
      chain                another CA issued it, or an intermediate is missing
      validity             it has expired, or is not valid yet
      purpose              it is not for client authentication
      name                 its common name is not your client id
      key-match            your key does not belong to it
      key-type             its key is too weak, or of a type that is not accepted
      signature-algorithm  it is signed with SHA-1 or MD5
      extensions           it breaks a rule of RFC 5280, or names another key
      policy               it is valid for longer than the partner's are
      revocation           it is revoked (--crl, --ocsp), or its status is unknown

    \b
    Example:
      certkit verify acme.pem --ca wise-ca.pem --key acme.key \\
          --policy wise-sandbox
    """
    from certkit.report import json, text
    from certkit.verify import verify as judge

    question, key_file = _question(source, options)
    verdict = judge(question)
    if options["ocsp"] or options["responses"]:
        verdict = verdict.with_revocation(_ocsp(verdict, question, options))
    findings = [*verdict.findings, key_file]
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        document = json.judged(status, verdict.path[0].display_name, findings)
        output.document(document | json.evidence(verdict))
    else:
        output.judged(f"{source} for {question.policy.name}", status, findings)
        if not output.quiet:
            output.text(text.evidence(verdict))
    return exit_code(status)


def _question(source: str, options: dict[str, Any]) -> tuple[Question, Finding]:
    """What the options ask, and the finding about the private key's file."""
    from certkit import processes
    from certkit.times import parse_time
    from certkit.verify import Question, anchors
    from certkit.x509 import describe, keys, objects
    from certkit.x509.items import Budget

    secret = inputs.passphrase(options["passphrase_file"])
    policy = inputs.policy(options["policy_name"])
    budget = Budget(processes.Allowance())
    bundle = objects.bundle(inputs.read(source), name=source, passphrase=secret, budget=budget)
    leaf = describe.leaf_of(bundle.certificates)
    extra = [each for each in bundle.certificates if each is not leaf]
    csr = options["csr_source"]
    held = inputs.private_key(options["key"], secret) if options["key"] else None
    files = [each for each in options["cas"] if each not in {inputs.STDIN, inputs.SYSTEM}]
    settings = anchors.trust_settings(files, options["purpose"])
    question = Question(
        leaf=leaf,
        policy=policy,
        at=parse_time(options["at"]) if options["at"] else inputs.now(),
        anchors=inputs.anchors(options["cas"]),
        pins=[*_certificates(options["pins"]), *settings.trusted],
        distrusted=settings.rejected,
        untrusted=[*extra, *_certificates(options["untrusted"])],
        needs_chain=not options["no_chain"],
        purpose=options["purpose"],
        hostname=options["hostname"],
        email=options["email"],
        client_id=options["client_id"],
        key=keys.key_facts(held.key.public_key()) if held else bundle.info.facts if bundle.info else None,
        csr=objects.csr(inputs.read(csr), name=csr).value if csr else None,
        crls=[each for crl in options["crls"] for each in objects.crl_values(inputs.read(crl), name=crl)],
        revocation_of_chain=options["revocation"] == "chain",
        strict=options["strict"],
        max_depth=options["max_depth"],
        file=bundle.certificates,
    )
    return question, held.file if held else skipped("key-file", "no private key was given", "add --key KEY")


def _ocsp(verdict: Verdict, question: Question, options: dict[str, Any]) -> list[Finding]:
    """What OCSP says of the path."""
    from certkit.net import ocsp
    from certkit.verify import crl_of

    return ocsp.check(
        verdict.path,
        at=question.at,
        now=inputs.now(),
        responses=[inputs.read(response) for response in options["responses"]],
        crls=[crl_of(each) for each in question.crls],
        ask=options["ocsp"],
        whole_chain=question.revocation_of_chain,
        timeout=options["timeout"],
    )


def _certificates(references: Sequence[str]) -> list[Certificate]:
    from certkit.x509 import objects

    return [
        each for reference in references for each in objects.certificate_values(inputs.read(reference), name=reference)
    ]
