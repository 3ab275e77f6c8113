"""`certkit probe`: check whether a server accepts a client certificate, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.shared.stores import opened, store_option
from certkit.errors import InputError
from certkit.findings import exit_code, roll_up, skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

    from certkit.findings import Finding
    from certkit.net.tls import Credentials
    from certkit.secret import Secret
    from certkit.stores.base import Store


@click.command()
@click.argument("where", metavar="[URL|HOST[:PORT]]", required=False)
@click.option("--identity", metavar="NAME", help="Use this identity's certificate and trust bundle.")
@click.option("--generation", metavar="GENERATION", help="Generation to use (default: the active one).")
@inputs.file_option("--cert", metavar="CERT", help="Client certificate, with its intermediates.")
@inputs.file_option("--key", metavar="KEY", help="Private key (default: the one in the --cert file).")
@click.option(
    "--policy",
    "policy_name",
    metavar="POLICY",
    shell_complete=inputs.complete_policies,
    help="Policy whose probe URL is used if no URL is given.",
)
@click.option(
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
@click.option(
    "--proxy",
    metavar="URL",
    envvar="CERTKIT_PROXY",
    help="Proxy, http://HOST:PORT (default: CERTKIT_PROXY or https_proxy; empty: none).",
)
@store_option
@inputs.passphrase_option
@reporting
def probe(output: Output, *, where: str | None, **options: Any) -> int:
    """Connect to a server with a client certificate, and explain how the server reacts.

    Makes a real connection in TLS 1.2 or 1.3, sends a request and reads the whole answer, since many servers refuse a
    certificate only then. The server is verified during the handshake; one that is not trusted sees neither the
    certificate nor the token. Without --ca or an identity's trust bundle, the CAs of this machine are trusted. Exits 0
    if everything is OK, 1 for a warning, 2 if the certificate, the token or the server is refused, 3 if the server was
    not reached.

    \b
    Example:
      certkit probe https://api.example/v1/me --cert acme.pem --key acme.key --ca wise-ca.pem
    """
    from certkit import probe as probing
    from certkit.report import json, text

    _require_one_certificate(options)
    _refuse_a_password_in_arguments(options["proxy"])
    secret = inputs.passphrase(options["passphrase_file"])
    if options["identity"] is not None:
        url, credentials, anchors, token, key_file = _of_identity(where, options, output, secret)
    else:
        token = inputs.token(options["token_file"])
        url, anchors = where or url_of(options["policy_name"]), None
        credentials, key_file = _of_files(options["cert"], options["key"], secret)
    found = probing.probe(
        probing.target(url),
        credentials=credentials,
        anchors=inputs.anchors(options["cas"]) or anchors,
        token=token,
        now=inputs.now(),
        timeout=options["timeout"],
        proxy=options["proxy"],
    )
    findings = [*found.findings, key_file]
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        output.document(json.probed(found, findings))
    else:
        output.judged(str(found.target), status, findings)
        if not output.quiet:
            output.result(text.probed(found))
    return exit_code(status)


def _of_files(cert: str, key: str | None, secret: Secret | None) -> tuple[Credentials, Finding]:
    """Return the pair of two files, or of one that holds both."""
    try:
        return inputs.credentials(cert, key or cert, secret)
    except InputError as error:
        if key is None and b"PRIVATE KEY-----" not in inputs.read(cert):
            hint = "give --cert CERT and --key KEY, or --identity NAME"
            raise InputError(f"--cert needs --key as well: {cert} holds no private key", hint=hint) from error
        raise


def _require_one_certificate(options: dict[str, Any]) -> None:
    hint = "give --identity NAME, or --cert CERT and --key KEY"
    if options["identity"] is not None and (options["cert"] or options["key"]):
        raise InputError("--identity and --cert exclude each other", hint=hint)
    if options["identity"] is None and options["cert"] is None:
        raise InputError("no client certificate given", hint=hint)
    if options["generation"] is not None and options["identity"] is None:
        raise InputError("--generation needs --identity", hint="give --identity NAME")


def _refuse_a_password_in_arguments(proxy: str | None) -> None:
    """Refuse a proxy's user and password in the arguments, which every user of this machine can read."""
    source = click.get_current_context().get_parameter_source("proxy")
    if proxy is not None and "@" in proxy and source is ParameterSource.COMMANDLINE:
        hint = "other users can read arguments: put the URL in CERTKIT_PROXY"
        raise InputError("--proxy contains a user name and a password", hint=hint)


def _of_identity(
    where: str | None, options: dict[str, Any], output: Output, secret: Secret | None
) -> tuple[str, Credentials, Sequence[x509.Certificate] | None, Secret | None, Finding]:
    """Return the URL, the credentials, the trust bundle, the token, and the finding about the key's file."""
    from certkit.identity.credentials import shown
    from certkit.stores.record import require_name

    name = require_name(options["identity"])
    with opened(options["store_uri"], output, passphrase=secret) as store:
        identity = store.load(name)
        settings = identity.record.settings
        own = settings.probe if settings.probe and settings.probe != "policy" else None
        url = where or (None if options["policy_name"] else own) or url_of(options["policy_name"] or settings.policy)
        found = shown(store, identity, options["generation"])
        token = inputs.token(options["token_file"]) or _stored_token(store, name, output)
    key_file = skipped("key-file", f"the key is the stored key of generation {found.generation}")
    return url, found.credentials, found.anchors, token, key_file


def _stored_token(store: Store, name: str, output: Output) -> Secret | None:
    """Return the identity's access token, if it has one that has not expired."""
    from certkit.wise.tokens import access_token

    try:
        return access_token(store, name, now=inputs.now())
    except InputError as error:  # several, or one that cannot be read
        output.warn_about(error)
        return None


def url_of(policy: str | None) -> str:
    """Return the URL that a policy has for probes.

    Raises:
        InputError: if it has none, or there is no policy.
    """
    if policy is None:
        raise InputError("no server given", hint="give URL, HOST:PORT or --policy")
    url = inputs.policy(policy).hosts.probe_url
    if not url:
        raise InputError(f"policy {policy} has no URL for probes", hint="give URL or HOST:PORT")
    return url
