"""The API, plain and with mTLS: which URL leads to which rule, and webhook subscriptions."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.times import rfc3339
from certkit.wise.rehearsal import tokens
from certkit.wise.rehearsal.messages import Reply, as_json, failure
from certkit.wise.rehearsal.state import MAX_REMEMBERED, HubSubscription

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.rehearsal import WiseRehearsal
    from certkit.wise.rehearsal.state import Grant

PLAYGROUND = "/v1/authenticated/playground"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_MAX_CHARACTERS = 1024


def plain(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    """Answer a request to the API without client certificates."""
    if rehearsal.state.is_enforced:
        return failure(401, "unauthorized", "This client must use mTLS: call the mTLS address")
    return _common(rehearsal, request)


def mutual(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    """Answer a request to the API with mTLS, whose client has presented a valid certificate."""
    if (request.method, request.path) != ("GET", PLAYGROUND):
        return _common(rehearsal, request)
    grant = tokens.bearer(rehearsal, request)
    if isinstance(grant, Reply):
        return grant
    return as_json({"message": "Certificate and token are good.", "from": "certkit rehearsal, not Wise"})


def _common(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    match request.method, request.path.split("/"):
        case "POST", ["", "oauth", "token"]:
            with rehearsal.lock:
                return tokens.answer(rehearsal, request)
        case "POST", ["", "v3", "applications", client_id, "subscriptions", *rest]:
            grant = tokens.bearer(rehearsal, request)
            if isinstance(grant, Reply):
                return grant
            if client_id != rehearsal.state.client_id:
                return failure(403, "forbidden", "The token is another application's")
            match rest:
                case []:
                    with rehearsal.lock:
                        return _subscribe(rehearsal, request.body, grant)
                case [subscription_id, "test-notifications"]:
                    known = {each.id: each for each in rehearsal.state.subscriptions}
                    if subscription_id not in known:
                        return failure(404, "not_found", "There is no such subscription")
                    result = rehearsal.notify(known[subscription_id])
                    return as_json({"subscription_id": subscription_id, "rehearsal": result}, status=202)
    return failure(404, "not_found", "The rehearsal has nothing here")


def _subscribe(rehearsal: WiseRehearsal, body: bytes, grant: Grant) -> Reply:
    """Answer `POST /v3/applications/{clientId}/subscriptions`."""
    if grant.kind != "client_credentials":
        return failure(403, "forbidden", "An application token (client_credentials) is required")
    known = rehearsal.state.subscriptions
    if len(known) >= MAX_REMEMBERED:
        return failure(400, "invalid_request", "The rehearsal is full")
    made = _subscription(body, rehearsal.clock())
    if isinstance(made, str):
        return failure(400, "invalid_request", made)
    rehearsal.update(subscriptions=(*known, made))
    listed = asdict(made)
    delivery = {name: listed[name] for name in ("version", "url", "mtls_enabled")}
    about = {name: listed[name] for name in ("id", "name", "trigger_on")}
    return as_json({**about, "delivery": delivery, "created_on": rfc3339(made.created)}, status=201)


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
