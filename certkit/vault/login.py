"""Credentials for Vault: a token, or a way to log in for one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import reading
from certkit.vault.variables import secret_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from certkit.secret import Secret
    from certkit.vault.variables import Variables

_KUBERNETES_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  where Kubernetes puts it


@dataclass(frozen=True, slots=True)
class Login:
    """A login: what is sent to `auth/MOUNT/login`."""

    method: str
    mount: str
    fields: Mapping[str, str | Secret]


def credentials(variables: Variables, home: Path) -> tuple[Secret | None, Login | None]:
    """Return the token, or the login, or neither.

    Of several, the first of these counts: VAULT_AUTH_METHOD, VAULT_TOKEN, VAULT_ROLE_ID, `.vault-token` in the home
    directory.

    Raises:
        InputError: if a variable has an invalid value, or a file that it names cannot be read.
    """
    method = variables.get("AUTH_METHOD").lower()
    token = variables.secret("TOKEN")
    if not method and token is None and variables.secret("ROLE_ID"):
        method = "approle"
    if method and method != "token":
        return None, _login(method, variables)
    if token is not None and not _is_token(token):
        raise variables.wrong("TOKEN", "it contains characters that are not allowed in a token", "copy the token again")
    return token or _remembered(home), None


def _is_token(token: Secret) -> bool:
    return re.fullmatch(rb"[!-~]+", token.reveal()) is not None


def _remembered(home: Path) -> Secret | None:
    """Return the token that `vault login` or `bao login` left in the home directory."""
    path = home / ".vault-token"
    if not reading.exists(path):
        return None
    token = secret_file(path, named_by="no VAULT_TOKEN is set")
    if not _is_token(token):
        raise InputError(
            f"cannot use {path}: it contains characters that are not allowed in a token", hint="log in again"
        )
    return token


def _login(method: str, variables: Variables) -> Login:
    role, file = variables.get("AUTH_ROLE"), variables.get("AUTH_JWT_FILE")
    named_by = variables.spelt("AUTH_JWT_FILE")
    given: dict[str, str | Secret | None]
    if method == "approle":
        role_id, secret_id = variables.secret("ROLE_ID"), variables.secret("SECRET_ID")
        missing, hint = "" if role_id else "a role id", "set VAULT_ROLE_ID or VAULT_ROLE_ID_FILE"
        given = {"role_id": role_id, "secret_id": secret_id}
    elif method == "jwt":
        missing, hint = "" if file else "a JSON web token", "set VAULT_AUTH_JWT_FILE"
        given = {"jwt": secret_file(file, named_by=named_by) if file else None, "role": role}
    elif method == "kubernetes":
        missing, hint = "" if role else "a role", "set VAULT_AUTH_ROLE"
        given = {"jwt": secret_file(file or _KUBERNETES_TOKEN, named_by=named_by) if role else None, "role": role}
    elif method == "cert":
        missing = "" if variables.get("CLIENT_CERT") else "a client certificate"
        hint, given = "set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY", {"name": role}
    else:
        others = "for another method log in with `bao login` or `vault login`"
        hint = f"set it to token, approle, jwt, kubernetes, cert; {others}"
        raise variables.wrong("AUTH_METHOD", "unknown method", hint)
    if missing:
        raise variables.wrong("AUTH_METHOD", f"{method} needs {missing}", hint)
    fields = {name: value for name, value in given.items() if value}
    return Login(method, variables.get("AUTH_PATH").strip("/") or method, fields)
