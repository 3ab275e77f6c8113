"""The layout of a store in Vault: paths below its prefix, and the form of each secret.

    NAME/settings                      whom to trust and what to run: created once, changed by an operator only
    NAME/pointer                       the state of the identity, with the active generation
    NAME/log/ENTRY                     events, created once and never changed
    NAME/generations/ID/certificate    csr; once issued, also certificate and ca_chain
    NAME/generations/ID/key            private_key
    NAME/tokens/DOCUMENT               a secret document, field by field

They are separate because different people may read them. Each part of a generation is PEM, as one text. The facts of a
certificate are in the custom metadata of its secret, which can be read without the right to read any secret.

A secret of another form is a StoreError, and so is a text that is not UTF-8.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from certkit.errors import StoreError
from certkit.stores import record
from certkit.stores.base import Generation, Issued
from certkit.stores.record import Event, Record, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from certkit.vault.kv import Metadata

SETTINGS, POINTER, LOG, GENERATIONS, TOKENS = "settings", "pointer", "log", "generations", "tokens"
KEY, CERTIFICATE = "key", "certificate"

FACTS = ("not_before", "not_after", "fingerprint_sha256", "serial", "subject", "issuer", "policy")
MAX_FACT_BYTES = 512
"""Of custom metadata a value has 1 to 512 bytes, all printable (OpenBao's `validateCustomMetadata`, 2026-11-23)."""

ANSWER = "answer-"
CREATED = "created"
EVENTS = "events"
MANUAL = "manual"

_CUT = "…"
_HINT = "restore it from a backup, or see its older versions with `bao kv get -version`"


def generation(name: str, number: str) -> str:
    """Return the folder of one generation."""
    return f"{name}/{GENERATIONS}/{number}"


def certificate(name: str, number: str) -> str:
    """Return the path of a generation's request and certificate."""
    return f"{generation(name, number)}/{CERTIFICATE}"


def key(name: str, number: str) -> str:
    """Return the path of a generation's private key."""
    return f"{generation(name, number)}/{KEY}"


def answer(name: str, number: str, at: int) -> str:
    """Return the path of a refused certificate."""
    return f"{generation(name, number)}/{ANSWER}{at}"


def names_in(entries: Iterable[str]) -> list[str]:
    """Return the folders of a listing that may be identities."""
    return [entry[:-1] for entry in entries if entry.endswith("/") and record.is_name(entry[:-1])]


def numbers_in(entries: Iterable[str]) -> list[str]:
    """Return the folders of a listing that are generations, in the order of their numbers."""
    folders = (entry[:-1] for entry in entries if entry.endswith("/"))
    return list(record.in_order(filter(record.is_generation, folders)))


def record_of(data: Mapping[str, Any], *, settings: Settings | None, is_trusted: bool, where: str) -> Record:
    """Return the record in a secret.

    What a record of version 0.1.0 trusts, runs and contacts is left out, unless it `is_trusted`: anyone who can move
    the pointer could have planted it.

    Raises:
        StoreError: if the secret has another form, or a record of version 0.1.0 was written over a newer one.
    """
    record = Record.parse(data, settings=settings, where=where)
    if record.is_legacy and settings is not None and not (is_trusted and settings == record.settings):
        hint = (
            "another user wrote one of them: compare both with `bao kv get`, remove the wrong one with "
            "`bao kv metadata delete`, and let an operator run: certkit store migrate"
        )
        raise StoreError(f"cannot use {where}: a record of version 0.1.0 beside settings", hint=hint)
    if settings is None and not record.is_legacy:
        hint = "restore them from a backup, or `bao kv undelete`"
        raise StoreError(f"cannot use {where}: the settings beside it are missing", hint=hint)
    if is_trusted or not record.is_legacy:
        return record
    safe = replace(record.settings, issuer=MANUAL, trust_bundle=None, base_url=None, probe=None, deploy_hook=None)
    return replace(record, settings=safe, undeployed_hook=None)


def events_in(lines: Any, *, where: str) -> list[Event]:
    """Return the events in lines of a log."""
    try:
        return list(map(Event.parse, lines))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"cannot read {where}: not a log", hint="see it with `bao kv get`") from error


def document_of(csr: bytes | None, issued: Issued | None = None) -> dict[str, str]:
    """Return a generation without its key as the data of a secret."""
    parts = {"csr": csr}
    if issued is not None:
        parts |= {"certificate": issued.certificate, "ca_chain": issued.chain}
    return {name: text(name, part) for name, part in parts.items() if part is not None}


def text(name: str, part: bytes) -> str:
    """Return a part of a secret as text."""
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError as error:
        hint = "remove the text around the PEM blocks"
        raise StoreError(f"cannot write {name}: it is not UTF-8 text", hint=hint) from error


def generation_of(number: str, data: Mapping[str, Any], *, trust_bundle: str | None, where: str) -> Generation:
    """Return a generation from the data of a secret; its trust bundle comes from the settings."""
    csr = part(data, "csr", where=where) if data.get("csr") is not None else None
    if data.get("certificate") is None:
        return Generation(number=number, csr=csr)
    issued = Issued(
        certificate=part(data, "certificate", where=where),
        chain=part(data, "ca_chain", where=where),
        trust_bundle=(trust_bundle or "").encode(),
    )
    return Generation(number=number, csr=csr, issued=issued)


def part(data: Mapping[str, Any], name: str, *, where: str) -> bytes:
    """Return a string in the data of a secret."""
    value = data.get(name)
    if not isinstance(value, str):
        raise StoreError(f"cannot read {where}: it has no string {name}", hint=_HINT)
    return value.encode("utf-8", "surrogatepass")


def facts_of(metadata: Metadata | None) -> dict[str, str] | None:
    """Return the facts in the custom metadata of a secret; None if it has none."""
    if metadata is None or not any(name in metadata.custom_metadata for name in FACTS):
        return None
    return {name: metadata.custom_metadata.get(name, "") for name in FACTS}


def fitting(value: str) -> str:
    """Return a fact as custom metadata holds it, cut to the length that Vault accepts."""
    # Escaped as in RFC 4514 section 2.4; Vault does not count a wide space as printable.
    seen = "".join(
        char if char.isprintable() else "".join(f"\\{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in value
    )
    data = seen.encode("utf-8")
    if len(data) <= MAX_FACT_BYTES:
        return seen
    return data[: MAX_FACT_BYTES - len(_CUT.encode("utf-8"))].decode("utf-8", "ignore") + _CUT
