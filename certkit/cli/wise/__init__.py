"""`certkit wise`: the parts of the Wise Platform besides keys and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

# The environments of certkit.wise.addresses, repeated here to avoid importing it for help.
ENVIRONMENTS = ("sandbox", "sandbox-legacy", "production")
WHICH_HINT = f"give one of {', '.join(ENVIRONMENTS)}, or --policy for a rehearsal"


def environment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --environment and --policy, for an identity that does not exist yet."""
    policy = inputs.file_option(
        "--policy",
        "policy_name",
        metavar="POLICY",
        help="Policy to use instead of --environment, such as a rehearsal's.",
    )
    environment = click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Wise environment.")
    decorated: Callable[..., Any] = environment(policy(command))
    return decorated


def policy_of(*, environment: str | None, policy_name: str | None) -> str | None:
    """Return the policy that these options select, by name or absolute path; None without them.

    Raises:
        InputError: if both are given.
    """
    if environment is not None and policy_name is not None:
        hint = "leave --environment out: a policy names its environment"
        raise InputError("--environment and --policy exclude each other", hint=hint)
    from certkit.wise import addresses

    return addresses.chosen_policy(environment, policy_name)


@click.group(
    cls=CommandGroup,
    lazy={
        "authorize-url": ("certkit.cli.wise.authorize_url:authorize_url", "Print the URL where a user grants access."),
        "token": ("certkit.cli.wise.token:token", "Get, refresh, show and print OAuth tokens."),
        "setup": (
            "certkit.cli.wise.setup:setup",
            "Set up mTLS step by step, from the client id to the first call.",
        ),
        "check": ("certkit.cli.wise.check:check", "Compare sandbox and production before going live."),
        "ca": ("certkit.cli.wise.ca:ca", "Create the trust bundle for a server that receives webhooks."),
        "webhook": ("certkit.cli.wise.webhook:webhook", "Subscribe to, test and verify webhooks."),
        "rehearse": ("certkit.cli.wise.rehearse:rehearse", "Run a local stand-in for Wise."),
    },
)
def wise() -> None:
    """Work with the Wise Platform: tokens, the guided set-up, webhooks, and a rehearsal.

    \b
    Example:
      certkit wise authorize-url --environment sandbox --client-id acme \\
          --redirect-uri https://acme.example/wise
    """
