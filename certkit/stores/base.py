"""What every store of identities can do.

A store keeps, for each identity, a record (`certkit.stores.record.Record`), generations, and small secret documents
such as tokens. The record changes in one step, or not at all, and with it the log; a generation's parts are written
once; a document is written over the version that the writer knows. Two processes, on one host or many, may do this at
once: the second one gets a conflict, and nothing is lost.

An identity is loaded once. Methods that change it take it as it was loaded and return it as it is afterwards; they read
again only what another process has changed. A name in its place is loaded first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from certkit.errors import CertkitError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from certkit.secret import Secret
    from certkit.stores.record import Event, Record


Edit: TypeAlias = "Callable[[Record], Record]"
"""A change of a record; it may be applied to a newer record than the one that was loaded."""


class SealedError(StoreError):
    """A private key that is kept sealed, in another way than the store was opened with."""


class AbsentError(StoreError):
    """The identity, or the generation, is not in the store."""


class NoStoreError(AbsentError):
    """The store itself is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """The answer to a generation's request, as PEM: the certificate, those above it, and the trust bundle."""

    certificate: bytes
    chain: bytes
    trust_bundle: bytes

    @property
    def fullchain(self) -> bytes:
        """The certificate and those above it, as servers and clients load them."""
        return self.certificate + self.chain


class Generation:
    """One generation as a store has it, without its private key: the CSR (PEM; None if imported), and the answer.

    A store may leave both to be read by `read` when they are first asked for. Until then `is_issued` is what the record
    says, if it says anything.
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
        """The answer to the request, or None while there is none."""
        self._fill()
        return self._issued

    @property
    def is_issued(self) -> bool:
        """Whether there is an answer."""
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
    """An identity as it was in the store at one moment; a generation without a private key is not among them.

    `version` belongs to the store, which recognises by it whether the identity has changed since.
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
    """A small secret document of an identity: texts (UTF-8) by name, and the version that a write over it names."""

    fields: Mapping[str, Secret]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a generation is, for hooks and Terraform: paths of files, or references `vault://…`.

    In Vault one secret holds `certificate` and what goes with it, so `certificate`, `fullchain` and `ca` are the same.
    """

    lineage: str
    key: str
    certificate: str
    fullchain: str
    ca: str
    is_directory: bool


def no_generation(name: str, number: str) -> AbsentError:
    """The error for a generation that is not there."""
    hint = f"list them: certkit identity show {name}"
    return AbsentError(f"no generation {number!r} of identity {name!r}", hint=hint)


def unchanged(record: Record) -> Record:
    """Return the record as it is."""
    return record


class Store(Protocol):
    """Identities in one place. Every method may raise StoreError."""

    @property
    def uri(self) -> str:
        """How the command line names the store: `file:DIR` or `vault://MOUNT/PREFIX`."""
        ...

    @property
    def protects_keys(self) -> bool:
        """Whether whoever reads the store's disk or backup cannot use the private keys in it."""
        ...

    @property
    def allowed_hosts(self) -> tuple[str, ...] | None:
        """The hosts that addresses in records may name besides those of shipped policies; None: any."""
        ...

    def names(self) -> list[str]:
        """List the names that may be identities, in their order; whatever is not one is absent when it is loaded."""
        ...

    def find(self, name: str) -> StoredIdentity | None:
        """Load an identity to be created otherwise: None if there is none, or none yet where a server lags behind."""
        ...

    def missing(self) -> NoStoreError | None:
        """Return the error for a store that does not exist, if it has no identities; None for an empty directory."""
        ...

    def load(self, name: str) -> StoredIdentity:
        """An identity with all its generations.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def create(self, name: str, record: Record) -> StoredIdentity:
        """Create an identity without generations.

        Raises:
            ConflictError: if there is one of that name.
        """
        ...

    def change(self, known: StoredIdentity | str, edit: Edit) -> StoredIdentity:
        """Change the record in one step; `edit` may be called again on a newer record, and what it raises is raised.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def require_settings_right(self, name: str) -> None:
        """Refuse to go on where the settings of an identity may not be changed, before anything is changed.

        Raises:
            StoreError: if the token may not change them.
        """
        ...

    def add(
        self, known: StoredIdentity | str, number: str, *, key: Secret, csr: bytes | None, edit: Edit = unchanged
    ) -> StoredIdentity:
        """Add a generation: a private key (PEM) with its CSR (PEM), both or neither; with it the record changes.

        Raises:
            ConflictError: if there is a generation of that number.
        """
        ...

    def install(
        self,
        known: StoredIdentity | str,
        number: str,
        issued: Issued,
        *,
        facts: Mapping[str, str],
        edit: Edit = unchanged,
    ) -> StoredIdentity:
        """Write the certificate that answers a generation's request, and its facts for tokens that may not read it.

        With it the record changes. The same once more changes nothing.

        Raises:
            AbsentError: if there is no such generation.
            ConflictError: if the request already has another certificate.
        """
        ...

    def keep_answer(self, known: StoredIdentity | str, number: str, answer: bytes, *, edit: Edit) -> StoredIdentity:
        """Keep what an issuer answered to a request and no check accepted (PEM); with it the record changes.

        Raises:
            AbsentError: if there is no such generation.
        """
        ...

    def answers(self, name: str, number: str) -> list[bytes]:
        """Return the answers that were kept, the oldest first.

        Raises:
            AbsentError: if there is no such generation.
        """
        ...

    def prune(self, known: StoredIdentity | str, numbers: Sequence[str]) -> StoredIdentity:
        """Delete the keys and certificates of generations; what the record says about them stays.

        Raises:
            StoreError: if the store cannot be used, or its token may not delete.
        """
        ...

    def key(self, name: str, number: str) -> Secret:
        """The private key (PEM) of a generation.

        Raises:
            AbsentError: if there is no such generation.
        """
        ...

    def location(self, found: StoredIdentity, number: str) -> Location:
        """Where a generation is; a directory shows the one in use through the pointer. Nothing is looked for."""
        ...

    def documents(self, name: str) -> list[str]:
        """The names of the secret documents of an identity, in their order.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def document(self, name: str, document: str) -> Document | None:
        """A secret document of an identity; None where there is none of that name.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def put_document(self, name: str, document: str, fields: Mapping[str, Secret], *, over: str | None) -> str:
        """Write a document, whole, over the version that is known, or as a new one (None); its new version.

        Raises:
            AbsentError: if there is no identity of that name.
            ConflictError: if the stored version is another one, or missing.
        """
        ...

    def delete_document(self, name: str, document: str) -> None:
        """A document with every version of it; nothing to do if there is none.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def log(self, name: str) -> list[Event]:
        """Return what happened to an identity, the oldest event first.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def migrate(self, name: str) -> bool:
        """Bring the record of an identity from version 0.1.0 into its present form; return whether anything changed.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def repair(self, name: str) -> bool:
        """Make the pointer a link again where a backup left a copy of a generation; return whether it was so.

        Raises:
            AbsentError: if there is no identity of that name.
        """
        ...

    def remove(self, name: str) -> None:
        """Everything of an identity, every version of it; nothing to do if there is none."""
        ...


def loaded(store: Store, known: StoredIdentity | str) -> StoredIdentity:
    """Return an identity that may be given by its name."""
    return store.load(known) if isinstance(known, str) else known


def load_all(store: Store) -> Iterator[tuple[str, StoredIdentity | CertkitError]]:
    """Yield every identity of a store by its name; one that cannot be loaded is its error."""
    for name in store.names():
        try:
            yield name, store.load(name)
        except AbsentError:  # something else, or removed meanwhile
            continue
        except CertkitError as error:
            yield name, error
