"""The API, plain and with mTLS: which URL leads to which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.wise.rehearsal import tokens, webhooks
from certkit.wise.rehearsal.messages import Reply, as_json, failure

if TYPE_CHECKING:
    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

PLAYGROUND = "/v1/authenticated/playground"


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
                        return webhooks.subscribe(rehearsal, request.body, grant)
                case [subscription_id, "test-notifications"]:
                    known = {each.id: each for each in rehearsal.state.subscriptions}
                    if subscription_id not in known:
                        return failure(404, "not_found", "There is no such subscription")
                    result = rehearsal.notify(known[subscription_id])
                    return as_json({"subscription_id": subscription_id, "rehearsal": result}, status=202)
    return failure(404, "not_found", "The rehearsal has nothing here")
