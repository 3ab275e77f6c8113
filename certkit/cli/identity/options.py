"""Options and settings that several commands of `certkit identity` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from collections.abc import Callable

group_option = click.option(
    "--group", metavar="G", callback=inputs.filled, help="Group that may read the keys: keys 0640, directories 0750."
)
untrusted_option = inputs.file_option(
    "--untrusted", metavar="FILE", multiple=True, help="Intermediate certificates that complete the chain, PEM."
)
ca_option = inputs.file_option("--ca", metavar="FILE", help="CA certificates to trust, PEM.")
probe_option = click.option("--no-probe", is_flag=True, help="Skip the probe this once.")


def deploy_option(when: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --deploy-hook; `when` says which activations run the program."""
    text = f"Program to run after {when}: a path, or a hook in the host configuration."
    return inputs.file_option("--deploy-hook", metavar="PROGRAM|NAME", help=text)


def given_policy(name: str) -> str | None:
    """Return the policy that was named on the command line; None if it is the option's default."""
    source = click.get_current_context().get_parameter_source("policy_name")
    return None if source is ParameterSource.DEFAULT else name
