"""PEM (RFC 7468): finding the objects in a file, however they are mixed with text.

The reader goes once through the bytes, whatever they hold, and never gives up at the first broken
block: each block is either decoded or says what is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE_REQUEST = "CERTIFICATE REQUEST"
NEW_CERTIFICATE_REQUEST = "NEW CERTIFICATE REQUEST"

_MARKER = re.compile(rb"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 #./_+]{0,60})-----")
_HEADER = re.compile(rb"[ \t]*[A-Za-z0-9-]+:.*")


@dataclass(frozen=True, slots=True)
class Block:
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


def blocks(data: bytes) -> Iterator[Block]:
    """Every PEM block of `data` in order, broken ones included; one pass, lazily."""
    begin: re.Match[bytes] | None = None
    line, counted = 1, 0
    for marker in _MARKER.finditer(data):
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
    has_headers = b":" in body
    if has_headers:
        # RFC 1421 headers stand before the base64; folded lines begin with white space.
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
