"""The interface of every store of identities.

A store keeps, for each identity, a record (`certkit.stores.record.Record`), generations, and small secret documents
such as tokens. The record changes in one step, or not at all, and with it the log; a generation's parts are written
once; a document is written over the version that the writer knows. Two processes, on one host or several, may do so at
once: the second one gets a conflict, and nothing is lost.

An identity is loaded once. Methods that change it take it as it was loaded and return it as it is afterwards; they read
again only what another process has changed. A name in its place is loaded first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from certkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from certkit.secret import Secret
    from certkit.stores.record import Event, Journal, Record


Edit: TypeAlias = "Callable[[Record], Record]"
"""A change of a record; it may be applied to a newer record than the one that was loaded."""


class SealedError(StoreError):
    """A private key that is sealed in another way than the one the store was opened with."""


class AbsentError(StoreError):
    """The identity, or the generation, is not in the store."""


class NoStoreError(AbsentError):
    """The store itself is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """The certificate issued for a generation's request, the CAs above it, and the trust bundle, as PEM."""

    certificate: bytes
    chain: bytes
    trust_bundle: bytes

    @property
    def fullchain(self) -> bytes:
        """The certificate and the CAs above it, as servers and clients load them."""
        return self.certificate + self.chain


class Generation:
    """One generation in a store, without its private key: the CSR (PEM; None if imported), and the certificate.

    A store may defer reading both to `read`, on first use. Until then `is_issued` is what the record says, if it says
    anything.
    """

    __slots__ = ("_csr", "_is_issued", "_issued", "_read", "number")

    def __init__(
        self,
        *,
        number: str,
        csr: bytes | None = None,
        issued: Issued | None = None,
        read: Callable[[], Generation] | None = None,
        is_issued: bool | None = None,
    ) -> None:
        self.number = number
        self._csr, self._issued, self._read, self._is_issued = csr, issued, read, is_issued

    @property
    def is_read(self) -> bool:
        """Whether CSR and certificate are available."""
        return self._read is None

    @property
    def csr(self) -> bytes | None:
        """The request."""
        self._fill()
        return self._csr

    @property
    def issued(self) -> Issued | None:
        """The certificate issued for the request, or None while it is pending."""
        self._fill()
        return self._issued

    @property
    def is_issued(self) -> bool:
        """Whether the certificate was issued."""
        return self.issued is not None if self.is_read or self._is_issued is None else self._is_issued

    def _fill(self) -> None:
        if self._read is not None:
            found = self._read()
            self._csr, self._issued, self._read = found.csr, found.issued, None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generation):
            return NotImplemented
        return (self.number, self.csr, self.issued) == (other.number, other.csr, other.issued)

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"Generation(number={self.number!r})"


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """An identity as it was in the store at one moment; generations without a private key are left out.

    `version` is private to the store, which detects by it whether the identity has changed since.
    """

    name: str
    record: Record
    generations: Sequence[Generation] = field(default=())
    version: object = field(default=None, compare=False, repr=False)

    def put(self, generation: Generation) -> StoredIdentity:
        """Return the identity with a generation added, or replaced by number."""
        others = [each for each in self.generations if each.number != generation.number]
        found = sorted([*others, generation], key=lambda each: (int(each.number), each.number))
        return replace(self, generations=tuple(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A small secret document of an identity: texts (UTF-8) by name, and the version to name when overwriting it."""

    fields: Mapping[str, Secret]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The location of a generation, for hooks and Terraform: paths of files, or references `vault://…`.

    In Vault one secret holds the certificate and its CAs, so `certificate`, `fullchain` and `ca` are the same.
    """

    lineage: str
    key: str
    certificate: str
    fullchain: str
    ca: str
    is_directory: bool


def no_generation(name: str, number: str) -> AbsentError:
    """Return the error for a generation that does not exist."""
    hint = f"list them: certkit identity show {name}"
    return AbsentError(f"no generation {number!r} of identity {name!r}", hint=hint)


def unchanged(record: Record) -> Record:
    """Return the record unchanged."""
    return record


class Store(ABC):
    """Identities in one place.

    Every method may raise StoreError, and every one that takes an identity AbsentError, if there is none of that name.
    With a journal, the changes of a record are noted in its log.
    """

    journal: Journal | None
    allowed_hosts: tuple[str, ...] | None = None
    """The hosts that addresses in records may name besides those of shipped policies; None: any."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """How the command line names the store: `file:DIR` or `vault://MOUNT/PREFIX`."""

    @property
    @abstractmethod
    def protects_keys(self) -> bool:
        """Whether the private keys are useless to a reader of the store's disk or backup."""

    @abstractmethod
    def names(self) -> list[str]:
        """List the names that may be identities, sorted; loading one that is not an identity finds it absent."""

    def find(self, name: str) -> StoredIdentity | None:
        """Load an identity before creating it; None if it does not exist, or not yet on a server that lags behind."""
        try:
            return self.load(name)
        except AbsentError:
            return None

    @abstractmethod
    def missing(self) -> NoStoreError | None:
        """Return the error for a store that does not exist, if it has no identities; None for an empty directory."""

    @abstractmethod
    def load(self, name: str) -> StoredIdentity:
        """Return an identity with all its generations."""

    @abstractmethod
    def create(self, name: str, record: Record) -> StoredIdentity:
        """Create an identity without generations.

        Raises:
            ConflictError: if an identity of that name exists.
        """

    @abstractmethod
    def change(self, known: StoredIdentity | str, edit: Edit) -> StoredIdentity:
        """Change the record in one step; `edit` may be called again on a newer record, and what it raises is raised.

        Raises:
            AbsentError: if the new active generation does not exist.
        """

    @abstractmethod
    def require_settings_right(self, name: str) -> None:
        """Raise before anything is changed if the settings of an identity may not be changed.

        Raises:
            StoreError: if the token may not change them.
        """

    @abstractmethod
    def add(
        self, known: StoredIdentity | str, number: str, *, key: Secret, csr: bytes | None, edit: Edit = unchanged
    ) -> StoredIdentity:
        """Add a generation: a private key (PEM) with its CSR (PEM), both or neither; with it the record changes.

        Raises:
            ConflictError: if a generation of that number exists.
        """

    @abstractmethod
    def install(
        self,
        known: StoredIdentity | str,
        number: str,
        issued: Issued,
        *,
        facts: Mapping[str, str],
        edit: Edit = unchanged,
    ) -> StoredIdentity:
        """Write the certificate issued for a generation's request, and its facts for tokens that may not read it.

        The record changes with it. Repeating this changes nothing.

        Raises:
            AbsentError: if there is no such generation.
            ConflictError: if the request already has another certificate.
        """

    @abstractmethod
    def keep_answer(self, known: StoredIdentity | str, number: str, answer: bytes, *, edit: Edit) -> StoredIdentity:
        """Keep the certificate (PEM) that an issuer returned and a check refused; the record changes with it.

        Raises:
            AbsentError: if there is no such generation.
        """

    @abstractmethod
    def answers(self, name: str, number: str) -> list[bytes]:
        """Return the refused certificates that were kept, oldest first.

        Raises:
            AbsentError: if there is no such generation.
        """

    @abstractmethod
    def prune(self, known: StoredIdentity | str, numbers: Sequence[str]) -> StoredIdentity:
        """Delete the keys and certificates of generations; what the record says about them stays.

        Raises:
            StoreError: if the store cannot be used, or its token may not delete.
        """

    @abstractmethod
    def key(self, name: str, number: str) -> Secret:
        """Return the private key (PEM) of a generation.

        Raises:
            AbsentError: if there is no such generation.
            PassphraseError: if it is encrypted, and the passphrase is missing or wrong.
        """

    @abstractmethod
    def location(self, found: StoredIdentity, number: str) -> Location:
        """Return where a generation is, without checking; in a directory, the active one through the pointer."""

    @abstractmethod
    def documents(self, name: str) -> list[str]:
        """Return the names of the secret documents of an identity, sorted."""

    @abstractmethod
    def document(self, name: str, document: str) -> Document | None:
        """Return a secret document of an identity; None if it does not exist."""

    @abstractmethod
    def put_document(self, name: str, document: str, fields: Mapping[str, Secret], *, over: str | None) -> str:
        """Write a whole document over a known version, or as a new one (None); return its new version.

        Raises:
            ConflictError: if the stored version is another one, or missing.
        """

    @abstractmethod
    def delete_document(self, name: str, document: str) -> None:
        """Delete a document with all its versions; do nothing if it does not exist."""

    def log(self, name: str) -> list[Event]:
        """Return the events of an identity, oldest first."""
        return list(self.load(name).record.log)

    @abstractmethod
    def migrate(self, name: str) -> bool:
        """Bring the record of an identity from version 0.1.0 into its present form; return whether anything changed."""

    @abstractmethod
    def repair(self, name: str) -> bool:
        """Restore the pointer as a link if a backup left a copy of a generation in its place; return whether it did."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove everything of an identity, all versions included; do nothing if it does not exist.

        Raises:
            StoreError: if it cannot be removed, or removed but not fully deleted.
        """

    def _loaded(self, known: StoredIdentity | str) -> StoredIdentity:
        return self.load(known) if isinstance(known, str) else known

    def _noted(self, before: Record | None, after: Record) -> Record:
        """Return a changed record with its events; `before` is None for a new record."""
        return after if self.journal is None else self.journal.noted(before, after)
