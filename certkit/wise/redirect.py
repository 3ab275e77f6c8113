"""The URL of a redirect from Wise, as a person pastes it; it is untrusted.

`<redirect_uri>/?code=<code>&profileId=<profile id>`, and `state` if it was asked for (Wise developer documentation,
"Testing in Sandbox", read on 2026-11-22). The functions `require_…` raise InputError if a text does not have the form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from certkit.errors import InputError, RefusedError
from certkit.net import address
from certkit.printable import printable
from certkit.secret import Secret

_MAX_URL = 8192
_MOST_FIELDS = 32
_MAX_SHOWN = 200
_CODE = re.compile(r"[!-~]{1,2048}", re.ASCII)
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)
_HINT = "copy the whole URL from the browser, from https:// to its end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """The contents of a redirect: the code, the profile that the user picked, and the state.

    If the person copied only the code, it is not whole, and it is unknown whether it had a state.
    """

    redirect_uri: str
    code: Secret
    profile_id: str | None = None
    state: str | None = None
    is_whole: bool = True


def parse(pasted: str, *, redirect_uri: str) -> Redirect:
    """Parse a pasted redirect to that URI; line breaks and spaces from copying are ignored.

    Raises:
        InputError: if it is not a URL, or not a redirect to that URI.
        RefusedError: if the user or Wise did not grant access.
    """
    place, query = _split("".join(pasted[: 2 * _MAX_URL].split()))
    if place != _split(redirect_uri)[0]:
        raise InputError(f"the pasted URL is not a redirect to {redirect_uri}", hint="check --redirect-uri")
    fields = _fields(query)
    if "error" in fields:
        message = ": ".join(fields[name] for name in ("error", "error_description") if fields.get(name))
        hint = "check that access was granted and that Wise knows this redirect URI; then start again"
        raise RefusedError(f"access was not granted: {printable(message)[:_MAX_SHOWN]}", hint=hint)
    if "code" not in fields:
        raise InputError("the pasted URL has no code", hint=_HINT)
    profile = fields.get("profileId") or None
    return Redirect(
        redirect_uri=redirect_uri,
        code=require_code(fields["code"]),
        profile_id=profile and require_profile(profile),
        state=fields.get("state"),
    )


def given(url: str | None, code: str | None, *, redirect_uri: str, profile_id: str | None) -> Redirect:
    """Return the redirect in its whole URL, or the one with just the given code.

    Raises:
        InputError: if not exactly one of the two is given, it is not a redirect to that URI, or it is for another
            profile.
        RefusedError: if the user or Wise did not grant access.
    """
    if profile_id is not None:
        require_profile(profile_id)
    if (url is None) == (code is None):
        hint = "give the pasted URL with --redirect-url, or its code with --code"
        raise InputError("give either --redirect-url or --code", hint=hint)
    if url is None:
        copied = require_code(code or "")
        return Redirect(redirect_uri=redirect_uri, code=copied, profile_id=profile_id, is_whole=False)
    found = parse(url, redirect_uri=redirect_uri)
    if profile_id not in {None, found.profile_id}:
        hint = "leave --profile out, or ask the user to pick that profile"
        raise InputError(f"the redirect is for profile {found.profile_id}, not {profile_id}", hint=hint)
    return found


def require_code(text: str) -> Secret:
    """Return an authorization code."""
    if not _CODE.fullmatch(text):
        raise InputError("not an authorization code", hint=_HINT)
    return Secret(text.encode("ascii"))


def require_profile(text: str) -> str:
    """Return the id of a profile: letters, digits and hyphens."""
    if not _PROFILE.fullmatch(text):
        raise InputError(f"not a profile id: {text[:80]!r}", hint="give the number after profileId=")
    return text


def _split(text: str) -> tuple[tuple[object, ...], str]:
    """Return the place that a URL leads to, without the slash that Wise puts after a redirect URI, and its query."""
    if len(text) > _MAX_URL or not text.isascii() or not text.isprintable():
        message = "the pasted text is not a URL: it is too long, or has characters that a URL cannot have"
        raise InputError(message, hint=_HINT)
    try:
        *place, path, query = address.split(text)
    except InputError as error:
        raise InputError(f"the pasted text is not a URL: {error.message}", hint=_HINT) from error
    return (*place, path.rstrip("/")), query.removeprefix("?")


def _fields(query: str) -> dict[str, str]:
    """Return the fields of a query; a field that we read may appear only once."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise InputError("the query of the pasted URL cannot be read", hint=_HINT) from None
    names = [name for name, _ in pairs]
    double = next((name for name in ("code", "profileId", "state", "error") if names.count(name) > 1), None)
    if double:
        raise InputError(f"the pasted URL has {double}= twice", hint=_HINT)
    return dict(pairs)
