"""`certkit identity import`: adopt a pair that is in use already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import name_argument, tell
from certkit.cli.identity.options import ca_option, filled, given_policy, group_option, untrusted_option
from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import identities, store_option
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.api.arguments import Data
    from certkit.cli.shared.output import Output
    from certkit.csr.keyfile import HeldKey
    from certkit.secret import Secret


@click.command(name="import")
@name_argument
@inputs.policy_option
@inputs.file_option("--key", metavar="KEY", help="Private key.")
@inputs.file_option("--cert", metavar="CERT", help="Certificate, with or without its chain.")
@inputs.file_option("--pkcs12", metavar="FILE", help="A PKCS#12 bundle with both, instead of --key and --cert.")
@click.option("--client-id", metavar="ID", callback=filled, help="Common name that the certificate must have.")
@ca_option
@untrusted_option
@group_option
@store_option
@inputs.passphrase_option
@reporting
def import_(output: Output, *, name: str, key: str | None, cert: str | None, pkcs12: str | None, **options: Any) -> int:
    """Import a key and certificate that are already in use.

    Nothing is written unless key and certificate match, and the certificate passes the partner's rules. The
    passphrase that opens the key or the bundle also protects the key in a directory.

    \b
    Example:
      certkit identity import acme --policy wise-sandbox --key acme.key \\
          --cert acme.pem --ca wise-ca.pem
    """
    from certkit.stores.record import require_name

    require_name(name)
    secret = inputs.passphrase(options.pop("passphrase_file"))
    held, certificate = _pair(key, cert, pkcs12, secret)
    output.warn_of([held.file])
    options["untrusted"] = [inputs.data(each) for each in options["untrusted"]]
    options["ca"], options["policy"] = inputs.data(options["ca"]), given_policy(options.pop("policy_name"))
    with identities(options.pop("store_uri"), output, secret) as store:
        return tell(output, store.import_(name, certificate, key=held.key, **options))


def _pair(key: str | None, cert: str | None, pkcs12: str | None, secret: Secret | None) -> tuple[HeldKey, Data]:
    """The private key and the certificates, from two files or one.

    Raises:
        InputError: if something else than one pair is named, or it cannot be read.
    """
    if pkcs12 is not None and key is cert is None:
        return inputs.pkcs12(pkcs12, secret)
    if pkcs12 is None and key is not None and cert is not None:
        return inputs.private_key(key, secret), inputs.data(cert)
    hint = "give --key KEY --cert CERT, or --pkcs12 FILE"
    raise InputError("import needs the private key and its certificate", hint=hint)
