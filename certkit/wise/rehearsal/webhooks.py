"""The application's webhook subscriptions, and the content of a test notification."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.times import rfc3339
from certkit.wise.rehearsal.messages import Reply, as_json, failure
from certkit.wise.rehearsal.state import MAX_REMEMBERED, HubSubscription, RehearsalState

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.state import Grant

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_MAX_CHARACTERS = 1024


def subscribe(
    state: RehearsalState, request: WebRequest, grant: Grant, *, now: datetime
) -> tuple[RehearsalState, Reply]:
    """Answer `POST /v3/applications/{clientId}/subscriptions`: return the new state and the response."""
    if grant.kind != "client_credentials":
        return state, failure(403, "forbidden", "An application token (client_credentials) is required")
    if len(state.subscriptions) >= MAX_REMEMBERED:
        return state, failure(400, "invalid_request", "The rehearsal is full")
    made = _subscription(request.body, now)
    if isinstance(made, str):
        return state, failure(400, "invalid_request", made)
    return replace(state, subscriptions=(*state.subscriptions, made)), as_json(_document(made), status=201)


def find(state: RehearsalState, subscription_id: str) -> HubSubscription | None:
    """Return the subscription with that id, or None."""
    return next((each for each in state.subscriptions if each.id == subscription_id), None)


def notification(subscription: HubSubscription, *, now: datetime) -> bytes:
    """Return the body of a test notification; its fields are the rehearsal's own."""
    message = {
        "subscription_id": subscription.id,
        "event_type": subscription.trigger_on,
        "sent_at": rfc3339(now),
        "data": {"test": True, "from": "certkit rehearsal, not Wise"},
    }
    return json.dumps(message).encode()


def _subscription(body: bytes, now: datetime) -> HubSubscription | str:
    """Parse a body; return the subscription, or what is wrong with it."""
    try:
        asked = json.loads(body)
        delivery = asked["delivery"]
        found = {"name": asked["name"], "trigger_on": asked["trigger_on"]}
        found |= {"version": delivery["version"], "url": delivery["url"]}
        is_mutual = delivery.get("mtls_enabled", False)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "Expected JSON with name, trigger_on and delivery {version, url}"
    words = (
        isinstance(each, str) and 0 < len(each) <= _MAX_CHARACTERS and each.isprintable() for each in found.values()
    )
    if not all(words) or not isinstance(is_mutual, bool):
        return "name, trigger_on, version and url must be strings, mtls_enabled true or false"
    if not _is_loopback(found["url"]):
        return "The rehearsal notifies https addresses of this machine only: https://127.0.0.1:PORT/"
    return HubSubscription(id=str(uuid.uuid4()), mtls_enabled=is_mutual, created=now, **found)


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return False
    return parts.scheme == "https" and parts.hostname in _LOOPBACK and port > 0


def _document(made: HubSubscription) -> dict[str, object]:
    listed = asdict(made)
    delivery = {name: listed[name] for name in ("version", "url", "mtls_enabled")}
    about = {name: listed[name] for name in ("id", "name", "trigger_on")}
    return {**about, "delivery": delivery, "created_on": rfc3339(made.created)}
