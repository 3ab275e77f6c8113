"""A rehearsal's directory, so that it can be stopped and resumed. Everything in it is for the rehearsal only."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import content, reading, writing
from certkit.files.folder import Folder as OpenFolder
from certkit.secret import Secret
from certkit.wise.rehearsal import authority
from certkit.wise.rehearsal import state as states
from certkit.wise.rehearsal.state import RehearsalState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.wise.rehearsal.authority import CertifiedKey

DEFAULT_CLIENT_ID = "rehearsal-client"
STATE, SECRET, POLICY, LOCK = "rehearsal-state.json", "rehearsal-client-secret", "wise-rehearsal.toml", "lock"
CA, SERVER, NOTIFIER = "rehearsal-ca", "rehearsal-server", "rehearsal-webhook-client"
SIGNER = "rehearsal-webhook-signer"

_README = b"""\
This directory belongs to `certkit wise rehearse`, a stand-in for Wise on this machine.
Nothing in it is of Wise, and nothing in it is of use anywhere else: no key, no certificate, no secret.
Trust its CA nowhere but in the rehearsal. Remove the directory when you have finished.
"""
_POLICY = """\
# For the rehearsal only, not Wise: Wise's rules with the addresses of `certkit wise rehearse`.
extends = "wise"
title = "Rehearsal of the Wise Platform, not Wise"
environment = "rehearsal"

[hosts]
web = "{web}"
api = "{api}"
api_mtls = "{api_mtls}"

[portal]
name = "Developer Hub of the rehearsal"
request_steps = [
    "Open {web}/developer-hub, which is a rehearsal and not Wise.",
    "Type a certificate name that you have not used before.",
    "Paste the CSR, the whole file and nothing else, and choose \\"Generate certificate\\".",
    "Copy the client certificate that the page shows into a .pem file.",
]
trust_steps = [
    "On the same page choose \\"Get Wise certificate\\" and keep the CA certificate, for the rehearsal only.",
]

[webhooks]
signing_key = \"\"\"
{signing_key}\"\"\"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalFolder:
    """A rehearsal's directory, locked by this process, and its contents."""

    path: Path
    state: RehearsalState
    ca: CertifiedKey
    server: CertifiedKey
    client_secret: Secret = field(repr=False)
    signing_key: str

    def keep(self, state: RehearsalState) -> None:
        """Store the state in place of the old one.

        Raises:
            InputError: if it cannot be written; the old one remains.
        """
        # Private like the keys beside it, although it contains only digests.
        writing.publish(self.path / STATE, Secret(states.dump(state)), replace=True)

    def write_policy(self, *, web: str, api: str, api_mtls: str) -> Path:
        """Write the policy with the rehearsal's addresses, and return its path.

        Raises:
            InputError: if it cannot be written.
        """
        path = self.path / POLICY
        text = _POLICY.format(web=web, api=api, api_mtls=api_mtls, signing_key=self.signing_key)
        # Not `write_report`, which refuses to replace a file with a key in it: this one has the public webhook key.
        writing.publish(path, text.encode(), replace=True)
        return path


@contextlib.contextmanager
def opened(
    path: Path, *, client_id: str | None = None, redirect_uris: Sequence[str] = (), now: datetime
) -> Iterator[RehearsalFolder]:
    """Create or resume the rehearsal in a directory, and keep the directory locked until the context ends.

    Given redirect URIs replace the stored ones.

    Raises:
        InputError: if the directory is in use, contains other files or is damaged, or belongs to another client id.
    """
    with contextlib.ExitStack() as stack:
        with files_translated(path):
            if not _is_ours(path):
                _make(path, RehearsalState(client_id=client_id or DEFAULT_CLIENT_ID), now)
            stack.enter_context(_held(path))
            found = _load(path)
            if client_id not in {None, found.state.client_id}:
                hint = "leave --client-id out, or give another directory with --dir"
                raise InputError(f"cannot resume {path}: its client id is {found.state.client_id}", hint=hint)
            if redirect_uris:
                found = replace(found, state=replace(found.state, redirect_uris=tuple(redirect_uris)))
                found.keep(found.state)
        yield found


@contextlib.contextmanager
def files_translated(path: Path) -> Iterator[None]:
    """Translate the system's errors about the directory into `InputError`."""
    try:
        yield
    except OSError as error:
        raise reading.failure("cannot use", path, error) from error


def _is_ours(path: Path) -> bool:
    if reading.exists(path / STATE):
        return True
    if reading.exists(path) and (not reading.is_directory(path) or os.listdir(path)):
        raise InputError(f"cannot use {path}: it is not a rehearsal's directory", hint="give an empty or new directory")
    return False


def _make(path: Path, state: RehearsalState, now: datetime) -> None:
    path.parent.mkdir(mode=content.PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    ca = authority.new(now=now)
    pairs = {CA: ca, SERVER: authority.server(ca, now=now), NOTIFIER: authority.notifier(ca, now=now)}
    with writing.Staging(path) as staging:
        staging.write("README", _README)
        staging.write(SECRET, Secret(f"{states.new_token()}\n".encode()))
        for stem, pair in pairs.items():
            staging.write(f"{stem}.key", pair.key_pem)
            staging.write(f"{stem}.pem", pair.pem)
        staging.write(f"{SIGNER}.key", authority.signing_key_pem())
        staging.write(STATE, Secret(states.dump(state)))
        staging.publish()


def _load(path: Path) -> RehearsalFolder:
    signer = path / f"{SIGNER}.key"
    if not reading.exists(signer):  # created by a version that did not sign webhooks
        writing.publish(signer, authority.signing_key_pem())
    return RehearsalFolder(
        path=path,
        state=states.load(reading.read(path / STATE), name=str(path / STATE)),
        ca=_pair(path, CA),
        server=_pair(path, SERVER),
        client_secret=Secret(reading.read(path / SECRET, limit=4096).split(b"\n", 1)[0]),
        signing_key=authority.public_key_pem(reading.read(signer, limit=64 * 1024)),
    )


def _pair(path: Path, stem: str) -> CertifiedKey:
    key, certificate = (reading.read(path / f"{stem}.{kind}", limit=64 * 1024) for kind in ("key", "pem"))
    return authority.load(Secret(key), certificate, name=str(path))


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        folder = held.enter_context(OpenFolder.open(path))
        try:
            held.enter_context(folder.locked(LOCK, wait_seconds=0))
        except InputError as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            hint = "stop it, or give another directory with --dir"
            raise InputError(f"cannot use {path}: another rehearsal runs there", hint=hint) from error
        yield
