"""`certkit store`: the place where identities live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import identities_of, in_store
from certkit.cli.shared.commands import LazyGroup
from certkit.findings import exit_code, roll_up

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.findings import Finding
    from certkit.stores.base import Store


@click.group(
    cls=LazyGroup,
    lazy={
        "check": ("certkit.cli.store:check", "Check whether a store works, and what is missing."),
        "migrate": ("certkit.cli.store:migrate", "Convert identities created by certkit 0.1.0."),
    },
)
def store() -> None:
    """Look after the store of identities: a directory, or HashiCorp Vault or OpenBao.

    \b
    Example:
      certkit store check --store file:identities
    """


@click.command()
@in_store
def check(output: Output, store: Store) -> int:
    """Say what works in a store, what is missing, and how to mend it.

    \b
    Example:
      certkit store check --store file:identities
    """
    from certkit.report import json

    findings = findings_of(store)
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        output.document(json.judged(status, store.uri, findings))
    else:
        output.judged(store.uri, status, findings)
    return exit_code(status)


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@in_store
def migrate(output: Output, store: Store, *, name: str | None) -> int:
    """Convert identities of certkit 0.1.0 to the present format: settings, state and log as documents of their own.

    In Vault this needs the operator's token. Review first what the old record trusts and runs: it was writable for
    everyone who may move the pointer.

    \b
    Example:
      certkit store migrate --store file:identities
    """
    names = [name] if name is not None else [found for found, _ in identities_of(output, store)]
    changed = [each for each in names if store.migrate(each)]
    if output.as_json:
        output.document({"changed": bool(changed), "migrated": changed, "status": "ok"})
    elif not output.quiet:
        output.result("".join(f"{each} migrated\n" for each in changed) or "nothing to migrate\n")
    return 0


def findings_of(store: Store) -> list[Finding]:
    """Check a store of either kind."""
    from certkit.stores.file.store import FileStore

    if isinstance(store, FileStore):
        from certkit.stores.file import check as of_files

        return of_files.check(store)
    from certkit.stores.vault import check as of_vault
    from certkit.stores.vault.store import VaultStore

    assert isinstance(store, VaultStore)  # noqa: S101  there are two kinds
    return of_vault.check(store)
