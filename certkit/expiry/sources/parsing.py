"""Sources of certificates by the words that name them: files, directories, globs, lists, hosts, stores."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Searched, Skipped
from certkit.expiry.sources.files import (
    WATCHED_NAMES,
    DirectorySource,
    FileSource,
    KnownSource,
    StreamSource,
    unreadable,
)
from certkit.files import reading
from certkit.processes import Allowance
from certkit.x509.items import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from certkit.expiry.sources.base import Source
    from certkit.expiry.sources.endpoint import Endpoint
    from certkit.net.tls import Credentials
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.vault.client import Vault


_STDIN = "-"
_VAULT, _IDENTITY, _HTTPS = "vault://", "identity:", "https://"
# A host name of two labels or more, without a port.
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\.?")


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """What opens sources: the passphrase of PKCS#12 files; for live hosts a time-out in seconds and a certificate.

    `store` opens the store of identities, and `vault` connects to Vault, when the first of them is wanted; `stdin`
    gives the bytes of standard input. `now` is the moment that is judged.
    """

    passphrase: Secret | None
    timeout: float
    client: Credentials | None
    store: Callable[[], Store]
    vault: Callable[[], Vault]
    stdin: Callable[[], Iterable[bytes]]
    now: datetime
    budget: Budget = field(default_factory=lambda: Budget(Allowance()))


def parse(references: Iterable[str], access: SourceAccess) -> Iterator[Source]:
    """The sources that the words name, decided in the order of the contract; anything else is a failure.

    All live hosts are one source, so that many that are dead cost one time-out.
    """
    endpoints: list[Endpoint] = []
    for reference in _expanded(references, access):
        if isinstance(reference, KnownSource):
            yield reference
            continue
        try:
            if is_live(reference):
                endpoints.append(_endpoint(reference))
            else:
                yield from _files(reference, access)
        except InputError as error:
            yield _failed(reference, error)
    if endpoints:
        from certkit.expiry.sources.endpoint import EndpointSource

        yield EndpointSource(tuple(endpoints), access.timeout, access.client, access.now)


def _expanded(references: Iterable[str], access: SourceAccess) -> Iterator[str | KnownSource]:
    """The same with lists replaced by what they list."""
    for reference in references:
        if not reference.startswith("@") or reading.exists(reference):
            yield reference
            continue
        try:
            yield from _listed(reference[1:], access)
        except InputError as error:
            yield _failed(reference, error)


def _failed(reference: str, error: InputError) -> KnownSource:
    # Who writes a password into an address will not see it again.
    shown = re.sub("//[^/]*@", "//***@", reference)
    return KnownSource([Failure(shown, error.message, error.hint, Reason.BAD_SOURCE)])


def is_live(reference: str) -> bool:
    """Return whether a source is a live host: `tls://…`, `https://…`, or HOST:PORT where no file is called so."""
    if ":" not in reference or reading.exists(reference) or _is_pattern(reference):
        return False
    from certkit.expiry.sources.endpoint import is_endpoint

    return reference.startswith(("tls://", _HTTPS)) or is_endpoint(reference)


def _endpoint(reference: str) -> Endpoint:
    from certkit.expiry.sources.endpoint import Endpoint

    return Endpoint.parse(without_path(reference))


def without_path(reference: str) -> str:
    """Return `tls://HOST:PORT` for an https:// address, and any other source as it is."""
    if not reference.startswith(_HTTPS):
        return reference
    authority = re.split("[/?#]", reference.removeprefix(_HTTPS), maxsplit=1)[0]
    has_port = re.search(r":\d+$", authority) is not None
    return f"tls://{authority}" if has_port else f"tls://{authority}:443"


def _is_pattern(reference: str) -> bool:
    return any(char in reference for char in "*?[") and not reference.startswith(("tls://", _HTTPS, "["))


def _files(reference: str, access: SourceAccess) -> Iterator[Source]:
    if reading.is_directory(reference):
        yield DirectorySource(reference, access.passphrase, access.budget)
    elif reading.exists(reference):
        yield FileSource((reference,), access.passphrase, access.budget)
    elif _is_pattern(reference):
        yield from _glob(reference, access)
    elif reference.startswith(_VAULT):
        yield _vault(reference, access)
    elif reference.startswith(_IDENTITY):
        yield _identity(reference, access)
    elif reference == _STDIN:
        yield StreamSource(access.stdin(), "standard input", access.passphrase, access.budget)
    else:
        message = f"cannot read {reference}: no such file or directory"
        is_host = _HOST.fullmatch(reference) is not None and not reference.endswith(WATCHED_NAMES)
        hint = f"check the path, or for a live host write {reference}:443" if is_host else "check the path"
        yield KnownSource([Failure(reference, message, hint, Reason.NOT_FOUND)])


def _vault(reference: str, access: SourceAccess) -> Source:
    from certkit.expiry.sources.vault import VaultSource
    from certkit.stores.opening import vault_place

    mount, prefix = vault_place(reference)
    return VaultSource(access.vault(), mount, prefix, access.now)


def _identity(reference: str, access: SourceAccess) -> Source:
    from certkit.expiry.sources.identity import IdentitySource
    from certkit.stores.record import require_name

    return IdentitySource(access.store(), require_name(reference.removeprefix(_IDENTITY)), access.now)


def _glob(pattern: str, access: SourceAccess) -> Iterator[Source]:
    from certkit.expiry.sources import finding

    paths = finding.matching(pattern)
    for path in paths:
        if isinstance(path, finding.Oddity):
            yield KnownSource([unreadable(path.path, path.error)] if path.error else [])
        elif reading.is_directory(path):
            yield DirectorySource(path, access.passphrase, access.budget, origin=pattern)
        elif reading.is_special(path):
            yield KnownSource([Skipped(path)])
        else:
            yield FileSource((path,), access.passphrase, access.budget, may_hold_nothing=True, origin=pattern)
    yield KnownSource([Searched(pattern, has_found=not paths)])
    if not paths:
        message = f"cannot read {pattern}: no file matches"
        yield KnownSource([Failure(pattern, message, "check the pattern", Reason.NOT_FOUND)])


def _listed(reference: str, access: SourceAccess) -> list[str]:
    """The sources in a list, one a line; blank lines and lines that begin with # are ignored."""
    data = b"".join(access.stdin()) if reference == _STDIN else reading.read(reference)
    if b"-----BEGIN" in data or b"\0" in data or data[:1] == b"\x30":
        hint = "to check the file itself, leave out the @"
        raise InputError(f"cannot read {reference}: not a list of sources", hint=hint)
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    nested = next((line for line in listed if line.startswith("@")), None)
    if nested:
        raise InputError(
            f"cannot read {reference}: it names another list, {nested}", hint="name that list on the command line"
        )
    if not listed:
        raise InputError(f"cannot read {reference}: it lists no source", hint="write one source on each line")
    return listed
