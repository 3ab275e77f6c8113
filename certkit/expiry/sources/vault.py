"""The certificates of a store of identities in Vault, by their metadata: no right to read secrets is needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from certkit.errors import CertkitError, InputError, StoreError
from certkit.expiry.sources.base import Failure, Reason, ReportedFacts, Sighting
from certkit.expiry.sources.identity import hanging
from certkit.printable import printable
from certkit.stores.record import Record, State
from certkit.stores.vault import layout
from certkit.times import parse_time
from certkit.vault.errors import Fault, VaultError
from certkit.vault.fields import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from certkit.expiry.sources.base import Seen
    from certkit.vault.client import Vault
    from certkit.vault.kv import Kv, Metadata, Stored

# A previous generation, kept for a rollback, expires one day, and nothing has to be done about it.
_WATCHED = frozenset({State.ACTIVE, State.ISSUED})

_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SERIAL = re.compile(r"-?[0-9a-f]{1,512}", re.ASCII)
_EMPTY = "check the mount and the prefix, and see what is pending: certkit identity list"
_INSTALL = "install its certificate again: certkit identity install"

_REASONS = {
    Fault.DENIED: Reason.PERMISSION_DENIED,
    Fault.BAD_TOKEN: Reason.PERMISSION_DENIED,
    Fault.CONNECTION: Reason.CONNECTION_FAILED,
    Fault.TIMED_OUT: Reason.TIMED_OUT,
    Fault.HOST_NOT_FOUND: Reason.HOST_NOT_FOUND,
    Fault.TLS: Reason.TLS_FAILED,
    Fault.TLS_UNTRUSTED: Reason.TLS_FAILED,
    Fault.TLS_WRONG_NAME: Reason.TLS_FAILED,
}


class _Watched(NamedTuple):
    """A generation to check, and the record of its identity, if the token may read it."""

    name: str
    number: str
    record: Record | None


@dataclass(frozen=True, slots=True)
class VaultSource:
    """All identities below `vault://MOUNT/PREFIX`: of each the active certificate, and those yet to be activated.

    A token that may not read the pointer sees every generation with metadata. With `now`, requests pending for too long
    are reported.
    """

    vault: Vault
    mount: str
    prefix: str = ""
    now: datetime | None = None
    weight = 0

    def look(self) -> Iterator[Seen]:
        """Yield the certificates, in the order of identities and generations; finding nothing is a failure too."""
        is_empty = True
        try:
            for seen in self._look(self.vault.kv(self._location)):
                is_empty = False
                yield seen
        except InputError as error:
            yield self._failed("", error)
            return
        if is_empty:
            message = f"no identity with a certificate found in {self._place('')}"
            yield Failure(self._place(""), message, _EMPTY, Reason.NO_CERTIFICATE_FOUND)

    @property
    def _location(self) -> str:
        return joined(self.mount, self.prefix)

    def _place(self, path: str) -> str:
        return f"vault://{joined(self._location, path)}"

    def _look(self, kv: Kv) -> Iterator[Seen]:
        watched: dict[str, _Watched] = {}
        names = layout.names_in(kv.list())
        listings = kv.list_many([f"{name}/{layout.GENERATIONS}" for name in names])
        pointers = kv.read_many([f"{name}/{layout.POINTER}" for name in names])
        # All responses are read even if the server is gone: they cost nothing then, and connections are closed.
        away = None
        for name, (_, listing), (_, pointer) in zip(names, listings, pointers, strict=True):
            try:
                watched |= self._watched(name, listing, pointer)
            except InputError as error:
                if _ends_all(error):
                    away = error
                else:
                    yield self._failed(name, error)
        for path, metadata in kv.metadata_many([f"{folder}/{layout.CERTIFICATE}" for folder in watched]):
            folder = path.removesuffix(f"/{layout.CERTIFICATE}")
            if _ends_all(metadata):
                away = metadata
            else:
                yield from self._seen(folder, metadata, watched[folder])
        if away is not None:
            raise away

    def _watched(
        self, name: str, listing: tuple[str, ...] | CertkitError, pointer: Stored | CertkitError | None
    ) -> dict[str, _Watched]:
        """Return the folders of the generations to check, with what is known of each."""
        if isinstance(listing, CertkitError):
            raise listing
        numbers = layout.numbers_in(listing)
        record = self._record(name, pointer) if numbers or pointer is not None else None
        if record is not None and record.active is not None and record.active not in numbers:
            numbers.append(record.active)
        return {
            layout.generation(name, number): _Watched(name, number, record)
            for number in numbers
            if record is None or record.state(number, has_certificate=True) in _WATCHED
        }

    def _record(self, name: str, pointer: Stored | CertkitError | None) -> Record | None:
        """Return the record of an identity; None if the token may not read it."""
        if isinstance(pointer, VaultError) and pointer.kind is Fault.DENIED:
            return None
        if isinstance(pointer, CertkitError):
            raise pointer
        where = self._place(f"{name}/{layout.POINTER}")
        if pointer is None:
            hint = "undelete it, or remove the rest of the identity"
            raise StoreError(f"cannot read {where}: it is missing, although generations exist", hint=hint)
        return Record.parse(pointer.data, where=where)

    def _seen(self, folder: str, metadata: Metadata | CertkitError | None, watched: _Watched) -> Iterator[Seen]:
        """Yield the sighting of one generation; nothing for a request that was made recently."""
        if isinstance(metadata, CertkitError):
            yield self._failed(folder, metadata)
            return
        facts = layout.facts_of(metadata)
        active = watched.record.active if watched.record else None
        if facts is not None:
            yield self._sighting(folder, facts)
        elif watched.number == active or (metadata is not None and metadata.version > 1):
            message = f"cannot check {self._place(folder)}: the facts about its certificate are missing"
            yield Failure(self._place(folder), message, _INSTALL, Reason.STORE_FAILED)
        elif watched.record is not None and self.now is not None:
            yield from hanging(self._place(folder), watched.name, watched.number, watched.record, self.now)

    def _sighting(self, folder: str, facts: Mapping[str, str]) -> Seen:
        place = self._place(folder)
        problem = "the fingerprint or the serial number is invalid"
        if _FINGERPRINT.fullmatch(facts["fingerprint_sha256"]) and _SERIAL.fullmatch(facts["serial"]):
            try:
                known = ReportedFacts(
                    subject=printable(facts["subject"]),
                    issuer=printable(facts["issuer"]),
                    serial=int(facts["serial"], 16),
                    fingerprint=bytes.fromhex(facts["fingerprint_sha256"]),
                    not_before=parse_time(facts["not_before"]),
                    not_after=parse_time(facts["not_after"]),
                )
            except InputError as error:
                problem = error.message
            else:
                return Sighting(place, [known])
        message = f"cannot check {place}: the facts about its certificate are malformed: {printable(problem)}"
        return Failure(place, message, _INSTALL, Reason.DECODE_FAILED)

    def _failed(self, path: str, error: CertkitError) -> Failure:
        reason = _REASONS.get(error.kind) if isinstance(error, VaultError) else None
        return Failure(self._place(path), error.message, error.hint, reason or Reason.STORE_FAILED)


def _ends_all(answer: object) -> TypeGuard[VaultError]:
    """Return whether a result says that the server is unreachable, so that all others would fail too."""
    return isinstance(answer, VaultError) and answer.kind.is_about_the_server
