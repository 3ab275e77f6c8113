"""`certkit terraform`: Terraform integration, without secrets."""

from __future__ import annotations

import click

from certkit.cli.shared.commands import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "query": ("certkit.cli.terraform.query:query", "Answer a query from Terraform's `external` data source."),
        "install-provider": (
            "certkit.cli.terraform.install_provider:install_provider",
            "Install the Terraform provider.",
        ),
    },
)
def terraform() -> None:
    """Use certkit from Terraform: facts, paths and references. No secret leaves the store.

    \b
    Example:
      certkit terraform query < query.json
    """
