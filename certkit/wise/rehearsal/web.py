"""The web pages: which URL leads to which rule and page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.errors import CertkitError, RefusedError
from certkit.wise.rehearsal import hub, pages, tokens
from certkit.wise.rehearsal.messages import Reply, redirect
from certkit.wise.rehearsal.state import MAX_REMEMBERED, User, digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.pages import Markup
    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

_CERTIFICATES = "/developer-hub/certificates/"


def answer(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    """Answer a request to the web pages."""
    stranger = _refuse_strangers(rehearsal, request)
    if stranger is not None:
        return _page(pages.refused(rehearsal, stranger), status=403)
    path = request.path.rstrip("/") or "/"
    with rehearsal.lock:
        if request.method == "GET" and path in _PAGES:
            return _page(_PAGES[path](rehearsal))
        if request.method == "GET" and path.startswith(_CERTIFICATES):
            return _certificate(rehearsal, path.removeprefix(_CERTIFICATES))
        route = _ROUTES.get((request.method, path))
        if route is None:
            return _page(pages.missing(rehearsal), status=404)
        try:
            return route(rehearsal, request)
        except RefusedError as refusal:
            return _page(pages.refused(rehearsal, refusal), status=400)


def _refuse_strangers(rehearsal: WiseRehearsal, request: WebRequest) -> RefusedError | None:
    """Refuse requests that another site's page may have sent: under another host name, or with its own form."""
    own = urlsplit(rehearsal.web)
    ours = {f"127.0.0.1:{own.port}", f"localhost:{own.port}"}
    origin = request.headers.get("origin")
    if request.headers.get("host", own.netloc) not in ours:
        return RefusedError("the rehearsal was called by another host name", hint=f"use {rehearsal.web}")
    if request.method == "POST" and origin is not None and urlsplit(origin).netloc not in ours:
        return RefusedError("the form was sent from another site", hint=f"use the pages of {rehearsal.web}")
    return None


def _callback(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    return _page(pages.callback(rehearsal, f"{rehearsal.web}{request.path}?{request.query}"))


def _authorize(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    asked = request.fields()
    tokens.require_configured(rehearsal, asked)
    if request.method == "GET":
        return _page(pages.authorize(rehearsal, asked))
    return redirect(tokens.decide(rehearsal, asked))


def _generate(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    form = request.fields()
    name, pasted = form.get("name", "").strip(), form.get("csr", "")
    # A browser submits a text field with CRLF line endings, whatever was pasted (HTML, form submission).
    csr = pasted.replace("\r\n", "\n").encode("utf-8", "surrogateescape")
    try:
        issued, warnings = hub.issue(rehearsal, name, csr)
    except CertkitError as refusal:
        return _page(pages.hub(rehearsal, name=name, csr=pasted, refusal=refusal), status=400)
    return _page(pages.certificate(rehearsal, issued, warnings=warnings), status=201)


def _certificate(rehearsal: WiseRehearsal, serial: str) -> Reply:
    wanted = serial.removesuffix(".pem")
    found = next((each for each in rehearsal.state.certificates if each.serial == wanted), None)
    if found is None:
        return _page(pages.missing(rehearsal), status=404)
    if serial.endswith(".pem"):
        return _pem(found.pem.encode())
    return _page(pages.certificate(rehearsal, found))


def _control(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    form, state, now = request.fields(), rehearsal.state, rehearsal.clock()
    action, subject = form.get("action", ""), form.get("subject", "")
    match action:
        case "revoke-refresh-token":
            grants = (replace(each, is_revoked=True) if each.id == subject else each for each in state.grants)
            rehearsal.update(grants=tuple(grants))
        case "end-access-token":
            grants = (replace(each, access_expires=now) if each.id == subject else each for each in state.grants)
            rehearsal.update(grants=tuple(grants))
        case "revoke-certificate":
            certificates = (
                replace(each, revoked=now) if each.serial == subject and each.revoked is None else each
                for each in state.certificates
            )
            rehearsal.update(certificates=tuple(certificates))
        case "enforce" | "relax":
            rehearsal.update(is_enforced=action == "enforce")
        case "add-user":
            email, registration_code = form.get("email", ""), form.get("registration_code", "")
            if not email.isprintable() or not email or not registration_code:
                raise RefusedError("e-mail address or registration code is missing", hint="fill in both")
            user = User(email=email, code_sha256=digest(registration_code))
            rehearsal.update(users=(*state.users, user)[-MAX_REMEMBERED:])
        case _:
            raise RefusedError("unknown control", hint="use the buttons on the page")
    return redirect("/controls")


def _pem(body: bytes) -> Reply:
    return Reply(content_type="application/x-pem-file", body=body)


def _page(page: Markup, *, status: int = 200) -> Reply:
    policy = f"default-src 'none'; style-src 'sha256-{pages.STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy}
    return Reply(status=status, headers=headers, body=page.encode("utf-8", "backslashreplace"))


_PAGES: dict[str, Callable[[WiseRehearsal], Markup]] = {
    "/": pages.start,
    "/settings": pages.settings,
    "/developer-hub": pages.hub,
    "/controls": pages.controls,
}
_ROUTES: dict[tuple[str, str], Callable[[WiseRehearsal, WebRequest], Reply]] = {
    ("GET", "/oauth/authorize"): _authorize,
    ("POST", "/oauth/authorize"): _authorize,
    ("GET", "/callback"): _callback,
    ("POST", "/developer-hub"): _generate,
    ("GET", "/developer-hub/wise.ca-certificate.rehearsal.pem"): lambda rehearsal, _: _pem(rehearsal.ca.pem),
    ("POST", "/controls"): _control,
}
