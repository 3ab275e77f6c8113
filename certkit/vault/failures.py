"""Failures of the network, in plain words."""

from __future__ import annotations

from certkit.vault import tls
from certkit.vault.answers import MAX_ANSWER_BYTES, NotHttpError, TooLargeError
from certkit.vault.errors import Kind, VaultError


def explained(error: Exception, *, place: str, seconds: float, was_sent: bool) -> VaultError:
    """What went wrong on the way to `place` and what to do; `was_sent` says that the request had gone out."""
    import socket
    import ssl

    if isinstance(error, ssl.SSLError):
        return tls.explained(error, place=place, was_sent=was_sent)
    if isinstance(error, socket.gaierror):
        return _unknown_host(error, place)
    why, hint, kind = _plain(error, seconds)
    if kind is Kind.CONNECTION and was_sent and place.startswith("https:"):
        # In TLS 1.3 a server refuses a client after the handshake, and its reason may get lost.
        hint += "; it may want another client certificate (VAULT_CLIENT_CERT)"
    return VaultError(f"cannot reach, {place}: {why}", hint=hint, kind=kind, was_sent=was_sent)


def _plain(error: Exception, seconds: float) -> tuple[str, str, Kind]:
    if isinstance(error, TimeoutError):
        hint = "check VAULT_ADDR and the network; VAULT_CLIENT_TIMEOUT sets the time"
        return f"no answer within {seconds:g} seconds", hint, Kind.TIMED_OUT
    if isinstance(error, TooLargeError):
        return f"the answer is larger than {MAX_ANSWER_BYTES:,} bytes", "check VAULT_ADDR", Kind.TOO_LARGE
    if isinstance(error, NotHttpError):
        return str(error), "check VAULT_ADDR: does it want https://?", Kind.NOT_VAULT
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
    return reason, "check VAULT_ADDR, and that the server is running", Kind.CONNECTION


def _unknown_host(error: OSError, place: str) -> VaultError:
    import socket

    # Anything but "no such name" is a failure of the look-up itself, and may pass.
    is_final = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)}
    return VaultError(
        f"cannot reach, {place}: no such host" if is_final else f"cannot reach, {place}: the host cannot be looked up",
        hint="check VAULT_ADDR",
        kind=Kind.HOST_NOT_FOUND if is_final else Kind.CONNECTION,
    )
