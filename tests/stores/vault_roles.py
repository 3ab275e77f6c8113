"""The ACL policies of `policies/vault`, given to tokens of a real server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certkit.secret import Secret
from certkit.stores.vault import layout
from tests.conftest import require_program

if TYPE_CHECKING:
    from certkit.stores.vault.store import VaultStore
    from certkit.vault.settings import VaultSettings
    from tests.openbao import Server

FOLDER = Path(__file__).parents[2] / "policies" / "vault"


def acl(role: str, *, mount: str = "secret", prefix: str = "certkit", name: str = "wise-sandbox") -> str:
    """The ACL policy of a role for another place, changed as its own comment says: by a command of sed."""
    path = FOLDER / f"{role}.hcl"
    [line] = [line for line in path.read_text().splitlines() if line.startswith("#   sed ")]
    command = line.removeprefix("#   sed '").partition("'")[0]
    assert f"' {role}.hcl | bao policy write " in line
    expression = command.replace("MOUNT", mount).replace("PREFIX", prefix).replace("NAME", name)
    sed = [require_program("sed"), expression, path]
    return subprocess.run(sed, capture_output=True, text=True, check=True, timeout=60).stdout


def settings(server: Server, role: str, *, token: dict[str, Any] | None = None, **place: str) -> VaultSettings:
    """The settings to reach a server with a token that has a role, and no other ACL policy, not even `default`."""
    fields = {"no_default_policy": True, "ttl": "1h", **(token or {})}
    return server.settings(token=Secret(server.token_for(acl(role, **place), **fields).encode()))


def kept_facts(store: VaultStore, name: str = "acme") -> dict[str, dict[str, str]]:
    """The facts of certificates in the custom metadata of their secrets, by generation."""
    numbers = layout.numbers_in(store.secrets.kv.list(f"{name}/{layout.GENERATIONS}"))
    return {
        number: facts
        for number, metadata in store.secrets.metadata(name, numbers).items()
        if (facts := layout.facts_of(metadata))
    }
