"""The API, plain and with mTLS: which URL leads to which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.wise.rehearsal import tokens, webhooks
from certkit.wise.rehearsal.messages import Reply, as_json, failure

if TYPE_CHECKING:
    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.rehearsal import RehearsalParts

PLAYGROUND = "/v1/authenticated/playground"


def plain(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    """Answer a request to the API without client certificates."""
    if rehearsal.state.is_enforced:
        return failure(401, "unauthorized", "This client must use mTLS: call the mTLS address")
    return _common(rehearsal, request)


def mutual(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    """Answer a request to the API with mTLS, whose client has presented a valid certificate."""
    if (request.method, request.path) == ("GET", PLAYGROUND):
        return _playground(rehearsal, request)
    return _common(rehearsal, request)


def _common(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    if (request.method, request.path) == ("POST", "/oauth/token"):
        secret = rehearsal.client_secret
        return rehearsal.change(lambda state, now: tokens.answer(state, request, secret=secret, now=now))
    match request.path.split("/"):
        case ["", "v3", "applications", client_id, "subscriptions", *rest] if request.method == "POST":
            return _application(rehearsal, request, client_id, rest)
    return failure(404, "not_found", "The rehearsal has nothing here")


def _playground(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    grant = tokens.bearer(rehearsal.state, request, now=rehearsal.clock())
    if isinstance(grant, Reply):
        return grant
    return as_json({"message": "Certificate and token are good.", "from": "certkit rehearsal, not Wise"})


def _application(rehearsal: RehearsalParts, request: WebRequest, client_id: str, rest: list[str]) -> Reply:
    grant = tokens.bearer(rehearsal.state, request, now=rehearsal.clock())
    if isinstance(grant, Reply):
        return grant
    if client_id != rehearsal.state.client_id:
        return failure(403, "forbidden", "The token is another application's")
    if not rest:
        return rehearsal.change(lambda state, now: webhooks.subscribe(state, request, grant, now=now))
    match rest:
        case [subscription_id, "test-notifications"]:
            return _notify(rehearsal, subscription_id)
    return failure(404, "not_found", "The rehearsal has nothing here")


def _notify(rehearsal: RehearsalParts, subscription_id: str) -> Reply:
    found = webhooks.find(rehearsal.state, subscription_id)
    if found is None:
        return failure(404, "not_found", "There is no such subscription")
    went = rehearsal.notify(found, webhooks.notification(found, now=rehearsal.clock()))
    return as_json({"subscription_id": found.id, "rehearsal": went}, status=202)
