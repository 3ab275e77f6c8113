"""A value that must not be printed."""

from __future__ import annotations

# OpenSSL's limit for a passphrase (PEM_BUFSIZE less its terminator).
MAX_PASSPHRASE_BYTES = 1023


class Secret:
    """Bytes that stay out of logs, tracebacks and formatted text.

    Only `reveal` gives them back, so a search for it finds every place that handles a secret.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    @property
    def is_one_word(self) -> bool:
        """Whether it is visible ASCII only, as required of tokens in a header."""
        return bool(self._value) and all(0x21 <= byte < 0x7F for byte in self._value)

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")
