"""A rehearsal in memory, with a clock that a test turns, and what is asked of it."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography import x509

from certkit.csr import build as csrs
from certkit.secret import Secret
from certkit.wise.rehearsal import api, authority, server, web
from certkit.wise.rehearsal.messages import Reply, WebRequest
from certkit.wise.rehearsal.rehearsal import WiseRehearsal
from certkit.wise.rehearsal.state import RehearsalState
from certkit.x509.names import SubjectOptions
from tests.pki import NOW, Pair, new_key
from tests.report import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from certkit.wise.rehearsal.state import HubSubscription

WEB = "http://127.0.0.1:8790"
REDIRECT_URI = "http://127.0.0.1:9000/callback"
SECRET = "a-client-secret"
PROFILE = 10000001


@functools.cache
def authorities() -> tuple[authority.CertifiedKey, authority.CertifiedKey]:
    """A CA and a server's pair, made once."""
    ca = authority.new(now=NOW)
    return ca, authority.server(ca, now=NOW)


class InMemory(WiseRehearsal):
    """A rehearsal without a directory, and what was kept and notified."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(path=Path("nowhere"), web=WEB, api="", api_mtls="", signer=None, **parts)
        self.kept: list[RehearsalState] = []
        self.notified: list[HubSubscription] = []

    def keep(self, state: RehearsalState) -> None:
        """Keep the state in memory."""
        self.kept.append(state)

    def notify(self, subscription: HubSubscription) -> str:
        """Deliver nothing."""
        self.notified.append(subscription)
        return "delivered: the webhook answered 200"


@dataclass
class Stage:
    """A rehearsal, the time there, and what was logged."""

    now: datetime = NOW
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        ca, server_pair = authorities()
        self.rehearsal = InMemory(
            state=RehearsalState(client_id="acme-client-id", redirect_uris=(REDIRECT_URI,)),
            ca=ca,
            server=server_pair,
            client_secret=Secret(SECRET.encode()),
            clock=lambda: self.now,
        )
        self.kept = self.rehearsal.kept

    # The API

    def token(self, *, client=("acme-client-id", SECRET), mutual=False, **form: str) -> Reply:
        """Ask the token endpoint, with HTTP Basic unless there is no client."""
        headers = {"authorization": basic(*client)} if client else {}
        request = WebRequest(method="POST", path="/oauth/token", headers=headers, body=urlencode(form).encode())
        return (api.mutual if mutual else api.plain)(self.rehearsal, request)

    def exchange(self, code: str, **changes: Any) -> Reply:
        """Exchange a code for tokens."""
        asked = {"grant_type": "authorization_code", "client_id": "acme-client-id", "redirect_uri": REDIRECT_URI}
        return self.token(**{**asked, "code": code, **changes})

    def tokens(self) -> dict[str, Any]:
        """The tokens of a new grant."""
        return document(self.exchange(self.code()))

    def playground(self, access_token: str | None) -> Reply:
        """Call the playground with a valid client certificate."""
        headers = {"authorization": f"Bearer {access_token}"} if access_token is not None else {}
        return api.mutual(self.rehearsal, WebRequest(method="GET", path=api.PLAYGROUND, headers=headers))

    # The pages

    def get(self, path: str, query: str = "", **headers: str) -> Reply:
        """Get a page."""
        return web.answer(self.rehearsal, WebRequest(method="GET", path=path, query=query, headers=headers))

    def post(self, path: str, form: dict[str, Any] | bytes, **headers: str) -> Reply:
        """Send a form."""
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        return web.answer(self.rehearsal, WebRequest(method="POST", path=path, headers=headers, body=body))

    def consent(self, **changes: str) -> Reply:
        """Give access on the authorization page."""
        form = {"client_id": "acme-client-id", "redirect_uri": REDIRECT_URI, "profile": PROFILE, "decision": "grant"}
        return self.post("/oauth/authorize/", {**form, **changes})

    def code(self) -> str:
        """A new authorization code."""
        [code] = parse_qs(urlsplit(self.consent().headers["Location"]).query)["code"]
        return code

    def control(self, action: str, subject: str = "", **more: str) -> Reply:
        """Use a control of the rehearsal."""
        return self.post("/controls", {"action": action, "subject": subject, **more})

    def paste(self, name: str, csr: bytes) -> Reply:
        """Paste a CSR in Developer Hub."""
        return self.post("/developer-hub", {"name": name, "csr": csr})

    def client(self, name: str = "first") -> Pair:
        """A key and its certificate from Developer Hub."""
        key = new_key()
        assert self.paste(name, csr(key=key)).status == 201
        issued = self.rehearsal.state.certificates[-1]
        return Pair(x509.load_pem_x509_certificate(issued.pem.encode()), key)

    @contextlib.contextmanager
    def serving(self) -> Iterator[server.Listeners]:
        """Its three listeners at free ports."""
        with server.listening(0) as listeners, listeners.serving(self.rehearsal, log=self.log.append):
            yield listeners


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, for ten seconds."""
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.01)
    raise TimeoutError


def basic(name: str, secret: str) -> str:
    """A header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def csr(*, key: Any = None, organization: str = "Acme Ltd", **more: Any) -> bytes:
    """A CSR as Wise wants it."""
    return csrs.build(SubjectOptions(organization=organization, **{"country": "GB", **more}), key or new_key())


def document(reply: Reply) -> Any:
    """The JSON of an answer."""
    assert reply.content_type == "application/json"
    return json.loads(reply.body)


def shown(reply: Reply) -> page.Element:
    """The page of an answer, which must be well-formed and say what it is."""
    read = page.read(reply.body.decode())
    assert read.one("p", class_="notice").text == (
        "This is a rehearsal on your own machine, not Wise. Nothing here counts."
    )
    assert len(read.all("h1")) == 1
    labelled = {each.attributes["for"] for each in read.all("label") if "for" in each.attributes}
    fields = [each for each in read if each.tag in {"input", "textarea"}]
    named = [each for each in fields if each.attributes.get("type") not in {"hidden", "radio"}]
    assert {each.attributes["id"] for each in named} == labelled
    return read
