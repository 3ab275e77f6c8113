"""Text that is safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with control, bidi and other invisible characters as RFC 4514 hex pairs (`\1B`).

    In a distinguished name the result is still valid RFC 4514 (section 2.4).
    """
    if text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else _hex_pairs(char) for char in text)


def brief(text: str, limit: int = 120) -> str:
    """The text as `printable` shows it, cut off after so many characters: a name may be as long as its maker likes."""
    shown = printable(text[: limit + 1])
    return shown if len(text) <= limit and len(shown) <= limit else f"{shown[:limit]}…"


def capitalised(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def _is_harmless(char: str) -> bool:
    import unicodedata

    # Spaces of other scripts are not "printable" to Python.
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _hex_pairs(char: str) -> str:
    # A byte that is not UTF-8 stands in names of files as a lone surrogate (PEP 383).
    handler = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
    return "".join(f"\\{byte:02X}" for byte in char.encode("utf-8", handler))
