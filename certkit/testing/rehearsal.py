"""The stand-in for Wise, for tests: OAuth, Developer Hub and an API with mTLS, on 127.0.0.1."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import certkit
from certkit.api.arguments import now
from certkit.wise.rehearsal import hub, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certkit.stores.base import Store
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
        from certkit.identity.enroll import enroll
        from certkit.stores.record import Settings
        from certkit.x509.names import SubjectOptions

        subject = SubjectOptions(organization=organization, country="GB")
        settings = Settings(policy=str(self.policy), subject=subject, trust_bundle=self.ca.decode("ascii"))
        with self._open() as store:
            enroll(store, name, settings, self._policy, now=now())
            if store.load(name).record.active is None:
                self._complete(store, name)
                self._authorize(store, name)
        return certkit.identity(name, store=self.store, client_secret=self.client_secret, interval=0, environment={})

    def renew(self, name: str = "acme") -> None:
        """Request, issue and activate another generation, as the yearly renewal does."""
        from certkit.identity.enroll import add_request

        with self._open() as store:
            add_request(store, store.load(name), self._policy, now=now())
            self._complete(store, name)

    def deliver(self, url: str, *, trigger_on: str = "transfers#state-change") -> str:
        """Send a signed delivery to a webhook on this machine (https). Return the result.

        The key to verify it with is in `policy`: `certkit.verify_webhook(body, signature, policy=str(wise.policy))`.
        """
        from certkit.wise.rehearsal.state import HubSubscription

        about = {"id": "test", "name": "test", "version": "4.0.0", "mtls_enabled": False}
        subscription = HubSubscription(url=url, trigger_on=trigger_on, created=now(), **about)  # type: ignore[arg-type]
        return self._running.notify(subscription)

    def _complete(self, store: Store, name: str) -> None:
        """Have Developer Hub issue the pending request, install the certificate and activate it."""
        from certkit.identity.activate import activate
        from certkit.identity.install import install

        csr = store.load(name).generations[-1].csr or b""
        with self._running.lock:
            title = f"{name}-{len(self._running.state.certificates) + 1}"
            issued, _ = hub.issue(self._running, title, csr)
        done, number = install(store, store.load(name), issued.pem.encode(), self._policy, now=now())
        activate(store, done.identity, number, now=now())

    def _authorize(self, store: Store, name: str) -> None:
        """Grant access on the authorization page, and exchange the code for a token."""
        import http.client
        from urllib.parse import urlencode

        from certkit.secret import Secret
        from certkit.wise import endpoints, exchange, oauth, redirect

        form = {"client_id": self.client_id, "redirect_uri": REDIRECT_URI, "profile": "10000001", "decision": "grant"}
        connection = http.client.HTTPConnection(urlsplit(self.web).netloc, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/authorize/", urlencode(form), headers)
        location = connection.getresponse().headers["Location"]
        connection.close()
        code = redirect.require_code(parse_qs(urlsplit(location).query)["code"][0])
        found = redirect.Redirect(redirect_uri=REDIRECT_URI, code=code, profile_id=None, is_whole=False)
        client = oauth.Client(id=self.client_id, secret=Secret(self.client_secret.encode()))
        endpoint = endpoints.endpoint(store, store.load(name), self._policy)
        exchange.exchange(store, name, endpoint, client, redirect=found, now=now())

    @property
    def _policy(self) -> certkit.policy.rules.Policy:
        from certkit.policy import catalogue

        return catalogue.load(str(self.policy))

    def _open(self) -> contextlib.AbstractContextManager[Store]:
        from certkit.stores.opening import Opener

        return Opener({}, now, lambda _: None).open(self.store)


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
