"""A connection to a Vault or OpenBao server with one token."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from certkit.errors import InputError
from certkit.printable import printable
from certkit.secret import Secret
from certkit.vault.errors import Fault, UncertainWrite, VaultError, asking
from certkit.vault.fields import acl_rule, checked_path, joined, pick, texts
from certkit.vault.kv import Kv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certkit.vault.settings import VaultSettings

# The lifetime of a token from the environment is unknown; a run that takes this long renews it.
_RENEW_FIRST_SECONDS = 30.0
_RENEW_SHARE = 2 / 3
_RENEW_LEAST_SECONDS = 1.0
_MAX_VERSION = 64


@dataclass(frozen=True, slots=True)
class VaultToken:
    """The facts of a token; `ttl` is in seconds, 0 if it never expires."""

    display_name: str
    policies: tuple[str, ...]
    ttl: int
    is_renewable: bool
    accessor: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """A secrets engine: its path without slashes at the ends, its type, and for KV its version."""

    path: str
    type: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """A server's version, state and clock, to the second."""

    version: str
    is_initialized: bool
    is_sealed: bool
    is_standby: bool
    clock: datetime


class Vault:
    """A connection to Vault or OpenBao; several threads may use it at once.

    Every method that sends a request raises `VaultError` if the server refuses, or cannot be reached.
    """

    def __init__(self, settings: VaultSettings) -> None:
        try:
            from certkit.vault.transport import Transport
        except ModuleNotFoundError as error:
            raise InputError(
                f"cannot use Vault: the Python package {error.name} is not installed",
                hint=f"{sys.executable} -m pip install 'hvac>=2.3' 'urllib3>=2.2'",
            ) from error
        self._settings = settings
        self._lock = threading.Lock()
        self._renew_after = time.monotonic() + _RENEW_FIRST_SECONDS
        self.transport = Transport(settings)
        self.transport.before_request = self.keep_token

    @property
    def address(self) -> str:
        """The server's address, for messages."""
        return self._settings.address

    @classmethod
    def connect(cls, settings: VaultSettings) -> Self:
        """Return a connection with a token, after a login if none is given.

        Raises:
            InputError: if hvac is not installed, or a file for TLS is unusable.
            VaultError: also if there is neither a token nor a login.
        """
        if settings.token is None and settings.login is None:
            raise VaultError(
                f"cannot use Vault at {settings.address}: no token",
                hint="set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or log in with `bao login`",
                kind=Fault.NO_TOKEN,
            )
        vault = cls(settings)
        try:
            vault.log_in()
        except BaseException:
            vault.close()
            raise
        return vault

    def log_in(self) -> None:
        """Get a token as the settings say, and use it; without a login in them, do nothing.

        If the response is lost, a single-use secret id may have been used up.
        """
        login = self._settings.login
        if login is None:
            return
        where = f"{self.address} with {login.method}"
        try:
            with asking("log in to", where):
                path = f"/v1/auth/{quote(login.mount)}/login"
                document = self.transport.once.login(path, use_token=False, json=dict(login.fields))
        except UncertainWrite as error:
            hint = "try again; a single-use secret id may have been used up"
            raise VaultError(f"cannot log in to {where}: {error.reason}", hint=hint, kind=Fault.LOGIN) from error
        except VaultError as error:
            if error.kind not in _REFUSED_LOGIN:
                raise
            message = error.message.replace("Vault rejected the token: ", "")
            hint = f"check the credentials, and that a login is mounted at auth/{login.mount}; or set VAULT_AUTH_PATH"
            raise VaultError(message, hint=hint, kind=Fault.LOGIN) from None
        self._take(document, where)

    def _take(self, document: Any, where: str) -> None:
        """Use the token that a login or a renewal returned."""
        token = pick(document, "auth", "client_token", of=str, where=where)
        seconds = pick(document, "auth", "lease_duration", of=int, where=where)
        self.transport.token = Secret(token.encode("utf-8", "surrogateescape"))
        pause = max(seconds * _RENEW_SHARE, _RENEW_LEAST_SECONDS) if seconds else float("inf")
        self._renew_after = time.monotonic() + pause

    def keep_token(self) -> None:
        """Renew the token once two thirds of its time are over, or log in again.

        If neither works, the token is used while it lasts, and nothing is raised.
        """
        if time.monotonic() < self._renew_after:
            return
        with self._lock:
            if time.monotonic() < self._renew_after:  # another thread has done it
                return
            self._renew_after = float("inf")
            try:
                where = f"the token at {self.address}"
                with asking("renew", where):
                    document = self.transport.again.auth.token.renew_self()
                self._take(document, where)
            except VaultError:
                with contextlib.suppress(VaultError):
                    self.log_in()

    def token(self) -> VaultToken:
        """Return the facts of the token; a token without the ACL policy `default` may not look them up."""
        where = f"the token at {self.address}"
        with asking("look up", where, rule=acl_rule("read", "auth/token/lookup-self")):
            document = self.transport.again.auth.token.lookup_self()
        return VaultToken(
            display_name=pick(document, "data", "display_name", of=str, where=where),
            policies=texts(pick(document, "data", "policies", of=list, where=where)),
            ttl=pick(document, "data", "ttl", of=int, where=where),
            accessor=str(document["data"].get("accessor") or ""),
            entity=str(document["data"].get("entity_id") or ""),
            is_renewable=pick(document, "data", "renewable", of=bool, where=where),
        )

    def capabilities(self, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the token's capabilities for each path, in Vault's words: `read`, `create`, `deny`, `root`..."""
        where = f"the capabilities of the token at {self.address}"
        with asking("look up", where, rule=acl_rule("update", "sys/capabilities-self")):
            document = self.transport.again.sys.get_capabilities(paths=list(paths))
        return {path: texts(pick(document, "data", path, of=list, where=where)) for path in paths}

    def mount(self, path: str) -> Mount:
        """Return the mount of a path; it is an error if there is none, or none that the token may see."""
        where = f"vault://{checked_path(path)}"
        try:
            with asking("find the mount of", where):
                document = self.transport.again.adapter.get(f"/v1/sys/internal/ui/mounts/{quote(path)}")
        except VaultError as error:
            if error.kind is Fault.DENIED:
                self._no_mount(path, where)
            raise
        options = pick(document, "data", of=dict, where=where).get("options")
        version = str(options.get("version", "1")) if isinstance(options, dict) else "1"
        kind = pick(document, "data", "type", of=str, where=where)
        return Mount(
            path=pick(document, "data", "path", of=str, where=where).strip("/"),
            type=kind,
            version=int(version) if kind == "kv" and version in {"1", "2"} else None,
        )

    def _no_mount(self, path: str, where: str) -> None:
        """Distinguish a mount that does not exist from one that the token may not see, as far as the server says."""
        try:
            with asking("find the mount of", where):
                self.transport.again.adapter.get(f"/v1/{quote(path)}/config")
            kind = Fault.DENIED
        except VaultError as error:
            kind = error.kind
        if kind is Fault.NO_MOUNT:
            message = f"no secrets engine is mounted at {path.partition('/')[0]} ({where})"
        else:
            kind = Fault.DENIED
            message = f"cannot use {where}: no secrets engine is mounted there, or the token has no rights in it"
        hint = "check the mount: `bao secrets list` shows those that exist"
        raise VaultError(message, hint=hint, kind=kind)

    def call(
        self, mount: str, operation: str, name: str, fields: Mapping[str, str | Secret], *, may_repeat: bool = True
    ) -> tuple[dict[str, Any], str]:
        """Have a secrets engine `sign`, `encrypt` or `decrypt` something, with its role or key of that name.

        Return the document of the response, and the path of the request for messages.

        Raises:
            UncertainWrite: without `may_repeat`, if the response is lost.
        """
        path = joined(checked_path(mount), operation, checked_path(name))
        where = f"vault://{path}"
        client = self.transport.again if may_repeat else self.transport.once
        try:
            with asking(operation, where, rule=acl_rule("update", path)):
                return client.adapter.post(f"/v1/{quote(path)}", json=dict(fields)), where
        except VaultError as error:
            if error.kind is not Fault.NO_MOUNT:
                raise
            message = f"cannot {operation} {where}: no secrets engine is mounted at {mount}"
            raise VaultError(message, hint=error.hint, kind=error.kind) from None

    def health(self) -> Health | None:
        """Return the state of the server, which needs no token; None if it does not say, as inside a namespace."""
        with asking("check the health of", self.address):
            # The request has the server respond with 200 in any state: another status would be retried.
            document = self.transport.again.sys.read_health_status(
                method="GET",
                standby_ok="true",
                sealed_code=200,
                uninit_code=200,
                dr_secondary_code=200,
                performance_standby_code=200,
            )
        try:
            seconds = pick(document, "server_time_utc", of=int, where=self.address)
            return Health(
                version=printable(pick(document, "version", of=str, where=self.address)[:_MAX_VERSION]),
                is_initialized=pick(document, "initialized", of=bool, where=self.address),
                is_sealed=pick(document, "sealed", of=bool, where=self.address),
                is_standby=pick(document, "standby", of=bool, where=self.address),
                clock=datetime.fromtimestamp(min(max(seconds, 0), 2**35), UTC),
            )
        except VaultError:
            return None

    def kv(self, location: str) -> Kv:
        """Return the secrets below `MOUNT/PREFIX` (or `MOUNT`), where a KV secrets engine of version 2 is mounted."""
        location = location.strip("/")
        mount = self.mount(location)
        if mount.version != 2:
            found = f"KV version {mount.version}" if mount.version else f"of type {mount.type}"
            raise VaultError(
                f"cannot use vault://{location}: the mount {mount.path} is {found}, not KV version 2",
                hint="give another mount"
                + (f", or upgrade it: `bao kv enable-versioning {mount.path}`" if mount.version else ""),
                kind=Fault.NOT_KV_2,
            )
        return Kv(self.transport, mount.path, location.removeprefix(mount.path).strip("/"))

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_REFUSED_LOGIN = frozenset({Fault.BAD_REQUEST, Fault.BAD_TOKEN, Fault.DENIED, Fault.NO_MOUNT, Fault.NOT_FOUND})
