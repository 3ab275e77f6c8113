"""What a server's reaction says about a client certificate, in plain words; without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, unknown, warning
from certkit.times import rfc3339
from certkit.x509 import names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

    from certkit.net.connecting import NetError
    from certkit.net.http import HttpAnswer
    from certkit.net.tls import CaName

CHECKS = ("dns", "connect", "server-chain", "name", "client-certificate", "http")

# Those that nginx has of its own are seen where a gateway passes them on.
CERTIFICATE_STATUSES = frozenset({400, 495, 496})

ALERT_HINT = "check the host and the port; openssl s_client shows more"

_CHECK = "client-certificate"
# Clocks further apart are worth a word; a certificate younger than this may not be valid yet elsewhere.
_SKEW = timedelta(minutes=2)

# What gateways write; nginx's are "No required SSL certificate was sent" and "The SSL certificate error".
_NOT_SENT = re.compile(rb"no required ssl certificate|client certificate (?:is )?(?:required|missing)", re.IGNORECASE)
_REFUSED = re.compile(rb"ssl certificate error|(?:invalid|bad|untrusted|unknown) client certificate", re.IGNORECASE)

# By OpenSSL's names of alerts (RFC 8446 section 6): what it means, and what to do about it.
_ALERTS = {
    "bad certificate": ("is bad", "check that it is the one the partner issued, and that its chain is complete"),
    "unsupported certificate": ("is of a kind that it does not take", "check its key type and its purpose"),
    "certificate revoked": ("is revoked", "get a new certificate"),
    "certificate expired": ("has expired or is not valid yet", "compare both clocks: by this machine's it is valid"),
    "certificate unknown": ("is not acceptable to it", "ask the partner whether it is registered with them"),
    "unknown ca": ("is of a CA that it does not know", "check the environment, and give --cert the intermediates too"),
    "access denied": ("is valid and has no access", "ask the partner whether it is registered for this host"),
    "certificate required": ("was not sent, though it requires one", "it may take other kinds of key only"),
    "decrypt error": ("does not fit its signature", "check that key and certificate belong together"),
    "handshake failure": ("is probably not what it wants", "check its key type and its CA"),
}
# Those that say themselves whether it is about dates.
_CLEAR = frozenset({
    "certificate expired", "certificate revoked", "access denied", "certificate required", "decrypt error",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClientSide:
    """The client's chain, its own certificate first, and what time it is here."""

    chain: Sequence[x509.Certificate]
    now: datetime

    @property
    def leaf(self) -> x509.Certificate:
        """The client certificate."""
        return self.chain[0]

    def date_trouble(self) -> str:
        """What is wrong with its dates by this machine's clock; empty where it is valid."""
        begin, end = self.leaf.not_valid_before_utc, self.leaf.not_valid_after_utc
        if self.now > end:
            return f"it expired on {rfc3339(end)}: renew it"
        if self.now < begin:
            return f"it is not valid before {rfc3339(begin)}: wait until then, or check this machine's clock"
        return ""

    def clock_trouble(self, there: datetime | None = None) -> str:
        """What to look at before the certificate is blamed: its dates, and clocks; empty where both are fine."""
        begin, end = self.leaf.not_valid_before_utc, self.leaf.not_valid_after_utc
        if trouble := self.date_trouble():
            return trouble
        if there is not None and not begin <= there <= end:
            return f"it is not valid by the server's clock, which says {rfc3339(there)}: compare both clocks"
        if self.now - begin < _SKEW:
            return f"it is valid only since {rfc3339(begin)}, and the server's clock may be behind: try again soon"
        if there is not None and abs(there - self.now) > _SKEW:
            return f"the server's clock says {rfc3339(there)}: compare both clocks"
        return ""


def accepted(client: ClientSide, *, asks: bool) -> Finding:
    """The server went on after it was shown the certificate."""
    if not asks:
        hint = "check the host: what it answers says nothing about the certificate"
        return warning(_CHECK, "the server asks for no client certificate", hint)
    end = client.leaf.not_valid_after_utc
    if client.now > end:
        return warning(_CHECK, f"accepted, though it expired on {rfc3339(end)}", "renew it")
    return ok(_CHECK, f"the server asked for one, and accepted {names.subject_or_none(client.leaf) or 'ours'}")


def is_about_certificates(alert: str) -> bool:
    """Whether an alert is one that is said of certificates only."""
    return alert in _ALERTS and alert != "handshake failure"


def said(alert: str, of: str = "the client certificate") -> str:
    """What an alert about certificates says of the client's."""
    return f"the server says that {of} {_ALERTS[alert][0]} (TLS alert {alert})"


def ended(error: NetError, client: ClientSide, accepts: Sequence[CaName], *, asks: bool) -> Finding:
    """The server ended the connection in the handshake, or before it answered."""
    alert = getattr(error, "alert", "")
    if alert in _ALERTS and (asks or alert != "handshake failure"):
        hint = _ALERTS[alert][1]
        return _refused(f"refused: {said(alert, of='it')}", hint, client, accepts, is_clear=alert in _CLEAR)
    if not asks:
        return accepted(client, asks=False)
    hint = "ask the partner for the reason; their log tells"
    return _refused(f"probably refused: {error.message}", hint, client, accepts)


def says_more_than_certificates(status: int | None) -> bool:
    """Whether the status of an answer that did not come whole tells that the certificate is not the trouble."""
    return status is not None and status >= 200 and status not in CERTIFICATE_STATUSES


def answered(answer: HttpAnswer, client: ClientSide, accepts: Sequence[CaName], *, asks: bool) -> Finding:
    """The server answered in HTTP, by which some gateways refuse certificates (nginx: 400, and a page in HTML)."""
    if not asks or answer.status not in CERTIFICATE_STATUSES:
        return accepted(client, asks=asks)
    there = date_of(answer)
    if answer.status == 496 or _NOT_SENT.search(answer.body):
        message = f"refused: HTTP {answer.status}, the gateway says that none was sent, though it requires one"
        return _refused(message, "it may take other kinds of key only", client, accepts, there)
    if answer.status == 495 or _REFUSED.search(answer.body):
        message = f"refused: HTTP {answer.status}, the gateway says that the certificate is in error"
        hint = "it may be revoked, or of a CA that the gateway does not know; give --cert the intermediates too"
        return _refused(message, hint, client, accepts, there)
    hint = (
        client.clock_trouble(there) or "gateways refuse certificates like this; or probe a URL that takes a plain GET"
    )
    return unknown(_CHECK, f"HTTP {answer.status} does not say whether it is about the certificate", hint)


def _refused(
    message: str,
    hint: str,
    client: ClientSide,
    accepts: Sequence[CaName],
    there: datetime | None = None,
    *,
    is_clear: bool = False,
) -> Finding:
    issuers = {each.issuer.public_bytes() for each in client.chain}
    if accepts and not issuers & {each.der for each in accepts}:
        shown = "; ".join(each.text for each in accepts[:3]) + ("; and others" if len(accepts) > 3 else "")
        hint = f"{hint}; it accepts certificates of {shown}"
    trouble = client.date_trouble() if is_clear else client.clock_trouble(there)
    return critical(_CHECK, message, trouble or hint)


def http_finding(answer: HttpAnswer, *, has_token: bool, now: datetime) -> Finding:
    """What the answer says besides: about a token, the path, and clocks; TLS is through."""
    status, there = answer.status, date_of(answer)
    if status in {401, 403} and has_token:
        return critical("http", f"HTTP {status}: the token is refused, TLS is not the trouble", "get a new token")
    if status in CERTIFICATE_STATUSES or status >= 500:
        return warning("http", f"HTTP {status}", "see client-certificate" if status < 500 else "ask the partner")
    if there is not None and abs(there - now) > _SKEW:
        hint = "compare both clocks: certificates and tokens depend on them"
        return warning("http", f"HTTP {status}; the server's clock says {rfc3339(there)}, not {rfc3339(now)}", hint)
    if status in {401, 403}:
        return ok("http", f"HTTP {status}: it wants a token, and none was sent; TLS is not the trouble")
    return ok("http", f"HTTP {status}")


def date_of(answer: HttpAnswer) -> datetime | None:
    """What the server's clock says (RFC 9110 section 6.6.1), or None if it does not say."""
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(answer.headers["date"])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (KeyError, ValueError, OverflowError, IndexError, TypeError):
        return None
