"""`certkit terraform`: facts for Terraform, and no secret."""

from __future__ import annotations

import click

from certkit.cli.shared.commands import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "query": ("certkit.cli.terraform.query:query", "Answer a query of Terraform's data source `external`."),
        "install-provider": (
            "certkit.cli.terraform.install_provider:install_provider",
            "Put the provider where Terraform finds it.",
        ),
    },
)
def terraform() -> None:
    """Tell Terraform about identities and certificates: facts, paths and references, never a private key.

    \b
    Example:
      certkit terraform query < query.json
    """
