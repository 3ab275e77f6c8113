"""`certkit probe`: check whether a server accepts a client certificate, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.shared.stores import complete_identities, identities, store_option
from certkit.errors import InputError
from certkit.findings import exit_code

if TYPE_CHECKING:
    from certkit.probe import Probe


@click.command()
@click.argument("where", metavar="[URL|HOST[:PORT]]", required=False)
@click.option(
    "--identity",
    metavar="NAME",
    shell_complete=complete_identities,
    help="Use this identity's certificate and trust bundle.",
)
@inputs.filled_option("--generation", metavar="GENERATION", help="Generation to use (default: the active one).")
@inputs.file_option("--cert", metavar="CERT", help="Client certificate, with its intermediates.")
@inputs.file_option("--key", metavar="KEY", help="Private key (default: the one in the --cert file).")
@click.option(
    "--policy",
    "policy_name",
    metavar="POLICY",
    shell_complete=inputs.complete_policies,
    help="Policy whose probe URL is used if no URL is given.",
)
@inputs.file_option(
    "--ca",
    "cas",
    multiple=True,
    metavar="FILE|DIR|system",
    help="CAs to trust for the server (default: the identity's bundle, or system); may be repeated.",
)
@inputs.file_option(
    "--token-file", metavar="FILE", help="File with the access token (or CERTKIT_TOKEN, or the identity's token)."
)
@inputs.timeout_option("Total time allowed.", most=600)
@store_option
@inputs.passphrase_option
@reporting
def probe(output: Output, *, where: str | None, **options: Any) -> int:
    """Connect to a server with a client certificate, and explain how the server reacts.

    Makes a real TLS 1.2 or 1.3 connection, sends a request and reads the whole response, because many servers reject a
    certificate only then. The server is verified during the handshake; an untrusted server gets neither the
    certificate nor the token. Without --ca or an identity's trust bundle, the CAs of this machine are trusted. Exits 0
    if everything is OK, 1 for a warning, 2 if the certificate, the token or the server is rejected, 3 if the server was
    not reached.

    \b
    Example:
      certkit probe https://api.example/v1/me --cert acme.pem --key acme.key \\
          --ca wise-ca.pem
    """
    from certkit.report import json, text

    _require_one_certificate(options)
    found = _probed(where, options, output)
    if output.as_json:
        output.document(json.probed(found))
    else:
        output.judged(str(found.target), found.status, found.findings)
        if not output.quiet:
            output.text(text.probed(found))
    return exit_code(found.status)


def _probed(where: str | None, options: dict[str, Any], output: Output) -> Probe:
    """Probe with an identity, or with a certificate and key from one or two files."""
    from certkit.api.checks import probe as with_pair

    secret = inputs.passphrase(options["passphrase_file"])
    asked = {
        "policy": options["policy_name"],
        "ca": [inputs.trusted(each) for each in options["cas"]] or None,
        "token": inputs.token(options["token_file"]),
        "timeout": options["timeout"],
    }
    if options["identity"] is not None:
        with identities(options["store_uri"], output, secret) as store:
            return store.probe(options["identity"], where, generation=options["generation"], **asked)
    if options["policy_name"] is not None:
        inputs.policy(options["policy_name"])  # warns if it is retired
    certificate, held = inputs.pair(options["cert"], options["key"], secret)
    return with_pair(where, certificate, key=held, **asked)


def _require_one_certificate(options: dict[str, Any]) -> None:
    hint = "give --identity NAME, or --cert CERT and --key KEY"
    if options["identity"] is not None and (options["cert"] or options["key"]):
        raise InputError("--identity and --cert exclude each other", hint=hint)
    if options["identity"] is None and options["cert"] is None:
        raise InputError("no client certificate given", hint=hint)
    if options["generation"] is not None and options["identity"] is None:
        raise InputError("--generation needs --identity", hint="give --identity NAME")
