"""TLS as Vault's own client does it: a private CA, a client certificate, and failures in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import reading
from certkit.vault.errors import Kind, VaultError

if TYPE_CHECKING:
    import ssl

    from certkit.vault.settings import Tls

# X509_V_ERR_... of OpenSSL's x509_vfy.h.
_WRONG_NAME = frozenset({62, 64})
_OUT_OF_DATE = {9: "is not valid yet", 10: "has expired"}


def context(tls: Tls) -> ssl.SSLContext:
    """The context for all connections: building one costs more than a handshake.

    Without CA files the system's roots count, or SSL_CERT_FILE, which OpenSSL looks at by itself. Like Go, any
    certificate among the trusted ones ends a chain, and a server's common name counts for nothing.

    Raises:
        InputError: a file cannot be read, or does not hold what it should.
    """
    import ssl

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _trust(made, tls)
    if tls.certificate:
        _show(made, tls)
    if tls.skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _trust(made: ssl.SSLContext, tls: Tls) -> None:
    if tls.ca_file:
        if not _load(made, tls.ca_file):
            raise _no_certificate(tls.ca_file, "VAULT_CACERT")
    elif tls.ca_folder:
        paths = sorted(path for path in Path(tls.ca_folder).rglob("*") if path.is_file())
        if not sum(_load(made, path) for path in paths):
            raise _no_certificate(tls.ca_folder, "VAULT_CAPATH")
    else:
        made.load_default_certs()


def _load(made: ssl.SSLContext, path: Path | str) -> bool:
    import ssl

    try:
        made.load_verify_locations(cadata=reading.read(path).decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        return False
    return True


def _no_certificate(path: str, variable: str) -> InputError:
    return InputError(f"cannot read, {path}: no CA certificate is there ({variable})", hint="give PEM files")


def _show(made: ssl.SSLContext, tls: Tls) -> None:
    import ssl

    reading.read(tls.certificate)
    reading.read(tls.key)
    try:
        made.load_cert_chain(tls.certificate, tls.key, password=_no_passphrase)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise InputError(
            f"cannot use, {tls.certificate} with {tls.key}: {_reason(error)} (VAULT_CLIENT_CERT)",
            hint="give a PEM certificate and its own key without a passphrase",
        ) from error


def _no_passphrase() -> str:
    # Without this, OpenSSL would ask for one on the terminal, and wait.
    raise ValueError("the key has a passphrase")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(reason).replace("_", " ").lower()


def explained(error: ssl.SSLError, *, place: str, was_sent: bool) -> VaultError:
    """What a failure of TLS means, and what to do."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _unproven(error, place)
    reason = _reason(error)
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return _failure(place, f"it does not speak TLS ({reason})", "check VAULT_ADDR: perhaps it is http://", Kind.TLS)
    if "ALERT" in (error.reason or ""):
        hint = "check VAULT_CLIENT_CERT and VAULT_CLIENT_KEY: the server may want a certificate, or refuse this one"
        return _failure(place, f"the server refuses the TLS connection: {reason}", hint, Kind.TLS)
    failure = _failure(place, f"TLS failed: {reason}", "check VAULT_ADDR and what stands before the server", Kind.TLS)
    failure.was_sent = was_sent
    return failure


def _unproven(error: ssl.SSLCertVerificationError, place: str) -> VaultError:
    why = error.verify_message.lower().rstrip(".")
    if error.verify_code in _WRONG_NAME:
        hint = "set VAULT_TLS_SERVER_NAME to a name that its certificate has, or VAULT_ADDR to the right host"
        return _failure(place, f"its certificate is for another name: {why}", hint, Kind.TLS_WRONG_NAME)
    if error.verify_code in _OUT_OF_DATE:
        hint = "renew the server's certificate, or check the clock of this machine"
        return _failure(place, f"its certificate {_OUT_OF_DATE[error.verify_code]}", hint, Kind.TLS)
    hint = "set VAULT_CACERT to the certificate of the server's CA"
    return _failure(place, f"its certificate is not trusted: {why}", hint, Kind.TLS_UNTRUSTED)


def _failure(place: str, why: str, hint: str, kind: Kind) -> VaultError:
    return VaultError(f"cannot reach, {place}: {why}", hint=hint, kind=kind)
