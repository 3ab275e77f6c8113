"""The results of a source of certificates: sightings and failures."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl


class Reason(StrEnum):
    """The reason why a source could not be checked: a closed list, because monitoring counts by it.

    The names are those of x509-certificate-exporter, or certkit's own for places that it does not check.
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
    BAD_KEY_STORE = "bad_key_store"
    BAD_KUBECONFIG = "bad_kubeconfig"
    BAD_PASSPHRASE = "bad_passphrase"  # noqa: S105  a reason, not a passphrase
    BAD_SOURCE = "bad_source"
    HOST_NOT_FOUND = "host_not_found"
    CONNECTION_FAILED = "connection_failed"
    TIMED_OUT = "timed_out"
    TLS_FAILED = "tls_failed"
    STORE_FAILED = "store_failed"
    REQUEST_WAITING = "request_waiting"


class ReportedFacts(NamedTuple):
    """A store's facts of a certificate that is not read itself; names are RFC 4514 text, safe to show."""

    subject: str
    issuer: str
    serial: int
    fingerprint: bytes
    not_before: datetime
    not_after: datetime


class Sighting(NamedTuple):
    """Certificates or revocation lists seen in one place, or only the facts of some: all at once, as there may be many.

    `is_first` is set for the beginning of a bundle, whose first certificate is the leaf.
    """

    source: str
    values: Sequence[Certificate | Crl | ReportedFacts]
    is_first: bool = True


class Failure(NamedTuple):
    """A source that could not be checked, or a part of it that cannot be read."""

    source: str
    message: str
    hint: str
    reason: Reason


class Skipped(NamedTuple):
    """A file of a directory without certificates."""

    source: str


class Searched(NamedTuple):
    """A place that was searched, and whether certificates were found; several parts may report on one place."""

    origin: str
    has_found: bool


Seen: TypeAlias = Searched | Sighting | Failure | Skipped


class Source(Protocol):
    """A place to look for certificates.

    `weight` is the number of files in it, to be shared among processes; 0 for a source other than files, which is
    checked in this process.
    """

    @property
    def weight(self) -> int:
        """The number of files."""
        ...

    def look(self) -> Iterator[Seen]:
        """Yield the sightings, one at a time; a failure does not end the search."""
        ...
