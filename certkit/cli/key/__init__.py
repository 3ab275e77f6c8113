"""`certkit key`: private keys."""

from __future__ import annotations

import click

from certkit.cli.shared.commands import LazyGroup

# Repeated here, so that help and completion need not import the code behind them; a test compares the two.
KEY_TYPES = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")


if_absent_option = click.option(
    "--if-absent", is_flag=True, help="Keep existing files if they match; create missing ones."
)


force_option = click.option("--force", is_flag=True, help="Replace existing files; an old key is kept as KEY.old-TIME.")


@click.group(cls=LazyGroup, lazy={"generate": ("certkit.cli.key.generate:generate", "Create a private key.")})
def key() -> None:
    """Create private keys.

    \b
    Example:
      certkit key generate --out acme.key
    """
