"""`certkit terraform`: Terraform integration, without secrets."""

from __future__ import annotations

import click

from certkit.cli.shared.commands import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "query": ("certkit.cli.terraform.query:query", "Answer a query of Terraform's data source `external`."),
        "install-provider": (
            "certkit.cli.terraform.install_provider:install_provider",
            "Install the provider where Terraform finds it.",
        ),
    },
)
def terraform() -> None:
    """Terraform integration: facts, paths and references; no secret leaves the store.

    \b
    Example:
      certkit terraform query < query.json
    """
