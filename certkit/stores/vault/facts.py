"""The facts of a certificate as custom metadata of a secret, by the rules of Vault for these.

A value has 1 to 512 bytes and no character that cannot be seen (OpenBao's `validateCustomMetadata`, tried on
2026-11-23).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.vault.kv import Metadata

NAMES = ("not_before", "not_after", "fingerprint_sha256", "serial", "subject", "issuer", "policy")
MAX_BYTES = 512

_CUT = "…"


def to_metadata(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts as Vault takes them: without those that are empty, and cut where they are too long."""
    return {name: _fitting(value) for name, value in facts.items() if value}


def of(metadata: Metadata | None) -> dict[str, str] | None:
    """The facts that stand beside a secret; None where there are none at all."""
    if metadata is None or not any(name in metadata.custom_metadata for name in NAMES):
        return None
    return {name: metadata.custom_metadata.get(name, "") for name in NAMES}


def _fitting(value: str) -> str:
    seen = "".join(char if char.isprintable() else _hex_pairs(char) for char in value)
    data = seen.encode("utf-8")
    if len(data) <= MAX_BYTES:
        return seen
    return data[: MAX_BYTES - len(_CUT.encode("utf-8"))].decode("utf-8", "ignore") + _CUT


def _hex_pairs(char: str) -> str:
    """A character as RFC 4514 section 2.4 escapes it; unlike to people, to Vault a wide space is not printable."""
    return "".join(f"\\{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
