"""A running rehearsal: its directory, listeners and rules."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.policy import catalogue
from certkit.wise.rehearsal import folder, notify, server
from certkit.wise.rehearsal.pages import Places
from certkit.wise.rehearsal.rehearsal import RehearsalParts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.wise.rehearsal.folder import RehearsalFolder
    from certkit.wise.rehearsal.server import Log


@dataclass(frozen=True, slots=True)
class Running:
    """The directory of a rehearsal, its listeners, and the policy file with its addresses."""

    folder: RehearsalFolder
    rehearsal: RehearsalParts
    policy: Path


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    port: int,
    client_id: str | None = None,
    redirect_uris: Sequence[str] = (),
    clock: Callable[[], datetime],
    log: Log,
) -> Iterator[Running]:
    """Run a new or resumed rehearsal on three ports from `port` on (0: free ones) until the context ends.

    Raises:
        InputError: if a port is in use, or the directory is in use, damaged or not a rehearsal's.
    """
    with (
        server.listening(port) as listeners,
        folder.opened(directory, client_id=client_id, redirect_uris=redirect_uris, now=clock()) as held,
    ):
        web, api, api_mtls = listeners.addresses
        secret, ca = held.path / folder.SECRET, held.path / f"{folder.CA}.pem"
        rehearsal = RehearsalParts(
            state=held.state,
            places=Places(web=web, api=api, api_mtls=api_mtls, client_secret_file=str(secret), ca_file=str(ca)),
            policy=catalogue.load("wise-sandbox"),
            ca=held.ca,
            server=held.server,
            client_secret=held.client_secret,
            clock=clock,
            keep=held.keep,
            notify=lambda subscription, body: notify.notify(held.path, subscription, body),
        )
        policy = held.write_policy(web=web, api=api, api_mtls=api_mtls)
        with listeners.serving(rehearsal, log=log):
            yield Running(held, rehearsal, policy)
