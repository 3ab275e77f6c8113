"""Wise's environments, and the OAuth addresses of each.

Wise developer documentation, "Environments" and "Testing in Sandbox", read on 2026-11-22. The functions `require_…`
return their text, or raise InputError if it is not what it should be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from certkit.errors import InputError
from certkit.net import address
from certkit.policy import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.policy.rules import Policy

# The policy of each environment; `sandbox-legacy` has the older hosts of the migration guide.
ENVIRONMENTS = {
    "sandbox": "wise-sandbox",
    "sandbox-legacy": "wise-sandbox-legacy",
    "production": "wise-production",
}

_MAX_TEXT = 512
_MAX_URL = 2048
_BASE_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", re.ASCII)
_REDIRECT_URI = re.compile(r"https?://[!-\"$-~]+", re.ASCII)
_VISIBLE = re.compile(rf"[!-~]{{1,{_MAX_TEXT}}}", re.ASCII)


def policy_of(environment: str) -> str:
    """Return the name of an environment's policy.

    Raises:
        InputError: if the environment does not exist.
    """
    if environment not in ENVIRONMENTS:
        raise InputError(f"unknown environment {environment!r}", hint=f"give one of {', '.join(ENVIRONMENTS)}")
    return ENVIRONMENTS[environment]


def chosen_policy(environment: str | None, policy: str | None) -> str | None:
    """Return the policy that is named, with an absolute path, else that of an environment; None without either.

    Raises:
        InputError: if the environment does not exist.
    """
    of_environment = optional(policy_of, environment)
    return of_environment if policy is None else catalogue.absolute(policy)


def authorize_url(policy: Policy, *, client_id: str, redirect_uri: str, state: str | None = None) -> str:
    """Return the URL where a user picks an account and grants access; Wise then redirects to `redirect_uri`.

    Raises:
        InputError: if the policy has no authorization URL.
    """
    if not policy.hosts.web:
        raise InputError(f"policy {policy.name}: it has no hosts.web", hint="use a policy of Wise's environments")
    query = {"client_id": client_id, "redirect_uri": redirect_uri} | ({} if state is None else {"state": state})
    return f"{policy.hosts.web.rstrip('/')}{policy.hosts.authorize_path}?{urlencode(query, quote_via=quote)}"


def require_client_id(text: str) -> str:
    """Return a client id: visible ASCII without a colon, which ends it in HTTP Basic (RFC 7617 section 2)."""
    if not _VISIBLE.fullmatch(text) or ":" in text:
        raise InputError(f"not a client id: {_shown(text)}", hint="copy the client id from Wise's message")
    return text


def require_state(text: str) -> str:
    """Return a state: visible ASCII."""
    if not _VISIBLE.fullmatch(text):
        raise InputError(f"not a state: {_shown(text)}", hint=f"use up to {_MAX_TEXT} letters, digits and signs")
    return text


def require_redirect_uri(text: str) -> str:
    """Return a redirect URI: http or https, without a fragment (RFC 6749 section 3.1.2), to which a URL can be pasted.

    A host that no URL has is refused here, before a person grants access.
    """
    try:
        is_url = _is_url(text, _REDIRECT_URI) and bool(address.split(text))
    except InputError:
        is_url = False
    if not is_url:
        hint = "give the address that Wise has configured for the client, such as https://partner.example/wise"
        raise InputError(f"not a redirect URI: {_shown(text)}", hint=hint)
    return text


def require_base_url(text: str) -> str:
    """Return the URL of an API that replaces the environment's, without a slash at its end.

    Plain http is accepted for loopback addresses only, as the client secret would be sent unencrypted.
    """
    if not _is_url(text, _BASE_URL):
        raise InputError(f"not a base URL: {_shown(text)}", hint="give, for example, https://proxy.example/wise")
    found = address.ip(urlsplit(text).hostname or "")
    if text.startswith("http:") and not (found and found.is_loopback):
        hint = "use https; plain http is for http://127.0.0.1:PORT and http://[::1]:PORT"
        raise InputError(f"unsafe base URL: {text}: the client secret would be sent unencrypted", hint=hint)
    return text.rstrip("/")


def optional(check: Callable[[str], str], text: str | None) -> str | None:
    """Return the checked text, or None if there is none."""
    return None if text is None else check(text)


def _is_url(text: str, form: re.Pattern[str]) -> bool:
    if len(text) > _MAX_URL or not form.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}…")
