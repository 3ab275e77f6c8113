"""Webhooks with mTLS: Wise calls a server of the partner's, which asks for Wise's client certificate.

Source: Wise's developer documentation, "mTLS for webhooks", read on 2026-11-22.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from certkit.errors import InputError, RefusedError
from certkit.findings import critical, ok, unknown
from certkit.net import http, wire
from certkit.net.address import Address, ip
from certkit.net.tls import Credentials, HandshakeEndedError
from certkit.printable import brief, printable
from certkit.wise.oauth_answers import rate_limited, trace_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.secret import Secret
    from certkit.x509.certificate import Certificate

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_TOKEN_HINT = "get an application token: certkit wise token client-credentials"  # noqa: S105  advice, not a token
_TEST_HINT = "check the client id, and the subscription id, which `certkit wise webhook create` printed"
_REFUSED_HINT = "compare the client id, the event and the URL with Wise's documentation"
_VAGUE = "handshake failure"
# nginx's responses to a client without a certificate, or with one that it does not trust.
_NGINX_SAYS = b"SSL certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API for an application's subscriptions, at `url`, and the credentials for it.

    `is_wise` is False for a rehearsal or a proxy.
    """

    url: str
    token: Secret
    credentials: Credentials | None
    anchors: Sequence[Certificate] | None
    timeout: float
    schema_versions: tuple[str, ...]
    is_wise: bool

    @property
    def host(self) -> str:
        """The host, for messages."""
        return urlsplit(self.url).netloc


def subscription(*, name: str, trigger_on: str, schema_version: str, url: str, mtls_enabled: bool) -> dict[str, Any]:
    """Return a subscription of an event, as Wise's API expects it; deliveries go to the URL."""
    delivery = {"version": schema_version, "url": url, "mtls_enabled": mtls_enabled}
    return {"name": name, "trigger_on": trigger_on, "delivery": delivery}


def create(api: Api, wanted: dict[str, Any], *, now: datetime) -> str:
    """Subscribe to an event, and return the id of the new subscription.

    Raises:
        RefusedError: if Wise rejects the request.
        InputError: if Wise does not call the URL, or its response cannot be used.
    """
    url = require_url(wanted["delivery"]["url"])
    if api.is_wise:
        require_public(url)
    answer = _post(api, "", json.dumps(wanted).encode(), now=now)
    try:
        found = json.loads(answer.body)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str) or not _ID.fullmatch(found):
        message = f"cannot use the response of {api.host}: it has no subscription id"
        raise InputError(message, hint="check with Wise whether it was created")
    return found


def send_test(api: Api, subscription_id: str, *, now: datetime) -> int:
    """Have Wise send a test notification, and return the status of Wise's response.

    Raises:
        RefusedError: if Wise rejects the request.
        InputError: if the id is not a subscription's, or there is no response.
    """
    if not _ID.fullmatch(subscription_id):
        hint = "give the id that `certkit wise webhook create` printed"
        raise InputError(f"not a subscription id: {printable(subscription_id[:80])!r}", hint=hint)
    return _post(api, f"/{subscription_id}/test-notifications", b"{}", now=now).status


def require_url(url: str) -> str:
    """Return the URL of a webhook. It has to be https, because Wise presents its certificate there.

    Raises:
        InputError: if the text is not an https URL.
    """
    hint = "give, for example, https://hooks.partner.example/wise"
    if not url.lower().startswith("https://"):
        raise InputError(f"not an https:// URL: {printable(url[:200])!r}", hint=hint)
    Address.parse(url)
    return url


def require_public(url: str) -> None:
    """Refuse a URL that Wise does not call.

    Wise calls a domain name, on port 443, without a query string (Wise developer documentation, event handling, read on
    2026-11-30). The server needs a certificate of a public CA, which only a call can show.

    Raises:
        InputError: if Wise does not call the URL; the message gives the reason.
    """
    parts = urlsplit(url)
    problem = ""
    if ip(parts.hostname or ""):
        problem = "an IP address, and Wise calls domain names only"
    elif parts.port not in {None, 443}:
        problem = f"port {parts.port}, and Wise calls port 443 only"
    elif parts.query:
        problem = "a query string, which Wise does not accept"
    if problem:
        hint = "give a URL such as https://hooks.partner.example/wise"
        raise InputError(f"cannot subscribe {printable(url[:200])}: it has {problem}", hint=hint)


def check(
    url: str, *, now: datetime, anchors: Sequence[Certificate] | None = None, timeout: float = http.TIMEOUT_SECONDS
) -> list[Finding]:
    """Check whether a webhook's server requires a client certificate that it trusts.

    Connects twice: without a certificate, and with a self-signed one.

    Raises:
        InputError: if the text is not a URL, or the server cannot be reached or is not trusted.
    """
    require_url(url)
    request = wire.HttpRequest(method="POST", url=url, headers={"Content-Type": "application/json"}, body=b"{}")
    # For each try the response, or the alert that ended the handshake, empty if it gave no reason.
    found: list[wire.HttpAnswer | str] = []
    for shown in (None, _self_signed(now)):
        try:
            found.append(http.send(request, now=now, credentials=shown, anchors=anchors, timeout=timeout))
        except http.HttpError as error:
            if not isinstance(error.__cause__, HandshakeEndedError):
                raise
            found.append(error.alert)
    # Without a client certificate TLS 1.2 reports only "handshake failure", which may mean anything; but not if the
    # same server gets as far as judging a certificate.
    is_explained = isinstance(found[1], str) and _is_of_certificates(found[1])
    return [
        _judged("no client certificate", found[0], may_be_vague=is_explained),
        _judged("an untrusted client certificate", found[1]),
    ]


def _judged(what: str, found: wire.HttpAnswer | str, *, may_be_vague: bool = False) -> Finding:
    hint = "have the server verify client certificates; `certkit wise ca` shows how with nginx"
    if isinstance(found, str):
        if _is_of_certificates(found) or (may_be_vague and found == _VAGUE):
            return ok("client-certificate", f"rejected with {what}: {printable(found)}")
        message = f"handshake ended with {what}: {printable(found) or 'no reason given'}"
        return unknown("client-certificate", message, "see the server's log for the reason")
    if found.status == 400 and _NGINX_SAYS in found.body:
        return ok("client-certificate", f"rejected with {what}: status 400")
    if found.status in {401, 403}:
        message = f"status {found.status} with {what}; the reason may be a different one"
        return unknown("client-certificate", message, hint)
    return critical("client-certificate", f"accepted with {what}: status {found.status}", hint)


def _is_of_certificates(alert: str) -> bool:
    return "certificate" in alert or alert == "unknown ca"


def _self_signed(now: datetime) -> Credentials:
    """Return a key and its self-signed certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    from certkit.x509 import names
    from certkit.x509.certificate import Certificate

    key = ec.generate_private_key(ec.SECP256R1())
    name = names.build_name([names.Attribute("CN", "certkit check, not trusted")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    own = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return Credentials(key, (Certificate.parse(own),))


def _post(api: Api, path: str, body: bytes, *, now: datetime) -> wire.HttpAnswer:
    token = api.token.reveal().decode("ascii")
    request = wire.HttpRequest(
        method="POST",
        url=api.url + path,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"},
        body=body,
    )
    answer = http.send(request, now=now, credentials=api.credentials, anchors=api.anchors, timeout=api.timeout)
    if 200 <= answer.status < 300:
        return answer
    trace = trace_of(answer)
    if answer.status == 429:
        raise rate_limited(answer, api.host, now=now)
    if not 400 <= answer.status < 500:
        hint = "check the address, or try again"
        raise InputError(f"{api.host} answered with status {answer.status}{trace}", hint=hint)
    shown = brief(" ".join(answer.body.replace(token.encode(), b"(hidden)").decode("utf-8", "replace").split()), 200)
    message = f": {shown}" if shown else ""
    hint = _TOKEN_HINT if answer.status in {401, 403} else _TEST_HINT if path else _REFUSED_HINT
    raise RefusedError(f"{api.host} rejected the request: status {answer.status}{message}{trace}", hint=hint)
