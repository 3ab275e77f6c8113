"""`certkit identity install`: install the certificate issued for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.identity.options import ca_option, untrusted_option
from certkit.cli.shared import activating, inputs
from certkit.errors import after

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@inputs.file_argument("certificate", metavar="CERT")
@ca_option
@untrusted_option
@click.option("--no-activate", is_flag=True, help="Install only; do not activate.")
@activating.deploying
@activating.probing
@in_store
def install(
    output: Output,
    store: Store,
    *,
    name: str,
    certificate: str,
    ca: str | None,
    untrusted: tuple[str, ...],
    no_activate: bool,
    **options: Any,
) -> int:
    """Take in the certificate that answers a request, and put it to use.

    CERT is a file, or - for what is pasted: PEM with or without the chain, however it was copied. It is matched to the
    request by its public key, and nothing is written unless every check holds.

    \b
    Example:
      certkit identity install acme acme.pem --ca wise-ca.pem
    """
    from certkit.identity import activate
    from certkit.identity.enroll import Done
    from certkit.identity.install import install as run
    from certkit.stores.record import require_name

    identity = store.load(require_name(name))
    policy = inputs.policy(identity.record.settings.policy)
    bundle = inputs.read(ca) if ca is not None else None
    others = inputs.untrusted(untrusted)
    done, number = run(
        store, identity, inputs.read(certificate), policy, trust_bundle=bundle, untrusted=others, now=inputs.now()
    )
    if not no_activate:
        with after(done.changed):
            how = activating.how(store, done.identity, **options)
            moved = activate.activate(store, done.identity, number, how=how, now=inputs.now())
        done = Done(moved.identity, done.changed or moved.changed, done.findings)
    return tell(output, done)
