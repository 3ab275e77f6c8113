"""The call with which Wise advises testing a new certificate: `GET <mTLS API>/v1/authenticated/playground`.

Wise developer documentation, "mTLS", read on 2026-11-22.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.findings import Status, critical, ok, skipped, unknown
from certkit.probe import probe, target
from certkit.verify import anchors
from certkit.wise.oauth_answers import CERTIFICATE_HINT

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.secret import Secret
    from certkit.wise.oauth import TokenEndpoint

_TOKEN_HINT = "renew it: certkit wise token refresh --force; if that is refused too, start again with `certkit wise authorize-url`"  # noqa: S105, E501  advice


def call(endpoint: TokenEndpoint, policy: Policy, token: Secret | None, *, now: datetime) -> Finding:
    """Call Wise with an endpoint's certificate and a token, and return the findings.

    They are OK only if both certificate and token are accepted; without a token, the call is `skipped` once the
    certificate is accepted.
    """
    base = endpoint.url.removesuffix(policy.hosts.token_path)
    where = urlsplit(base).netloc
    if endpoint.credentials is None:
        hint = "give the URL of the mTLS API, and activate a certificate"
        return unknown("client-certificate", f"no client certificate would be sent to {where}", hint)
    if not policy.hosts.probe_path:
        return unknown("http", f"policy {policy.name} has no probe URL", "set hosts.probe_path")
    found = probe(
        target(base + policy.hosts.probe_path),
        credentials=endpoint.credentials,
        anchors=endpoint.anchors if endpoint.anchors is not None else anchors.system(),
        token=token,
        now=now,
        timeout=endpoint.timeout,
        addresses=policy.hosts,
    )
    certificate, status = found.verdict_on_certificate(), found.http_status
    if certificate.status is Status.CRITICAL:
        return replace(certificate, hint=CERTIFICATE_HINT)
    if status == 200:
        return ok("http", f"{where} accepts the certificate and the token (status 200)")
    if status == 401 and token is None:
        return skipped("http", f"{where} accepts the client certificate; no token was tried", "give --token-file")
    if status in {401, 403}:
        return critical("http", f"{where} rejects the token: status {status}", _TOKEN_HINT)
    if status is not None:
        hint = "check the URL, and any gateway in between"
        return unknown("http", f"{where} responds with status {status}", hint)
    first = next(each for each in found.findings if not each.is_good)
    return unknown(first.id, first.message, first.hint)
