"""`certkit identity update`: change the settings of an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.identity.options import ca_option, filled, trust_bundle
from certkit.cli.shared import inputs
from certkit.errors import InputError
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@ca_option
@click.option(
    "--replace-ca", is_flag=True, help="Replace the trust bundle with the CAs in --ca instead of adding them."
)
@click.option("--client-id", metavar="ID", callback=filled, help="Common name that certificates must have.")
@click.option("--issuer", metavar="ISSUER", callback=filled, help="manual, vault-pki:MOUNT/ROLE or command:NAME.")
@click.option("--probe", metavar="URL|policy|none", callback=filled, help="URL to probe before activating.")
@click.option(
    "--deploy-hook", metavar="PROGRAM|NAME|none", callback=filled, help="Program to run after each activation."
)
@click.option("--group", metavar="G", callback=filled, help="Group that may read the keys.")
@click.option("--force", is_flag=True, help="Change the CAs even if the active certificate no longer verifies.")
@in_store
def update(
    output: Output, store: Store, *, name: str, ca: str | None, replace_ca: bool, force: bool, **options: Any
) -> int:
    """Change the settings of an identity: CAs, client id, issuer, probe address, group.

    CAs are added to the trust bundle; --replace-ca replaces it, unless the active certificate would no longer verify.

    \b
    Example:
      certkit identity update acme --ca wise-ca.pem
    """
    from certkit.identity.enroll import require_probe
    from certkit.identity.issuers import base as issuers
    from certkit.identity.update import Changes
    from certkit.identity.update import update as run
    from certkit.x509 import objects

    identity = store.load(require_name(name))
    policy = inputs.policy(identity.record.settings.policy)
    settings = {each: value for each, value in options.items() if value is not None}
    if replace_ca and ca is None:
        raise InputError("--replace-ca needs --ca", hint="give the CAs: --ca FILE")
    if "issuer" in settings:
        settings["issuer"] = issuers.absolute(settings["issuer"])
    if settings.get("deploy_hook") == "none":
        settings["deploy_hook"] = None
    elif "deploy_hook" in settings:
        from certkit.cli.shared.stores import programs_for
        from certkit.identity.programs import storable_hook

        found = programs_for(store)
        settings["deploy_hook"] = storable_hook(settings["deploy_hook"], found.own, found.host)
    if settings.get("probe") == "none":
        settings["probe"] = None
    require_probe(settings.get("probe"), policy)
    bundle = trust_bundle(ca)
    anchors = objects.certificates(bundle.encode(), name=ca) if bundle and ca else []
    changes = Changes(anchors=anchors, replaces_anchors=replace_ca, settings=settings)
    return tell(output, run(store, identity, policy, changes, force=force, now=inputs.now()))
