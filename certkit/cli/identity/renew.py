"""`certkit identity renew`: a new generation when it is time, by hand or from cron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import identities_of, in_store, overview_of
from certkit.cli.shared import activating, inputs
from certkit.cli.shared.issuers import issuing
from certkit.cli.shared.output import progress
from certkit.errors import CertkitError, InputError
from certkit.findings import Status, exit_code, roll_up
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.identity.enroll import Done
    from certkit.identity.renew import Renewed
    from certkit.stores.base import Identity, Store


@click.command()
@click.argument("name", metavar="NAME", required=False)
@click.option("--all", "all_", is_flag=True, help="Renew every identity in the store; continue after failures.")
@click.option("--force", is_flag=True, help="Renew even if it is not due.")
@click.option("--reuse-key", is_flag=True, help="Request a certificate for the active key.")
@click.option("--dry-run", is_flag=True, help="Show what would happen without changing anything.")
@click.option(
    "--jitter", metavar="DURATION", help="Delay the renewal window by up to this, differently for each identity."
)
@activating.deploying
@activating.probing
@in_store
def renew(output: Output, store: Store, *, name: str | None, all_: bool, **options: Any) -> int:
    """Renew an identity when it is time: a new key, a new request, and the rest if the issuer answers at once.

    It is time when the policy's window is open, or when a third of the lifetime is left. What is in use stays in use
    until the new generation has proved itself. Where nothing is due, it says so and exits 0. Where a request waits for
    a person, the exit code tells how near the end of the certificate in use is: 0, 1 or 2.

    \b
    Example:
      certkit identity renew --all --dry-run
    """
    if (name is None) != all_:
        raise InputError("give either NAME or --all", hint="give one identity's name, or use --all")
    if name is not None:
        renewed = _renew(output, store, store.load(require_name(name)), options)
        _say(output, renewed)
        if output.as_json:
            output.document(_document(renewed))
        return exit_code(renewed.said.status)
    return _renew_all(output, store, options)


def _renew_all(output: Output, store: Store, options: dict[str, Any]) -> int:
    """Renew all that there are; the exit code of the worst."""
    from certkit.report import json
    from certkit.stores.base import expected

    documents, statuses = [], []
    for name, identity in identities_of(output, store):
        try:
            renewed = _renew(output, store, expected(identity), options)
        except CertkitError as error:
            output.fail(error, name)
            documents.append(json.unread(name, error))
            statuses.append(Status(documents[-1]["status"]))
            continue
        _say(output, renewed)
        documents.append(_document(renewed))
        statuses.append(renewed.said.status)
    if output.as_json:
        output.document(documents)
    return exit_code(roll_up(statuses))


def _renew(output: Output, store: Store, identity: Identity, options: dict[str, Any]) -> Renewed:
    from datetime import timedelta

    from certkit.durations import Duration
    from certkit.identity.renew import Renewal
    from certkit.identity.renew import renew as run

    settings = identity.record.settings
    length = Duration.parse(options["jitter"]).fixed if options["jitter"] else timedelta()
    if length is None:
        raise InputError(f"not a duration: {options['jitter']!r}", hint="give for example 3d or 12h")
    with issuing(store, identity, output) as issuer:
        wanted = Renewal(
            issuer=issuer,
            how=activating.how(store, identity, deploy_hook=options["deploy_hook"], no_probe=options["no_probe"]),
            force=options["force"],
            reuse_key=options["reuse_key"],
            dry_run=options["dry_run"],
            jitter=length,
        )
        policy = inputs.policy(settings.policy)
        return run(store, identity, policy, wanted=wanted, now=inputs.now(), progress=progress)


def _say(output: Output, renewed: Renewed) -> None:
    """What was renewed, on standard output, and what waits for a person, on standard error."""
    done, said = renewed.done, renewed.said
    output.warn_of(done.findings)
    if said.hint and not (output.quiet and said.is_good):
        output.say(f"{said.message}. {said.hint[:1].upper()}{said.hint[1:]}")
    if output.as_json or output.quiet:
        return
    if done.changed:
        output.result(_text(output, done))
    elif not said.hint:
        output.result(f"{said.message}\n")


def _text(output: Output, done: Done) -> str:
    from certkit.report import text

    return text.identity(overview_of(done.identity), changed=done.changed, paint=output.paint)


def _document(renewed: Renewed) -> dict[str, Any]:
    from certkit.report import json

    return json.identity(overview_of(renewed.done.identity), changed=renewed.done.changed)
