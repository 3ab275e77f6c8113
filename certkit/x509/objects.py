"""The objects in a file: keys, CSRs, certificates, CRLs, PKCS#12 and key stores, recognised by their content.

Each detector has three answers: not here, found, here but broken.
"""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, PassphraseError
from certkit.x509 import containers, keys, pem, private
from certkit.x509 import der as tlv
from certkit.x509.certificate import Certificate
from certkit.x509.containers import Bundle
from certkit.x509.crl import Crl
from certkit.x509.csr import Csr
from certkit.x509.items import KEY_STORE, Broken, Budget, Item, Kind
from certkit.x509.spki import PublicKeyInfo
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from certkit.secret import Secret


def read(
    data: bytes,
    *,
    start: int = 0,
    passphrase: Secret | None = None,
    only: Container[Kind] | None = None,
    budget: Budget | None = None,
) -> Iterator[Item | Broken]:
    """Yield the objects in the bytes of a file, in order; a file without any yields nothing.

    A key or PKCS#12 that is locked and has no passphrase is an item without a value. With `only`, objects of other
    kinds are named but not loaded. The files of a run share one `budget`. With `start`, reading begins there; it ends
    after a thousand objects that are broken, or five thousand private keys.
    """
    broken = opened = 0
    for each in _Reader(passphrase, only, budget or Budget()).read(data, start):
        yield each
        if isinstance(each, Broken):
            broken += 1
            if broken == _MOST_BROKEN:
                yield _TOO_MANY_BROKEN
                return
        elif each.kind is Kind.PRIVATE_KEY and each.value is not None:
            opened += 1
            if opened == _MOST_KEYS:
                yield _TOO_MANY_KEYS
                return


def summary(first: Broken, count: int, *, is_complete: bool = True) -> tuple[str, str]:
    """The broken objects of one file in one line: the first, and how many more there are; and the first one's hint.

    Limits (`Broken.is_limit`) are not counted; where one was met, the count is not complete.
    """
    at_least = "" if is_complete else "at least "
    more = f" (and {at_least}{count - 1:,} more broken objects)" if count > 1 else ""
    return f"{first.message}{more}", first.hint


def explain_nothing(data: bytes) -> tuple[str, str]:
    """Return why a file contains no object that certkit knows, and a hint."""
    if not data.strip(b"\0 \t\r\n"):
        return (
            "it is empty" if not data else "it contains only whitespace or NULs"
        ), "check that the file was written whole"
    if containers.is_key_store(data):
        return "the Java key store is empty", "remove it, or create it again"
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"-\0-\0-\0" in data:
        return "it is UTF-16 text", "save it as plain text (PowerShell: Out-File -Encoding ascii)"
    if labels := dict.fromkeys(repr(block.label) for block in itertools.islice(pem.blocks(data), 10)):
        return f"it contains only PEM blocks of other kinds: {', '.join(labels)}", "check that it is the right file"
    if b"-----BEGIN" in data or pem.has_spoilt_markers(data):
        return "its BEGIN line is not PEM", "check the line for missing dashes or extra spaces"
    for begin, what, hint in _FOREIGN:
        if data.startswith(begin):
            return f"it is {what}", hint
    return "it contains no PEM block and is not DER", "check that it is the right file"


def certificates(data: bytes, *, name: str, may_be_none: bool = False) -> list[Certificate]:
    """Return all certificates of a file, those that break a rule included; other objects are skipped.

    Raises:
        InputError: if there is none (unless there may be), or one cannot be read.
    """
    return [each.value for each in items(data, Kind.CERTIFICATE, name=name, may_be_none=may_be_none)]


def crls(data: bytes, *, name: str) -> list[Crl]:
    """Return all revocation lists of a file; other objects are skipped.

    Raises:
        InputError: if there is none, or one cannot be read.
    """
    return [each.value for each in items(data, Kind.CRL, name=name)]


def bundle(
    data: bytes,
    *,
    name: str,
    passphrase: Secret | None = None,
    budget: Budget | None = None,
) -> Bundle:
    """Return the certificates of a file in order, and the private key if the file is PKCS#12.

    Raises:
        PassphraseError: if it is locked, and the passphrase is missing or wrong.
        InputError: if there is no certificate, or one cannot be read.
    """
    if not tlv.is_pkcs12(data):
        return Bundle(None, tuple(certificates(data, name=name)))
    for item in read(data, passphrase=passphrase, budget=budget):
        if isinstance(item, Broken):
            raise _unreadable(item, name)
        if item.value is None:
            hint = "give its passphrase with --passphrase-file"
            raise PassphraseError(f"cannot read {name}: the PKCS#12 bundle is encrypted", hint=hint)
        found: Bundle = item.value
        if found.certificates:
            return found
    raise InputError(
        f"cannot read {name}: the PKCS#12 bundle contains no certificate", hint="export it with its certificate"
    )


def items(
    data: bytes, kind: Kind, *, name: str, passphrase: Secret | None = None, may_be_none: bool = False
) -> list[Item]:
    """Return all objects of one kind in a file; others are skipped.

    Raises:
        PassphraseError: if one is locked, and the passphrase is wrong.
        InputError: if there is none (unless there may be), or one cannot be read.
    """
    found = []
    others: list[str] = []
    for item in read(data, passphrase=passphrase, only={kind}):
        if isinstance(item, Broken):
            raise _unreadable(item, name)
        if item.kind is kind:
            found.append(item)
        else:
            others.append(item.kind.words)
    if not found and not may_be_none:
        raise wrong_kind(kind.words, data, others, name=name)
    return found


def csr(data: bytes, *, name: str) -> Csr:
    """Return the first CSR of a file, even if it breaks a rule.

    Raises:
        InputError: if there is none that can be read.
    """
    others: list[str] = []
    broken: Broken | None = None
    for item in read(data, only={Kind.CSR}):
        if isinstance(item, Broken):
            broken = broken or item
        elif item.kind is Kind.CSR:
            value: Csr = item.value
            return value
        else:
            others.append(item.kind.words)
    if broken is not None:
        raise _unreadable(broken, name)
    raise wrong_kind("a CSR", data, others, name=name)


def private_key(data: bytes, *, name: str, passphrase: Secret | None = None) -> Item:
    """The only private key of a file, unlocked.

    Raises:
        PassphraseError: if it is locked, and the passphrase is missing or wrong.
        InputError: if there is none, more than one, or one that cannot be used.
    """
    containers.require_no_key_store(data, name=name)
    found = items(data, Kind.PRIVATE_KEY, name=name, passphrase=passphrase)
    containers.require_one_key(data, name=name)
    if len(found) > 1:
        raise InputError(f"cannot read {name}: it contains {len(found)} private keys", hint="name a file with one key")
    if found[0].value is None:
        raise PassphraseError(
            f"cannot read {name}: the private key is encrypted", hint="give its passphrase with --passphrase-file"
        )
    if found[0].info is not None:
        private.require_usable(found[0].info, name=name)
    return found[0]


def _unreadable(broken: Broken, name: str) -> InputError:
    error = PassphraseError if broken.is_locked else InputError
    return error(f"cannot read {name}: {broken.message}", hint=broken.hint)


def wrong_kind(wanted: str, data: bytes, others: list[str], *, name: str) -> InputError:
    """Return the error for a file of another kind than expected; the message says what the file holds."""
    if others:
        listed = ", ".join(dict.fromkeys(others))
        hint = f"give {wanted}"
        if others == [Kind.PKCS12.words]:
            part = "-nocerts -noenc" if wanted == "a private key" else "-nokeys"
            hint = f"convert it: openssl pkcs12 -in {shlex.quote(name)} {part} -out {shlex.quote(name + '.pem')}"
        verb = "is" if len(set(others)) == 1 else "contains"
        return InputError(f"cannot read {name} as {wanted}: it {verb} {listed}", hint=hint)
    reason, hint = explain_nothing(data)
    return InputError(f"cannot read {name} as {wanted}: {reason}", hint=hint)


_LABELS = {
    "CERTIFICATE": Kind.CERTIFICATE,
    "X509 CERTIFICATE": Kind.CERTIFICATE,
    "TRUSTED CERTIFICATE": Kind.CERTIFICATE,
    "PKCS7": Kind.CERTIFICATE,
    "PKCS #7 SIGNED DATA": Kind.CERTIFICATE,  # as NSS writes it
    "CMS": Kind.CERTIFICATE,
    pem.CERTIFICATE_REQUEST: Kind.CSR,
    pem.NEW_CERTIFICATE_REQUEST: Kind.CSR,
    "X509 CRL": Kind.CRL,
    "PUBLIC KEY": Kind.PUBLIC_KEY,
    "RSA PUBLIC KEY": Kind.PUBLIC_KEY,
}
_TOO_COSTLY = (
    "the encrypted keys of this run require too much key derivation",
    "name fewer files at a time, or re-encrypt the keys: openssl pkcs8 -topk8 -iter 600000",
)
_NOT_OPENED = (
    "the passphrase is wrong or the file is damaged",
    "check the first line of the passphrase file; openssl pkey -in KEY converts unusual ciphers",
)
_TOO_SLOW = (
    "opening it takes too long; its key derivation count is too high",
    "export it again with openssl pkcs12",
)
_MOST_BROKEN = 1000
_TOO_MANY_BROKEN = Broken(
    f"{_MOST_BROKEN:,} broken objects",
    "the rest of the file was not read",
    "check that it is the right file",
    is_limit=True,
)
# Opening a key of some curves takes more than a millisecond.
_MOST_KEYS = 5000
_TOO_MANY_KEYS = Broken(
    f"{_MOST_KEYS:,} private keys", "the rest of the file was not read", "split the file", is_limit=True
)
_DAMAGED_HINT = "the file may be cut off or damaged; get a new copy from its source"
_SIGNED: dict[Kind, Callable[[bytes], Any]] = {
    Kind.CERTIFICATE: Certificate.parse,
    Kind.CSR: Csr.parse,
    Kind.CRL: Crl.parse,
}


def kind_of(block: pem.Block) -> Kind | None:
    """Return the kind of object that a block's label promises, or None for a label that certkit does not know."""
    return Kind.PRIVATE_KEY if block.label.endswith("PRIVATE KEY") else _LABELS.get(block.label)


class _Reader:
    """Reads the objects of one file."""

    def __init__(self, passphrase: Secret | None, only: Container[Kind] | None, budget: Budget) -> None:
        self._passphrase, self._only, self._budget = passphrase, only, budget

    def read(self, data: bytes, start: int) -> Iterator[Item | Broken]:
        """Read PEM blocks, or else DER, a container, or either of them in base64."""
        found = start > 0
        end = start
        for block in pem.blocks(data, start=start):
            yield from _spoilt(data, end, block.start)
            found, end = True, block.end
            yield from self._block(data, block)
        if found:
            yield from _spoilt(data, end, len(data))
            return
        if containers.is_key_store(data):
            yield from self._key_store(data)
        elif data[:1] == b"\x30":
            yield from self._der(data)
        elif (decoded := containers.plain_base64(data)) is not None:
            yield from self.read(decoded, 0)
        elif containers.holds_embedded(data) and not pem.has_spoilt_markers(data):
            yield from self._embedded(data)

    def _embedded(self, data: bytes) -> Iterator[Item | Broken]:
        """Read the objects in base64 in a text; much else begins like DER there, so only what can be read counts."""
        misses = 0
        for each in containers.embedded(data):
            is_certain = each[:1] != b"\x30" or tlv.is_pkcs12(each)
            has_found = False
            for item in self.read(each, 0):
                if is_certain or isinstance(item, Item):
                    has_found = True
                    yield item
            misses += not has_found
            if misses == _MOST_BROKEN:
                yield _TOO_MANY_BROKEN
                return

    def _wants(self, kind: Kind) -> bool:
        return self._only is None or kind in self._only

    def _block(self, data: bytes, block: pem.Block) -> Iterator[Item | Broken]:
        kind = kind_of(block)
        line = block.line
        what = f"PEM block {block.label!r}"
        # Parameters accompany a key that says the same.
        if block.label.endswith(" PARAMETERS"):
            return
        if kind is None:
            # A certificate under another label must not be skipped; other kinds may be if they were not requested.
            if self._only is None or "CERTIFICATE" in block.label:
                yield _of_unknown_kind(block, what)
        elif not self._wants(kind):
            item = Item(kind, block.der or b"", None, line)
            # The requested object may have a label of another kind.
            others = list(_signed_of(item.der)) if tlv.looks_like_signed(item.der) else []
            wanted = [each._replace(line=line) for each in others if isinstance(each, Item) and self._wants(each.kind)]
            yield from wanted or [item]
        elif block.der is None:
            yield Broken(what, block.problem, _DAMAGED_HINT, line, is_bad_pem=True)
        elif kind is Kind.PRIVATE_KEY and tlv.looks_like_signed(block.der):
            yield from self._by_content(block.der, Broken(what, "it is not a private key", _DAMAGED_HINT, line))
        elif kind is Kind.PRIVATE_KEY:
            yield self._private_key(block.der, block, text=block.text(data) if block.has_headers else None)
        elif block.label.startswith(("PKCS", "CMS")):
            if containers.is_pkcs7(block.der):
                yield from self._pkcs7(block.der, line)
            else:
                broken = Broken("a PKCS#7 bundle", "it is not SignedData (RFC 5652)", _DAMAGED_HINT, line)
                yield from self._by_content(block.der, broken)
        else:
            yield from self._labelled(kind, block)

    def _labelled(self, kind: Kind, block: pem.Block) -> Iterator[Item | Broken]:
        """Read a block by its label, or by its content where the label is wrong."""
        der, trust = block.der or b"", b""
        if block.label.startswith("TRUSTED"):
            whole = tlv.first_element(der) or der
            der, trust = whole, der[len(whole) :]
        if kind is Kind.PUBLIC_KEY:
            found = _public_key(der, block.line, is_rsa=block.label.startswith("RSA"))
        else:
            found = _signed(kind, der, block.line)
        if isinstance(found, Broken):
            yield from self._by_content(der, found)
        else:
            yield found._replace(trust=trust) if trust else found

    def _by_content(self, der: bytes, broken: Broken) -> Iterator[Item | Broken]:
        """Read a block whose label is wrong; if its content is not an object either, the block stays broken.

        An object of a kind that was not requested is broken too, because its label names another kind.
        """
        found = [each for each in self._der(der) if isinstance(each, Item)]
        for each in found:
            if self._wants(each.kind):
                yield each._replace(line=broken.line)
            else:
                yield broken._replace(reason=f"it is {each.kind.words}", hint="correct its label")
        if not found:
            yield broken

    def _private_key(self, der: bytes, block: pem.Block | None, *, text: bytes | None = None) -> Item | Broken:
        what, line = Kind.PRIVATE_KEY.words, block.line if block is not None else None
        if block is not None and block.label == "OPENSSH PRIVATE KEY":
            return Broken(what, "it is in OpenSSH's own format", _OPENSSH_HINT, line)
        is_encrypted = keys.is_encrypted(der, has_headers=text is not None)
        try:
            keys.require_affordable(der)
            if is_encrypted:
                return self._encrypted_key(der, line, text)
            key, info = self._loaded(der)
        except InputError as error:
            return Broken(what, error.message, error.hint, line, is_locked=isinstance(error, PassphraseError))
        return Item(Kind.PRIVATE_KEY, der, key, line, info=info)

    def _loaded(self, plain: bytes) -> tuple[Any, PublicKeyInfo | None]:
        """Return a private key and its public half; checking a large RSA key takes seconds, its facts do not."""
        outline = private.outline(plain)
        rsa = outline.rsa_info if outline is not None else None
        if rsa is not None and not self._budget.check_rsa(rsa.bits):
            return keys.unchecked(plain), rsa
        key = keys.load_private_key(plain)
        return key, private.info_of(key, outline)

    def _encrypted_key(self, der: bytes, line: int | None, text: bytes | None) -> Item | Broken:
        what = Kind.PRIVATE_KEY.words
        cipher = private.unsupported_cipher(der if text is None else text)
        if cipher and self._passphrase is not None:
            hint = "re-encrypt it: openssl pkey -in KEY -aes256 -out NEWKEY (-provider legacy -provider default)"
            return Broken(what, f"it is encrypted with {cipher}, which is not supported", hint, line, is_locked=True)
        if self._passphrase is None:
            return Item(Kind.PRIVATE_KEY, der, None, line, is_encrypted=True)
        if not self._budget.derive(tlv.kdf_cost(der)):
            return Broken(what, *_TOO_COSTLY, line)
        plain = keys.decrypted(der if text is None else text, self._passphrase)
        if plain is not None:
            key, info = self._loaded(plain)
        elif not self._budget.derive(tlv.kdf_cost(der)):
            return Broken(what, *_TOO_COSTLY, line, is_locked=True)
        elif len(der) > _MAX_EC_BYTES and not self._budget.check_rsa(private.estimated_bits(der)):
            return Broken(what, *_NOT_OPENED, line, is_locked=True)  # another try would be as long as a check
        else:
            key = keys.load_private_key(der if text is None else text, self._passphrase)  # the error says why
            info = private.info_of(key, None)
        return Item(Kind.PRIVATE_KEY, der, key, line, is_encrypted=True, info=info)

    def _pkcs7(self, der: bytes, line: int | None) -> Iterator[Item | Broken]:
        what = "a PKCS#7 bundle"
        try:
            certificates, crls = containers.pkcs7(der)
        except InputError as error:
            yield Broken(what, error.message, error.hint, line)
            return
        for kind, listed in ((Kind.CERTIFICATE, certificates), (Kind.CRL, crls)):
            for each in listed:
                yield _signed(kind, each, line) if self._wants(kind) else Item(kind, each, None, line)

    def _key_store(self, data: bytes) -> Iterator[Item | Broken]:
        try:
            for der in containers.key_store(data):
                if der is None:
                    yield Item(Kind.PRIVATE_KEY, b"", None, is_encrypted=True)
                else:
                    yield _signed(Kind.CERTIFICATE, der, None)
        except InputError as error:
            yield Broken(KEY_STORE, error.message, error.hint)

    def _der(self, data: bytes) -> Iterator[Item | Broken]:
        """Read one object, or certificates one after the other, as Java reads them."""
        start = 0
        while (whole := tlv.first_element(data, start)) is not None:
            padding = _PADDING.match(data, start + len(whole))
            after = len(data) if padding is None else padding.end()
            if after == len(data):
                yield from self._one_in_der(whole)
                return
            if not (tlv.looks_like_signed(whole) and tlv.looks_like_signed(data[after : after + 16])):
                break
            yield from self._one_in_der(whole)
            start = after
        yield from self._one_in_der(data[start:])

    def _one_in_der(self, data: bytes) -> Iterator[Item | Broken]:
        if tlv.is_pkcs12(data):
            yield self._pkcs12(data) if self._wants(Kind.PKCS12) else Item(Kind.PKCS12, data, None)
        elif containers.is_pkcs7(data):
            yield from self._pkcs7(data, None)
        elif tlv.looks_like_private_key(data):
            yield self._private_key(data, None) if self._wants(Kind.PRIVATE_KEY) else Item(Kind.PRIVATE_KEY, data, None)
        else:
            yield from _signed_of(data)

    def _pkcs12(self, data: bytes) -> Item | Broken:
        what = Kind.PKCS12.words
        rounds = containers.pkcs12_cost(data)
        if rounds > tlv.MAX_KDF_COST:
            return Broken(what, *_TOO_SLOW)
        if not self._budget.derive(rounds):
            return Broken(what, *_TOO_COSTLY)
        if not self._budget.guard(lambda: containers.pkcs12(data, self._passphrase)):
            return Broken(what, *_TOO_SLOW)
        try:
            found = containers.pkcs12(data, self._passphrase)
        except PassphraseError as error:
            if self._passphrase is None:
                return Item(Kind.PKCS12, data, None, is_encrypted=True)
            return Broken(what, error.message, error.hint, is_locked=True)
        except InputError as error:
            return Broken(what, error.message, error.hint)
        return Item(Kind.PKCS12, data, found, is_encrypted=self._passphrase is not None)


def _of_unknown_kind(block: pem.Block, what: str) -> Broken:
    reason, hint = "not a kind of object that certkit knows", _UNKNOWN_HINT
    if "CERTIFICATE" in block.label:
        reason, hint = block.problem or reason, "remove it, or correct its label (CERTIFICATE)"
    return Broken(what, reason, hint, block.line)


def _spoilt(data: bytes, start: int, end: int) -> Iterator[Broken]:
    """Report marker lines of certificates between two blocks that are not as they should be."""
    if end > start and pem.has_spoilt_markers(data[start:end]):
        reason = "its BEGIN or END line is not PEM"
        hint = "check the lines for missing dashes, extra spaces or lower case"
        yield Broken("a certificate", reason, hint, pem.line_number(data, start), is_bad_pem=True)


# What a text editor or a download adds to DER.
_PADDING = re.compile(rb"[\0\r\n\t ]*")
# Encrypted keys of this size are for elliptic curves.
_MAX_EC_BYTES = 600
_UNKNOWN_HINT = "remove it, or read it with openssl"
# `ssh-keygen` changes the file itself, and leaves an Ed25519 key as it is.
_OPENSSH_HINT = (
    "create a key: certkit key generate; or convert a copy of an RSA or ECDSA key: ssh-keygen -p -m PKCS8 -f COPY"
)
# How files of other programs begin that people take for a key in PEM.
_FOREIGN = (
    (b"PuTTY-User-Key-File", "a PuTTY key", "export it with PuTTYgen as an OpenSSH key, then convert that"),
    (b"ssh-", "an OpenSSH public key", _OPENSSH_HINT),
    (b"ecdsa-sha2-", "an OpenSSH public key", _OPENSSH_HINT),
)


def _signed(kind: Kind, der: bytes, line: int | None) -> Item | Broken:
    try:
        return Item(kind, der, _SIGNED[kind](der), line)
    except InputError as error:
        return Broken(kind.words, error.message, error.hint, line)


def _public_key(der: bytes, line: int | None, *, is_rsa: bool = False) -> Item | Broken:
    """Read a SubjectPublicKeyInfo, or the key of PKCS#1 that is its inner part."""
    spki = private.rsa_spki(der) if is_rsa else der
    info = PublicKeyInfo.parse(spki)
    if isinstance(info, Unreadable):
        return Broken(Kind.PUBLIC_KEY.words, f"it cannot be decoded: {info.reason}", _DAMAGED_HINT, line)
    return Item(Kind.PUBLIC_KEY, spki, info, line, info=info)


def _signed_of(data: bytes) -> Iterator[Item | Broken]:
    """Read a certificate, CSR, CRL or public key in DER; what only begins like one is broken."""
    first: Broken | None = None
    for kind in (*_SIGNED, Kind.PUBLIC_KEY):
        item = _signed(kind, data, None) if kind in _SIGNED else _public_key(data, None)
        if isinstance(item, Item):
            yield item
            return
        first = first or item
    if first is not None and tlv.looks_like_signed(data):
        why = first.reason.removeprefix(f"the {Certificate.what} ")  # it may be one of the others
        reason = f"it begins like a certificate, CSR or CRL, but {why}"
        yield Broken("DER", reason, first.hint)


def short_reason(error: Exception) -> str:
    """A library's error in one short line."""
    first = str(error).strip().split("\n", maxsplit=1)[0]
    if "ParseError" in first:
        return "it is not the ASN.1 that the standard requires"
    return (first[:160] or type(error).__name__).rstrip(".")
