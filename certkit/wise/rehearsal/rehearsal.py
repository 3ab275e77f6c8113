"""A rehearsal and its directory, from which it can be resumed. Everything in it is for the rehearsal only."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from certkit.errors import InputError
from certkit.files import content, reading, writing
from certkit.files.folder import Folder
from certkit.secret import Secret
from certkit.times import rfc3339
from certkit.wise import deliveries
from certkit.wise.rehearsal import authority
from certkit.wise.rehearsal import state as states
from certkit.wise.rehearsal.state import RehearsalState
from certkit.x509 import objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.wise.rehearsal.authority import CertifiedKey
    from certkit.wise.rehearsal.state import HubSubscription

DEFAULT_CLIENT_ID = "rehearsal-client"
_STATE, _SECRET, _LOCK = "rehearsal-state.json", "rehearsal-client-secret", "lock"
_CA, _SERVER, _NOTIFIER = "rehearsal-ca", "rehearsal-server", "rehearsal-webhook-client"
_SIGNER = "rehearsal-webhook-signer.key"
_NOTIFICATION_SECONDS = 5.0

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


@dataclass(slots=True, kw_only=True)
class WiseRehearsal:
    """A rehearsal in the directory `path`, with the URLs of its pages and of its API without and with mTLS.

    `signer` is the private key that signs deliveries to webhooks, and `clock` returns the rehearsal's time. `lock` is
    held while the state is read and changed.
    """

    path: Path
    web: str
    api: str
    api_mtls: str
    state: RehearsalState
    ca: CertifiedKey
    server: CertifiedKey
    signer: Any
    client_secret: Secret = field(repr=False)
    clock: Callable[[], datetime]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def client_secret_file(self) -> Path:
        """The file with the client secret."""
        return self.path / _SECRET

    @property
    def ca_file(self) -> Path:
        """The file with the CA certificate."""
        return self.path / f"{_CA}.pem"

    @property
    def policy_file(self) -> Path:
        """The policy with the rehearsal's addresses."""
        return self.path / "wise-rehearsal.toml"

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The URIs that users may be sent to: the configured ones, else the rehearsal's own page."""
        return self.state.redirect_uris or (f"{self.web}/callback",)

    def update(self, **changes: Any) -> None:
        """Change parts of the state, once the new state is stored.

        Raises:
            InputError: if it cannot be stored; the state is unchanged then.
        """
        state = replace(self.state, **changes)
        self.keep(state)
        self.state = state

    def keep(self, state: RehearsalState) -> None:
        """Store the state in place of the old one.

        Raises:
            InputError: if it cannot be written; the old one remains.
        """
        # Private like the keys beside it, although it contains only digests.
        writing.publish(self.path / _STATE, Secret(states.dump(state)), replace=True)

    def notify(self, subscription: HubSubscription) -> str:
        """Deliver a test notification to a webhook on this machine, and return the result.

        The fields of its body are the rehearsal's own. The rehearsal presents its client certificate if mTLS is
        enabled.
        """
        message = {
            "subscription_id": subscription.id,
            "event_type": subscription.trigger_on,
            "sent_at": rfc3339(self.clock()),
            "data": {"test": True, "from": "certkit rehearsal, not Wise"},
        }
        body = json.dumps(message).encode()
        parts = urlsplit(subscription.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            headers = {
                "Content-Type": "application/json",
                deliveries.HEADER: deliveries.sign(body, self.signer),
                "X-Delivery-Id": str(uuid.uuid4()),
                "X-Test-Notification": "true",
            }
            # Only this machine is called, where servers seldom have a certificate that could be verified.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if subscription.mtls_enabled:
                context.load_cert_chain(self.path / f"{_NOTIFIER}.pem", self.path / f"{_NOTIFIER}.key")
            connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=_NOTIFICATION_SECONDS, context=context
            )
            with contextlib.closing(connection):
                connection.request("POST", target, body, headers)
                return f"delivered: the webhook answered {connection.getresponse().status}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return f"not delivered: {str(error) or type(error).__name__}"


@contextlib.contextmanager
def opened(
    path: Path,
    addresses: tuple[str, str, str],
    *,
    client_id: str | None = None,
    redirect_uris: Sequence[str] = (),
    clock: Callable[[], datetime],
) -> Iterator[WiseRehearsal]:
    """Create or resume the rehearsal in a directory, and keep the directory locked until the context ends.

    `addresses` are the URLs of the pages, of the API, and of the API with mTLS. Given redirect URIs replace the stored
    ones.

    Raises:
        InputError: if the directory is in use, contains other files or is damaged, or belongs to another client id.
    """
    with contextlib.ExitStack() as held:
        try:
            if not reading.exists(path / _STATE):
                if reading.exists(path) and (not reading.is_directory(path) or os.listdir(path)):
                    hint = "give an empty or new directory"
                    raise InputError(f"cannot use {path}: it is not a rehearsal's directory", hint=hint)
                _make(path, RehearsalState(client_id=client_id or DEFAULT_CLIENT_ID), clock())
            _lock(held, path)
            found = _load(path, addresses, clock)
        except OSError as error:
            raise reading.failure("cannot use", path, error) from error
        if client_id not in {None, found.state.client_id}:
            hint = "leave --client-id out, or give another directory with --dir"
            raise InputError(f"cannot resume {path}: its client id is {found.state.client_id}", hint=hint)
        if redirect_uris:
            found.update(redirect_uris=tuple(redirect_uris))
        signing_key = authority.public_key_pem(found.signer)
        policy = _POLICY.format(web=found.web, api=found.api, api_mtls=found.api_mtls, signing_key=signing_key)
        # Not `write_report`, which refuses to replace a file with a key in it: this one has the public webhook key.
        writing.publish(found.policy_file, policy.encode(), replace=True)
        yield found


def _make(path: Path, state: RehearsalState, now: datetime) -> None:
    writing.make_directory(path.parent, content.PRIVATE_DIRECTORY_MODE, about=path)
    ca = authority.new(now=now)
    pairs = {_CA: ca, _SERVER: authority.server(ca, now=now), _NOTIFIER: authority.notifier(ca, now=now)}
    with writing.Staging(path) as staging:
        staging.write("README", _README)
        staging.write(_SECRET, Secret(f"{states.new_token()}\n".encode()))
        for stem, pair in pairs.items():
            staging.write(f"{stem}.key", pair.key_pem)
            staging.write(f"{stem}.pem", pair.pem)
        staging.write(_SIGNER, authority.signing_key_pem())
        staging.write(_STATE, Secret(states.dump(state)))
        staging.publish()


def _lock(held: contextlib.ExitStack, path: Path) -> None:
    folder = held.enter_context(Folder.open(path))
    try:
        held.enter_context(folder.locked(_LOCK, wait_seconds=0))
    except InputError as error:
        if not isinstance(error.__cause__, TimeoutError):
            raise
        hint = "stop it, or give another directory with --dir"
        raise InputError(f"cannot use {path}: another rehearsal runs there", hint=hint) from error


def _load(path: Path, addresses: tuple[str, str, str], clock: Callable[[], datetime]) -> WiseRehearsal:
    signer = path / _SIGNER
    if not reading.exists(signer):  # created by a version that did not sign webhooks
        writing.publish(signer, authority.signing_key_pem())
    web, api, api_mtls = addresses
    return WiseRehearsal(
        path=path,
        web=web,
        api=api,
        api_mtls=api_mtls,
        state=states.load(reading.read(path / _STATE), name=str(path / _STATE)),
        ca=_pair(path, _CA),
        server=_pair(path, _SERVER),
        signer=objects.private_key(reading.read(signer, limit=64 * 1024), name="the rehearsal's signing key").value,
        client_secret=Secret(reading.read(path / _SECRET, limit=4096).split(b"\n", 1)[0]),
        clock=clock,
    )


def _pair(path: Path, stem: str) -> CertifiedKey:
    key, certificate = (reading.read(path / f"{stem}.{kind}", limit=64 * 1024) for kind in ("key", "pem"))
    return authority.load(Secret(key), certificate, name=str(path))
