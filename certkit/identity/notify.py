"""Telling the programs of the user's that use a generation, once another one is in use or in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import after
from certkit.identity import hooks, overview
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from certkit.stores.base import Generation, Location


def notify(
    programs: Iterable[Path | str],
    environment: Mapping[str, str],
    *,
    name: str,
    generation: Generation,
    where: Location,
    changed: bool,
) -> None:
    """Run programs, one after the other, with what they are told beside the environment that they inherit.

    `changed` is whether anything was done before them.

    Raises:
        HookError: one failed, and the rest is not run.
    """
    variables = {**environment, **_told(name, generation, where)}
    with after(changed):
        for program in programs:
            hooks.run(program, variables)


def _told(name: str, generation: Generation, where: Location) -> dict[str, str]:
    """What a hook is told, by names of ours and by certbot's, wherever it runs; never a secret."""
    certificate = overview.certificate(generation)
    key = "CERTKIT_KEY_PATH" if where.is_directory else "CERTKIT_KEY_REFERENCE"
    return {
        "CERTKIT_NAME": name,
        "CERTKIT_LINEAGE": where.lineage,
        "RENEWED_LINEAGE": where.lineage,
        "CERTKIT_CERT_PATH": where.certificate,
        key: where.key,
        "CERTKIT_CHAIN_PATH": where.fullchain,
        "CERTKIT_NOT_AFTER": rfc3339(certificate.not_valid_after_utc) if certificate else "",
    }
