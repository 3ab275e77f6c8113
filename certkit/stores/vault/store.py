"""A store of identities in Vault or OpenBao, in a KV secrets engine of version 2.

`certkit.stores.vault.layout` has the paths. The record, which names the active generation, is one secret, and changes
by check-and-set. A generation begins with its request and exists once it has its key; its certificate is written over
the request, and then its facts beside it. A run that is killed leaves the old state or the new one; the number of a
generation that never got its key is not used again. Private keys are in memory only.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, StoreError
from certkit.secret import Secret
from certkit.stores import record as records
from certkit.stores.base import (
    AbsentError,
    Document,
    Generation,
    Location,
    NoStoreError,
    Store,
    StoredIdentity,
    no_generation,
    unchanged,
)
from certkit.stores.record import CSR, FINGERPRINT, Event, Record, in_order
from certkit.stores.vault import layout, rights
from certkit.stores.vault.layout import KEY
from certkit.stores.vault.secrets import Known, Secrets, all_expected, tries
from certkit.vault.errors import UncertainWrite, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from certkit.stores.base import Edit, Issued
    from certkit.stores.record import Journal
    from certkit.vault.client import Vault

WAIT_SECONDS = 30.0

_MOST_ROUNDS = 10


class VaultStore(Store):
    """Identities below a prefix of a mount; see `base.Store` for the guarantees.

    Conflicting changes of a record are retried for `wait_seconds` at most. With a clock, `check` compares it with the
    server's.
    """

    protects_keys = True  # Vault encrypts what it stores

    def __init__(
        self,
        vault: Vault,
        mount: str,
        prefix: str = "",
        *,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], datetime] | None = None,
        journal: Journal | None = None,
        allowed_hosts: tuple[str, ...] = (),
    ) -> None:
        self.secrets = Secrets(vault, mount, prefix, wait_seconds=wait_seconds)
        self.clock = clock
        self.journal = journal
        self.allowed_hosts = allowed_hosts
        self._named: Journal | None = None

    @property
    def uri(self) -> str:
        return self.secrets.uri

    def names(self) -> list[str]:
        return self.secrets.names()

    def missing(self) -> NoStoreError:
        return NoStoreError(f"there is no identity in {self.uri}", hint="check --store and CERTKIT_STORE")

    def load(self, name: str) -> StoredIdentity:
        return self._identity(name, *self.secrets.record(name))

    def find(self, name: str) -> StoredIdentity | None:
        try:
            return self._identity(name, *self.secrets.record(name, may_be_absent=True))
        except AbsentError:
            return None

    def _identity(self, name: str, record: Record, version: Known) -> StoredIdentity:
        if record.is_legacy:
            begun = self.secrets.generations(name)
            record = replace(record, generations=tuple(number for number, has_key in begun.items() if has_key))
        if record.active is not None and record.active not in record.generations:
            hint = f"activate another one, or complete an interrupted removal: certkit identity remove {name}"
            raise StoreError(
                f"cannot read {self.secrets.place(name)}: generation {record.active} is missing", hint=hint
            )
        return StoredIdentity(
            name, record, tuple(self._generation(name, record, each) for each in record.generations), version
        )

    def _generation(self, name: str, record: Record, number: str) -> Generation:
        """Return a generation as the record describes it; its CSR and certificate are read on first use."""
        path, facts = layout.certificate(name, number), record.facts_of(number)
        trusted, where = record.settings.trust_bundle, self.secrets.place(path)

        def read() -> Generation:
            return layout.generation_of(number, self.secrets.require(path).data, trust_bundle=trusted, where=where)

        is_known = FINGERPRINT in facts or bool(facts.get(CSR))
        return Generation(number=number, read=read, is_issued=FINGERPRINT in facts if is_known else None)

    def create(self, name: str, record: Record) -> StoredIdentity:
        records.require_name(name)
        if record.active is not None:
            raise no_generation(name, record.active)
        lines = self._noted(None, record).lines()
        if not self.secrets.put_settings(name, record.settings, over=0, created=lines):
            raise ConflictError(f"{self.uri} already has an identity {name!r}", hint="choose another name")
        created = StoredIdentity(name, Record(settings=record.settings), (), Known(settings=1, created=lines))
        return created if record == created.record else self.change(created, lambda _: replace(record, log=()))

    def require_settings_right(self, name: str) -> None:
        mount = self.secrets.vault.mount(self.secrets.location).path
        place = rights.Place(mount, self.secrets.location.removeprefix(mount))
        path = place.path(rights.USE_SETTINGS, name=name)
        if rights.missing(rights.USE_SETTINGS, self.secrets.vault.capabilities([path])[path]):
            hint = "use a token of the operator: policies/vault/operator.hcl"
            raise StoreError(f"the token may not change the settings of {name} ({path})", hint=hint)

    def change(self, known: StoredIdentity | str, edit: Edit) -> StoredIdentity:
        return self._change(self._loaded(known), edit)

    def _change(
        self, found: StoredIdentity, edit: Edit, *, added: str | None = None, pruned: Sequence[str] = ()
    ) -> StoredIdentity:
        """Change the record; `added` is a generation that exists from then on, `pruned` are those deleted."""
        for _ in tries(self.secrets.wait_seconds):
            kept = {*found.record.generations, *filter(None, [added])} - {*pruned}
            after = replace(edit(found.record), generations=in_order(kept))
            version = found.version
            is_same = after == found.record and after.generations == found.record.generations
            if is_same and isinstance(version, Known) and version.pointer:
                return found
            self._require_current(found)
            if after.active is not None and after.active not in kept:
                raise no_generation(found.name, after.active)
            changed = self._put(found, self._noted(found.record, after))
            if changed is not None:
                return changed
            found = self.load(found.name)
        place = self.secrets.place(found.name)
        raise StoreError(f"cannot change {place}: other processes keep changing it", hint="try again")

    def _require_current(self, found: StoredIdentity) -> None:
        """Refuse to change an identity of version 0.1.0, whose settings no operator has approved yet."""
        if found.record.is_legacy:
            hint = f"have an operator run: certkit store migrate --store {self.uri}"
            raise StoreError(f"{found.name} has a record of certkit 0.1.0, which cannot be changed", hint=hint)

    def _put(self, found: StoredIdentity, after: Record) -> StoredIdentity | None:
        """Write the events of a change, and then the change; return None if another process was first.

        In this order a killed run may leave an extra event, but never a missing one.
        """
        version = found.version
        assert isinstance(version, Known)  # noqa: S101  `load` and `create` give it
        self.secrets.put_events(found.name, after.log, after=version)
        if after.settings != found.record.settings:
            if not self.secrets.put_settings(
                found.name, after.settings, over=version.settings, created=version.created
            ):
                return None
            version = replace(version, settings=version.settings + 1)
        is_same = replace(after, settings=found.record.settings, log=found.record.log) == found.record
        if not is_same or after.generations != found.record.generations or not version.pointer:
            put = self.secrets.put_record(found.name, after, over=version)
            if put is None:
                return None
            version = put
        read = {each.number: each for each in found.generations}
        generations = (read.get(each) or self._generation(found.name, after, each) for each in after.generations)
        return StoredIdentity(found.name, replace(after, log=()), tuple(generations), version)

    def _noted(self, before: Record | None, after: Record) -> Record:
        """Return a changed record with its events, which name the token as Vault knows it."""
        if self.journal is None:
            return after
        if self._named is None:
            token = self.secrets.vault.token()
            entity = f" entity {token.entity}" if token.entity else ""
            self._named = replace(self.journal, who=f"{self.journal.who} (token accessor {token.accessor}{entity})")
        return self._named.noted(before, after)

    def add(
        self, known: StoredIdentity | str, number: str, *, key: Secret, csr: bytes | None, edit: Edit = unchanged
    ) -> StoredIdentity:
        if not records.is_generation(number):
            raise StoreError(f"not a generation number: {number!r}", hint="use four digits, such as 0001")
        known = self._loaded(known)
        self._require_current(known)
        name = known.name
        path, document = layout.certificate(name, number), layout.document_of(csr)
        # In this order no key ever lacks its request, and of two processes with requests of their own the second one
        # fails before it writes a key. What a killed run began with the same key is completed.
        is_there = self.secrets.put(path, document, cas=0) or self._holds(path, document)
        if not (is_there and self._has_key(name, number, key, has_request=csr is not None)):
            hint = "take the next number"
            raise ConflictError(f"there is a generation {number} of identity {name!r} already", hint=hint)
        return self._change(known.put(Generation(number=number, csr=csr)), edit, added=number)

    def _holds(self, path: str, document: Mapping[str, str]) -> bool:
        """Return whether a secret is known to have this content."""
        with contextlib.suppress(VaultError):
            stored = self.secrets.kv.read(path)
            return stored is not None and stored.data == document
        return False

    def _has_key(self, name: str, number: str, key: Secret, *, has_request: bool) -> bool:
        """Write a private key, unless it exists and the record does not list its generation."""
        try:
            if self.secrets.put(layout.key(name, number), {"private_key": key}, cas=0):
                return True
        except UncertainWrite:
            # A token that may not read keys can still list them; only this process has written their request.
            with contextlib.suppress(VaultError):
                if has_request and KEY in self.secrets.kv.list(layout.generation(name, number)):
                    return True
            raise
        with contextlib.suppress(VaultError):
            return self.key(name, number) == key and number not in self.load(name).record.generations
        return False

    def install(
        self,
        known: StoredIdentity | str,
        number: str,
        issued: Issued,
        *,
        facts: Mapping[str, str],
        edit: Edit = unchanged,
    ) -> StoredIdentity:
        # Whatever is missing is written: the certificate, then its facts, and the record last.
        found = self._loaded(known)
        name, trusted = found.name, found.record.settings.trust_bundle
        issued = replace(issued, trust_bundle=(trusted or "").encode())
        if number not in found.record.generations:
            raise no_generation(name, number)
        path = layout.certificate(name, number)
        place = self.secrets.place(path)
        for _ in tries(self.secrets.wait_seconds):
            stored = self.secrets.require(path)
            there = layout.generation_of(number, stored.data, trust_bundle=trusted, where=place)
            if there.issued not in {None, issued}:
                hint = "each generation has one certificate; renew to get another"
                raise ConflictError(f"cannot install {place}: it already has another certificate", hint=hint)
            document = layout.document_of(there.csr, issued)
            if there.issued == issued or self.secrets.put(path, document, cas=stored.version):
                kept = stored.custom_metadata
                wanted = {**kept, **{each: layout.fitting(value) for each, value in facts.items() if value}}
                if wanted != kept:
                    self.secrets.kv.write_metadata(path, wanted)
                found = found.put(Generation(number=number, csr=there.csr, issued=issued))
                return found if edit is unchanged else self._change(found, edit)
        raise StoreError(f"cannot install {place}: other processes keep changing it", hint="try again")

    def keep_answer(self, known: StoredIdentity | str, number: str, answer: bytes, *, edit: Edit) -> StoredIdentity:
        known = self._loaded(known)
        kept = self.answers(known.name, number)
        if answer not in kept:
            path = layout.answer(known.name, number, len(kept) + 1)
            self.secrets.put(path, {layout.CERTIFICATE: layout.text("the answer", answer)}, cas=0)
        return self.change(known, edit)

    def answers(self, name: str, number: str) -> list[bytes]:
        records.require_name(name)
        self.secrets.require_generation(name, number)
        entries = self.secrets.kv.list(layout.generation(name, number))
        ends = [each.removeprefix(layout.ANSWER) for each in entries if each.startswith(layout.ANSWER)]
        numbers = sorted(int(each) for each in ends if each.isdecimal())
        found = all_expected(self.secrets.kv.read_many([layout.answer(name, number, at) for at in numbers]))
        where = self.secrets.place(layout.generation(name, number))
        return [layout.part(stored.data, layout.CERTIFICATE, where=where) for stored in found if stored]

    def prune(self, known: StoredIdentity | str, numbers: Sequence[str]) -> StoredIdentity:
        known = self._loaded(known)
        paths = [path for number in numbers for path, _ in self.secrets.kv.walk(layout.generation(known.name, number))]
        for path in sorted(paths, key=lambda path: not path.endswith(f"/{KEY}")):
            self.secrets.kv.delete_all_versions(path)
        return self._change(known, lambda record: record.prune(numbers), pruned=numbers)

    def key(self, name: str, number: str) -> Secret:
        records.require_name(name)
        if not records.is_generation(number):
            raise no_generation(name, number)
        path = layout.key(name, number)
        stored = self.secrets.kv.read(path)
        if stored is None:
            raise no_generation(name, number)
        return Secret(layout.part(stored.data, "private_key", where=self.secrets.place(path)))

    def location(self, found: StoredIdentity, number: str) -> Location:
        certificate = self.secrets.place(layout.certificate(found.name, number))
        return Location(
            lineage=self.secrets.place(layout.generation(found.name, number)),
            key=self.secrets.place(layout.key(found.name, number)),
            certificate=certificate,
            fullchain=certificate,
            ca=certificate,
            is_directory=False,
        )

    def documents(self, name: str) -> list[str]:
        records.require_name(name)
        found = sorted(filter(records.is_document, self.secrets.kv.list(f"{name}/{layout.TOKENS}")))
        if not found:
            self.secrets.record(name)
        return found

    def document(self, name: str, document: str) -> Document | None:
        path = f"{records.require_name(name)}/{layout.TOKENS}/{records.require_document(document)}"
        stored = self.secrets.kv.read(path)
        if stored is None:
            self.secrets.record(name)
            return None
        fields = {each: Secret(layout.part(stored.data, each, where=self.secrets.place(path))) for each in stored.data}
        return Document(fields=fields, version=str(stored.version))

    def put_document(self, name: str, document: str, fields: Mapping[str, Secret], *, over: str | None) -> str:
        path = f"{records.require_name(name)}/{layout.TOKENS}/{records.require_document(document)}"
        self.secrets.record(name)
        cas = int(over or 0)
        if not self.secrets.put(path, fields, cas=cas):
            place = self.secrets.place(path)
            raise ConflictError(f"cannot write {place}: it has changed in the meantime", hint="check it, and try again")
        return str(cas + 1)

    def delete_document(self, name: str, document: str) -> None:
        path = f"{records.require_name(name)}/{layout.TOKENS}/{records.require_document(document)}"
        self.secrets.record(name)
        self.secrets.kv.delete_all_versions(path)

    def log(self, name: str) -> list[Event]:
        path = f"{records.require_name(name)}/{layout.SETTINGS}"
        stored = self.secrets.kv.read(path)
        if stored is None:
            return list(self.secrets.record(name)[0].log)
        created = layout.events_in(stored.data.get(layout.CREATED, []), where=self.secrets.place(path))
        return [*created, *self.secrets.events(name)]

    def migrate(self, name: str) -> bool:
        record, version = self.secrets.record(name, is_trusted=True)
        if not record.is_legacy:
            return False
        record = self._described(name, record)
        has_settings = bool(version.settings) or self.secrets.put_settings(
            name, record.settings, over=0, created=record.lines()
        )
        if not has_settings or not self.secrets.put_record(name, record, over=version):
            raise ConflictError(
                f"cannot migrate {self.secrets.place(name)}: it has changed in the meantime", hint="try again"
            )
        return True

    def _described(self, name: str, record: Record) -> Record:
        """Return a record of version 0.1.0 with its generations, and the facts of their certificates."""
        from certkit.x509 import describe, objects

        found = self._identity(name, record, Known())
        for each in found.generations:
            if each.issued is not None:
                [leaf, *_] = objects.certificates(each.issued.certificate, name=f"generation {each.number} of {name}")
                record = record.describe(each.number, describe.facts(leaf))
        return replace(record, generations=found.record.generations)

    def repair(self, name: str) -> bool:  # noqa: ARG002  a field of a record is never a copy
        return False

    def remove(self, name: str) -> None:
        records.require_name(name)
        last = {f"{name}/{layout.SETTINGS}", f"{name}/{layout.POINTER}"}
        for _ in range(_MOST_ROUNDS):
            walked = list(self.secrets.kv.walk(name))
            if not walked:
                return
            all_expected(walked)
            # Keys first, the record last.
            for path, _ in sorted(walked, key=lambda each: (each[0] in last, not each[0].endswith(f"/{KEY}"))):
                self.secrets.kv.delete_all_versions(path)
        place = self.secrets.place(name)
        raise StoreError(f"cannot remove {place}: other processes keep writing there", hint="try again")
