"""`certkit wise setup`: all steps in order, from the client credentials to a call with mTLS."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.identity import in_store
from certkit.cli.key import key_type_option
from certkit.cli.shared import inputs
from certkit.cli.shared.output import progress
from certkit.cli.shared.stores import machine
from certkit.cli.wise import environment_options, policy_of
from certkit.errors import InputError
from certkit.printable import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store
    from certkit.wise.guide import Situation

_MAX_PASTED_LINES = 1000


@click.command()
@click.argument("name", metavar="NAME")
@environment_options
@click.option("--base-url", metavar="URL", help="Use this URL instead of Wise's API, such as a proxy.")
@click.option("--client-id", metavar="ID", help="Client id in this environment.")
@inputs.file_option("--client-secret-file", metavar="FILE", help="Read the client secret from this file's first line.")
@click.option("--redirect-uri", metavar="URI", help="Redirect URI configured at Wise for the client.")
@click.option("--redirect-url", metavar="URL", help="URL that the browser was redirected to; - reads stdin.")
@click.option("--profile", "profile_id", metavar="ID", help="Profile id, if the identity has several.")
@inputs.subject_options
@key_type_option(help="Key type.  [default: the policy's first]")
@inputs.file_option("--ca", metavar="FILE", help="Wise's CA certificate from Developer Hub.")
@inputs.file_option("--cert", metavar="FILE", help="Certificate from Developer Hub; - reads stdin.")
@inputs.file_option("--token-file", metavar="FILE", help="Use this access token (or CERTKIT_TOKEN).")
@click.option("--skip-oauth", is_flag=True, help="Skip the token steps, if you already have tokens.")
@inputs.timeout_option("Total time allowed per request.")
@in_store
def setup(output: Output, store: Store, *, name: str, **options: Any) -> int:
    """Follow Wise's guide step by step: access, token, key and CSR, certificate, and a first call with mTLS.

    Each run does every step that it can, then shows what is done and what comes next. You can stop at any time:
    everything is kept in the store. On a terminal it asks for what is missing; elsewhere it never waits.

    \b
    Example:
      certkit wise setup acme --environment sandbox --client-id acme \\
          --redirect-uri https://acme.example/wise
    """
    from certkit.api import setup as guided
    from certkit.report import setup as report
    from certkit.stores.record import require_name
    from certkit.wise import guide

    file = options.pop("client_secret_file")
    is_named = click.get_current_context().get_parameter_source("store_uri") is ParameterSource.COMMANDLINE
    command = functools.partial(guide.command, store_uri=store.uri if is_named else None)

    def show(found: Situation) -> None:
        output.text(report.text(found, command=command(found), paint=output.paint))

    pasted = options.pop("redirect_url")
    found = guided.run(
        store,
        require_name(name),
        machine(output.warn),
        policy_name=policy_of(environment=options.pop("environment"), policy_name=options.pop("policy_name")),
        client_secret=functools.partial(inputs.client_secret, file),
        required_secret=functools.partial(inputs.required_client_secret, file),
        redirect_url=None if pasted is None else inputs.typed(pasted),
        ca=inputs.data(options.pop("ca")),
        certificate=inputs.data(options.pop("cert")),
        token=inputs.token(options.pop("token_file")),
        person=_Terminal(show) if inputs.is_terminal() and not output.as_json else None,
        progress=progress,
        warn_of=output.warn_of,
        subject={each: options.pop(each) for each in inputs.SUBJECT_OPTIONS},
        **options,
    )
    inputs.policy(found.identity.record.settings.policy)  # warns if the environment is retired
    if output.as_json:
        output.document(report.document(found, command=command(found)))
    elif not output.quiet:
        show(found)
    return 0


@dataclass(frozen=True, slots=True)
class _Terminal:
    """A person at a terminal who is asked for missing values; `show` prints the progress so far."""

    show: Callable[[Any], None]

    def line(self, question: str, *, check: Callable[[str], object] | None = None) -> str | None:
        """Ask for a line, and again if `check` raises InputError for it. Return None if it is empty."""
        while True:
            answer: str = click.prompt(question, default="", show_default=False, err=True).strip()
            if not answer or check is None:
                return answer or None
            try:
                check(answer)
            except InputError as error:
                click.echo(sentences(error.message, error.hint), err=True)
            else:
                return answer

    def choice(self, question: str, choices: Sequence[str]) -> str:
        """Ask for one of some words; the first is the default."""
        answer: str = click.prompt(question, type=click.Choice(choices), default=choices[0], err=True)
        return answer

    def visit(self, url: str) -> None:
        """Ask the person to open a page."""
        click.echo(f"Open this page, choose an account and grant access: {url}", err=True)

    def certificate(self, what: str, found: Any) -> str | None:
        """Show the situation, and read certificates up to the first END line or from a file. Return None for Enter."""
        self.show(found)
        click.echo(f"Paste {what}, or type the name of its file (press Enter to do this later):", err=True)
        lines: list[str] = []
        while len(lines) < _MAX_PASTED_LINES and (read := sys.stdin.readline()):
            text = read.strip()
            if not lines and text and not text.startswith("-----"):
                return inputs.read(text).decode("ascii", "replace")
            if not text and not lines:
                return None
            lines.append(text)
            if text == "-----END CERTIFICATE-----":
                break
        return "\n".join([*lines, ""]) or None
