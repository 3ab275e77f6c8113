"""What is in use: `certkit identity activate`, `rollback`, `discard`, `retire`, `copy` and `remove`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.shared import activating, inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import opened, store_option
from certkit.errors import InputError, RefusedError
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Identity, Store


@click.command()
@name_argument
@click.argument("generation", metavar="[GENERATION]", required=False)
@activating.deploying
@activating.probing
@in_store
def activate(output: Output, store: Store, *, name: str, generation: str | None, **options: Any) -> int:
    """Put a generation to use: the one that is named, or the one that was installed last.

    An identity with an address to probe is tried there first, and nothing moves if the partner refuses it. Then the
    deploy hooks run; again without a change only those of a run in which one failed.

    \b
    Example:
      certkit identity activate acme
    """
    from certkit.identity import activate as activation

    how = activating.how(store, require_name(name), **options)
    return tell(output, activation.activate(store, name, generation, how=how, now=inputs.now()))


@click.command()
@name_argument
@activating.deploying
@in_store
def rollback(output: Output, store: Store, *, name: str, deploy_hook: str | None) -> int:
    """Go back to the generation that was in use before, if its certificate is still valid.

    \b
    Example:
      certkit identity rollback acme
    """
    from certkit.identity import activate as activation

    how = activating.how(store, require_name(name), deploy_hook=deploy_hook, no_probe=True)
    return tell(output, activation.rollback(store, name, how=how, now=inputs.now()))


@click.command()
@name_argument
@in_store
def discard(output: Output, store: Store, *, name: str) -> int:
    """Drop the request that waits for an answer, as when the partner refused it.

    \b
    Example:
      certkit identity discard acme
    """
    from certkit.identity import pointer

    return tell(output, pointer.discard(store, require_name(name)))


@click.command()
@name_argument
@click.argument("generation", metavar="GENERATION")
@in_store
def retire(output: Output, store: Store, *, name: str, generation: str) -> int:
    """Put a generation out of use for good; not the one that is active.

    \b
    Example:
      certkit identity retire acme 0001
    """
    from certkit.identity import pointer

    return tell(output, pointer.retire(store, require_name(name), generation))


@click.command()
@name_argument
@click.option("--to", "target", metavar="STORE", required=True, help="The other store: file:DIR, vault://MOUNT/PREFIX.")
@store_option
@inputs.passphrase_option
@reporting
def copy(output: Output, *, name: str, target: str, store_uri: str | None, passphrase_file: str | None) -> int:
    """Copy an identity with every generation to another store, and prove that both are equal.

    Nothing is removed here; `certkit identity remove` does that. With a passphrase, a directory keeps the keys
    encrypted, there as here.

    \b
    Example:
      certkit identity copy acme --to file:elsewhere
    """
    from certkit.identity import copy as move

    require_name(name)
    secret = inputs.passphrase(passphrase_file)
    with opened(store_uri, output, passphrase=secret) as store, opened(target, output, passphrase=secret) as other:
        return tell(output, move.copy(store, other, name))


@click.command()
@name_argument
@click.option("--force", is_flag=True, help="Do not ask.")
@in_store
def remove(output: Output, store: Store, *, name: str, force: bool) -> int:
    """Remove an identity with all its keys and every version of them. It asks first; what is in use needs --force.

    \b
    Example:
      certkit identity remove acme --force
    """
    from certkit.stores.base import AbsentError

    is_there = True
    try:
        identity = store.load(require_name(name))
    except AbsentError:
        if not force:
            raise
        is_there = False
    if not force:
        _ask(identity)
    store.remove(name)  # what a run that was killed has left, too
    if output.as_json:
        output.document({"name": name, "changed": is_there, "status": "ok"})
    elif not output.quiet:
        output.result(f"{name} is removed\n" if is_there else f"{name} is not there, nothing changed\n")
    return 0


def _ask(identity: Identity) -> None:
    """Ask whether to remove an identity.

    Raises:
        InputError: nobody can be asked, or the answer is no.
        RefusedError: it is in use.
    """
    name, active = identity.name, identity.record.active
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError(f"{name}: nobody can be asked whether to remove it", hint="use --force")
    if active is not None:
        raise RefusedError(f"refused, {name}: generation {active} is in use", hint="use --force if nobody needs it")
    if not click.confirm(f"Remove {name} with {len(identity.generations)} generations and keys?", err=True):
        raise InputError(f"{name}: it was not removed", hint="answer y to remove it")
