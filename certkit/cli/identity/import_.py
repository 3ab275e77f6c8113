"""`certkit identity import`: adopt a pair that is in use already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import name_argument, tell
from certkit.cli.identity.options import ca_option, filled, group_option, policy_of, settings_of, untrusted_option
from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import opened, store_option

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command(name="import")
@name_argument
@inputs.policy_option
@inputs.file_option("--key", metavar="KEY", required=True, help="The private key.")
@inputs.file_option("--cert", metavar="CERT", required=True, help="The certificate, with those above it or without.")
@click.option("--client-id", metavar="ID", callback=filled, help="What the certificate should have as its common name.")
@ca_option
@untrusted_option
@group_option
@store_option
@inputs.passphrase_option
@reporting
def import_(output: Output, *, name: str, key: str, cert: str, **options: Any) -> int:
    """Adopt a pair that was made elsewhere and is in use already.

    Nothing is written unless key and certificate belong together, and the certificate holds by the partner's rules.

    \b
    Example:
      certkit identity import acme --policy wise-sandbox --key acme.key --cert acme.pem --ca wise-ca.pem
    """
    from certkit.identity.import_ import adopt
    from certkit.stores.record import require_name
    from certkit.x509 import objects

    require_name(name)
    secret = inputs.passphrase(options["passphrase_file"])
    held = inputs.private_key(key, secret)
    output.warn_of([held.file])
    with opened(options["store_uri"], output, passphrase=secret) as store:
        settings = settings_of(options, policy=policy_of(store, name, options["policy_name"]))
        bundle = settings.trust_bundle
        done = adopt(
            store,
            name,
            settings,
            inputs.policy(settings.policy),
            key=held.key,
            certificates=[
                found
                for each in (cert, *options["untrusted"])
                for found in objects.certificates(inputs.read(each), name=each)
            ],
            anchors=objects.certificates(bundle.encode(), name="the trust bundle") if bundle else None,
            now=inputs.now(),
        )
        return tell(output, done)
