"""Verdicts on a client certificate from a server's reaction, in plain words; without I/O.

A refusal is explained by what this side can see of the certificate (its dates, its purpose, its issuer and the CAs that
the server names, the chain that was sent) before anything that can only be guessed at, such as revocation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, unknown, warning
from certkit.printable import brief
from certkit.times import parse_http_date, rfc3339
from certkit.verify import purpose as verify_purpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.net.connecting import NetError
    from certkit.net.wire import HttpAnswer
    from certkit.policy.rules import Hosts
    from certkit.x509.certificate import Certificate
    from certkit.x509.directory_name import Name

CHECKS = ("dns", "connect", "server-chain", "name", "client-certificate", "http")

# nginx's own status codes are visible if a gateway passes them on.
CERTIFICATE_STATUSES = frozenset({400, 495, 496})

ALERT_HINT = "check the host and the port; openssl s_client shows more"

_CHECK = "client-certificate"
# Clocks that differ by more are worth a warning.
_SKEW = timedelta(minutes=2)

# Texts of gateways; nginx's are "No required SSL certificate was sent" and "The SSL certificate error".
_NOT_SENT = re.compile(rb"no required ssl certificate|client certificate (?:is )?(?:required|missing)", re.IGNORECASE)
_REFUSED = re.compile(rb"ssl certificate error|(?:invalid|bad|untrusted|unknown) client certificate", re.IGNORECASE)
# Apache's text if it wants a certificate after the request, and the client has not offered that.
_CANNOT_ASK = re.compile(rb"post-handshake authentication", re.IGNORECASE)

# By OpenSSL's names of alerts (RFC 8446 section 6): what it means, and what to do about it.
_ALERTS = {
    "bad certificate": ("bad", "check that it is the one the partner issued, and that its chain is complete"),
    "unsupported certificate": ("of an unsupported kind", "check its key type and its purpose"),
    "certificate revoked": ("revoked", "get a new certificate"),
    "certificate expired": ("expired or not valid yet", "compare both clocks: by this machine's clock it is valid"),
    "certificate unknown": ("not acceptable", "ask the partner whether it is registered with them"),
    "unknown ca": ("issued by an unknown CA", "check the environment, and give --cert the intermediates too"),
    "access denied": ("valid, but without access", "ask the partner whether it is registered for this host"),
    "certificate required": ("missing, though required", "the server may accept other key types only"),
    "decrypt error": ("not matching its signature", "check that key and certificate belong together"),
    "handshake failure": ("probably not acceptable", "check its key type and its CA"),
}
# The alerts that name the reason themselves; for any other, local facts about the certificate come first.
_CLEAR = frozenset({
    "certificate expired", "certificate revoked", "access denied", "certificate required", "decrypt error",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClientSide:
    """The client's chain, its own certificate first, the local time, and what is known of the server's request for it.

    `accepts` are the CAs that the server names, and `asks` is whether it has asked for a certificate. Without
    `is_sure`, it might have asked after the request, and could not.
    """

    chain: Sequence[Certificate]
    now: datetime
    accepts: Sequence[Name] = ()
    asks: bool = False
    is_sure: bool = True

    @property
    def leaf(self) -> Certificate:
        """The client certificate."""
        return self.chain[0]

    def date_problem(self) -> tuple[str, str]:
        """Return why it is not valid by this machine's clock, and a hint; both empty if it is valid."""
        begin, end = self.leaf.dates()
        if self.now > end:
            return f"it expired on {rfc3339(end)}", "renew it"
        if self.now < begin:
            return f"it is not valid before {rfc3339(begin)}", "wait until then, or check this machine's clock"
        return "", ""

    def problem(self, there: datetime | None = None) -> tuple[str, str]:
        """Return why a server may refuse it, from local facts, and a hint; empty if nothing is wrong.

        `there` is what the server's clock says. The clocks are blamed only if the certificate is not valid by it.
        """
        if any(problem := self.date_problem()):
            return problem
        purpose = verify_purpose.judge([self.leaf], "client")
        if not purpose.is_good:
            return f"it is {purpose.message}", purpose.hint
        issuers, issuer = {each.issuer.key for each in self.chain}, self.leaf.issuer.text
        if self.accepts and issuers.isdisjoint(each.key for each in self.accepts):
            shown = "; ".join(each.text for each in self.accepts[:3])
            shown += "; and others" if len(self.accepts) > 3 else ""
            why = f"it was issued by {issuer}, and the server accepts only {shown}"
            hint = "check that the certificate and the host belong to the same environment"
            top = self.chain[-1]
            if top.issuer != top.subject:
                hint += f"; if {top.issuer.text} is an intermediate CA, add its certificate to --cert"
            return why, hint
        begin, end = self.leaf.dates()
        if there is not None and not begin <= there <= end:
            return f"it is not valid by the server's clock ({rfc3339(there)})", "compare both clocks"
        if not self.accepts and len(self.chain) == 1 and self.leaf.issuer != self.leaf.subject:
            hint = (
                f"it was sent without intermediates: if its issuer, {issuer}, is an intermediate CA, add that to --cert"
            )
            return "", hint
        return "", ""


def accepted(client: ClientSide) -> Finding:
    """Return the finding if the server accepted the certificate, or never asked for one."""
    if not client.asks and not client.is_sure:
        hint = "probe a URL for which the server requests the certificate during the handshake, or update pyOpenSSL"
        return unknown(_CHECK, "cannot tell: the server may request the certificate only after the HTTP request", hint)
    if not client.asks:
        hint = "check the host: its response says nothing about the certificate"
        return warning(_CHECK, "the server does not request a client certificate", hint)
    _, end = client.leaf.dates()
    if client.now > end:
        return warning(_CHECK, f"accepted, although it expired on {rfc3339(end)}", "renew it")
    return ok(_CHECK, f"the server requested a certificate and accepted {client.leaf.subject.text or 'ours'}")


def is_about_certificates(alert: str) -> bool:
    """Return whether an alert is sent about certificates only."""
    return alert in _ALERTS and alert != "handshake failure"


def rejection(alert: str) -> str:
    """Return in words that the server rejected the client certificate, and with which alert."""
    return f"the server rejected the client certificate as {_ALERTS[alert][0]} (TLS alert {alert})"


def ended(error: NetError, client: ClientSide) -> Finding:
    """Return the finding if the server ended the connection in the handshake, or before responding."""
    alert = getattr(error, "alert", "")
    if alert in _ALERTS and (client.asks or alert != "handshake failure"):
        problem = client.date_problem() if alert in _CLEAR else client.problem()
        return _refused(rejection(alert), problem, _ALERTS[alert][1])
    if not client.asks:
        return accepted(client)
    hint = "ask the partner: their server's log has the reason"
    return _refused(error.message, client.problem(), hint, verdict="probably refused")


def _refused(message: str, problem: tuple[str, str], guess: str, *, verdict: str = "refused") -> Finding:
    """Return the finding for a refusal: the server's reason, else the local one, else a likely one."""
    why, hint = problem
    return critical(_CHECK, f"{verdict}: {message}{why and ': ' + why}", hint or guess)


def says_more_than_certificates(status: int | None) -> bool:
    """Return whether the status of an incomplete answer shows that the certificate is not the cause."""
    return status is not None and status >= 200 and status not in CERTIFICATE_STATUSES


def from_response(answer: HttpAnswer, client: ClientSide) -> Finding:
    """Return the finding for an HTTP response, by which some gateways refuse certificates (nginx: 400 and HTML)."""
    if not client.asks and _CANNOT_ASK.search(answer.body):
        return accepted(replace(client, is_sure=False))
    if not client.asks or answer.status not in CERTIFICATE_STATUSES:
        return accepted(client)
    problem = client.problem(parse_http_date(answer.headers.get("date", "")))
    if answer.status == 496 or _NOT_SENT.search(answer.body):
        message = f"HTTP {answer.status}, the gateway received no certificate, but requires one"
        return _refused(message, problem, "the gateway may accept other key types only")
    if answer.status == 495 or _REFUSED.search(answer.body):
        message = f"HTTP {answer.status}, the gateway rejected the certificate"
        hint = "it may be revoked, or issued by a CA that the gateway does not know; give --cert the intermediates too"
        return _refused(message, problem, hint)
    hint = (
        ": ".join(filter(None, problem)) or "gateways reject certificates like this; or probe a URL that serves a GET"
    )
    return unknown(_CHECK, f"HTTP {answer.status} does not say whether the certificate is the cause", hint)


def from_header(answer: HttpAnswer, addresses: Hosts) -> Finding | None:
    """Return the finding from the partner's own header about the certificate; None without that header."""
    message = answer.headers.get(addresses.verdict_header.lower(), "").strip()
    if not message:
        return None
    shown = f"{addresses.verdict_header}: {brief(message)}"
    if message == addresses.verdict_accepted:
        return ok(_CHECK, f"accepted: the answer says {shown}")
    hint = "check that the certificate was issued for this account and environment, and is the one in use there"
    return critical(_CHECK, f"refused: the answer says {shown}", hint)


def http_finding(answer: HttpAnswer, *, has_token: bool, now: datetime) -> Finding:
    """Return the finding about the rest of the response: token, path and clocks; TLS has succeeded."""
    status, there, more = answer.status, parse_http_date(answer.headers.get("date", "")), answer.details
    if status in {401, 403} and has_token:
        return critical("http", f"HTTP {status}: the token was rejected, TLS succeeded{more}", "get a new token")
    if status == 429:
        return warning("http", f"HTTP 429: the server is rate limiting requests{more}", "try again later")
    if status in CERTIFICATE_STATUSES or status >= 500:
        hint = "see client-certificate" if status < 500 else "ask the partner"
        return warning("http", f"HTTP {status}{more}", hint)
    if there is not None and abs(there - now) > _SKEW:
        hint = "compare both clocks: certificates and tokens depend on them"
        return warning("http", f"HTTP {status}; the server's clock says {rfc3339(there)}, not {rfc3339(now)}", hint)
    if status in {401, 403}:
        return ok("http", f"HTTP {status}: the server requires a token, and none was sent; TLS succeeded")
    return ok("http", f"HTTP {status}")
