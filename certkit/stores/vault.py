"""A store of identities in Vault or OpenBao, in a KV secrets engine of version 2.

`certkit.stores.vault_layout` says what stands where. The record, which says what is in use, is one secret, and changes
by check-and-set. A generation begins with its request and is there once it has its key; its certificate is written over
the request, and then its facts beside it. A run that is killed leaves the old state or the new one; the number of a
generation that never got its key is not used again. Private keys are in memory only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from certkit.core import identity
from certkit.secret import Secret
from certkit.stores import vault_facts
from certkit.stores import vault_layout as layout
from certkit.stores.base import AbsentError, ConflictError, Facts, Identity, StoreError
from certkit.stores.vault_layout import KEY, POINTER
from certkit.stores.vault_writes import as_store_error, expected, has_mark, marked, put, tries
from certkit.vault.errors import Kind, UncertainWrite, VaultError
from certkit.vault.fields import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from certkit.core.identity import Record
    from certkit.errors import CertkitError
    from certkit.findings import Finding
    from certkit.stores.base import Issued
    from certkit.vault.client import Vault
    from certkit.vault.kv import Kv, Metadata, Stored

WAIT_SECONDS = 30.0

_MOST_ROUNDS = 10


class VaultStore:
    """Identities below a prefix of a mount; `base.Store` has the promises.

    Others who change the same record hold us up for `wait_seconds` at most. With a clock, `check` compares it with the
    server's.
    """

    def __init__(
        self,
        vault: Vault,
        mount: str,
        prefix: str = "",
        *,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.vault = vault
        self.location = joined(mount, prefix)
        self.clock = clock
        self._wait_seconds = wait_seconds
        self._secrets: Kv | None = None

    @property
    def uri(self) -> str:
        """How the command line names the store."""
        return f"vault://{self.location}"

    @property
    def kv(self) -> Kv:
        """The secrets below the prefix.

        Raises:
            VaultError: there is no KV secrets engine of version 2, which would take what we write for something else.
        """
        if self._secrets is None:
            self._secrets = self.vault.kv(self.location)
        return self._secrets

    def place(self, path: str) -> str:
        """A path, for messages."""
        return f"{self.uri}/{path}"

    @as_store_error
    def names(self) -> list[str]:
        """The identities there, in the order of their names; a folder that may not be looked into counts as one."""
        folders = layout.names_in(self.kv.list())
        return sorted(name for name, entries in self.kv.list_many(folders) if _has_pointer(entries))

    @as_store_error
    def load(self, name: str) -> Identity:
        """An identity with all its generations.

        Raises:
            AbsentError: there is none of that name.
            StoreError: it is damaged, or may not be read.
        """
        record, _ = self._record(name)
        numbers = [number for number, has_key in self.generations(name).items() if has_key]
        # What is read ahead may be older than what was listed before it, so all is listed first.
        documents = self.kv.read_many([layout.certificate(name, number) for number in numbers])
        found = tuple(
            layout.generation_of(number, self._present(path, expected(stored)).data, where=self.place(path))
            for number, (path, stored) in zip(numbers, documents, strict=True)
        )
        if record.active is not None and record.active not in numbers:
            hint = f"activate another one, or end a removal: certkit identity remove {name}"
            raise StoreError(f"cannot read, {self.place(name)}: generation {record.active} is gone", hint=hint)
        return Identity(name, record, found)

    @as_store_error
    def create(self, name: str, record: Record) -> None:
        """A new identity without generations.

        Raises:
            ConflictError: there is one of that name.
        """
        identity.require_name(name)
        if record.active is not None:
            raise _no_generation(name, record.active)
        if not self._put_record(name, record, before={}, cas=0):
            raise ConflictError(f"there is an identity {name!r} in {self.uri} already", hint="choose another name")

    @as_store_error
    def change(self, name: str, edit: Callable[[Record], Record]) -> Record:
        """Change the record in one step; `edit` may be called again on a newer record, and what it raises is raised.

        Raises:
            AbsentError: there is no identity of that name, or no generation as it is to be in use.
            StoreError: others change it all the time, or nobody can tell whether it was changed.
        """
        for _ in tries(self._wait_seconds):
            before, stored = self._record(name)
            after = edit(before)
            if after == before:
                return before
            if after.active is not None and after.active != before.active:
                self._require_generation(name, after.active)
            if self._put_record(name, after, before=stored.data, cas=stored.version):
                return after
        raise StoreError(f"cannot change, {self.place(name)}: others change it all the time", hint="try again")

    def _put_record(self, name: str, record: Record, *, before: Mapping[str, object], cas: int) -> bool:
        document, mark = marked(record.document(), before)
        is_ours = partial(has_mark, mark=mark, cas=cas)
        return put(self.kv, layout.pointer(name), document, cas=cas, is_ours=is_ours, seconds=self._wait_seconds)

    @as_store_error
    def add(self, name: str, number: str, *, key: Secret, csr: bytes | None) -> None:
        """A new generation: a private key (PEM) with its CSR (PEM), both or neither.

        Raises:
            AbsentError: there is no identity of that name.
            ConflictError: there is a generation of that number, or one was begun.
        """
        if not identity.is_generation(number):
            raise StoreError(f"not the number of a generation: {number!r}", hint="use four digits, such as 0001")
        self._record(name)
        # In this order no key ever lacks its request, and whoever is second is told before a key is written.
        if not (
            self._put(layout.certificate(name, number), layout.document_of(csr), cas=0)
            and self._put_key(name, number, key, has_request=csr is not None)
        ):
            hint = "take the next number"
            raise ConflictError(f"there is a generation {number} of identity {name!r} already", hint=hint)

    def _put_key(self, name: str, number: str, key: Secret, *, has_request: bool) -> bool:
        """Write a private key beside its request, which nobody but us has written, if there is one."""
        try:
            return self._put(layout.key(name, number), {"private_key": key}, cas=0)
        except UncertainWrite:
            # Who may not read keys sees whether there is one all the same.
            if has_request and KEY in self.kv.list(layout.generation(name, number)):
                return True
            raise

    def _put(self, path: str, document: Mapping[str, str | Secret], *, cas: int) -> bool:
        """Write a secret that says the same whoever writes it."""

        def is_ours(stored: Stored) -> bool:
            return stored.data.keys() == document.keys() and all(
                _is_same(stored.data[name], part) for name, part in document.items()
            )

        return put(self.kv, path, document, cas=cas, is_ours=is_ours, seconds=self._wait_seconds)

    @as_store_error
    def install(self, name: str, number: str, issued: Issued, *, facts: dict[str, str]) -> None:
        """The answer to a generation's request, and then its facts; the same once more completes what is missing.

        Raises:
            AbsentError: there is no such generation.
            ConflictError: it has another answer already.
        """
        identity.require_name(name)
        self._require_generation(name, number)
        path = layout.certificate(name, number)
        for _ in tries(self._wait_seconds):
            stored = self._require(path)
            known = layout.generation_of(number, stored.data, where=self.place(path))
            if known.issued not in {None, issued}:
                raise self._other_answer(path)
            document = layout.document_of(known.csr, issued)
            if known.issued == issued or self._put(path, document, cas=stored.version):
                self._put_facts(path, stored, facts)
                return
        raise StoreError(f"cannot install, {self.place(path)}: others change it all the time", hint="try again")

    def _put_facts(self, path: str, stored: Stored, facts: dict[str, str]) -> None:
        """Write what is not there yet; other custom metadata stay."""
        wanted = {**stored.custom_metadata, **vault_facts.to_metadata(facts)}
        if wanted != stored.custom_metadata:
            self.kv.write_metadata(path, wanted)

    def _other_answer(self, path: str) -> ConflictError:
        hint = "each generation has one; renew for another"
        return ConflictError(f"cannot install, {self.place(path)}: it has another certificate already", hint=hint)

    @as_store_error
    def key(self, name: str, number: str) -> Secret:
        """The private key (PEM) of a generation.

        Raises:
            AbsentError: there is no such generation.
        """
        identity.require_name(name)
        if not identity.is_generation(number):
            raise _no_generation(name, number)
        path = layout.key(name, number)
        stored = self.kv.read(path)
        if stored is None:
            self._require_not_deleted(path)
            raise _no_generation(name, number)
        return Secret(layout.key_of(stored.data, where=self.place(path)))

    @as_store_error
    def facts(self, name: str) -> list[Facts]:
        """What is known of the certificates of an identity, without the right to read any secret.

        Raises:
            AbsentError: there is no identity of that name.
        """
        identity.require_name(name)
        if POINTER not in self.kv.list(name):
            raise self._absent(name)
        numbers = layout.numbers_in(self.kv.list(layout.generations(name)))
        values = {number: vault_facts.of(metadata) for number, metadata in self.metadata(name, numbers).items()}
        return [Facts(number, found) for number, found in values.items() if found]

    @as_store_error
    def remove(self, name: str) -> None:
        """Everything of an identity, every version of it, the keys first; nothing to do if there is none.

        Raises:
            StoreError: somebody writes there all the time, or we may not.
        """
        identity.require_name(name)
        for _ in range(_MOST_ROUNDS):
            paths = self._everything(name)
            if not paths:
                return
            for path in paths:
                self.kv.delete_all_versions(path)
        raise StoreError(f"cannot remove, {self.place(name)}: others write there all the time", hint="try again")

    def _everything(self, name: str) -> Sequence[str]:
        """The paths of all that belongs to an identity: keys first, and last what names it."""
        paths = []
        for path, error in self.kv.walk(name):
            expected(error)
            paths.append(path)
        return sorted(paths, key=lambda path: (path == layout.pointer(name), not path.endswith(f"/{KEY}")))

    def check(self) -> list[Finding]:
        """Whether the store can be used: what works, what is missing, and how to mend it."""
        from certkit.stores.vault_check import check

        return check(self)

    def generations(self, name: str) -> dict[str, bool]:
        """The numbers of the generations that were begun, in their order, and whether each has its key.

        Raises:
            VaultError: we may not see them.
        """
        numbers = layout.numbers_in(self.kv.list(layout.generations(name)))
        listings = self.kv.list_many([layout.generation(name, number) for number in numbers])
        return {number: KEY in expected(entries) for number, (_, entries) in zip(numbers, listings, strict=True)}

    def metadata(self, name: str, numbers: Sequence[str]) -> dict[str, Metadata | None]:
        """What is known of the certificates of some generations.

        Raises:
            VaultError: we may not know it.
        """
        answers = self.kv.metadata_many([layout.certificate(name, number) for number in numbers])
        return {number: expected(metadata) for number, (_, metadata) in zip(numbers, answers, strict=True)}

    def _record(self, name: str) -> tuple[Record, Stored]:
        """The record of an identity, and the secret that it stands in.

        Raises:
            AbsentError: there is no identity of that name.
        """
        path = layout.pointer(identity.require_name(name))
        stored = self.kv.read(path)
        if stored is None:
            self._require_not_deleted(path)
            raise self._absent(name)
        return layout.record_of(stored.data, where=self.place(path)), stored

    def _require(self, path: str) -> Stored:
        """A secret that must be there, for its neighbour is.

        Raises:
            StoreError: it is not.
        """
        return self._present(path, self.kv.read(path))

    def _present(self, path: str, stored: Stored | None) -> Stored:
        if stored is None:
            self._require_not_deleted(path)
            raise StoreError(f"cannot read, {self.place(path)}: it is missing", hint="restore it from a backup")
        return stored

    def _require_generation(self, name: str, number: str) -> None:
        """Refuse a generation that has no key; nobody needs the right to read it.

        Raises:
            AbsentError: there is none of that number.
        """
        if not identity.is_generation(number) or KEY not in self.kv.list(layout.generation(name, number)):
            raise _no_generation(name, number)

    def _require_not_deleted(self, path: str) -> None:
        """Refuse to take a secret whose last version was deleted for one that never was, if we may see that.

        Raises:
            StoreError: it was deleted.
        """
        try:
            metadata = self.kv.read_metadata(path)
        except VaultError as error:
            if error.kind is not Kind.DENIED:
                raise
            return
        if metadata is not None and metadata.version > 0:
            hint = f"`bao kv undelete -versions={metadata.version}` brings it back, unless it was destroyed"
            raise StoreError(f"cannot read, {self.place(path)}: somebody deleted it", hint=hint)

    def _absent(self, name: str) -> AbsentError:
        return AbsentError(f"no identity {name!r} in {self.uri}", hint="see which there are: certkit identity list")


def _no_generation(name: str, number: str) -> AbsentError:
    hint = f"see which there are: certkit identity show {name}"
    return AbsentError(f"no generation {number!r} of identity {name!r}", hint=hint)


def _has_pointer(entries: tuple[str, ...] | CertkitError) -> bool:
    if isinstance(entries, VaultError) and entries.kind is Kind.DENIED:
        return True
    return POINTER in expected(entries)


def _is_same(there: object, part: str | Secret) -> bool:
    """Whether a field of a secret is what we wrote, without revealing it."""
    if isinstance(part, Secret):
        return isinstance(there, str) and Secret(there.encode("utf-8", "surrogatepass")) == part
    return there == part
