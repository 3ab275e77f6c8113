"""The stand-in for Wise, for tests: OAuth, Developer Hub and an API with mTLS, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import http.client
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import certkit
from certkit.api.arguments import now
from certkit.wise.rehearsal import hub, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

REDIRECT_URI = "http://127.0.0.1:9/callback"


@dataclass(frozen=True)
class Rehearsal:
    """A running rehearsal: its base URLs, client credentials, CA (PEM) and policy file.

    `api_mtls` demands a client certificate that its Developer Hub issued; `/v1/authenticated/playground` there answers
    200 to a valid access token. `store` is the URI of the store in which `identity` keeps what it creates.
    """

    web: str
    api: str
    api_mtls: str
    client_id: str
    client_secret: str = field(repr=False)
    ca: bytes
    policy: Path
    store: str
    _running: WiseRehearsal

    def identity(self, name: str = "acme", *, organization: str = "Acme Ltd") -> certkit.Identity:
        """Open an identity with an active certificate of the rehearsal and a user's token; an absent one is created.

        It asks its store at each connection, so that a test sees a renewal at once.
        """
        with self._open() as store:
            found = store.enroll(name, policy=str(self.policy), ca=self.ca, organization=organization, country="GB")
            if found.active is None:
                self._complete(store, name)
                tokens = store.tokens(name, client_id=self.client_id, client_secret=self.client_secret)
                tokens.exchange(code=self._granted_code(), redirect_uri=REDIRECT_URI)
        return certkit.identity(name, store=self.store, client_secret=self.client_secret, interval=0, environment={})

    def renew(self, name: str = "acme") -> None:
        """Request, issue and activate another generation, as the yearly renewal does."""
        with self._open() as store:
            store.renew(name, force=True)
            self._complete(store, name)

    def deliver(self, url: str, *, trigger_on: str = "transfers#state-change") -> str:
        """Send a signed delivery to a webhook on this machine (https). Return the result.

        The key to verify it with is in `policy`: `certkit.verify_webhook(body, signature, policy=str(wise.policy))`.
        """
        from certkit.wise.rehearsal.state import HubSubscription

        about = {"id": "test", "name": "test", "version": "4.0.0", "mtls_enabled": False}
        subscription = HubSubscription(url=url, trigger_on=trigger_on, created=now(), **about)  # type: ignore[arg-type]
        return self._running.notify(subscription)

    def _complete(self, store: certkit.IdentityStore, name: str) -> None:
        """Have Developer Hub issue the pending request, install the certificate and activate it."""
        pending = store.show(name).pending
        csr = (pending and pending.csr) or ""
        with self._running.lock:
            title = f"{name}-{len(self._running.state.certificates) + 1}"
            issued, _ = hub.issue(self._running, title, csr.encode())
        store.install(name, issued.pem.encode())

    def _granted_code(self) -> str:
        """Grant access on the authorization page, and return the code to exchange for a token."""
        form = {"client_id": self.client_id, "redirect_uri": REDIRECT_URI, "profile": "10000001", "decision": "grant"}
        connection = http.client.HTTPConnection(urlsplit(self.web).netloc, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/authorize/", urlencode(form), headers)
        location = connection.getresponse().headers["Location"]
        connection.close()
        return parse_qs(urlsplit(location).query)["code"][0]

    def _open(self) -> certkit.IdentityStore:
        return certkit.store(self.store, environment={})


@contextlib.contextmanager
def rehearsing(directory: Path) -> Iterator[Rehearsal]:
    """Run a rehearsal whose files and identities are in a directory, until the context ends; again, it continues."""
    directory = directory.absolute()
    with server.running(
        directory / "rehearsal", port=0, redirect_uris=[REDIRECT_URI], clock=now, log=lambda _: None
    ) as found:
        yield Rehearsal(
            web=found.web,
            api=found.api,
            api_mtls=found.api_mtls,
            client_id=found.state.client_id,
            client_secret=found.client_secret.reveal().decode(),
            ca=found.ca.pem,
            policy=found.policy_file,
            store=f"file:{directory / 'store'}",
            _running=found,
        )
