"""`certkit inspect`: show the contents of files, and the certificates of live hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.errors import CertkitError, InputError

if TYPE_CHECKING:
    from certkit.secret import Secret
    from certkit.x509.items import Budget


@click.command()
@inputs.file_argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--all", "show_all", is_flag=True, help="Show every name and object, without a limit.")
@inputs.proxy_option
@inputs.passphrase_option
@reporting
def inspect(output: Output, *, sources: tuple[str, ...], show_all: bool, passphrase_file: str | None) -> int:
    """Show the contents of keys, CSRs, certificates, bundles, PKCS#12 files and CRLs, in PEM or DER.

    Private keys are never printed, only their facts. For a live host, HOST:PORT or tls://HOST:PORT (see `certkit expiry
    --help`), it shows the certificates that the host presents, unverified. Exits 0 if everything could be read, 3
    otherwise.

    \b
    Example:
      certkit inspect acme.csr
    """
    from certkit.expiry.sources.parsing import is_live
    from certkit.processes import Allowance
    from certkit.report import json, text
    from certkit.x509.items import Budget

    budget = Budget(Allowance())
    secret = inputs.passphrase(passphrase_file)
    documents: list[dict[str, Any]] = []
    errors: list[CertkitError] = []
    for source in sources:
        described, problems = _describe_host(source) if is_live(source) else _describe(source, secret, budget)
        errors += problems
        documents += [{"kind": facts["kind"], "source": source, **facts} for facts in described]
        if not output.as_json:
            output.text(text.objects(source, described, show_all=show_all))
    if output.as_json:
        output.document(documents if not errors else {**json.error(errors[0]), "objects": documents})
    for error in errors:
        output.fail(error)
    return 3 if errors else 0


def _describe_host(source: str) -> tuple[list[dict[str, Any]], list[CertkitError]]:
    """The certificates that a live host presents, described, and what went wrong."""
    from certkit.expiry.sources.base import Failure, Sighting
    from certkit.expiry.sources.endpoint import Endpoint, EndpointSource
    from certkit.x509 import describe
    from certkit.x509.certificate import Certificate
    from certkit.x509.items import Kind

    described: list[dict[str, Any]] = []
    errors: list[CertkitError] = []
    try:
        for found in EndpointSource((Endpoint.parse(source),)).look():
            if isinstance(found, Sighting):
                described += [
                    {"kind": Kind.CERTIFICATE.value, **describe.certificate(each)}
                    for each in found.values
                    if isinstance(each, Certificate)
                ]
            elif isinstance(found, Failure):
                errors.append(InputError(found.message, hint=found.hint))
    except InputError as error:
        errors.append(error)
    return described, errors


def _describe(source: str, secret: Secret | None, budget: Budget) -> tuple[list[dict[str, Any]], list[CertkitError]]:
    """The objects of one source, described, and what could not be read."""
    from certkit.api.checks import described

    try:
        data = inputs.read(source)
    except CertkitError as error:
        return [], [error]
    source = "standard input" if source == inputs.STDIN else source
    found, problems, failure = described(data, source, secret, budget)
    errors: list[CertkitError] = []
    if problems:
        more = f" (and fields of {len(problems) - 1:,} more objects)" if len(problems) > 1 else ""
        hint = "the object breaks the standard; ask its issuer for a correct one"
        errors.append(InputError(f"cannot read {source}: {problems[0]}{more}", hint=hint))
    if failure is not None:
        errors.append(failure)
    return found, errors
