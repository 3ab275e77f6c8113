"""Settings for Vault or OpenBao, from the variables that their own command lines read.

Sources, read on 2026-11-23: https://developer.hashicorp.com/vault/docs/commands#environment-variables and OpenBao's
`api/client.go` and `api/env.go`. Nothing is left to hvac, which reads some of them when it is imported and ignores
others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import reading
from certkit.net.address import Address
from certkit.net.proxy import Proxies
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_ADDRESS = "https://127.0.0.1:8200"
DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_MAX_RETRIES = 2

_MOST_SECONDS = 24 * 60 * 60.0
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = r"(\d{1,9}(?:\.\d{0,9})?)(ns|us|µs|ms|s|m|h|d)"
_MAX_SECRET_BYTES = 64 * 1024
_NOT_ALLOWED = "it contains characters that are not allowed in a token"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})
_KUBERNETES_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  where Kubernetes puts it


@dataclass(frozen=True, slots=True)
class Login:
    """A login: what is sent to `auth/MOUNT/login`."""

    method: str
    mount: str
    fields: Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class Tls:
    """The settings for authenticating server and client; file names, empty if there is none."""

    ca_file: str = ""
    ca_folder: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Everything a connection needs; `token` and `login` are both None if neither was given.

    `timeout` bounds each request in seconds, its repetitions included; `pause` is how long the first repetition waits
    at least, and each later one twice as long.
    """

    address: str = DEFAULT_ADDRESS
    token: Secret | None = None
    login: Login | None = None
    namespace: str = ""
    tls: Tls = field(default_factory=Tls)
    proxies: Proxies = field(default_factory=Proxies, repr=False)  # their addresses may hold passwords
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = DEFAULT_MAX_RETRIES
    pause: float = 1.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], home: Path) -> VaultSettings:
        """Return the settings in the variables; `home` is where `.vault-token` may be.

        Raises:
            InputError: if a variable has an invalid value, or a file that it names cannot be read.
        """
        variables = _Variables(environ)
        token, login = _credentials(variables, home)
        retries = variables.get("MAX_RETRIES") or str(DEFAULT_MAX_RETRIES)
        if not re.fullmatch(r"\d{1,2}", retries, re.ASCII):
            raise variables.wrong("MAX_RETRIES", "it is not a number from 0 to 99", "set it to a small number")
        if not variables.get("NAMESPACE").isascii() or not variables.get("NAMESPACE").isprintable():
            why = "it contains characters that are not allowed in headers"
            raise variables.wrong("NAMESPACE", why, "set it to the namespace's path")
        own = environ.get("CERTKIT_PROXY")
        settings = cls(
            address=_address(variables),
            token=token,
            login=login,
            namespace=variables.get("NAMESPACE").strip("/"),
            tls=_tls(variables),
            proxies=Proxies(
                always=own if own is not None else variables.get("PROXY_ADDR") or variables.get("HTTP_PROXY") or None,
                https=variables.plain("HTTPS_PROXY"),
                # A web server that runs a program as CGI sets it from a header of the request (CVE-2016-5386).
                http="" if "REQUEST_METHOD" in environ else variables.plain("HTTP_PROXY"),
                exempt=variables.plain("NO_PROXY"),
                as_go=True,
            ),
            timeout=_timeout(variables),
            max_retries=int(retries),
        )
        try:
            settings.proxies.towards(settings.server)
        except InputError as error:
            hint = "set VAULT_HTTP_PROXY, or HTTPS_PROXY, to http://HOST:PORT"
            raise InputError(f"{error.message} (for {settings.address})", hint=hint) from error
        return settings

    @property
    def server(self) -> Address:
        """The server's address, taken apart."""
        return Address.parse(self.address)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings to give in every run."""
        if self.tls.skip_verify and self.server.is_secure:
            server = self.server.origin
            return (
                f"VAULT_SKIP_VERIFY is set: any server that responds at {server} is trusted and receives the token",
            )
        return ()


@dataclass(frozen=True, slots=True)
class _Variables:
    """An environment in which NAME means BAO_NAME, else VAULT_NAME; an empty value counts as unset."""

    environ: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        return self.environ.get(self.spelt(name), "")

    def plain(self, name: str) -> str:
        """Return the value of a variable that is not Vault's alone, in upper or lower case."""
        return self.environ.get(name) or self.environ.get(name.lower()) or ""

    def spelt(self, name: str) -> str:
        """Return the name of the variable that is in effect."""
        return f"BAO_{name}" if self.environ.get(f"BAO_{name}") else f"VAULT_{name}"

    def flag(self, name: str) -> bool:
        """Return a value that is true or false in Go's spellings."""
        value = self.get(name)
        if value not in _TRUE | _FALSE:
            raise self.wrong(name, "it is neither true nor false", "set it to true or false")
        return value in _TRUE

    def secret(self, name: str) -> Secret | None:
        """Return the value of NAME, or what the file holds that NAME_FILE names, without surrounding white space."""
        for prefix in ("BAO", "VAULT"):
            if value := self.environ.get(f"{prefix}_{name}"):
                return Secret(value.strip().encode("utf-8", "surrogateescape"))
            if path := self.environ.get(f"{prefix}_{name}_FILE"):
                return _secret_file(path, f"{prefix}_{name}_FILE")
        return None

    def wrong(self, name: str, why: str, hint: str) -> InputError:
        """Return the error for an invalid value, which is not shown."""
        return InputError(f"cannot use {self.spelt(name)}: {why}", hint=hint)


def read_named(path: Path | str, named_by: str, *, limit: int = reading.MAX_INPUT_BYTES) -> bytes:
    """Return the content of a file; errors say which variable names it.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return reading.read(path, limit=limit)
    except InputError as error:
        raise InputError(f"{error.message} ({named_by})", hint=error.hint) from error


def _secret_file(path: Path | str, named_by: str) -> Secret:
    value = read_named(path, named_by, limit=_MAX_SECRET_BYTES).strip()
    if not value:
        raise InputError(f"cannot use {path}: it is empty ({named_by})", hint="check the path")
    return Secret(value)


def _credentials(variables: _Variables, home: Path) -> tuple[Secret | None, Login | None]:
    """Return the token, or the login, or neither.

    Of several, the first of these counts: VAULT_AUTH_METHOD, VAULT_TOKEN, VAULT_ROLE_ID, and `.vault-token`, which
    `vault login` or `bao login` left in the home directory.
    """
    method = variables.get("AUTH_METHOD").lower()
    token, path = variables.secret("TOKEN"), home / ".vault-token"
    if not method and token is None and variables.secret("ROLE_ID"):
        method = "approle"
    if method and method != "token":
        return None, _login(method, variables)
    if token is not None:
        if not token.is_one_word:
            raise variables.wrong("TOKEN", _NOT_ALLOWED, "copy the token again")
    elif reading.exists(path):
        token = _secret_file(path, "no VAULT_TOKEN is set")
        if not token.is_one_word:
            raise InputError(f"cannot use {path}: {_NOT_ALLOWED}", hint="log in again")
    return token, None


def _login(method: str, variables: _Variables) -> Login:
    role, file = variables.get("AUTH_ROLE"), variables.get("AUTH_JWT_FILE")
    given: str | Secret | None
    fields: dict[str, str | Secret | None] = {"role": role}
    if method == "approle":
        given, what, hint = variables.secret("ROLE_ID"), "a role id", "set VAULT_ROLE_ID or VAULT_ROLE_ID_FILE"
        fields = {"role_id": given, "secret_id": variables.secret("SECRET_ID")}
    elif method == "jwt":
        given, what, hint = file, "a JSON web token", "set VAULT_AUTH_JWT_FILE"
    elif method == "kubernetes":
        given, what, hint = role, "a role", "set VAULT_AUTH_ROLE"
        file = file or _KUBERNETES_TOKEN
    elif method == "cert":
        given, what = variables.get("CLIENT_CERT"), "a client certificate"
        hint, fields = "set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY", {"name": role}
    else:
        others = "for another method log in with `bao login` or `vault login`"
        hint = f"set it to token, approle, jwt, kubernetes, cert; {others}"
        raise variables.wrong("AUTH_METHOD", "unknown method", hint)
    if not given:
        raise variables.wrong("AUTH_METHOD", f"{method} needs {what}", hint)
    if method in {"jwt", "kubernetes"}:
        fields["jwt"] = _secret_file(file, variables.spelt("AUTH_JWT_FILE"))
    mount = variables.get("AUTH_PATH").strip("/") or method
    return Login(method, mount, {name: value for name, value in fields.items() if value})


def _address(variables: _Variables) -> str:
    address = variables.get("ADDR") or DEFAULT_ADDRESS
    hint = "set it to https://HOST:PORT"
    try:
        Address.parse(address)
    except InputError as error:
        raise variables.wrong("ADDR", error.message, hint) from None
    if "?" in address or "#" in address:
        raise variables.wrong("ADDR", "it has a query or a fragment", hint)
    # Every path begins with /v1 anyway; some guides include it in the address too.
    return address.rstrip("/").removesuffix("/v1").rstrip("/")


def _tls(variables: _Variables) -> Tls:
    certificate, key = variables.get("CLIENT_CERT"), variables.get("CLIENT_KEY")
    if bool(certificate) != bool(key):
        given, missing = ("CLIENT_CERT", "CLIENT_KEY") if certificate else ("CLIENT_KEY", "CLIENT_CERT")
        raise variables.wrong(given, f"{variables.spelt(missing)} is not set", "set both or neither")
    ca_file = variables.get("CACERT")
    return Tls(
        ca_file=ca_file,
        ca_folder="" if ca_file else variables.get("CAPATH"),
        certificate=certificate,
        key=key,
        server_name=variables.get("TLS_SERVER_NAME"),
        skip_verify=variables.flag("SKIP_VERIFY"),
    )


def _timeout(variables: _Variables) -> float:
    """Return the seconds of `60`, `60s` or `1m30s`, as Go reads durations; Vault takes zero for its default."""
    text = variables.get("CLIENT_TIMEOUT") or "0"
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        text += "s"
    parts = re.findall(_DURATION_PART, text, re.ASCII)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not re.fullmatch(f"(?:{_DURATION_PART})+", text, re.ASCII) or seconds > _MOST_SECONDS:
        hint = "set it to a number of seconds, or a duration such as 90s or 1m30s"
        raise variables.wrong("CLIENT_TIMEOUT", "it is not a duration of at most a day", hint)
    return seconds or DEFAULT_TIMEOUT_SECONDS
