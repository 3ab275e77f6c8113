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

    Fields = dict[str, str | Secret]

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
    makers = {"approle": _approle, "jwt": _jwt, "kubernetes": _kubernetes, "cert": _certificate}
    if method not in makers:
        hint = f"set it to token, {', '.join(makers)}; for another method log in with `bao login` or `vault login`"
        raise variables.wrong("AUTH_METHOD", "unknown method", hint)
    return Login(method, variables.get("AUTH_PATH").strip("/") or method, makers[method](variables))


def _approle(variables: Variables) -> Fields:
    role_id, secret_id = variables.secret("ROLE_ID"), variables.secret("SECRET_ID")
    if role_id is None:
        raise variables.wrong("AUTH_METHOD", "approle needs a role id", "set VAULT_ROLE_ID or VAULT_ROLE_ID_FILE")
    return {"role_id": role_id, **({"secret_id": secret_id} if secret_id else {})}


def _jwt(variables: Variables) -> Fields:
    path, role = variables.get("AUTH_JWT_FILE"), variables.get("AUTH_ROLE")
    if not path:
        raise variables.wrong("AUTH_METHOD", "jwt needs a JSON web token", "set VAULT_AUTH_JWT_FILE")
    token = secret_file(path, named_by=variables.spelt("AUTH_JWT_FILE"))
    return {"jwt": token, **({"role": role} if role else {})}


def _kubernetes(variables: Variables) -> Fields:
    path, role = variables.get("AUTH_JWT_FILE") or _KUBERNETES_TOKEN, variables.get("AUTH_ROLE")
    if not role:
        raise variables.wrong("AUTH_METHOD", "kubernetes needs a role", "set VAULT_AUTH_ROLE")
    return {"jwt": secret_file(path, named_by=variables.spelt("AUTH_JWT_FILE")), "role": role}


def _certificate(variables: Variables) -> Fields:
    if not variables.get("CLIENT_CERT"):
        hint = "set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
        raise variables.wrong("AUTH_METHOD", "cert needs a client certificate", hint)
    role = variables.get("AUTH_ROLE")
    return {"name": role} if role else {}
