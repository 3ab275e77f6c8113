"""The secrets of a store in Vault: read and written so that no update is lost, and named in messages."""

from __future__ import annotations

import itertools
import random
import secrets
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from certkit.errors import CertkitError, StoreError
from certkit.secret import Secret
from certkit.stores import record as records
from certkit.stores.base import AbsentError, no_generation
from certkit.stores.record import Event, Record, Settings
from certkit.stores.vault import layout
from certkit.stores.vault.layout import KEY
from certkit.vault.errors import CasMismatch, Fault, UncertainWrite, VaultError
from certkit.vault.fields import joined
from certkit.vault.kv import Kv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from certkit.vault.client import Vault
    from certkit.vault.kv import Metadata, Stored

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The known state of an identity's secrets: the versions of pointer and settings, and the data of the pointer.

    `created` is what is kept beside the settings: the first events of the log, as lines.
    """

    pointer: int = 0
    settings: int = 0
    created: Any = field(default_factory=list)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 1.0
_CHANGES = "changes"
_MOST_CHANGES = 32

# Standbys of OpenBao have been observed to lag by a tenth of a second.
_PAUSES_SECONDS = (0.1, 0.2, 0.4)


class Secrets:
    """The secrets below MOUNT/PREFIX; paths are those of `certkit.stores.vault.layout`.

    Every method may raise VaultError. The outcome of a doubtful write is sought for `wait_seconds`.
    """

    def __init__(self, vault: Vault, mount: str, prefix: str, *, wait_seconds: float) -> None:
        self.vault = vault
        self.location = joined(mount, prefix)
        self.wait_seconds = wait_seconds
        self._assumed = Kv(vault.transport, mount, prefix.strip("/"))
        self._kv: Kv | None = None

    @property
    def uri(self) -> str:
        """How the command line names the store."""
        return f"vault://{self.location}"

    @property
    def kv(self) -> Kv:
        """The KV secrets engine that holds them.

        Raises:
            VaultError: if the mount is not a KV secrets engine of version 2, the only one with these semantics.
        """
        if self._kv is None:
            self._kv = self.vault.kv(self.location)
        return self._kv

    def place(self, path: str) -> str:
        """Return a path for messages."""
        return f"{self.uri}/{path}"

    def record(self, name: str, *, is_trusted: bool = False, may_be_absent: bool = False) -> tuple[Record, Known]:
        """Read the record of an identity; one of version 0.1.0 without what it trusts, runs and contacts.

        A standby may not know yet what another host has just written, and gets time to catch up, unless the identity
        `may_be_absent`.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        paths = [f"{records.require_name(name)}/{layout.SETTINGS}", f"{name}/{layout.POINTER}"]
        settings, pointer = self._request(lambda kv: all_expected(kv.read_many(paths)))
        if not (settings or pointer or may_be_absent) and ((found := self.vault.health()) is None or found.is_standby):
            for pause in _PAUSES_SECONDS:
                time.sleep(pause)
                settings, pointer = all_expected(self.kv.read_many(paths))
                if settings or pointer:
                    break
        if settings is None and pointer is not None:
            settings = self.kv.read(paths[0])  # both may have been written between the two answers
        if settings is None and pointer is None:
            hint = "list the identities: certkit identity list"
            raise AbsentError(f"no identity {name!r} in {self.uri}", hint=hint)
        known = None
        if settings:
            data = {each: value for each, value in settings.data.items() if each != layout.CREATED}
            known = Settings.parse(data, where=self.place(paths[0]))
        version = Known(
            pointer=pointer.version if pointer else 0,
            data=pointer.data if pointer else {},
            settings=settings.version if settings else 0,
            created=settings.data.get(layout.CREATED, []) if settings else [],
        )
        if pointer is None:
            assert known is not None  # noqa: S101  one of the two is set
            return Record(settings=known), version
        where = self.place(paths[1])
        return layout.record_of(pointer.data, settings=known, is_trusted=is_trusted, where=where), version

    def names(self) -> list[str]:
        """List the folders that may be identities."""
        return sorted(layout.names_in(self._request(lambda kv: kv.list())))

    def _request(self, ask: Callable[[Kv], Sequence[T]]) -> Sequence[T]:
        """Request a secret that may exist, and check the mount only if it does not: that saves a request."""
        if self._kv is None:
            found: Sequence[T] | None = None
            try:
                found = ask(self._assumed)
            except VaultError as error:
                if error.kind.is_about_the_server or error.kind is Fault.BAD_TOKEN:
                    raise
            if found is not None and (any(found) or self.kv.mount == self._assumed.mount):
                self._kv = self._assumed
                return found
        return ask(self.kv)

    def generations(self, name: str) -> dict[str, bool]:
        """Return the numbers of the generations that were begun, sorted, and whether each has its key."""
        numbers = layout.numbers_in(self.kv.list(f"{name}/{layout.GENERATIONS}"))
        listings = all_expected(self.kv.list_many([layout.generation(name, number) for number in numbers]))
        return {number: KEY in entries for number, entries in zip(numbers, listings, strict=True)}

    def metadata(self, name: str, numbers: Sequence[str]) -> dict[str, Metadata | None]:
        """Return the facts of the certificates of some generations."""
        found = all_expected(self.kv.metadata_many([layout.certificate(name, number) for number in numbers]))
        return dict(zip(numbers, found, strict=True))

    def require(self, path: str) -> Stored:
        """Read a secret that must exist because its sibling does, or raise StoreError."""
        stored = self.kv.read(path)
        if stored is None:
            raise StoreError(f"cannot read {self.place(path)}: it is missing", hint="restore it from a backup")
        return stored

    def require_generation(self, name: str, number: str) -> None:
        """Refuse a generation that has no key, without needing the right to read it."""
        if not records.is_generation(number) or KEY not in self.kv.list(layout.generation(name, number)):
            raise no_generation(name, number)

    def put_settings(self, name: str, settings: Settings, *, over: int, created: Any) -> bool:
        """Write settings over a version of them; return False if another process was first."""
        path, data = f"{name}/{layout.SETTINGS}", {**settings.document(), layout.CREATED: created}
        try:
            return self._put(path, data, cas=over, is_ours=lambda there: there.data == data)
        except VaultError as error:
            # A token that may only create gets "permission denied" for settings that exist.
            if over or error.kind is not Fault.DENIED or self.kv.read(path) is None:
                raise
            return False

    def put_record(self, name: str, record: Record, *, over: Known) -> Known | None:
        """Write a record over the one that was read; return the new state, or None if another process was first."""
        document, mark = marked(record.document(), over.data)
        is_ours = partial(has_mark, mark=mark, cas=over.pointer)
        path = f"{name}/{layout.POINTER}"
        is_put = self._put(path, document, cas=over.pointer, is_ours=is_ours)
        return replace(over, pointer=over.pointer + 1, data=document) if is_put else None

    def put_events(self, name: str, events: Sequence[Event], *, after: Known) -> None:
        """Write events as an entry of the log, which only an operator can change afterwards."""
        if events:
            entry = f"{name}/{layout.LOG}/{events[-1].time.replace(':', '')}-{after.pointer:06}-{secrets.token_hex(4)}"
            self.put(entry, {layout.EVENTS: [each.line() for each in events]}, cas=0)

    def events(self, name: str) -> list[Event]:
        """Read the log of an identity."""
        log = f"{name}/{layout.LOG}"
        found = all_expected(self.kv.read_many([f"{log}/{entry}" for entry in sorted(self.kv.list(log))]))
        kept = [stored.data.get(layout.EVENTS) for stored in found if stored]
        lines = [line for each in kept if isinstance(each, list) for line in each]
        return layout.events_in(lines, where=self.place(log))

    def put(self, path: str, document: Mapping[str, Any], *, cas: int) -> bool:
        """Write a secret over version `cas` of it, exactly these fields; False if another process was first."""

        def is_ours(stored: Stored) -> bool:
            return stored.data.keys() == document.keys() and all(
                _is_same(stored.data[name], part) for name, part in document.items()
            )

        return self._put(path, document, cas=cas, is_ours=is_ours)

    def _put(
        self, path: str, document: Mapping[str, Any], *, cas: int, is_ours: Callable[[Stored], bool | None]
    ) -> bool:
        """Write a secret over version `cas` of it; return False if another process was first.

        If the response is lost, the stored version shows whether it was written: `is_ours` recognises a later one, and
        None if that is unknown. What was not written is written again, which cannot happen twice over the same version.

        Raises:
            UncertainWrite: if the outcome could not be determined in time.
            VaultError: if the server denies it, or cannot be reached; nothing was written.
        """
        doubt: UncertainWrite | None = None
        for _ in tries(self.wait_seconds):
            try:
                self.kv.write(path, document, cas=cas)
            except UncertainWrite as error:
                doubt = error
            except VaultError as error:
                if doubt is None:
                    if isinstance(error, CasMismatch):
                        return False
                    raise
            else:
                return True
            outcome = self._find_write(path, cas=cas, is_ours=is_ours, doubt=doubt)
            if outcome is not None:
                return outcome
        raise doubt or AssertionError("there is an attempt at least")

    def _find_write(
        self, path: str, *, cas: int, is_ours: Callable[[Stored], bool | None], doubt: UncertainWrite
    ) -> bool | None:
        """Return whether the stored write is this process's, or another's; None if neither has appeared yet."""
        try:
            stored = self.kv.read(path)
        except VaultError as error:
            if error.kind.is_about_the_server:
                return None
            raise doubt from error
        if stored is None or stored.version <= cas:
            return None
        found = is_ours(stored)
        if found is None:
            raise doubt
        return found


def _is_same(there: object, part: str | Secret) -> bool:
    """Return whether a field of a secret is what this process wrote, without revealing it."""
    if isinstance(part, Secret):
        return isinstance(there, str) and Secret(there.encode("utf-8", "surrogatepass")) == part
    return there == part


def expected(answer: T | CertkitError) -> T:
    """Return a result, or raise the failure in its place."""
    if isinstance(answer, CertkitError):
        raise answer
    return answer


def all_expected(answers: Iterable[tuple[str, T | CertkitError]]) -> list[T]:
    """Return the results of many requests, in order, or raise a failure; all are read, so no connection stays open."""
    return [expected(answer) for _, answer in list(answers)]


def tries(seconds: float) -> Iterator[int]:
    """Yield numbers of attempts, with growing pauses of random length in between, until the time is over."""
    end = time.monotonic() + seconds
    for attempt in itertools.count():
        yield attempt
        longest = min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt, 20), _LONGEST_PAUSE_SECONDS)
        pause = random.uniform(0, longest)  # noqa: S311  it keeps others apart, and nothing secret
        if time.monotonic() + pause >= end:
            return
        time.sleep(pause)


def marked(document: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a document with a new mark beside those of the earlier changes, and the mark."""
    mark = secrets.token_hex(8)
    return {**document, _CHANGES: [*_marks(before)[1 - _MOST_CHANGES :], mark]}, mark


def has_mark(stored: Stored, mark: str, *, cas: int) -> bool | None:
    """Return whether the change with a mark, made over version `cas`, is part of the current version's history."""
    marks = _marks(stored.data)
    if mark in marks:
        return True
    return False if stored.version - cas <= len(marks) else None


def _marks(data: Mapping[str, Any]) -> list[Any]:
    found = data.get(_CHANGES)
    return found if isinstance(found, list) else []
