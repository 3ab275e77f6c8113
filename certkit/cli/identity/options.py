"""Options and settings that several commands of `certkit identity` share."""

from __future__ import annotations

import click
from click.core import ParameterSource

from certkit.cli.shared import inputs

group_option = click.option(
    "--group", metavar="G", callback=inputs.filled, help="Group that may read the keys: keys 0640, directories 0750."
)
untrusted_option = inputs.file_option(
    "--untrusted", metavar="FILE", multiple=True, help="Intermediate certificates that complete the chain, PEM."
)
ca_option = inputs.file_option("--ca", metavar="FILE", help="CA certificates to trust, PEM.")


def given_policy(name: str) -> str | None:
    """Return the policy that was named on the command line; None if it is the option's default."""
    source = click.get_current_context().get_parameter_source("policy_name")
    return None if source is ParameterSource.DEFAULT else name
