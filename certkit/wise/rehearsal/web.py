"""The web pages: which URL leads to which rule and page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.errors import CertkitError, RefusedError
from certkit.wise.rehearsal import consent, hub, pages, tokens
from certkit.wise.rehearsal.messages import Reply, redirect
from certkit.wise.rehearsal.state import MAX_REMEMBERED, RehearsalState, User, digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.wise.rehearsal.markup import Markup
    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.rehearsal import RehearsalParts
    from certkit.wise.rehearsal.state import HubCertificate

CA_PATH = "/developer-hub/wise.ca-certificate.rehearsal.pem"
_CERTIFICATES = "/developer-hub/certificates/"
_PEM = "application/x-pem-file"


def answer(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    """Answer a request to the web pages."""
    refusal = _refuse_strangers(rehearsal, request)
    if refusal is not None:
        return _page(pages.refused(refusal, now=rehearsal.clock()), status=403)
    path = request.path.rstrip("/") or "/"
    if path.startswith(_CERTIFICATES) and request.method == "GET":
        return _certificate(rehearsal, path.removeprefix(_CERTIFICATES))
    route = _ROUTES.get((request.method, path))
    if route is None:
        return _page(pages.missing(now=rehearsal.clock()), status=404)
    return route(rehearsal, request)


def _refuse_strangers(rehearsal: RehearsalParts, request: WebRequest) -> RefusedError | None:
    """Refuse requests that another site's page may have sent: under another host name, or with its own form."""
    own = urlsplit(rehearsal.places.web)
    ours = {f"127.0.0.1:{own.port}", f"localhost:{own.port}"}
    origin = request.headers.get("origin")
    if request.headers.get("host", own.netloc) not in ours:
        return RefusedError("the rehearsal was called by another host name", hint=f"use {rehearsal.places.web}")
    if request.method == "POST" and origin is not None and urlsplit(origin).netloc not in ours:
        return RefusedError("the form was sent from another site", hint=f"use the pages of {rehearsal.places.web}")
    return None


def _start(rehearsal: RehearsalParts, _: WebRequest) -> Reply:
    return _page(pages.start(rehearsal.state, rehearsal.places, now=rehearsal.clock()))


def _settings(rehearsal: RehearsalParts, _: WebRequest) -> Reply:
    return _page(pages.settings(rehearsal.state, now=rehearsal.clock()))


def _callback(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    address = f"{rehearsal.places.web}{request.path}?{request.query}"
    return _page(pages.callback(address, now=rehearsal.clock()))


def _authorize(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    parameters = request.parameters() if request.method == "GET" else request.form()
    try:
        asked = consent.asked(rehearsal.state, parameters, redirect_uris=rehearsal.redirect_uris)
        if request.method == "GET":
            return _page(pages.authorize(rehearsal.state, asked, now=rehearsal.clock()))
        if parameters.get("decision") != "grant":
            return redirect(consent.deny(asked))
        profile = parameters.get("profile", "")
        return redirect(rehearsal.change(lambda state, now: consent.grant(state, asked, profile, now=now)))
    except RefusedError as refusal:
        return _page(pages.refused(refusal, now=rehearsal.clock()), status=400)


def _hub(rehearsal: RehearsalParts, _: WebRequest) -> Reply:
    return _page(pages.hub(rehearsal.state, now=rehearsal.clock()))


def _generate(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    form = request.form()
    name, pasted = form.get("name", "").strip(), form.get("csr", "")
    # A browser submits a text field with CRLF line endings, whatever was pasted (HTML, form submission).
    csr = pasted.replace("\r\n", "\n").encode("utf-8", "surrogateescape")

    def rule(state: RehearsalState, now: datetime) -> tuple[RehearsalState, tuple[HubCertificate, list[Finding]]]:
        made, issued, warnings = hub.issue(state, name, csr, policy=rehearsal.policy, ca=rehearsal.ca, now=now)
        return made, (issued, list(warnings))

    try:
        issued, warnings = rehearsal.change(rule)
    except CertkitError as refusal:
        page = pages.hub(rehearsal.state, now=rehearsal.clock(), name=name, csr=pasted, refusal=refusal)
        return _page(page, status=400)
    return _page(pages.certificate(issued, now=rehearsal.clock(), warnings=warnings), status=201)


def _certificate(rehearsal: RehearsalParts, serial: str) -> Reply:
    wanted = serial.removesuffix(".pem")
    found = next((each for each in rehearsal.state.certificates if each.serial == wanted), None)
    if found is None:
        return _page(pages.missing(now=rehearsal.clock()), status=404)
    if serial.endswith(".pem"):
        return Reply(content_type=_PEM, body=found.pem.encode())
    return _page(pages.certificate(found, now=rehearsal.clock()))


def _ca(rehearsal: RehearsalParts, _: WebRequest) -> Reply:
    return Reply(content_type=_PEM, body=rehearsal.ca.pem)


def _controls(rehearsal: RehearsalParts, _: WebRequest) -> Reply:
    return _page(pages.controls(rehearsal.state, now=rehearsal.clock()))


def _control(rehearsal: RehearsalParts, request: WebRequest) -> Reply:
    form = request.form()
    action, subject = form.get("action", ""), form.get("subject", "")

    def rule(state: RehearsalState, now: datetime) -> tuple[RehearsalState, None]:
        match action:
            case "revoke-refresh-token":
                return tokens.revoke(state, subject), None
            case "end-access-token":
                return tokens.end_access(state, subject, now=now), None
            case "revoke-certificate":
                return hub.revoke(state, subject, now=now), None
            case "enforce" | "relax":
                return replace(state, is_enforced=action == "enforce"), None
            case "add-user":
                return _with_user(state, form.get("email", ""), form.get("registration_code", "")), None
        raise RefusedError("unknown control", hint="use the buttons on the page")

    try:
        rehearsal.change(rule)
    except RefusedError as refusal:
        return _page(pages.refused(refusal, now=rehearsal.clock()), status=400)
    return redirect("/controls")


def _with_user(state: RehearsalState, email: str, registration_code: str) -> RehearsalState:
    if not email.isprintable() or not email or not registration_code:
        raise RefusedError("e-mail address or registration code is missing", hint="fill in both")
    user = User(email=email, code_sha256=digest(registration_code))
    return replace(state, users=(*state.users, user)[-MAX_REMEMBERED:])


def _page(page: Markup, *, status: int = 200) -> Reply:
    policy = f"default-src 'none'; style-src 'sha256-{pages.STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy}
    return Reply(status=status, headers=headers, body=page.encode("utf-8", "backslashreplace"))


_ROUTES: dict[tuple[str, str], Callable[[RehearsalParts, WebRequest], Reply]] = {
    ("GET", "/"): _start,
    ("GET", "/oauth/authorize"): _authorize,
    ("POST", "/oauth/authorize"): _authorize,
    ("GET", "/callback"): _callback,
    ("GET", "/settings"): _settings,
    ("GET", "/developer-hub"): _hub,
    ("POST", "/developer-hub"): _generate,
    ("GET", CA_PATH): _ca,
    ("GET", "/controls"): _controls,
    ("POST", "/controls"): _control,
}
