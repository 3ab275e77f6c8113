"""`certkit identity import`: adopt a key and certificate that are already in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import ca_option, given_policy, group_option, name_argument, print_identity, untrusted_option
from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import identities, store_option
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command(name="import")
@name_argument
@inputs.policy_option
@inputs.file_option("--key", metavar="KEY", help="Private key.")
@inputs.file_option("--cert", metavar="CERT", help="Certificate, with or without its chain.")
@inputs.file_option("--pkcs12", metavar="FILE", help="A PKCS#12 bundle with both, instead of --key and --cert.")
@inputs.filled_option("--client-id", metavar="ID", help="Common name that the certificate must have.")
@ca_option
@untrusted_option
@group_option
@store_option
@inputs.passphrase_option
@reporting
def import_(output: Output, *, name: str, key: str | None, cert: str | None, pkcs12: str | None, **options: Any) -> int:
    """Import a key and certificate that are already in use.

    Nothing is written unless key and certificate match, and the certificate passes the partner's rules. The
    passphrase that opens the key or the bundle also encrypts the key in a store that is a directory.

    \b
    Example:
      certkit identity import acme --policy wise-sandbox --key acme.key \\
          --cert acme.pem --ca wise-ca.pem
    """
    from certkit.stores.record import require_name

    require_name(name)
    if (pkcs12 is None) == (key is None or cert is None) or (pkcs12 and (key or cert)):
        hint = "give --key KEY --cert CERT, or --pkcs12 FILE"
        raise InputError("import needs the private key and its certificate", hint=hint)
    secret = inputs.passphrase(options.pop("passphrase_file"))
    hint = "give a bundle that contains the key, or --key KEY --cert CERT instead of --pkcs12"
    certificate, held = inputs.pair(pkcs12 or cert or "", key, secret, hint=hint)
    options["untrusted"] = [inputs.data(each) for each in options["untrusted"]]
    options["ca"], options["policy"] = inputs.data(options["ca"]), given_policy(options.pop("policy_name"))
    with identities(options.pop("store_uri"), output, secret) as store:
        return print_identity(output, store.import_(name, certificate, key=held, **options))
