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
        is_indefinite = data.startswith(b"\x80", at + 1, end) and data[at] & 0x1F != 0x1F
        tag, _, start, stop = (data[at], at, at + 2, end) if is_indefinite else tlv.read(data, at, end, is_ber=True)
        if tag > 0xFF:
            return data[at:stop], stop
        if not tag & _CONSTRUCTED:
            if is_indefinite:
                raise tlv.DerError("an indefinite length of what has no parts (X.690 section 8.1.3.2)")
            return tlv.encode(tag, data[start:stop]), stop
        pieces = []
        while not data.startswith(_END, start, stop) if is_indefinite else start < stop:
            piece, start = self.element(start, stop, depth - 1)
            pieces.append(piece)
        return _joined(tag, pieces), start + 2 if is_indefinite else stop


def _joined(tag: int, pieces: list[bytes]) -> bytes:
    if tag == _OCTET_STRING | _CONSTRUCTED:
        values = []
        for piece in pieces:
            start, end = tlv.only(piece, _OCTET_STRING)
            values.append(piece[start:end])
        return tlv.encode(_OCTET_STRING, b"".join(values))
    return tlv.encode(tag, b"".join(pieces))
