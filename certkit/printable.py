"""Text that is safe to show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A command to paste, or an option outside one, with the placeholder of its value.
_OPTION = re.compile(
    r"certkit(?: '[^']*'| [^\s;,'`]+)+|(?<![\w-])--([a-z][a-z0-9-]*)(?: (?:FILE|KEY|CERT|ID|URI|NAME|DIR)\b(?!=))?"
)
_ALTERNATIVE = re.compile(r"(?:, or |; )(?:(?!, or |; ).)*")

# What people are shown of one message or name, which may be megabytes long.
MAX_CHARACTERS = 2000
_MAX_DECIMAL_BITS = 512


def printable(text: str) -> str:
    r"""Return the text with control, bidi and other invisible characters as RFC 4514 hex pairs (`\1B`).

    In a distinguished name the result is still valid RFC 4514 (section 2.4).
    """
    if text.isprintable():
        return text
    import unicodedata

    shown = []
    for char in text:
        if char.isprintable() or unicodedata.category(char) == "Zs":  # spaces of other scripts
            shown.append(char)
        else:
            # A byte that is not UTF-8 appears in file names as a lone surrogate (PEP 383).
            handler = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
            shown += [f"\\{byte:02X}" for byte in char.encode("utf-8", handler)]
    return "".join(shown)


def brief(text: str, limit: int = 120) -> str:
    """Return the printable text, cut to a number of characters: a name may have any length."""
    shown = printable(text[: limit + 1])
    return shown if len(text) <= limit and len(shown) <= limit else f"{shown[:limit]}…"


def abridged(message: str) -> str:
    """Return the printable text of a message, cut to 2,000 characters in the middle, because its end says why."""
    if len(message) <= MAX_CHARACTERS:
        return printable(message)
    half = MAX_CHARACTERS // 2
    return f"{printable(message[:half])}…{printable(message[-half:])}"


def sentences(message: str, hint: str) -> str:
    """Return what is wrong and what to do about it, as two printable sentences; the message is `abridged`."""
    return f"{abridged(message)}. {printable(capitalised(hint))}"


def with_arguments(text: str, names: Mapping[str, str]) -> str:
    """Return a text with arguments in place of command-line options; a command to paste stays as it is.

    `names` are those of arguments that differ from their options.
    """
    return with_options(text, lambda option: f"`{names.get(option, option.replace('-', '_'))}`")


def with_options(text: str, name: Callable[[str], str]) -> str:
    """Return a text in which options, but not those of commands to paste, have the names that a function returns."""
    return _OPTION.sub(lambda found: name(found[1]) if found[1] else found[0], text)


def without_options(hint: str, is_foreign: Callable[[str], bool]) -> str:
    """Return a hint without the alternatives that need an option that the reader does not have."""

    def kept(found: re.Match[str]) -> str:
        options = (each[1] for each in _OPTION.finditer(found[0]) if each[1])
        return "" if any(map(is_foreign, options)) else found[0]

    return _ALTERNATIVE.sub(kept, hint)


def decimal(number: int) -> str:
    """Return a number in decimal; the beginning of one so long that Python refuses to write it so, in hexadecimal."""
    return str(number) if number.bit_length() <= _MAX_DECIMAL_BITS else brief(f"{number:#x}", 40)


def is_utf8(text: str) -> bool:
    """Return whether a text is UTF-8: a path from the system need not be."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]
