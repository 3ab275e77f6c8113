"""What goes wrong with Vault, in kinds that callers can tell apart."""

from __future__ import annotations

from enum import StrEnum

from certkit.errors import InputError


class Kind(StrEnum):
    """What stands between certkit and Vault: a closed list."""

    NO_TOKEN = "no_token"  # noqa: S105  a kind, not a token
    BAD_TOKEN = "bad_token"  # noqa: S105  as above
    LOGIN = "login"
    DENIED = "denied"
    NO_NAMESPACE = "no_namespace"
    NO_MOUNT = "no_mount"
    NOT_KV_2 = "not_kv_2"
    ABSENT = "absent"
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
        """Whether all other requests would fail in the same way, and take their time for it."""
        return self in _ABOUT_THE_SERVER


_ABOUT_THE_SERVER = frozenset({
    Kind.SEALED, Kind.UNAVAILABLE, Kind.HOST_NOT_FOUND, Kind.CONNECTION, Kind.TIMED_OUT, Kind.TLS, Kind.TLS_UNTRUSTED,
    Kind.TLS_WRONG_NAME, Kind.REDIRECT,
})  # fmt: skip


class VaultError(InputError):
    """Vault cannot be reached, or does not do what was asked.

    `was_sent` says that a server may have acted upon the request without saying so. Neither the message nor the hint
    holds a token or a secret.
    """

    def __init__(self, message: str, *, hint: str, kind: Kind = Kind.SERVER, was_sent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.was_sent = was_sent


class CasMismatch(VaultError):  # noqa: N818  the name says what happened
    """A check-and-set write found another version than the one it was to follow; nothing was written."""

    def __init__(self, message: str, *, hint: str, kind: Kind = Kind.CAS_MISMATCH) -> None:
        super().__init__(message, hint=hint, kind=kind)


class UncertainWrite(VaultError):  # noqa: N818  as above
    """Nobody can tell whether a write took place: read what is there before writing again.

    `reason` is why, without saying what was written.
    """

    def __init__(self, message: str, *, hint: str, reason: str = "") -> None:
        super().__init__(message, hint=hint, kind=Kind.UNCERTAIN, was_sent=True)
        self.reason = reason
