"""A store that remembers who did what, in the record of each identity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certkit.stores import audit
from certkit.stores.audit import Event
from certkit.times import rfc3339
from certkit.x509 import keys, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.secret import Secret
    from certkit.stores.base import Document, Facts, Identity, Issued, Location, Store
    from certkit.stores.record import Record

_INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class AuditedStore:
    """Another store, in whose records every change leaves an event: when, by `who`, and what.

    A change of a record and its event are one step. What is no change of a record, a new generation or its
    certificate, is told right afterwards; of an installation the next one tells if a run was killed between.
    """

    store: Store
    who: str
    clock: Callable[[], datetime]

    @property
    def uri(self) -> str:
        """How the command line names the store."""
        return self.store.uri

    def names(self) -> list[str]:
        """As the store has them."""
        return self.store.names()

    def load(self, name: str) -> Identity:
        """As the store has it."""
        return self.store.load(name)

    def create(self, name: str, record: Record) -> None:
        """Create it, with the event."""
        self.store.create(name, record.logged(self._event("created")))

    def change(self, name: str, edit: Callable[[Record], Record]) -> Record:
        """Change it, with an event for each thing that changed."""

        def told(before: Record) -> Record:
            after = edit(before)
            events = [self._event(what, generation=number) for what, number in audit.changes(before, after)]
            return after.logged(*events) if events else after

        return self.store.change(name, told)

    def add(self, name: str, number: str, *, key: Secret, csr: bytes | None) -> None:
        """Add it, and tell the fingerprint of its key."""
        self.store.add(name, number, key=key, csr=csr)
        if csr is None:
            event = self._event("adopted", generation=number)
        else:
            asked = objects.csr(csr, name="the CSR").value.public_key()
            event = self._event("requested", generation=number, spki_sha256=keys.key_facts(asked).spki_sha256)

        def told(record: Record) -> Record:
            return record.logged(replace(event, certificate_name=record.names.get(number)))

        self.store.change(name, told)

    def install(self, name: str, number: str, issued: Issued, *, facts: dict[str, str]) -> None:
        """Install it, and tell the fingerprints of its certificate and key."""
        self.store.install(name, number, issued, facts=facts)
        fingerprint = facts["fingerprint_sha256"]
        [leaf, *_] = objects.certificates(issued.certificate, name="the certificate")
        spki = keys.key_facts(leaf.public_key()).spki_sha256
        event = self._event(_INSTALLED, generation=number, spki_sha256=spki, fingerprint_sha256=fingerprint)

        def told(record: Record) -> Record:
            known = ((each.what, each.fingerprint_sha256) for each in record.log)
            return record if (_INSTALLED, fingerprint) in known else record.logged(event)

        self.store.change(name, told)

    def key(self, name: str, number: str) -> Secret:
        """As the store has it."""
        return self.store.key(name, number)

    def location(self, found: Identity, number: str) -> Location:
        """As the store has it."""
        return self.store.location(found, number)

    def facts(self, name: str) -> list[Facts]:
        """As the store has them."""
        return self.store.facts(name)

    def documents(self, name: str) -> list[str]:
        """As the store has them."""
        return self.store.documents(name)

    def document(self, name: str, document: str) -> Document | None:
        """As the store has it."""
        return self.store.document(name, document)

    def put_document(self, name: str, document: str, fields: Mapping[str, Secret], *, over: str | None) -> str:
        """Write it; tokens come and go twice a day, so there is no event for it."""
        return self.store.put_document(name, document, fields, over=over)

    def delete_document(self, name: str, document: str) -> None:
        """Delete it."""
        self.store.delete_document(name, document)

    def remove(self, name: str) -> None:
        """Remove it, and with it all that was told of it."""
        self.store.remove(name)

    def check(self) -> list[Finding]:
        """As the store does."""
        return self.store.check()

    def _event(
        self,
        what: str,
        *,
        generation: str | None = None,
        spki_sha256: str | None = None,
        fingerprint_sha256: str | None = None,
    ) -> Event:
        return Event(
            time=rfc3339(self.clock()),
            who=self.who,
            what=what,
            generation=generation,
            spki_sha256=spki_sha256,
            fingerprint_sha256=fingerprint_sha256,
        )
