"""Notifications to webhooks on this machine."""

from __future__ import annotations

import http.client
import ssl
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from certkit.wise import deliveries
from certkit.wise.rehearsal.folder import NOTIFIER, SIGNER

if TYPE_CHECKING:
    from pathlib import Path

    from certkit.wise.rehearsal.state import HubSubscription

_SECONDS = 5.0


def notify(folder: Path, subscription: HubSubscription, body: bytes) -> str:
    """Deliver a notification to a webhook, and return the result.

    The rehearsal presents its client certificate if mTLS is enabled.
    """
    parts = urlsplit(subscription.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": "application/json"}
    try:
        headers |= {
            deliveries.HEADER: deliveries.sign(body, _signing_key(folder)),
            "X-Delivery-Id": str(uuid.uuid4()),
            "X-Test-Notification": "true",
        }
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=_SECONDS, context=_context(folder, subscription)
        )
        try:
            connection.request("POST", target, body, headers)
            return f"delivered: the webhook answered {connection.getresponse().status}"
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"not delivered: {str(error) or type(error).__name__}"


def _signing_key(folder: Path) -> Any:
    """Return the key that signs deliveries; its public half is in the rehearsal's policy."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key((folder / f"{SIGNER}.key").read_bytes(), None)


def _context(folder: Path, subscription: HubSubscription) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only this machine is called, where servers seldom have a certificate that could be verified.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if subscription.mtls_enabled:
        context.load_cert_chain(folder / f"{NOTIFIER}.pem", folder / f"{NOTIFIER}.key")
    return context
