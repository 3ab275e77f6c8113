"""Looking at identities, and handing them out: `certkit identity list`, `show` and `export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store, name_argument, tell, warn_of_nothing
from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import opened, store_option
from certkit.errors import CertkitError, InputError
from certkit.findings import Status, exit_code, roll_up
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.identity.overview import Overview
    from certkit.stores.base import Store

# As certkit.identity.export has them; spelt out, to start fast.
FORMS = ("pem", "pkcs12", "curl", "nginx")


@click.command(name="list")
@in_store
def list_(output: Output, store: Store) -> int:
    """Show all identities of a store; the exit code is that of the worst.

    A request that has waited for three days is at least a warning.

    \b
    Example:
      certkit identity list --store file:identities
    """
    from certkit.report import json, text

    found: list[Overview] = []
    errors: list[tuple[str, CertkitError]] = []
    for name in store.names():
        try:
            found.append(_overview(store, name))
        except CertkitError as error:
            errors.append((name, error))
    statuses = [*(each.status for each in found), *(Status.UNKNOWN for _ in errors)]
    statuses += [Status.WARNING for each in found if each.hangs]
    if output.as_json:
        output.document(
            [json.identity(each, changed=False) for each in found]
            + [json.unread(name, error) for name, error in errors]
        )
    else:
        shown = [each for each in found if not output.quiet or each.status is not Status.OK or each.hangs]
        output.result(text.identities(shown, paint=output.paint))
    for name, failed in errors:
        output.fail(failed, name)
    if not statuses:
        warn_of_nothing(output, store)
    return exit_code(roll_up(statuses))


@click.command()
@name_argument
@in_store
def show(output: Output, store: Store, *, name: str) -> int:
    """Show an identity, its generations, and what is to be done next; never a key.

    \b
    Example:
      certkit identity show acme
    """
    from certkit.identity.enroll import Done

    return tell(output, Done(store.load(require_name(name)), changed=False), only_reads=True)


@click.command()
@name_argument
@in_store
def log(output: Output, store: Store, *, name: str) -> int:
    """Show what happened to an identity: when, by whom, and with which key and certificate, a line of JSON each.

    \b
    Example:
      certkit identity log acme
    """
    events = store.load(require_name(name)).record.log
    if output.as_json:
        output.document([each.document() for each in events])
    else:
        output.result("".join(f"{each.line()}\n" for each in events))
    return 0


@click.command()
@name_argument
@inputs.file_option(
    "--out", "directory", metavar="DIR", required=True, help="A new directory, or one exported to before."
)
@click.option("--format", "form", type=click.Choice(FORMS), default="pem", show_default=True, help="What is written.")
@inputs.file_option("--deploy-hook", metavar="PROGRAM", help="Run this after a change; told by CERTKIT_… variables.")
@click.option("--group", metavar="G", help="Let this group read it: keys 0640, directories 0750.")
@inputs.file_option(
    "--out-passphrase-file", metavar="FILE", help="Encrypt a PKCS#12 bundle with another passphrase than the store's."
)
@store_option
@inputs.passphrase_option
@reporting
def export(output: Output, *, name: str, directory: str, **options: Any) -> int:
    """Write the active pair to a directory, for the programs of this host; to be repeated by cron.

    What is there already is not touched. Otherwise everything is switched in by one rename, and then the hook runs.

    \b
    Example:
      certkit identity export acme --out tls --format nginx
    """
    from certkit.identity.export import Wanted
    from certkit.identity.export import export as run

    require_name(name)
    secret, of_bundle = inputs.passphrase(options["passphrase_file"]), options["out_passphrase_file"]
    wanted = Wanted(
        directory=Path(directory),
        form=options["form"],
        group=_group(options["group"]),
        passphrase=secret if of_bundle is None else inputs.passphrase(of_bundle),
        hook=options["deploy_hook"],
        environment=os.environ,
    )
    with opened(options["store_uri"], output, passphrase=secret) as store:
        done = run(store, name, wanted)
    if output.as_json:
        document = {"name": name, "changed": done.changed, "status": "ok", "generation": done.generation}
        output.document(document | {"path": directory})
    elif not output.quiet:
        what = "was written to" if done.changed else "is unchanged in"
        output.result(f"generation {done.generation} of {name} {what} {directory}\n")
    return 0


def _overview(store: Store, name: str) -> Overview:
    from certkit.identity.overview import overview

    identity = store.load(name)
    return overview(identity, inputs.policy(identity.record.settings.policy), now=inputs.now())


def _group(name: str | None) -> int | None:
    """The number of a group.

    Raises:
        InputError: there is none of that name.
    """
    if name is None:
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise InputError(f"no such group: {name}", hint="make it: groupadd NAME") from None
