"""Errors of Vault, in kinds that callers can distinguish, with a hint for each."""

from __future__ import annotations

import contextlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from certkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Fault(StrEnum):
    """The kinds of errors of Vault: a closed list."""

    NO_TOKEN = "no_token"  # noqa: S105  a kind, not a token
    BAD_TOKEN = "bad_token"  # noqa: S105  as above
    LOGIN = "login"
    DENIED = "denied"
    NO_NAMESPACE = "no_namespace"
    NO_MOUNT = "no_mount"
    NOT_KV_2 = "not_kv_2"
    ABSENT = "absent"
    DELETED = "deleted"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    CAS_MISMATCH = "cas_mismatch"
    UNCERTAIN = "uncertain"
    RATE_LIMITED = "rate_limited"
    SEALED = "sealed"
    UNAVAILABLE = "unavailable"
    SERVER = "server"
    HOST_NOT_FOUND = "host_not_found"
    CONNECTION = "connection"
    TIMED_OUT = "timed_out"
    TLS = "tls"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_WRONG_NAME = "tls_wrong_name"
    REDIRECT = "redirect"
    NOT_VAULT = "not_vault"
    TOO_LARGE = "too_large"

    @property
    def is_about_the_server(self) -> bool:
        """Whether all other requests would fail in the same way, and take as long."""
        return self in _ABOUT_THE_SERVER


_ABOUT_THE_SERVER = frozenset({
    Fault.SEALED, Fault.UNAVAILABLE, Fault.HOST_NOT_FOUND, Fault.CONNECTION, Fault.TIMED_OUT, Fault.TLS,
    Fault.TLS_UNTRUSTED, Fault.TLS_WRONG_NAME, Fault.REDIRECT,
})  # fmt: skip


class VaultError(StoreError):
    """Vault cannot be reached, or refuses a request.

    `was_sent` says that a server may have acted upon the request without saying so. Neither the message nor the hint
    holds a token or a secret.
    """

    def __init__(self, message: str, *, hint: str, kind: Fault = Fault.SERVER, was_sent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.was_sent = was_sent


class CasMismatch(VaultError):  # noqa: N818  the name says what happened
    """A check-and-set write found another version than the one it was to follow; nothing was written."""


class UncertainWrite(VaultError):  # noqa: N818  as above
    """A write that may or may not have taken place: read what is stored before writing again.

    `reason` is why, without saying what was written.
    """

    def __init__(self, message: str, *, hint: str, reason: str = "") -> None:
        super().__init__(message, hint=hint, kind=Fault.UNCERTAIN, was_sent=True)
        self.reason = reason


class VaultRefusal(Exception):  # noqa: N818  as above
    """A refusal as Vault sent it, before `asking` adds the request that was refused, and a hint.

    `deleted` is the version of a secret that was deleted.
    """

    def __init__(self, status: int, errors: Sequence[str], deleted: int | None) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = errors
        self.deleted = deleted


_NO_LEADER = (Fault.UNAVAILABLE, "try again once the cluster has a leader")
_OF_STATUS = {
    400: (Fault.BAD_REQUEST, "check the server's message"),
    403: (Fault.DENIED, "ask for an ACL policy that allows it"),
    404: (Fault.NOT_FOUND, "check the path"),
    429: (Fault.RATE_LIMITED, "try again later, or ask for a higher quota"),
    502: _NO_LEADER,
    503: _NO_LEADER,
    504: _NO_LEADER,
}
# What a server without a leader responds, with status 500 and before it does anything (OpenBao's `http/handler.go`).
NO_ACTIVE_NODE = "active cluster node not found"
_PHRASES = (
    (NO_ACTIVE_NODE, *_NO_LEADER),
    ("is sealed", Fault.SEALED, "unseal the server: `bao operator unseal`"),
    ("no handler for route", Fault.NO_MOUNT, "check the mount: `bao secrets list` shows those that exist"),
    ("namespace not found", Fault.NO_NAMESPACE, "check VAULT_NAMESPACE"),
)


@contextlib.contextmanager
def asking(what: str, where: object, *, rule: object = None) -> Iterator[None]:
    """Turn a refusal within the block into `cannot WHAT WHERE: why`; `rule` is the ACL rule that would allow it."""
    try:
        yield
    except VaultRefusal as refusal:
        raise _worded(refusal, f"cannot {what} {where}", rule) from refusal


def _worded(refusal: VaultRefusal, what: str, rule: object) -> VaultError:
    status, errors = refusal.status, refusal.errors
    # Vault puts a heading before a list of errors: "1 error occurred: * permission denied".
    message = "; ".join(re.sub(r"^\d+ errors? occurred: \* ", "", error) for error in errors)
    kind, hint = _OF_STATUS.get(status, (Fault.SERVER, "check the server's log"))
    for words, special_kind, special_hint in _PHRASES:
        if words in message:
            kind, hint = special_kind, special_hint
    if kind is Fault.DENIED:
        # Vault says just "permission denied" of an unknown token; if a known token's ACL policies do not
        # allow the request, the words are those of a list of errors.
        if errors == ["permission denied"] or any("invalid token" in each for each in errors):
            return VaultError(
                f"{what}: Vault rejected the token: permission denied",
                hint="log in again, and set VAULT_TOKEN; check VAULT_NAMESPACE",
                kind=Fault.BAD_TOKEN,
            )
        hint = f"an ACL policy of the token must contain: {rule}" if rule else hint
        return VaultError(f"{what}: {message or 'permission denied'}", hint=hint, kind=kind)
    if status == 400 and "did not match the current version" in message:
        hint = "check what is stored now, and try again"
        return CasMismatch(f"{what}: it has changed in the meantime", hint=hint, kind=Fault.CAS_MISMATCH)
    if refusal.deleted is not None:
        hint = f"`bao kv undelete -versions={refusal.deleted}` brings it back, unless it was destroyed"
        return VaultError(f"{what}: it was deleted", hint=hint, kind=Fault.DELETED)
    if status == 404 and not errors:
        return VaultError(f"{what}: it does not exist", hint="check the path", kind=Fault.ABSENT)
    return VaultError(f"{what}: {message or f'the server responded with status {status}'}", hint=hint, kind=kind)
