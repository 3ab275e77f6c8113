"""`certkit verify`: whether a certificate may be relied upon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli import inputs
from certkit.cli.output import Output, reporting
from certkit.errors import InputError
from certkit.findings import exit_code, roll_up, skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEM = "system"


@click.command()
@inputs.file_argument("source", metavar="CERT")
@click.option("--ca", "cas", multiple=True, metavar="FILE|DIR|system", help="Trust the CAs in it; may be repeated.")
@inputs.file_option("--untrusted", multiple=True, metavar="FILE", help="Intermediates that may help; may be repeated.")
@click.option("--no-chain", is_flag=True, help="Do not ask who issued the certificate.")
@inputs.file_option("--key", metavar="KEY", help="Check that this private key belongs to it.")
@inputs.file_option("--csr", "csr_source", metavar="CSR", help="Check that it answers this CSR: key and organization.")
@inputs.policy_option
@click.option("--client-id", "--common-name", metavar="ID", help="Check that the common name is this client id.")
@click.option("--purpose", type=click.Choice(["client", "server", "any"]), default="client", show_default=True)
@click.option("--hostname", metavar="NAME", help="Check its alternative names for this DNS name or IP address.")
@click.option("--max-depth", type=click.IntRange(min=0), default=8, show_default=True, help="Most intermediates.")
@click.option("--at", metavar="TIME", help="Judge that moment: RFC 3339 or a date.  [default: now]")
@inputs.passphrase_option
@reporting
def verify(output: Output, *, source: str, **options: Any) -> int:
    """Judge whether a certificate may be relied upon for mutual TLS.

    CERT may hold its intermediates too; its first certificate is judged. Chain, dates, purpose, name, key, strength
    and the partner's limits are all checked, and every finding is shown. Exits 0 if all is well, 1 for a warning,
    2 if a check failed, 3 if something could not be decided.

    \b
    Example:
      certkit verify acme.pem --ca wise-ca.pem --key acme.key --policy wise-sandbox
    """
    from certkit.core import names, objects
    from certkit.core import verify as verification
    from certkit.core.keys import key_facts
    from certkit.core.times import parse_time
    from certkit.report import json

    if options["client_id"] and options["hostname"]:
        raise InputError("usage: --client-id and --hostname exclude each other", hint="give one of them")
    policy = inputs.policy(options["policy_name"])
    leaf, *extra = objects.certificates(inputs.read(source), name=source)
    held = inputs.private_key(options["key"], inputs.passphrase(options["passphrase_file"])) if options["key"] else None
    csr_source = options["csr_source"]
    verdict = verification.verify(
        verification.Question(
            leaf=leaf,
            policy=policy,
            at=parse_time(options["at"]) if options["at"] else inputs.now(),
            anchors=_anchors(options["cas"]),
            untrusted=[*extra, *_certificates(options["untrusted"])],
            needs_chain=not options["no_chain"],
            purpose=options["purpose"],
            hostname=options["hostname"],
            client_id=options["client_id"],
            key=key_facts(held.key.public_key()) if held else None,
            csr=objects.csr(inputs.read(csr_source), name=csr_source).value if csr_source else None,
            max_depth=options["max_depth"],
        )
    )
    key_file = held.file if held else skipped("key-file", "no private key was given", "add --key KEY")
    findings = [*verdict.findings, key_file]
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        output.document(json.judged(status, names.subject_or_none(leaf), findings))
    else:
        output.judged(f"{source} for {policy.name}", status, findings)
    return exit_code(status)


def _anchors(references: Sequence[str]) -> list[Any] | None:
    """The certificates to trust; None where nothing was named."""
    if not references:
        return None
    found = []
    for reference in references:
        found += _system_roots() if reference == SYSTEM else _trusted(reference)
    return found


def _trusted(reference: str) -> list[Any]:
    """The certificates of a file, or of the files of a directory, of which some may hold other things."""
    from certkit import files
    from certkit.core import objects

    if not files.is_directory(reference):
        return _certificates([reference])
    listed = files.listing(reference)
    found = [each for path in listed for each in objects.certificates(files.read(path), name=path, may_be_none=True)]
    if not found:
        raise InputError(f"cannot read, {reference}: no file in it holds a certificate", hint="check --ca")
    return found


def _certificates(references: Sequence[str]) -> list[Any]:
    from certkit.core import objects

    return [each for reference in references for each in objects.certificates(inputs.read(reference), name=reference)]


def _system_roots() -> list[Any]:
    import ssl

    paths = ssl.get_default_verify_paths()
    for place in (paths.cafile, paths.capath):
        if place:
            return _trusted(place)
    raise InputError("cannot read, system: this machine has no store of trusted CAs", hint="name a CA file with --ca")
