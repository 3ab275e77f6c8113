"""`certkit policy`: partners' rules."""

from __future__ import annotations

import click

from certkit.cli.shared.commands import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "list": ("certkit.cli.policy.list_:list_", "List the built-in policies."),
        "show": ("certkit.cli.policy.show:show", "Show a policy's rules and their sources."),
        "validate": ("certkit.cli.policy.validate:validate", "Validate a policy file of your own."),
        "new": ("certkit.cli.policy.new:new", "Write a commented policy file to start from."),
        "which": ("certkit.cli.policy.which:which", "List the partners that would accept a CSR or certificate."),
    },
)
def policy() -> None:
    """Show and check policies: partners' rules for keys, CSRs and certificates.

    \b
    Example:
      certkit policy show wise-sandbox
    """
