"""Containers of certificates: PKCS#7 (RFC 5652), PKCS#12 (RFC 7292) and Java's key stores."""

from __future__ import annotations

import binascii
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, PassphraseError
from certkit.secret import Secret
from certkit.x509 import ber, foreign, keys, private
from certkit.x509 import der as tlv
from certkit.x509.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certkit.x509.spki import PublicKeyInfo

JKS, JCEKS = b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_CERTIFICATES, _CRLS = 0xA0, 0xA1
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_KEY_BAG, _SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.1", "1.2.840.113549.1.12.10.1.2"
# What protects a PFX that every OpenSSL opens: AES and 3DES, and the digests of the MAC.
_USUAL = {
    *(f"2.16.840.1.101.3.4.1.{number}" for number in (2, 22, 42)),
    "1.2.840.113549.3.7",
    *(f"1.2.840.113549.1.12.1.{number}" for number in (3, 4)),
    "1.3.14.3.2.26",
    *(f"2.16.840.1.101.3.4.2.{number}" for number in (1, 2, 3, 4)),
}
_MAX_DEPTH = 24
# More certificates than any trust store has.
_MAX_ENTRIES = 100_000

_JAVA_PASSPHRASE = b"changeit"
# BKS and UBER: the versions 1 and 2, and a salt of 20 bytes, with its length in four. BCFKS: what would be an encrypted
# key (PBES2), but for one more sequence around it.
_BOUNCY_CASTLE = re.compile(
    rb"\0\0\0[\1\2]\0\0\0\x14|\x30\x82..\x30\x82..\x30(?:[\0-\x7f]|\x81.)\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d",
    re.DOTALL,
)
# How base64 begins of a PEM block, of DER and BER sequences, and of Java's key stores.
_BASE64_DER = re.compile(rb"(?:MI[GHI]|MIA|/u3\+7Q|zs7Ozg)[A-Za-z0-9+/\s]*={0,2}\s*")
_BASE64_PEM = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]+={0,2}(?:\s{1,40}[A-Za-z0-9+/]{16,}={0,2}(?=\s))*")
_BASE64_KEYSTORE = re.compile(
    rb"(?<![A-Za-z0-9+/])(?:MI[GHI]|/u3\+7Q|zs7Ozg)[A-Za-z0-9+/]{56,}={0,2}"
    rb"(?:\s{1,40}[A-Za-z0-9+/]{16,}={0,2}(?=\s))*(?![A-Za-z0-9+/=])"
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The contents of a PKCS#12 file: certificates, and the key with its public half if there is one."""

    key: Any
    certificates: tuple[Certificate, ...]
    info: PublicKeyInfo | None = None


def is_key_store(data: bytes) -> bool:
    """Return whether the bytes begin as a key store of Java does: JKS, JCEKS, or BKS, UBER, BCFKS of Bouncy Castle."""
    return data[:4] in {JKS, JCEKS} or _BOUNCY_CASTLE.match(data) is not None


def is_pkcs7(data: bytes) -> bool:
    """Return whether the bytes begin as PKCS#7 SignedData does, in DER or BER."""
    return data[:1] == b"\x30" and b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in data[:24]


def pkcs7(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the certificates and the CRLs of PKCS#7 SignedData, each in DER.

    Raises:
        InputError: if the structure cannot be read, or holds neither.
    """
    try:
        certificates, crls = _signed_data(ber.to_der(data))
    except tlv.DerError as error:
        raise InputError(f"it cannot be decoded: {error}", hint="get a new copy from its source") from error
    if not certificates and not crls:
        raise InputError("it contains no certificate", hint="export it with its certificates, or remove it")
    return certificates, crls


def _signed_data(data: bytes) -> tuple[list[bytes], list[bytes]]:
    outer = tlv.parts(data, _SEQUENCE)
    if len(outer) != 2 or outer[0][0] != _OID or tlv.oid(data, outer[0]) != _SIGNED_DATA:
        raise tlv.DerError("it is not SignedData")
    inner = tlv.read(data, outer[1][2], outer[1][3])
    found: dict[int, list[bytes]] = {_CERTIFICATES: [], _CRLS: []}
    for tag, _, start, end in tlv.children(data, inner[2], inner[3])[3:]:
        if tag in found:
            # Attribute certificates and the like have tags of their own.
            found[tag] += [data[each[1] : each[3]] for each in tlv.children(data, start, end) if each[0] == _SEQUENCE]
    return found[_CERTIFICATES], found[_CRLS]


def pkcs12(data: bytes, passphrase: Secret | None) -> Bundle:
    """Open a PKCS#12 file; one without protection, or with the passphrase of Java's own trust stores, needs none.

    Raises:
        PassphraseError: if it is locked, and the passphrase is missing or wrong.
        InputError: if it cannot be decoded, or holds a key of a kind that certkit does not know.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization import pkcs12 as library

    whole = pkcs12_whole(data)
    attempts = [None, _JAVA_PASSPHRASE] if passphrase is None else [passphrase.reveal(), None]
    for password in attempts:
        found, error = foreign.try_or_error(functools.partial(library.load_pkcs12, password=password), whole)
        if found is not None:
            own = (found.cert,) if found.cert else ()
            listed = [each.certificate.public_bytes(Encoding.DER) for each in (*own, *found.additional_certs)]
            info = None if found.key is None else private.info_of(found.key, _outline(whole, passphrase))
            return Bundle(found.key, tuple(map(Certificate.parse, listed)), info)
        if isinstance(error, UnsupportedAlgorithm):
            raise InputError(
                "it uses a key type or a cipher that certkit does not know",
                hint="export it again: openssl pkcs12 -export",
            )
    if passphrase is None:
        raise PassphraseError("it is encrypted", hint="give its passphrase with --passphrase-file")
    if unusual := dict.fromkeys(_unusual_algorithms(whole)):
        names = ", ".join(private.CIPHERS.get(oid, oid) for oid in unusual)
        raise PassphraseError(
            f"the passphrase is wrong, or certkit's OpenSSL does not support {names}",
            hint="check the passphrase file, or convert it: openssl pkcs12 -legacy -in IN -out OUT.pem",
        )
    raise PassphraseError(
        "the passphrase is wrong or the file is damaged",
        hint="check the first line of the passphrase file",
    )


def _unusual_algorithms(pfx: bytes) -> Iterator[str]:
    """Yield the identifiers of the ciphers and of the MAC of a PFX that not every OpenSSL supports."""
    protected: list[bytes] = []  # structures that begin with the identifier of an algorithm
    try:
        for node in tlv.parts(pfx, _SEQUENCE)[2:]:
            digest, *_ = tlv.children(pfx, node[2], node[3])
            protected.append(pfx[digest[1] : digest[3]])
        for oid, value in _bags(pfx, 0, len(pfx), _MAX_DEPTH):
            if oid == _SHROUDED_KEY_BAG:
                protected.append(value)
            elif oid == _ENCRYPTED_DATA:
                _, content, *_ = tlv.parts(value, _SEQUENCE)
                _, algorithm, *_ = tlv.children(value, content[2], content[3])
                protected.append(tlv.encode(_SEQUENCE, value[algorithm[1] : algorithm[3]]))
        found = [private.cipher(each) for each in protected]
    except (ValueError, IndexError):  # a DerError, or fewer elements than there must be
        return
    yield from (each for each in found if each not in _USUAL)


def _outline(pfx: bytes, passphrase: Secret | None) -> private.Outline | None:
    """Return the outline of the first key in a PFX; None if it is encrypted along with the certificates."""
    for oid, value in _bags(pfx, 0, len(pfx), _MAX_DEPTH):
        plain: bytes | None = value
        if oid == _SHROUDED_KEY_BAG:
            plain = keys.decrypted(value, passphrase) if passphrase is not None else None
        if oid in {_KEY_BAG, _SHROUDED_KEY_BAG} and plain is not None:
            return private.outline(plain)
    return None


def require_no_key_store(data: bytes, *, name: str) -> None:
    """Refuse a container whose key cannot be read.

    Raises:
        InputError: if it is a Java key store.
    """
    if is_key_store(data):
        raise InputError(f"cannot read {name}: the keys of a Java key store are not supported", hint=_CONVERT)


def require_one_key(data: bytes, *, name: str) -> None:
    """Refuse a PKCS#12 file that was opened, with the first of its keys, and shows others.

    Raises:
        InputError: if it shows several keys.
    """
    whole = pkcs12_whole(data) if tlv.is_pkcs12(data) else b""
    count = sum(oid in {_KEY_BAG, _SHROUDED_KEY_BAG} for oid, _ in _bags(whole, 0, len(whole), _MAX_DEPTH))
    if count > 1:
        hint = f"export one of them: {_KEYTOOL} -srcalias ALIAS"
        raise InputError(f"cannot read {name}: it contains {count} private keys", hint=hint)


def _bags(data: bytes, start: int, end: int, depth: int) -> Iterator[tuple[str, bytes]]:
    """Yield the identifiers and values of the possible bags in a PFX (RFC 7292 section 4.2)."""
    try:
        nodes = tlv.children(data, start, end) if depth else []
        if [node[0] for node in nodes[:2]] == [_OID, 0xA0]:
            yield tlv.oid(data, nodes[0]), data[nodes[1][2] : nodes[1][3]]
    except tlv.DerError:
        return
    for tag, _, first, last in nodes:
        if tag & 0x20 or (tag == 0x04 and data[first : first + 1] == b"\x30"):
            yield from _bags(data, first, last, depth - 1)


def pkcs12_whole(data: bytes) -> bytes:
    """Return the PFX in DER, without what follows it.

    Raises:
        InputError: if it is cut off.
    """
    try:
        return ber.to_der(data, may_continue=True)
    except tlv.DerError as error:
        raise InputError(f"it is cut off or damaged: {error}", hint="get a new copy from its source") from error


def pkcs12_cost(data: bytes) -> int:
    """Return the cost of the key derivations that a PKCS#12 file asks for in the open: of its MAC and its ciphers.

    Doubly encrypted parts hide more of them, so opening the file needs a time limit as well.
    """
    try:
        return tlv.kdf_cost(pkcs12_whole(data))
    except InputError:
        return 0


def to_pkcs12(key: Secret, certificate: Certificate, chain: Sequence[Certificate], passphrase: Secret | None) -> Secret:
    """Return a PKCS#12 bundle (RFC 7292) of a key (PEM), its certificate and chain; a passphrase encrypts it.

    Raises:
        ValueError: if key and certificate do not belong together, or the passphrase is not UTF-8.
        InputError: if `cryptography`, which writes the bundle, refuses a certificate.
    """
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

    private_key: Any = keys.load_private_key(key.reveal())
    parts = None, private_key, certificate.loaded(), [each.loaded() for each in chain]
    if passphrase is None:
        return Secret(pkcs12.serialize_key_and_certificates(*parts, NoEncryption()))
    from certkit.x509 import encryption

    secret = passphrase.reveal()
    made = pkcs12.serialize_key_and_certificates(*parts, encryption.pkcs12_protection(secret))
    return Secret(encryption.slow_mac(made, secret))


def is_pkcs12_of(
    data: bytes,
    certificate: Certificate,
    chain: Sequence[Certificate],
    passphrase: Secret | None,
) -> bool:
    """Return whether a PKCS#12 bundle holds exactly this pair and chain, and opens with this passphrase only."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        found = pkcs12.load_pkcs12(data, passphrase.reveal() if passphrase else None)
    except ValueError:
        return False
    return (
        found.key is not None
        and keys.is_pair(found.key, certificate)
        and found.cert is not None
        and [each.certificate for each in (found.cert, *found.additional_certs)]
        == [each.cryptography() for each in (certificate, *chain)]
    )


def key_store(data: bytes) -> Iterator[bytes | None]:
    """Yield the certificates of a Java key store in DER, and None for each private key, which stays closed.

    Only the keys of such a store are encrypted, so its certificates need no passphrase.

    Raises:
        InputError: if the store is damaged, or holds what hides the entries behind it.
    """
    if data[:4] not in {JKS, JCEKS}:
        message = "it is a Bouncy Castle key store (BKS, UBER or BCFKS), which certkit cannot read"
        raise InputError(message, hint=_CONVERT)
    reader = _Reader(data, 4)
    version, count = reader.number(), reader.number()
    if version not in {1, 2} or count > _MAX_ENTRIES:
        raise InputError("it is a Java key store of an unknown version", hint=_CONVERT)
    for _ in range(count):
        kind = reader.number()
        reader.text()
        reader.take(8)
        if kind == 1:
            reader.take(reader.number())
            yield None
            for _ in range(min(reader.number(), _MAX_ENTRIES)):
                yield reader.certificate(version)
        elif kind == 2:
            yield reader.certificate(version)
        else:
            raise InputError(
                "the Java key store contains a secret key, so the entries after it cannot be read", hint=_CONVERT
            )


_KEYTOOL = "keytool -importkeystore -srckeystore IN -destkeystore OUT.p12 -deststoretype PKCS12"
_CONVERT = f"convert it: {_KEYTOOL}"


class _Reader:
    """Reads a Java key store from front to back."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            InputError: if fewer bytes are left.
        """
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise InputError("the Java key store is cut off", hint="get a new copy from its source")
        return self._data[start : self._at]

    def number(self, size: int = 4) -> int:
        """Return a number of so many bytes."""
        return int.from_bytes(self.take(size))

    def text(self) -> bytes:
        """Return a text with its length in two bytes."""
        return self.take(self.number(2))

    def certificate(self, version: int) -> bytes:
        """Return a certificate; version 2 names its kind."""
        if version == 2:
            self.text()
        return self.take(self.number())


def plain_base64(data: bytes) -> bytes | None:
    """Decode a file that is only base64 of DER or of a key store, as Windows writes them."""
    text = data.strip()
    if len(text) < 40 or not _BASE64_DER.fullmatch(text):
        return None
    try:
        return binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
    except binascii.Error:
        return None


def embedded(data: bytes) -> Iterator[bytes]:
    """Yield the objects embedded as base64 in a text such as a Kubernetes Secret: PEM, PKCS#12, Java key stores."""
    for pattern in (_BASE64_PEM, _BASE64_KEYSTORE):
        for match in pattern.finditer(data):
            try:
                yield binascii.a2b_base64(b"".join(match[0].split()), strict_mode=True)
            except binascii.Error:
                continue


def holds_embedded(data: bytes) -> bool:
    """Return whether a text may contain base64 (a quick check)."""
    return b"LS0tLS1CRUdJTi" in data or _BASE64_KEYSTORE.search(data) is not None
