"""`certkit identity enroll`: create an identity and its first request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.identity.options import ca_option, filled, group_option, policy_of, settings_of
from certkit.cli.key import KEY_TYPES
from certkit.cli.shared import activating, inputs
from certkit.cli.shared.issuers import issuing
from certkit.cli.shared.output import progress
from certkit.cli.shared.stores import programs_for
from certkit.errors import after

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@inputs.policy_option
@inputs.subject_options
@click.option(
    "--type",
    "key_type",
    type=click.Choice(KEY_TYPES, case_sensitive=False),
    help="Key type.  [default: the policy's first]",
)
@click.option(
    "--client-id",
    metavar="ID",
    callback=filled,
    help="Common name that the partner will put in the certificate.",
)
@ca_option
@group_option
@click.option(
    "--issuer",
    metavar="ISSUER",
    default="manual",
    show_default=True,
    help="Who signs the request: manual, vault-pki:MOUNT/ROLE, command:PROGRAM or command:NAME.",
)
@click.option(
    "--probe",
    metavar="URL|policy",
    callback=filled,
    help="URL to probe before a certificate is activated; `policy`: the policy's URL.",
)
@activating.deploying
@activating.probing
@in_store
def enroll(output: Output, store: Store, *, name: str, **options: Any) -> int:
    """Make an identity: a private key, and a CSR by the partner's rules, to be handed in.

    It says what is to be done next; where the issuer answers at once, it does the rest. Again with the same options, or
    fewer, nothing changes.

    \b
    Example:
      certkit identity enroll wise-sandbox --policy wise-sandbox --organization "Acme Ltd" --country GB
    """
    from certkit.identity.enroll import enroll as run
    from certkit.identity.enroll import require_probe
    from certkit.stores.record import require_name

    wanted = settings_of(options, policy=policy_of(store, require_name(name), options["policy_name"]))
    if options["deploy_hook"] is not None:
        from certkit.identity.programs import storable_hook

        found = programs_for(store)
        wanted = replace(wanted, deploy_hook=storable_hook(options["deploy_hook"], found.own, found.host))
    policy = inputs.policy(wanted.policy)
    require_probe(wanted.probe, policy)
    done = run(store, name, wanted, policy, now=inputs.now(), progress=progress)
    with after(done.changed), issuing(store, done.identity, output) as issuer:
        if issuer is not None:
            from certkit.identity.renew import carry_through

            how = activating.how(store, done.identity, deploy_hook=None, no_probe=options["no_probe"])
            done = carry_through(store, done, policy, issuer=issuer, how=how, now=inputs.now())
    return tell(output, done)
