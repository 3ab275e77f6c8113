"""`certkit identity renew`: create a new generation when it is due, by hand or from cron."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import deploy_option, document_of, in_identities, probe_option
from certkit.cli.shared import inputs
from certkit.cli.shared.stores import complete_identities
from certkit.errors import CertkitError, InputError
from certkit.findings import exit_code, roll_up
from certkit.printable import sentences

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output
    from certkit.identity.overview import Overview, Unread


@click.command()
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_identities)
@click.option("--all", "all_", is_flag=True, help="Renew every identity in the store; continue after failures.")
@click.option("--force", is_flag=True, help="Renew even if it is not due.")
@click.option("--reuse-key", is_flag=True, help="Request a certificate for the active key.")
@click.option("--dry-run", is_flag=True, help="Show what would happen without changing anything.")
@inputs.filled_option(
    "--jitter", metavar="DURATION", help="Delay the renewal window by up to this, differently for each identity."
)
@deploy_option("this activation only")
@probe_option
@in_identities
def renew(output: Output, store: IdentityStore, *, name: str | None, all_: bool, **options: Any) -> int:
    """Renew an identity if it is due: a new key, a new request, and the certificate if the issuer is automatic.

    Renewal is due once the policy's window opens, or when a third of the lifetime is left. The active pair stays active
    until the new one has passed every check. If nothing is due, it says so and exits 0. While a request is pending with
    a person, the exit code is that of the active certificate: 0, 1 or 2.

    \b
    Example:
      certkit identity renew --all --dry-run
    """
    if (name is None) != all_:
        raise InputError("give either NAME or --all", hint="see `certkit identity renew --help`")
    results: list[Overview | Unread] = (
        [store.renew(name, **options)]
        if name is not None
        else list(store.every(lambda each: store.renew(each, **options)))
    )
    for each in results:
        _say(output, each)
    if output.as_json:
        output.document([_entry(store, each) for each in results] if all_ else document_of(results[0]))
    return exit_code(roll_up((getattr(each, "outcome", None) or each).status for each in results))


def _entry(store: IdentityStore, found: Overview | Unread) -> dict[str, Any]:
    """Return the JSON of a renewal; a failed one has the facts of the identity as well, if these can be read."""
    entry = document_of(found)
    if "error" in entry:
        with contextlib.suppress(CertkitError):
            entry = {**document_of(store.show(found.name)), **entry}
    return entry


def _say(output: Output, found: Overview | Unread) -> None:
    """Print what was renewed on standard output, and pending requests and failures on standard error."""
    from certkit.identity.overview import Unread
    from certkit.report import text

    if isinstance(found, Unread):
        output.fail(found.error, found.name)
        return
    message = found.outcome
    assert message is not None  # noqa: S101  it was renewed
    output.warn_of(found.findings)
    if message.hint and not (output.quiet and message.is_good):
        output.say(sentences(message.message, message.hint))
    if output.as_json:
        return
    # Cron mails this output, so with -q it still contains the steps for a person and the CSR.
    is_for_a_person = (
        found.pending is not None and found.pending.csr is not None and (found.changed or not message.is_good)
    )
    if is_for_a_person or (found.changed and not output.quiet):
        output.text(text.identity(found, paint=output.paint))
    elif not message.hint and not output.quiet:
        output.text(f"{message.message}\n")
