"""`certkit wise token revoke-local`: remove a token from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store
from certkit.cli.wise.options import grant_option, identity_option, like_asking, profile_option
from certkit.cli.wise.token import tell

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command("revoke-local")
@identity_option
@profile_option
@grant_option
@like_asking
@in_store
def revoke_local(
    output: Output, store: Store, *, name: str, profile_id: str | None, grant: str | None, **_: Any
) -> int:
    """Remove a token from the store, with every version of it. Wise is not notified and accepts it until it expires.

    \b
    Example:
      certkit wise token revoke-local --identity acme
    """
    from certkit.wise import tokens

    kept = tokens.look(store, name, profile_id=profile_id, grant=grant)
    if kept is None:
        if output.as_json:
            output.document({"identity": name, "changed": False, "status": "ok"})
        elif not output.quiet:
            output.text(f"{name}: no token is stored; nothing changed\n")
        return 0
    found = kept.token
    store.delete_document(name, found.document)
    output.warn(f"{name}: Wise was not notified and accepts the token until it expires")
    return tell(output, name, found)
