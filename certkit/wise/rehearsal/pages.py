"""The pages of the rehearsal: plain HTML without scripts. Each says that it is not Wise."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from certkit.printable import capitalised, printable
from certkit.times import rfc3339
from certkit.wise.rehearsal.state import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from certkit.errors import CertkitError
    from certkit.findings import Finding
    from certkit.wise.rehearsal.rehearsal import WiseRehearsal
    from certkit.wise.rehearsal.state import Grant, HubCertificate

_STYLE = """
:root { color-scheme: light dark; --page: #f4f6f9; --surface: #fff; --ink: #172033; --quiet: #55607a; --edge: #7b879d;
  --notice: #fff3d9; --notice-ink: #6b4000; --link: #1f5fd6; --bad: #b3241b; --good: #0e6a4b; }
@media (prefers-color-scheme: dark) { :root { --page: #0e131c; --surface: #161d2a; --ink: #e7ecf5; --quiet: #a3afc4;
  --edge: #75839b; --notice: #352811; --notice-ink: #f5c462; --link: #8ab4ff; --bad: #ff9d94; --good: #74d8b0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, "Liberation Sans", sans-serif; }
.notice { margin: 0; padding: .6rem 1.25rem; background: var(--notice); color: var(--notice-ink); font-weight: 600;
  text-align: center; }
nav, main, footer { max-width: 56rem; margin: 0 auto; padding: .75rem 1.25rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; padding: 0; list-style: none; }
a { color: var(--link); }
h1 { margin: .5rem 0; font-size: 1.6rem; line-height: 1.25; } h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; }
code, textarea, input, td, dd { overflow-wrap: anywhere; }
code, textarea { font: .875rem/1.45 ui-monospace, "Liberation Mono", monospace; }
label, legend { font-weight: 600; } label { display: block; margin-top: .75rem; }
fieldset { margin: .75rem 0; padding: .5rem 1rem; border: 1px solid var(--edge); border-radius: .5rem; }
fieldset label { margin: .25rem 0; font-weight: 400; }
input:not([type=radio]), textarea { display: block; width: 100%; padding: .5rem; border: 1px solid var(--edge);
  border-radius: .5rem; background: var(--surface); color: inherit; }
input:not([type=radio]) { font: inherit; }
button { margin: .75rem .5rem 0 0; padding: .5rem 1.1rem; border: 1px solid var(--link); border-radius: .5rem;
  background: var(--surface); color: var(--link); font: inherit; font-weight: 600; cursor: pointer; }
button.first { background: var(--link); color: var(--surface); }
td button { margin: 0 .25rem .25rem 0; padding: .2rem .6rem; }
form.inline { display: inline; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.table { overflow-x: auto; } table { width: 100%; border-collapse: collapse; background: var(--surface); }
th, td { padding: .5rem .75rem; border: 1px solid var(--edge); text-align: left; vertical-align: top; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; } .quiet, footer { color: var(--quiet); }
.refused { padding: .75rem 1rem; border: 2px solid var(--bad); border-radius: .5rem; background: var(--surface); }
.refused h2 { margin: 0; color: var(--bad); } .live { color: var(--good); } .revoked, .expired { color: var(--bad); }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - rehearsal, not Wise</title>
<style>{style}</style>
</head>
<body>
<p class="notice" role="note">This is a rehearsal on your own machine, not Wise. Nothing here counts.</p>
<nav aria-label="Pages"><ul>
<li><a href="/">Rehearsal</a></li>
<li><a href="/developer-hub">Developer Hub</a></li>
<li><a href="/settings">Settings</a></li>
<li><a href="/controls">Controls</a></li>
</ul></nav>
<main>
<h1>{title}</h1>
{content}
</main>
<footer>A certkit test double that follows Wise's documentation. Its clock says {now}.</footer>
</body>
</html>
"""


class Markup(str):
    """HTML made by `_html`, which is inserted unescaped."""

    __slots__ = ()


def start(rehearsal: WiseRehearsal) -> Markup:
    """The start page: what the rehearsal is, and the steps of the migration."""
    content = _html(
        """<p>Practise the migration to client certificates here before you do it with Wise.</p>
<dl>
<dt>Web pages</dt><dd><code>{web}</code></dd>
<dt>API, without a client certificate</dt><dd><code>{api}</code></dd>
<dt>API with mTLS</dt><dd><code>{api_mtls}</code></dd>
<dt>Client id</dt><dd><code>{client_id}</code></dd>
<dt>Client secret</dt><dd>in the file <code>{secret}</code></dd>
<dt>CA certificate</dt><dd>in the file <code>{ca}</code></dd>
</dl>
<h2>Steps</h2>
<ol>
<li>Send the user to the authorization page, <code>{web}/oauth/authorize/</code>, with <code>client_id</code> and
<code>redirect_uri</code>.</li>
<li>Exchange the code for tokens at <code>{api}/oauth/token</code>.</li>
<li>Create a key and a CSR, and paste the CSR into <a href="/developer-hub">Developer Hub</a>.</li>
<li>Install the certificate and the CA certificate.</li>
<li>Call <code>{api_mtls}/v1/authenticated/playground</code> with the certificate and the token.</li>
<li>Trigger failures with the <a href="/controls">controls</a>.</li>
</ol>""",
        web=rehearsal.web,
        api=rehearsal.api,
        api_mtls=rehearsal.api_mtls,
        client_id=rehearsal.state.client_id,
        secret=rehearsal.client_secret_file,
        ca=rehearsal.ca_file,
    )
    return _page("Rehearsal", content, rehearsal)


def authorize(rehearsal: WiseRehearsal, asked: Mapping[str, str]) -> Markup:
    """The authorization page: the user chooses an account, and grants or denies access."""
    choices = _joined(
        _html(
            '<label><input type="radio" name="profile" value="{id}"{checked}> {name} ({id})</label>',
            id=profile_id,
            name=name,
            checked=Markup(" checked") if number == 0 else "",
        )
        for number, (profile_id, name) in enumerate(PROFILES.items())
    )
    content = _html(
        """<p>The application <strong>{client_id}</strong> asks for access to one of your accounts.
You will then be redirected to <code>{redirect_uri}</code>.</p>
<form method="post" action="/oauth/authorize/">
<input type="hidden" name="client_id" value="{client_id}">
<input type="hidden" name="redirect_uri" value="{redirect_uri}">
<input type="hidden" name="state" value="{state}">
<fieldset><legend>Account</legend>
{choices}
</fieldset>
<button class="first" name="decision" value="grant">Give access</button>
<button name="decision" value="deny">Cancel</button>
</form>""",
        client_id=asked["client_id"],
        redirect_uri=asked["redirect_uri"],
        state=asked.get("state", ""),
        choices=choices,
    )
    return _page("Give access to your account", content, rehearsal)


def callback(rehearsal: WiseRehearsal, address: str) -> Markup:
    """The page at the built-in redirect URI: it shows what an application would have received."""
    content = _html(
        """<p>You would now be back in your application, which would read the code from this page's URL.
Paste the whole URL where you are asked for it; the code works once, within 30 minutes.</p>
<label for="address">The URL</label>
<textarea id="address" rows="4" readonly>{address}</textarea>""",
        address=address,
    )
    return _page("Back in your application", content, rehearsal)


def settings(rehearsal: WiseRehearsal) -> Markup:
    """The settings page: which applications are linked."""
    state = rehearsal.state
    linked = [each for each in state.grants if each.profile_id is not None and not each.is_revoked]
    rows = [(state.client_id, _profile(each), rfc3339(each.created)) for each in linked]
    nothing = "No application is linked yet: grant access on the authorization page."
    table = _table("Linked applications", ("Application", "Account", "Tokens issued"), rows, nothing=nothing)
    return _page("Settings", _html("<h2>Linked applications</h2>\n{table}", table=table), rehearsal)


def hub(rehearsal: WiseRehearsal, *, name: str = "", csr: str = "", refusal: CertkitError | None = None) -> Markup:
    """Developer Hub: the form for a CSR, with the rejected input if there was any, and the certificates."""
    now = rehearsal.clock()
    rows = [
        (
            _html('<a href="{address}">{name}</a>', address=_certificate_address(each), name=each.name),
            each.serial,
            rfc3339(each.not_after),
            _html('<span class="{word}">{word}</span>', word=each.standing(now)),
        )
        for each in reversed(rehearsal.state.certificates)
    ]
    content = _html(
        """{refusal}
<h2>Authentication</h2>
<p><a href="/developer-hub/wise.ca-certificate.rehearsal.pem" download>Get Wise certificate</a>
<span class="quiet">(the rehearsal's CA)</span></p>
<form method="post" action="/developer-hub">
<label for="name">Certificate name</label>
<input id="name" name="name" value="{name}" maxlength="64" required aria-describedby="name-help">
<span id="name-help" class="quiet">A name that you have not used before.</span>
<label for="csr">Certificate signing request (CSR)</label>
<textarea id="csr" name="csr" rows="12" required spellcheck="false" aria-describedby="csr-help">
{csr}</textarea>
<span id="csr-help" class="quiet">The PEM block and nothing else. At most 10 certificates may be live.</span><br>
<button class="first">Generate certificate</button>
</form>
<h2>Certificates</h2>
{certificates}""",
        refusal=_refusal(refusal),
        name=name,
        csr=_lines(csr),
        certificates=_table("Certificates", ("Name", "Serial number", "Expires", "Status"), rows, nothing="None yet."),
    )
    return _page("Developer Hub", content, rehearsal)


def certificate(rehearsal: WiseRehearsal, issued: HubCertificate, *, warnings: Sequence[Finding] = ()) -> Markup:
    """A certificate, to be copied or downloaded."""
    content = _html(
        """<p>Copy the client certificate into a <code>.pem</code> file, or
<a href="{address}.pem" download="{file}">download it</a>.</p>
{warnings}
<label for="certificate">Client certificate</label>
<textarea id="certificate" rows="16" readonly spellcheck="false">
{pem}</textarea>
<dl><dt>Subject</dt><dd>{subject}</dd><dt>Expires</dt><dd>{end}</dd><dt>Status</dt><dd>{standing}</dd></dl>""",
        address=_certificate_address(issued),
        file=f"{issued.serial}.pem",
        warnings=_findings("Notes on the CSR", warnings),
        pem=_lines(issued.pem),
        subject=issued.subject,
        end=rfc3339(issued.not_after),
        standing=issued.standing(rehearsal.clock()),
    )
    return _page(f"Certificate {issued.name}", content, rehearsal)


def controls(rehearsal: WiseRehearsal) -> Markup:
    """The controls that trigger failures; Wise has nothing like them."""
    state, now = rehearsal.state, rehearsal.clock()
    tokens = [
        (
            each.kind,
            _profile(each),
            rfc3339(each.access_expires) if now < each.access_expires else "ended",
            "revoked" if each.is_revoked else rfc3339(each.refresh_expires) if each.refresh_expires else "none",
            _joined(_token_buttons(each, now)),
        )
        for each in reversed(state.grants)
    ]
    live = [
        (each.name, each.serial, _button("revoke-certificate", each.serial, f"Revoke {each.name}"))
        for each in state.certificates
        if each.is_live(now)
    ]
    hooks = [(each.name, each.trigger_on, each.url) for each in state.subscriptions]
    content = _html(
        """<p>Trigger the failures that happen to everyone eventually, and see how your programs react.</p>
<h2>mTLS</h2>
<p>{enforced}</p>
{enforce}
<h2>Tokens</h2>
{tokens}
<h2>Live certificates</h2>
{live}
<h2>Users created over the API</h2>
<p>{users}</p>
<form method="post" action="/controls">
<input type="hidden" name="action" value="add-user">
<label for="email">E-mail address</label><input id="email" name="email" type="email" maxlength="254" required>
<label for="registration">Registration code chosen by your application</label>
<input id="registration" name="registration_code" maxlength="200" required autocomplete="off">
<button>Add the user</button>
</form>
<h2>Webhook subscriptions</h2>
{hooks}""",
        enforced="mTLS is enforced: the plain API refuses every call."
        if state.is_enforced
        else "mTLS is not enforced.",
        enforce=_button("relax", "", "Allow the plain API")
        if state.is_enforced
        else _button("enforce", "", "Enforce mTLS"),
        tokens=_table("Tokens", ("Grant", "Account", "Access token until", "Refresh token until", "Change"), tokens),
        live=_table("Live certificates", ("Name", "Serial number", "Change"), live),
        users=f"{len(state.users)} registered.",
        hooks=_table("Webhook subscriptions", ("Name", "Event", "Address"), hooks),
    )
    return _page("Controls of the rehearsal", content, rehearsal)


def refused(rehearsal: WiseRehearsal, refusal: CertkitError) -> Markup:
    """The page that explains a refusal."""
    return _page("Request refused", _refusal(refusal, heading="Reason"), rehearsal)


def missing(rehearsal: WiseRehearsal) -> Markup:
    """The page for a URL that does not exist."""
    return _page("Page not found", _html('<p>Back to the <a href="/">start page</a>.</p>'), rehearsal)


def _page(title: str, content: Markup, rehearsal: WiseRehearsal) -> Markup:
    return _html(_PAGE, title=title, style=Markup(_STYLE), content=content, now=rfc3339(rehearsal.clock()))


def _html(template: str, /, **values: object) -> Markup:
    """Return the template with each `{name}` replaced; everything but Markup is escaped, without line breaks."""
    return Markup(template.format_map({name: _safe(value) for name, value in values.items()}))


def _safe(value: object) -> str:
    return value if isinstance(value, Markup) else escape(printable(str(value)))


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("\n".join(parts))


def _lines(text: str) -> Markup:
    """Return text of several lines, escaped and with its line breaks, for an element that preserves them."""
    return Markup("\n".join(_safe(line) for line in text.splitlines()))


def _refusal(refusal: CertkitError | None, *, heading: str = "Refused") -> Markup:
    if refusal is None:
        return Markup()
    return _html(
        '<div class="refused" role="alert"><h2>{heading}</h2><p>{message}. {hint}</p>\n{findings}</div>',
        heading=heading,
        message=capitalised(refusal.message),
        hint=_sentence(refusal.hint),
        findings=_findings("Why", getattr(refusal, "findings", ())),
    )


def _sentence(hint: str) -> str:
    return capitalised(hint) + ("" if hint.endswith("?") else ".")


def _findings(title: str, findings: Sequence[Finding]) -> Markup:
    if not findings:
        return Markup()
    items = _joined(
        _html(
            "<li><code>{id}</code>: {message}. <em>{hint}</em></li>",
            id=each.id,
            message=each.message,
            hint=_sentence(each.hint),
        )
        for each in findings
    )
    return _html("<h3>{title}</h3>\n<ul>\n{items}\n</ul>", title=title, items=items)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[object]], *, nothing: str = "None.") -> Markup:
    """Return a table, or a paragraph if it has no rows."""
    if not rows:
        return _html('<p class="quiet">{nothing}</p>', nothing=nothing)
    head = _joined(_html('<th scope="col">{head}</th>', head=head) for head in heads)
    body = _joined(
        _html("<tr>{cells}</tr>", cells=_joined(_html("<td>{cell}</td>", cell=cell) for cell in row)) for row in rows
    )
    return _html(
        '<div class="table" role="region" aria-label="{caption}" tabindex="0"><table>\n'
        "<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>",
        caption=caption,
        head=head,
        body=body,
    )


def _token_buttons(grant: Grant, now: datetime) -> Iterable[Markup]:
    if grant.refresh_expires is not None and not grant.is_revoked:
        yield _button("revoke-refresh-token", grant.id, "Revoke the refresh token")
    if now < grant.access_expires:
        yield _button("end-access-token", grant.id, "Expire the access token")


def _button(action: str, subject: str, text: str) -> Markup:
    return _html(
        '<form class="inline" method="post" action="/controls"><input type="hidden" name="action" value="{action}">'
        '<input type="hidden" name="subject" value="{subject}"><button>{text}</button></form>',
        action=action,
        subject=subject,
        text=text,
    )


def _profile(grant: Grant) -> str:
    return PROFILES.get(grant.profile_id or 0, "none")


def _certificate_address(issued: HubCertificate) -> str:
    return f"/developer-hub/certificates/{quote(issued.serial)}"
