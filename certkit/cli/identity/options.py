"""Options and settings that several commands of `certkit identity` share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.shared import inputs
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.stores.base import Store
    from certkit.stores.record import Settings


def filled(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return the value of an option; an empty one, as from an unset variable, is bad usage."""
    if value == "":
        raise click.BadParameter("it is empty", param=parameter)
    return value


group_option = click.option(
    "--group", metavar="G", callback=filled, help="Group that may read the keys: keys 0640, directories 0750."
)
untrusted_option = inputs.file_option(
    "--untrusted", metavar="FILE", multiple=True, help="Intermediate certificates that complete the chain, PEM."
)
ca_option = inputs.file_option("--ca", metavar="FILE", help="CA certificates to trust, PEM.")


def policy_of(store: Store, name: str, given: str) -> str:
    """Return the policy that was named; without one that of the identity, if it exists, or the default."""
    from certkit.stores.base import AbsentError

    source = click.get_current_context().get_parameter_source("policy_name")
    if source is ParameterSource.DEFAULT:
        with contextlib.suppress(AbsentError):
            return store.load(name).record.settings.policy
    return given


def settings_of(options: dict[str, Any], *, policy: str) -> Settings:
    """Return the settings that the options describe."""
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
        hint = "give the partner's CA certificate, not the certificate issued for you"
        raise InputError(f"cannot trust {reference}: it contains no CA certificate", hint=hint)
    return pem(found).decode("ascii")
