"""The call that Wise advises to try a new certificate with: `GET <mTLS API>/v1/authenticated/playground`.

Wise developer documentation, "mTLS", read on 2026-11-22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit import http, tls
from certkit.findings import critical, ok, skipped, unknown
from certkit.probe import judge
from certkit.wise.addresses import TOKEN_PATH

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.core.policy import Policy
    from certkit.findings import Finding
    from certkit.secret import Secret
    from certkit.wise.grants import Endpoint

_CERTIFICATE, _HTTP = "client-certificate", "http"
_CERTIFICATE_HINT = (
    "it may have expired, be revoked, or be of another environment: look in Developer Hub, and replace it with "
    "certkit identity renew --force"
)
_TOKEN_HINT = "renew it: certkit wise token refresh --force; if that is refused too, begin again with `certkit wise authorize-url`"  # noqa: S105, E501  advice


def call(endpoint: Endpoint, policy: Policy, token: Secret | None, *, now: datetime) -> Finding:
    """What Wise says to the certificate that goes with an endpoint, and to a token.

    Ok only where both are good; without a token `skipped`, if the certificate is good.
    """
    base = endpoint.url.removesuffix(TOKEN_PATH)
    where = urlsplit(base).netloc
    if endpoint.credentials is None:
        hint = "give the address of the API with mTLS, and activate a certificate"
        return unknown(_CERTIFICATE, f"no client certificate would be shown to {where}", hint)
    if not policy.hosts.probe_path:
        return unknown(_HTTP, f"policy {policy.name} names nothing to call", "set hosts.probe_path")
    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal().decode('ascii', 'replace')}"}
    request = http.Request(method="GET", url=base + policy.hosts.probe_path, headers=headers)
    try:
        answer = http.send(
            request, now=now, credentials=endpoint.credentials, anchors=endpoint.anchors, timeout=endpoint.timeout
        )
    except http.HttpError as error:
        ended = error.__cause__
        if isinstance(ended, tls.HandshakeEndedError) and judge.is_about_certificates(ended):
            return critical(_CERTIFICATE, error.message, _CERTIFICATE_HINT)
        return unknown("connect", error.message, error.hint)
    return _judged(answer, where, has_token=token is not None)


def _judged(answer: http.Answer, where: str, *, has_token: bool) -> Finding:
    status = answer.status
    if status == 200:
        return ok(_HTTP, f"{where} answers 200 to certificate and token")
    if status == 400 and b"SSL certificate" in answer.body:
        return critical(_CERTIFICATE, f"{where} does not accept the client certificate", _CERTIFICATE_HINT)
    if status == 401 and not has_token:
        return skipped(_HTTP, f"{where} accepts the client certificate; no token was tried", "give --token-file")
    if status in {401, 403}:
        return critical(_HTTP, f"{where} does not accept the token: status {status}", _TOKEN_HINT)
    hint = "check the address, and what stands between"
    return unknown(_HTTP, f"{where} answers with status {status}", hint)
