"""`certkit verify`: check a certificate."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.findings import exit_code

# The options that `certkit.verify` takes under the same names.
_SAME = ("no_chain", "purpose", "client_id", "hostname", "email", "max_depth", "strict", "timeout")


@click.command()
@inputs.file_argument("source", metavar="CERT")
@inputs.file_option(
    "--ca",
    "cas",
    multiple=True,
    metavar="FILE|DIR|system",
    help="Trust the CA certificates in this file or directory, or the system's; may be repeated.",
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
@inputs.filled_option(
    "--client-id", "--common-name", metavar="ID", help="Check that the common name is this client id."
)
@click.option(
    "--purpose",
    type=click.Choice(["client", "server", "any"]),
    default="client",
    show_default=True,
    help="Required purpose.",
)
@inputs.filled_option(
    "--hostname", metavar="NAME", help="Check that the certificate is valid for this DNS name or IP address."
)
@inputs.filled_option("--email", metavar="ADDRESS", help="Check that the certificate is valid for this e-mail address.")
@click.option(
    "--max-depth",
    metavar="N",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="Maximum number of intermediates.",
)
@click.option("--strict", is_flag=True, help="Apply every rule of RFC 5280, and the Web PKI's rules to servers.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=inputs.Seconds(min=0, min_open=True, max=600),
    default=10,
    show_default=True,
    help="Time allowed per OCSP responder.",
)
@inputs.filled_option("--at", metavar="TIME", help="Evaluate as of this time: RFC 3339 or a date.  [default: now]")
@inputs.proxy_option
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
      key-match            your key is not the certificate's
      key-type             its key is too weak, or of a type that is not accepted
      signature-algorithm  it is signed with SHA-1 or MD5
      extensions           it breaks a rule of RFC 5280, or names another key
      policy               it is valid for longer than the partner's certificates
      revocation           it is revoked (--crl, --ocsp), or its status is unknown

    \b
    Example:
      certkit verify acme.pem --ca wise-ca.pem --key acme.key \\
          --policy wise-sandbox
    """
    from certkit.api.checks import verify as check
    from certkit.report import json, text
    from certkit.times import parse_time

    at = parse_time(options["at"]) if options["at"] else inputs.now()
    secret, policy = inputs.passphrase(options["passphrase_file"]), inputs.policy(options["policy_name"])
    held = inputs.private_key(options["key"], secret) if options["key"] else None
    report = check(
        inputs.data(source),
        ca=[inputs.trusted(each) for each in options["cas"]] or None,
        pins=list(map(inputs.data, options["pins"])),
        untrusted=list(map(inputs.data, options["untrusted"])),
        crls=list(map(inputs.data, options["crls"])),
        ocsp=options["ocsp"],
        ocsp_responses=list(map(inputs.data, options["responses"])),
        key=held,
        csr=inputs.data(options["csr_source"]),
        passphrase=secret,
        policy=options["policy_name"],
        whole_chain_revocation=options["revocation"] == "chain",
        now=at,
        **{name: options[name] for name in _SAME},
    )
    chain = [astuple(each) for each in report.chain]
    if output.as_json:
        document = report.as_dict()
        output.document(document | json.evidence(chain, report.valid_until))
    else:
        output.judged(f"{source} for {policy.name}", report.status, report.findings)
        if not output.quiet:
            output.text(text.evidence(chain, report.valid_until, at=at))
    return exit_code(report.status)
