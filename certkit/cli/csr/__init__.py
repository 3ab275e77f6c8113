"""`certkit csr`: certificate signing requests."""

from __future__ import annotations

import click

from certkit.cli.shared.commands import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "create": ("certkit.cli.csr.create:create", "Create a CSR by a partner's rules, and a key for it."),
        "check": ("certkit.cli.csr.check:check", "Check a CSR before you send it."),
    },
)
def csr() -> None:
    """Create and check certificate signing requests (CSRs).

    \b
    Example:
      certkit csr check acme.csr --policy wise-sandbox --key acme.key
    """
