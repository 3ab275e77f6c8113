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
from certkit.net.address import Address
from certkit.net.proxy import Proxies
from certkit.vault.login import Login, credentials
from certkit.vault.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from certkit.secret import Secret

DEFAULT_ADDRESS = "https://127.0.0.1:8200"
DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_MAX_RETRIES = 2

_MOST_SECONDS = 24 * 60 * 60.0
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = r"(\d{1,9}(?:\.\d{0,9})?)(ns|us|µs|ms|s|m|h|d)"


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
        variables = Variables(environ)
        token, login = credentials(variables, home)
        retries = variables.get("MAX_RETRIES") or str(DEFAULT_MAX_RETRIES)
        if not re.fullmatch(r"\d{1,2}", retries, re.ASCII):
            raise variables.wrong("MAX_RETRIES", "it is not a number from 0 to 99", "set it to a small number")
        if not variables.get("NAMESPACE").isascii() or not variables.get("NAMESPACE").isprintable():
            why = "it contains characters that are not allowed in headers"
            raise variables.wrong("NAMESPACE", why, "set it to the namespace's path")
        settings = cls(
            address=_address(variables),
            token=token,
            login=login,
            namespace=variables.get("NAMESPACE").strip("/"),
            tls=_tls(variables),
            proxies=_proxies(variables),
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


def _address(variables: Variables) -> str:
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


def _tls(variables: Variables) -> Tls:
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


def _proxies(variables: Variables) -> Proxies:
    # A web server that runs a program as CGI sets HTTP_PROXY from a header of the request (CVE-2016-5386).
    http = "" if "REQUEST_METHOD" in variables.environ else variables.plain("HTTP_PROXY")
    own = variables.environ.get("CERTKIT_PROXY")
    return Proxies(
        always=own if own is not None else variables.get("PROXY_ADDR") or variables.get("HTTP_PROXY") or None,
        https=variables.plain("HTTPS_PROXY"),
        http=http,
        exempt=variables.plain("NO_PROXY"),
        as_go=True,
    )


def _timeout(variables: Variables) -> float:
    text = variables.get("CLIENT_TIMEOUT")
    seconds = _go_duration(text) if text else 0.0
    if seconds is None or seconds > _MOST_SECONDS:
        hint = "set it to a number of seconds, or a duration such as 90s or 1m30s"
        raise variables.wrong("CLIENT_TIMEOUT", "it is not a duration of at most a day", hint)
    return seconds or DEFAULT_TIMEOUT_SECONDS  # as Vault reads a zero


def _go_duration(text: str) -> float | None:
    """Return the seconds of `60`, `60s` or `1m30s`; None if the text is no duration."""
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return float(text)
    if not re.fullmatch(f"(?:{_DURATION_PART})+", text, re.ASCII):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_DURATION_PART, text, re.ASCII))
