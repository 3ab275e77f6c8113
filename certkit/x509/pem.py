"""PEM (RFC 7468): finding the objects in a file, however they are mixed with text.

The reader passes once over the bytes, whatever they hold, and never stops at the first broken block: each block is
either decoded or says what is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CERTIFICATE_REQUEST = "CERTIFICATE REQUEST"
NEW_CERTIFICATE_REQUEST = "NEW CERTIFICATE REQUEST"

MAX_PIECE_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_BEGIN = b"-----BEGIN "
_KEY_STORES = {b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"}  # how JKS and JCEKS begin

# A certificate in its usual form: only base64 between the marker lines.
_PLAIN = re.compile(rb"-----BEGIN CERTIFICATE-----\r?\n([^-]+)-----END CERTIFICATE-----\s*")
_MARKER = re.compile(rb"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 #./_+]{0,60})-----")
_HEADER = re.compile(rb"[ \t]*[A-Za-z0-9-]+:.*")


# Marker lines of certificates and CRLs that a person or an editor has damaged.
_DASH = rb"(?:-|\xe2\x80[\x90-\x95])"
_SPOILT = re.compile(
    _DASH + rb"[ \t]?(?:BEGIN|END) (?:TRUSTED |X509 )?(?:CERTIFICATE|CRL)[ \t]?" + _DASH, re.IGNORECASE
)


class Block(NamedTuple):
    """One PEM block: its label, its place in the file, and its bytes or what is wrong with them."""

    label: str
    start: int
    end: int
    line: int
    der: bytes | None
    problem: str = ""
    has_headers: bool = False

    @property
    def is_private_key(self) -> bool:
        """Whether the label promises private key material, readable or not."""
        return "PRIVATE KEY" in self.label

    def text(self, data: bytes) -> bytes:
        r"""Return the block as it is in the file, with real line ends in place of written ones (`\n`)."""
        found = data[self.start : self.end]
        if rb"-----\n" in found or rb"-----\r" in found:
            found = found.replace(rb"\r", b"").replace(rb"\n", b"\n")
        return found


def blocks(data: bytes, *, start: int = 0) -> Iterator[Block]:
    """Every PEM block of `data` in order, from `start` on, broken ones included; one pass, lazily."""
    begin: re.Match[bytes] | None = None
    line, counted = 1, 0
    for marker in _MARKER.finditer(data, start):
        if marker[1] == b"BEGIN":
            if begin is not None:
                yield _unfinished(begin, marker.start(), line)
            begin = marker
            line += data.count(b"\n", counted, marker.start())
            counted = marker.start()
        elif begin is not None:
            if marker[2] == begin[2]:
                yield _decoded(data, begin, marker, line)
            else:
                problem = f"its END line says {_label(marker)!r}"
                yield Block(_label(begin), begin.start(), marker.end(), line, None, problem)
            begin = None
    if begin is not None:
        yield _unfinished(begin, len(data), line)


def plain_certificates(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The certificates at the beginning of `data`, as DER, each with the place where its block ends.

    This is the fast path for well-formed files: it ends before the first block that is anything else, for `blocks` to
    go on from there.
    """
    end = 0
    for match in _PLAIN.finditer(data):
        if match.start() > end and (
            data.find(_BEGIN, end, match.start()) >= 0 or _SPOILT.search(data, end, match.start())
        ):
            return
        try:
            der = binascii.a2b_base64(match[1].replace(b"\n", b"").replace(b"\r", b""), strict_mode=True)
        except binascii.Error:
            return
        end = match.end()
        yield der, end


def has_spoilt_markers(text: bytes) -> bool:
    """Return whether a text outside of blocks has marker lines of a certificate or revocation list."""
    return _SPOILT.search(text) is not None


def pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A stream cut where a block begins, so that no block is torn; together the pieces are the stream.

    Bytes that start like a long DER element are one piece.

    Raises:
        InputError: if a piece would be larger than `MAX_PIECE_BYTES`.
    """
    rest, searched = b"", 0
    is_der = False
    for number, chunk in enumerate(chunks):
        rest = rest + chunk if rest else chunk
        if number == 0:  # long DER, or a Java key store
            is_der = (rest[:1] == b"\x30" and rest[1:2] >= b"\x80") or rest[:4] in _KEY_STORES
        if len(rest) >= _PIECE_BYTES and not is_der:
            cut = rest.rfind(_BEGIN, searched)
            searched = len(rest) - len(_BEGIN)  # a marker may have begun at the end
            if cut < 0 and not rest.startswith(_BEGIN):
                cut = searched
            if cut > 0:
                yield rest[:cut]
                rest, searched = rest[cut:], 0
        if len(rest) > MAX_PIECE_BYTES:
            hint = "check that it is the right file"
            raise InputError(f"an object in it is larger than {MAX_PIECE_BYTES:,} bytes", hint=hint)
    if rest:
        yield rest


def line_number(data: bytes, offset: int) -> int:
    """The line, counted from 1, that holds the byte at `offset`."""
    return data.count(b"\n", 0, offset) + 1


def encode(label: str, der: bytes) -> bytes:
    """One PEM block with lines of 64 characters and a line end at its end (RFC 7468 section 2)."""
    text = base64.b64encode(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    name = label.encode("ascii")
    return b"\n".join([b"-----BEGIN " + name + b"-----", *lines, b"-----END " + name + b"-----", b""])


def _label(marker: re.Match[bytes]) -> str:
    return marker[2].decode("ascii")


def _unfinished(begin: re.Match[bytes], end: int, line: int) -> Block:
    return Block(_label(begin), begin.start(), end, line, None, "its END line is missing")


def _decoded(data: bytes, begin: re.Match[bytes], end: re.Match[bytes], line: int) -> Block:
    body = data[begin.end() : end.start()]
    if body.startswith((rb"\n", rb"\r\n")):
        # A text in JSON, such as the trust bundle in an identity's record.
        body = body.replace(rb"\r", b"").replace(rb"\n", b"\n")
    has_headers = b":" in body
    if has_headers:
        # RFC 1421 headers precede the base64; folded lines begin with white space.
        body = b"".join(line for line in body.splitlines() if not _HEADER.fullmatch(line))
    der: bytes | None = None
    problem = ""
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        problem = "it is not valid base64"
    if der == b"":
        der, problem = None, "it is empty"
    return Block(_label(begin), begin.start(), end.end(), line, der, problem, has_headers)
