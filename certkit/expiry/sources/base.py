"""What every source of certificates answers with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cryptography import x509


class Reason(StrEnum):
    """Why something could not be looked at: a closed list, for monitoring counts by it.

    The names are those of x509-certificate-exporter, and our own where it looks at no such place.
    """

    NOT_FOUND = "not_found"
    PERMISSION_DENIED = "permission_denied"
    READ_FAILED = "read_failed"
    BROKEN_SYMLINK = "broken_symlink"
    WALK_ERROR = "walk_error"
    NO_CERTIFICATE_FOUND = "no_certificate_found"
    BAD_PEM = "bad_pem"
    DECODE_FAILED = "decode_failed"
    BAD_PKCS12 = "bad_pkcs12"
    BAD_KUBECONFIG = "bad_kubeconfig"
    BAD_PASSPHRASE = "bad_passphrase"  # noqa: S105  a reason, not a passphrase
    BAD_SOURCE = "bad_source"
    HOST_NOT_FOUND = "host_not_found"
    CONNECTION_FAILED = "connection_failed"
    TIMED_OUT = "timed_out"
    TLS_FAILED = "tls_failed"
    STORE_FAILED = "store_failed"
    REQUEST_WAITING = "request_waiting"


class Sighting(NamedTuple):
    """One certificate seen in one place; `is_leaf` is said of the first of a bundle."""

    source: str
    certificate: x509.Certificate
    is_leaf: bool = True


@dataclass(frozen=True, slots=True)
class ListSighting:
    """One certificate revocation list seen in one place."""

    source: str
    crl: x509.CertificateRevocationList


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSighting:
    """One certificate of which only the facts are seen in one place; its names are RFC 4514 text, safe to show."""

    source: str
    subject: str
    issuer: str
    serial: int
    fingerprint: bytes
    not_before: datetime
    not_after: datetime

    @property
    def is_leaf(self) -> bool:
        """It is of no bundle."""
        return True


@dataclass(frozen=True, slots=True)
class Failure:
    """A place that could not be looked at, or something there that cannot be read."""

    source: str
    message: str
    hint: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Passed:
    """A file of a directory that holds nothing to watch."""

    source: str


class Searched(NamedTuple):
    """A place in which something was searched for, and whether any came to light; several parts may tell of one."""

    origin: str
    has_found: bool


Seen: TypeAlias = Searched | Sighting | KnownSighting | ListSighting | Failure | Passed


class Source(Protocol):
    """Somewhere certificates are seen.

    `weight` is how many files it stands for, to be shared out among processes; 0 for what is no file and is looked
    at in this process.
    """

    @property
    def weight(self) -> int:
        """How many files this is."""
        ...

    def parts(self) -> Iterable[Source]:
        """The same place in parts that can be looked at apart from one another; itself, where there are none."""
        ...

    def look(self) -> Iterator[Seen]:
        """What is there, one at a time; a failure does not end the search."""
        ...
