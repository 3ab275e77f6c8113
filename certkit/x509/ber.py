"""BER to DER (X.690): indefinite lengths and strings in pieces, as some writers of PKCS#7 and PKCS#12 have them."""

from __future__ import annotations

from certkit.x509 import der as tlv

_MAX_DEPTH = 32
# Each costs about a microsecond, and its own object.
_MAX_ELEMENTS = 1_000_000
_END = b"\0\0"
_CONSTRUCTED = 0x20
# Strings that BER may write in pieces; BIT STRING is left out because no encoder does that.
_OCTET_STRING = 0x04


def to_der(data: bytes, *, may_continue: bool = False) -> bytes:
    """Return the first element with definite lengths; one that has them already is unchanged.

    Raises:
        DerError: if the element is cut off, nested too deeply, of too many parts, or followed by others although
            nothing may follow.
    """
    value, end = _Conversion(data).element(0, len(data), _MAX_DEPTH)
    if end < len(data) and not may_continue and data[end:].strip(b"\0\r\n\t "):
        raise tlv.DerError("bytes follow the value")
    return value


class _Conversion:
    """The conversion of one file, which may have a limited number of elements."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MAX_ELEMENTS

    def element(self, at: int, end: int, depth: int) -> tuple[bytes, int]:
        """Return an element in DER, and where it ends.

        Raises:
            DerError: if the element is cut off, nested too deeply, or of too many parts.
        """
        data = self._data
        self._left -= 1
        if depth == 0 or self._left < 0:
            raise tlv.DerError(f"elements are nested too deeply, or there are more than {_MAX_ELEMENTS:,}")
        if at + 2 > end:
            raise tlv.DerError("an element is missing or cut off", is_cut_off=True)
        tag, length = data[at], data[at + 1]
        if tag & 0x1F == 0x1F:
            node = tlv.read(data, at, end)
            return data[at : node[3]], node[3]
        if length == 0x80:
            return self._indefinite(at, end, depth)
        start = at + 2
        if length & 0x80:
            start += length & 0x7F
            if length & 0x7F > 4 or start > end:
                raise tlv.DerError("a length that is cut off or too large", is_cut_off=True)
            length = int.from_bytes(data[at + 2 : start])
        stop = start + length
        if stop > end:
            raise tlv.DerError("an element is cut off", is_cut_off=True)
        if not tag & _CONSTRUCTED:
            return tlv.encode(tag, data[start:stop]), stop
        pieces = []
        while start < stop:
            piece, start = self.element(start, stop, depth - 1)
            pieces.append(piece)
        return _joined(tag, pieces), stop

    def _indefinite(self, at: int, end: int, depth: int) -> tuple[bytes, int]:
        tag = self._data[at]
        if not tag & _CONSTRUCTED:
            raise tlv.DerError("an indefinite length of what has no parts (X.690 section 8.1.3.2)")
        at += 2
        pieces = []
        while self._data[at : at + 2] != _END:
            piece, at = self.element(at, end, depth - 1)
            pieces.append(piece)
        return _joined(tag, pieces), at + 2


def _joined(tag: int, pieces: list[bytes]) -> bytes:
    if tag == _OCTET_STRING | _CONSTRUCTED:
        values = []
        for piece in pieces:
            start, end = tlv.only(piece, _OCTET_STRING)
            values.append(piece[start:end])
        return tlv.encode(_OCTET_STRING, b"".join(values))
    return tlv.encode(tag, b"".join(pieces))
