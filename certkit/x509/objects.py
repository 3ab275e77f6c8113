"""What stands in a file: keys, CSRs, certificates, CRLs and PKCS#12, found by looking.

An ordered row of detectors, each with three answers: not here, found, here but broken.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, PassphraseError
from certkit.x509 import der as tlv
from certkit.x509 import keys, pem

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from cryptography import x509

    from certkit.secret import Secret


class Kind(StrEnum):
    """The kinds of object that certkit knows."""

    PRIVATE_KEY = "private_key"
    PUBLIC_KEY = "public_key"
    CSR = "csr"
    CERTIFICATE = "certificate"
    CRL = "crl"
    PKCS12 = "pkcs12"

    @property
    def words(self) -> str:
        """The kind as a person calls it, with its article."""
        return _WORDS[self]


_WORDS = {
    Kind.PRIVATE_KEY: "a private key",
    Kind.PUBLIC_KEY: "a public key",
    Kind.CSR: "a CSR",
    Kind.CERTIFICATE: "a certificate",
    Kind.CRL: "a CRL",
    Kind.PKCS12: "a PKCS#12 bundle",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One object found: its kind, its DER, and the loaded object, or None where it is locked."""

    kind: Kind
    der: bytes
    value: Any
    line: int | None = None
    is_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a PKCS#12 file holds: certificates, and the key if there is one."""

    key: Any
    certificates: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """An object that begins to be one and cannot be read."""

    what: str
    reason: str
    hint: str
    line: int | None = None
    is_locked: bool = False
    is_bad_pem: bool = False

    @property
    def message(self) -> str:
        """What is wrong, with the line where it begins."""
        place = f" at line {self.line}" if self.line else ""
        return f"{self.what}{place}: {self.reason}"


def unguarded(_: Callable[[], object]) -> bool:
    """A guard that lets everything through."""
    return True


def plain_certificates(data: bytes) -> tuple[list[x509.Certificate], int]:
    """The certificates at the beginning of the bytes, as long as all is plain and sound, and where the rest begins.

    The rest is for `read`, with its `start`. Silencing the library's warnings is the caller's business, for it takes as
    long as the loading.
    """
    from cryptography.x509 import load_der_x509_certificate

    found: list[x509.Certificate] = []
    end = 0
    for der, after in pem.plain_certificates(data):
        try:
            found.append(load_der_x509_certificate(der))
        except Exception:  # noqa: BLE001  `read` says what is wrong with it
            break
        end = after
    return found, end


def read(
    data: bytes,
    *,
    start: int = 0,
    passphrase: Secret | None = None,
    only: Container[Kind] | None = None,
    guard: Callable[[Callable[[], object]], bool] = unguarded,
) -> Iterator[Item | Broken]:
    """The objects in the bytes of a file, in order, one at a time; nothing for a file that holds none.

    A key or PKCS#12 that is locked and has no passphrase is an item without a value. With `only`, objects of other
    kinds are named but not loaded. `guard` is asked before a PKCS#12 file is opened, for its cost cannot be seen
    from outside (`certkit.processes.ends_in_time`). With `start`, reading begins there.
    """
    found = start > 0
    budget = keys.MAX_KDF_COST
    for block in pem.blocks(data, start=start):
        found = True
        if block.is_private_key and block.der and passphrase is not None and keys.is_encrypted(block.der):
            cost = tlv.kdf_cost(block.der)
            budget -= cost if cost <= keys.MAX_KDF_COST else 0  # a single one is refused with a reason of its own
            if budget < 0:
                yield Broken(Kind.PRIVATE_KEY.words, *_TOO_COSTLY, block.line)
                continue
        yield from _from_block(data, block, passphrase, only)
    if not found and data[:1] == b"\x30":
        yield from _from_der(data, passphrase, only, guard)


def summary(first: Broken, count: int) -> tuple[str, str]:
    """The broken objects of one file in one line: the first, and how many more there are; and the first one's hint."""
    more = f" (and {count - 1:,} more broken objects)" if count > 1 else ""
    return f"{first.message}{more}", first.hint


def explain_nothing(data: bytes) -> tuple[str, str]:
    """Why a file holds no object that certkit knows, and what to do: a reason and a hint."""
    if not data.strip(b"\0 \t\r\n"):
        return ("it is empty" if not data else "it holds only blanks or NULs"), "check that the file was written whole"
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "it is UTF-16 text", "save it as plain text (PowerShell: Out-File -Encoding ascii)"
    if data[:4] in {b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"}:
        return (
            "it is a Java key store",
            "convert it: keytool -importkeystore -srckeystore IN -destkeystore OUT.p12 -deststoretype PKCS12",
        )
    if b"-----BEGIN" in data:
        return "its BEGIN line is not PEM", "check the line for missing dashes or blanks"
    return "it holds no PEM block and is not DER", "check that it is the right file"


def certificates(data: bytes, *, name: str, may_be_none: bool = False) -> list[x509.Certificate]:
    """All certificates of a file; other objects are passed over.

    Raises:
        InputError: there is none (unless there may be), or one cannot be read.
    """
    return _all(Kind.CERTIFICATE, data, name, may_be_none=may_be_none)


def crls(data: bytes, *, name: str) -> list[x509.CertificateRevocationList]:
    """All revocation lists of a file; other objects are passed over.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    return _all(Kind.CRL, data, name)


def bundle(
    data: bytes,
    *,
    name: str,
    passphrase: Secret | None = None,
    guard: Callable[[Callable[[], object]], bool] = unguarded,
) -> Bundle:
    """The certificates of a file in order, and the private key if the file is PKCS#12.

    Raises:
        PassphraseError: it is locked, and the passphrase is missing or wrong.
        InputError: there is no certificate, or one cannot be read.
    """
    if not tlv.is_pkcs12(data):
        return Bundle(None, tuple(certificates(data, name=name)))
    for item in read(data, passphrase=passphrase, guard=guard):
        if isinstance(item, Broken):
            error = PassphraseError if item.is_locked else InputError
            raise error(f"cannot read, {name}: {item.message}", hint=item.hint)
        if item.value is None:
            hint = "give its passphrase with --passphrase-file"
            raise PassphraseError(f"cannot read, {name}: the PKCS#12 bundle is encrypted", hint=hint)
        found: Bundle = item.value
        if found.certificates:
            return found
    raise InputError(
        f"cannot read, {name}: the PKCS#12 bundle holds no certificate", hint="export it with its certificate"
    )


def _all(kind: Kind, data: bytes, name: str, *, may_be_none: bool = False) -> list[Any]:
    found = []
    others: list[str] = []
    for item in read(data, only={kind}):
        if isinstance(item, Broken):
            raise InputError(f"cannot read, {name}: {item.message}", hint=item.hint)
        if item.kind is kind:
            found.append(item.value)
        else:
            others.append(item.kind.words)
    if not found and not may_be_none:
        raise wrong_kind(kind.words, data, others, name=name)
    return found


def csr(data: bytes, *, name: str) -> Item:
    """The first CSR of a file.

    Raises:
        InputError: there is none that can be read.
    """
    others: list[str] = []
    broken: Broken | None = None
    for item in read(data, only={Kind.CSR}):
        if isinstance(item, Broken):
            broken = broken or item
        elif item.kind is Kind.CSR:
            return item
        else:
            others.append(item.kind.words)
    if broken is not None:
        raise InputError(f"cannot read, {name}: {broken.message}", hint=broken.hint)
    raise wrong_kind("a CSR", data, others, name=name)


def private_key(data: bytes, *, name: str, passphrase: Secret | None = None) -> Item:
    """The only private key of a file, unlocked.

    Raises:
        PassphraseError: it is locked, and the passphrase is missing or wrong.
        InputError: there is none, more than one, or one that cannot be used.
    """
    found = []
    others: list[str] = []
    for item in read(data, passphrase=passphrase, only={Kind.PRIVATE_KEY}):
        if isinstance(item, Broken):
            error = PassphraseError if item.is_locked else InputError
            raise error(f"cannot read, {name}: {item.message}", hint=item.hint)
        if item.kind is Kind.PRIVATE_KEY:
            found.append(item)
        else:
            others.append(item.kind.words)
    if not found:
        raise wrong_kind("a private key", data, others, name=name)
    if len(found) > 1:
        raise InputError(f"cannot read, {name}: it holds {len(found)} private keys", hint="name a file with one key")
    if found[0].value is None:
        raise PassphraseError(
            f"cannot read, {name}: the private key is encrypted", hint="give its passphrase with --passphrase-file"
        )
    return found[0]


def wrong_kind(wanted: str, data: bytes, others: list[str], *, name: str) -> InputError:
    """The error for a file that does not hold what was asked for: it says what it holds instead."""
    if others:
        listed = ", ".join(dict.fromkeys(others))
        return InputError(
            f"cannot read, {name}: expected {wanted}, found {listed}", hint=f"name a file that holds {wanted}"
        )
    reason, hint = explain_nothing(data)
    return InputError(f"cannot read, {name}: expected {wanted}: {reason}", hint=hint)


_LABELS = {
    "CERTIFICATE": Kind.CERTIFICATE,
    "X509 CERTIFICATE": Kind.CERTIFICATE,
    "TRUSTED CERTIFICATE": Kind.CERTIFICATE,
    "PKCS7": Kind.CERTIFICATE,
    "CMS": Kind.CERTIFICATE,
    pem.CERTIFICATE_REQUEST: Kind.CSR,
    pem.NEW_CERTIFICATE_REQUEST: Kind.CSR,
    "X509 CRL": Kind.CRL,
    "PUBLIC KEY": Kind.PUBLIC_KEY,
    "RSA PUBLIC KEY": Kind.PUBLIC_KEY,
}
_TOO_COSTLY = (
    "the encrypted keys of this file ask for too much key derivation",
    "put them in files of their own, or re-encrypt them: openssl pkcs8 -topk8 -iter 600000",
)
_DAMAGED_HINT = "the file may be cut off or damaged; get it again from where it was made"


def kind_of(block: pem.Block) -> Kind | None:
    """The kind of object that a block's label promises, or None for a label that certkit does not know."""
    return Kind.PRIVATE_KEY if block.is_private_key else _LABELS.get(block.label)


def _from_block(
    data: bytes, block: pem.Block, passphrase: Secret | None, only: Container[Kind] | None
) -> Iterator[Item | Broken]:
    kind = kind_of(block)
    # Parameters accompany a key that says the same.
    if block.label.endswith(" PARAMETERS") or (only is not None and kind is None):
        return
    line = block.line
    what = f"PEM block {block.label!r}"
    if only is not None and kind is not None and kind not in only:
        yield Item(kind, block.der or b"", None, line)
    elif block.der is None:
        yield Broken(what, block.problem, _DAMAGED_HINT, line, is_bad_pem=True)
    elif kind is None:
        yield Broken(what, "not a kind of object that certkit knows", "remove it, or read it with openssl", line)
    elif kind is Kind.PRIVATE_KEY:
        yield _private_key(data[block.start : block.end] if block.has_headers else block.der, block, line, passphrase)
    elif block.label in {"PKCS7", "CMS"}:
        yield from _pkcs7(block.der, line)
    else:
        der = tlv.first_element(block.der) or block.der if block.label.startswith("TRUSTED") else block.der
        yield _load(kind, der, line)


def _load(kind: Kind, der: bytes, line: int | None) -> Item | Broken:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Item(kind, der, _loader(kind)(der), line)
    except Exception as error:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
        return Broken(kind.words, f"it cannot be decoded: {short_reason(error)}", _DAMAGED_HINT, line)


def _loader(kind: Kind) -> Callable[[bytes], Any]:
    from cryptography import x509

    if kind is Kind.CERTIFICATE:
        return x509.load_der_x509_certificate
    if kind is Kind.CSR:
        return x509.load_der_x509_csr
    if kind is Kind.CRL:
        return x509.load_der_x509_crl
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    return load_der_public_key


def _private_key(data: bytes, block: pem.Block | None, line: int | None, passphrase: Secret | None) -> Item | Broken:
    what = Kind.PRIVATE_KEY.words
    der = (block.der if block else None) or data
    if block is not None and block.label == "OPENSSH PRIVATE KEY":
        return Broken(what, "it is in OpenSSH's own format", "convert it: ssh-keygen -p -m PKCS8 -f KEY", line)
    is_encrypted = keys.is_encrypted(der, has_headers=block is not None and block.has_headers)
    try:
        keys.require_affordable(der)
        if is_encrypted and passphrase is None:
            return Item(Kind.PRIVATE_KEY, der, None, line, is_encrypted=True)
        key = keys.load_private_key(data, passphrase)
    except InputError as error:
        return Broken(what, error.message, error.hint, line, is_locked=isinstance(error, PassphraseError))
    return Item(Kind.PRIVATE_KEY, der, key, line, is_encrypted)


def _pkcs7(der: bytes, line: int | None) -> Iterator[Item | Broken]:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pkcs7.load_der_pkcs7_certificates(der)
    except Exception as error:  # noqa: BLE001  as above
        yield Broken("a PKCS#7 bundle", f"it cannot be decoded: {short_reason(error)}", _DAMAGED_HINT, line)
        return
    for certificate in found:
        yield Item(Kind.CERTIFICATE, certificate.public_bytes(Encoding.DER), certificate, line)


def _from_der(
    data: bytes,
    passphrase: Secret | None,
    only: Container[Kind] | None,
    guard: Callable[[Callable[[], object]], bool],
) -> Iterator[Item | Broken]:
    for kind in (Kind.CERTIFICATE, Kind.CSR, Kind.CRL, Kind.PUBLIC_KEY):
        item = _load(kind, data, None)
        if isinstance(item, Item):
            yield item
            return
    if tlv.is_pkcs12(data):
        wanted = only is None or Kind.PKCS12 in only
        yield _pkcs12(data, passphrase, guard) if wanted else Item(Kind.PKCS12, data, None)
    elif tlv.looks_like_private_key(data):
        wanted = only is None or Kind.PRIVATE_KEY in only
        yield _private_key(data, None, None, passphrase) if wanted else Item(Kind.PRIVATE_KEY, data, None)
    elif tlv.looks_like_pkcs7(data):
        yield from _pkcs7(data, None)
    elif tlv.looks_like_signed(data):
        yield Broken("DER", "it begins like a certificate, CSR or CRL and cannot be decoded", _DAMAGED_HINT)


def _pkcs12(data: bytes, passphrase: Secret | None, guard: Callable[[Callable[[], object]], bool]) -> Item | Broken:
    what = Kind.PKCS12.words
    if not guard(lambda: _open_pkcs12(data, passphrase)):
        return Broken(
            what,
            "opening it takes too long; its key derivation count is too high",
            "export it again with openssl pkcs12",
        )
    try:
        return Item(Kind.PKCS12, data, _open_pkcs12(data, passphrase), is_encrypted=passphrase is not None)
    except Exception as error:  # noqa: BLE001  as above
        if passphrase is None:
            # A locked file and a broken one give the same error; the outer structure is whole.
            whole = tlv.first_element(data) == data
            return (
                Item(Kind.PKCS12, data, None, is_encrypted=True)
                if whole
                else Broken(what, f"it cannot be decoded: {short_reason(error)}", _DAMAGED_HINT)
            )
        return Broken(
            what,
            "it cannot be opened: the passphrase is wrong or the file is damaged",
            "check the first line of the passphrase file",
            is_locked=True,
        )


def _open_pkcs12(data: bytes, passphrase: Secret | None) -> Bundle:
    from cryptography.hazmat.primitives.serialization import pkcs12

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = pkcs12.load_pkcs12(data, passphrase.reveal() if passphrase else None)
        except ValueError:
            if passphrase is None:
                raise
            found = pkcs12.load_pkcs12(data, None)  # a passphrase that is not needed is not used
    own = (found.cert.certificate,) if found.cert else ()
    return Bundle(found.key, own + tuple(extra.certificate for extra in found.additional_certs))


def short_reason(error: Exception) -> str:
    """A library's error in one short line."""
    first = str(error).strip().split("\n", maxsplit=1)[0]
    if "ParseError" in first:
        return "it is not the ASN.1 that the standard asks for"
    return (first[:160] or type(error).__name__).rstrip(".")
