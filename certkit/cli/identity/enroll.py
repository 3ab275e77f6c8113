"""Identities come to be: `certkit identity enroll`, `import` and `install`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.key import KEY_TYPES
from certkit.cli.shared import activating, inputs
from certkit.cli.shared.issuers import issuing
from certkit.cli.shared.output import Output, progress, reporting
from certkit.cli.shared.stores import opened, store_option
from certkit.errors import InputError, after

if TYPE_CHECKING:
    from certkit.stores.base import Store
    from certkit.stores.record import Settings


def _filled(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The value of an option; an empty one, as from a variable that is not set, is bad usage."""
    if value == "":
        raise click.BadParameter("it is empty", param=parameter)
    return value


group_option = click.option(
    "--group", metavar="G", callback=_filled, help="Let this group read the keys: 0640, directories 0750."
)
ca_option = inputs.file_option("--ca", metavar="FILE", help="The CAs to trust, PEM.")


@click.command()
@name_argument
@inputs.policy_option
@inputs.subject_options
@click.option("--type", "key_type", type=click.Choice(KEY_TYPES), help="The key's type.  [default: the policy's first]")
@click.option(
    "--client-id",
    metavar="ID",
    callback=_filled,
    help="What the partner will put in the certificate as its common name.",
)
@ca_option
@group_option
@click.option(
    "--issuer",
    metavar="ISSUER",
    default="manual",
    show_default=True,
    help="Who answers the request: manual, vault-pki:MOUNT/ROLE or command:PROGRAM.",
)
@click.option(
    "--probe",
    metavar="URL|policy",
    callback=_filled,
    help="Before a certificate is put to use, try it at this address; policy: at the policy's.",
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

    wanted = _settings(options, policy=_policy(store, require_name(name), options["policy_name"]))
    policy = inputs.policy(wanted.policy)
    require_probe(wanted.probe, policy)
    done = run(store, name, wanted, policy, now=inputs.now(), progress=progress)
    with after(done.changed), issuing(done.identity.record.settings.issuer, output) as issuer:
        if issuer is not None:
            from certkit.identity.renew import carry_through

            how = activating.how(store, name, deploy_hook=options["deploy_hook"], no_probe=options["no_probe"])
            done = carry_through(store, done, policy, issuer=issuer, how=how, now=inputs.now())
    return tell(output, done)


@click.command(name="import")
@name_argument
@inputs.policy_option
@inputs.file_option("--key", metavar="KEY", required=True, help="The private key.")
@inputs.file_option("--cert", metavar="CERT", required=True, help="The certificate, with those above it or without.")
@click.option(
    "--client-id", metavar="ID", callback=_filled, help="What the certificate should have as its common name."
)
@ca_option
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
        settings = _settings(options, policy=_policy(store, name, options["policy_name"]))
        done = adopt(
            store,
            name,
            settings,
            inputs.policy(settings.policy),
            key=held.key,
            certificates=objects.certificates(inputs.read(cert), name=cert),
            anchors=_trusted(settings),
            now=inputs.now(),
        )
    return tell(output, done)


@click.command()
@name_argument
@inputs.file_argument("certificate", metavar="CERT")
@ca_option
@click.option("--no-activate", is_flag=True, help="Leave what is in use as it is.")
@activating.deploying
@activating.probing
@in_store
def install(
    output: Output, store: Store, *, name: str, certificate: str, ca: str | None, no_activate: bool, **options: Any
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
    done, number = run(store, name, inputs.read(certificate), policy, trust_bundle=bundle, now=inputs.now())
    if not no_activate:
        with after(done.changed):
            how = activating.how(store, name, **options)
            moved = activate.activate(store, name, number, how=how, now=inputs.now())
        done = Done(moved.identity, done.changed or moved.changed, done.findings)
    return tell(output, done)


def _policy(store: Store, name: str, given: str) -> str:
    """The policy that was named; without one that of the identity, if it is there, or the default."""
    from certkit.stores.base import AbsentError

    source = click.get_current_context().get_parameter_source("policy_name")
    if source is ParameterSource.DEFAULT:
        with contextlib.suppress(AbsentError):
            return store.load(name).record.settings.policy
    return given


def _settings(options: dict[str, Any], *, policy: str) -> Settings:
    from certkit.identity.issuers import base as issuers
    from certkit.policy import catalogue
    from certkit.stores.record import Settings
    from certkit.x509.names import SubjectOptions

    return Settings(
        policy=catalogue.absolute(policy),
        subject=inputs.subject(options) if "organization" in options else SubjectOptions(),
        key_type=options.get("key_type"),
        issuer=issuers.absolute(options.get("issuer", issuers.MANUAL)),
        client_id=options["client_id"],
        probe=options.get("probe"),
        group=options["group"],
        trust_bundle=trust_bundle(options["ca"]),
    )


def trust_bundle(reference: str | None) -> str | None:
    """The CAs of a file as PEM, and nothing else of it.

    Raises:
        InputError: there is no certificate, or none that may be a CA's.
    """
    if reference is None:
        return None
    from certkit.identity.install import is_root, pem
    from certkit.x509 import describe, objects

    found = objects.certificates(inputs.read(reference), name=reference)
    if not any(describe.is_ca(each) or is_root(each) for each in found):
        hint = "give the certificate of the partner's CA, not the one that was issued for you"
        raise InputError(f"cannot trust, {reference}: it holds no certificate of a CA", hint=hint)
    return pem(found).decode("ascii")


def _trusted(settings: Settings) -> list[Any] | None:
    from certkit.x509 import objects

    bundle = settings.trust_bundle
    return objects.certificates(bundle.encode(), name="the trust bundle") if bundle else None
