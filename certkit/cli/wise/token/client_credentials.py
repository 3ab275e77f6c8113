"""`certkit wise token client-credentials`: get a token of the application itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.wise.options import asking, identity_option
from certkit.cli.wise.token import tell

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import WiseOptions
    from certkit.stores.base import Store


@click.command("client-credentials")
@identity_option
@asking
@in_store
def client_credentials(output: Output, store: Store, *, asked: WiseOptions, name: str) -> int:
    """Get a token of the application itself, which lives for 12 hours and is not refreshed but got anew.

    \b
    Example:
      certkit wise token client-credentials --identity acme --client-id acme --client-secret-file secret.txt
    """
    from certkit.wise.exchange import apply

    client, endpoint = asked.client(), asked.endpoint(store, name)
    return tell(output, name, apply(store, name, endpoint, client, now=inputs.now()))
