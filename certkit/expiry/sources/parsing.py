"""Parsing of the words that name sources: files, directories, globs, lists, hosts, stores."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Searched
from certkit.expiry.sources.files import (
    WATCHED_NAMES,
    FileSource,
    KnownSource,
    look_at_stream,
    special,
    unreadable,
)
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
    from certkit.stores.opening import Opener
    from certkit.vault.client import Vault


_STDIN = "-"
_VAULT, _IDENTITY = "vault://", "identity:"
# A host name without a port.
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.?")


class SourceAccess(NamedTuple):
    """The means to open sources: a passphrase for PKCS#12; for live hosts a time-out in seconds and a certificate.

    `store` opens the store of identities, and `vault` connects to Vault, on first use; `stdin` returns the bytes of
    standard input. `now` is the moment to judge.
    """

    passphrase: Secret | None
    timeout: float
    client: Credentials | None
    store: Callable[[], Store]
    vault: Callable[[], Vault]
    stdin: Callable[[], Iterable[bytes]]
    now: datetime


@contextlib.contextmanager
def access(
    opener: Callable[[], Opener],
    *,
    store: str | None,
    passphrase: Secret | None,
    now: datetime,
    timeout: float = 10.0,
    client: Credentials | None = None,
    stdin: Callable[[], Iterable[bytes]] = tuple,
) -> Iterator[SourceAccess]:
    """Yield the means to open sources: the store at a URI and Vault are opened on first use."""
    with contextlib.ExitStack() as stack:
        yield SourceAccess(
            passphrase=passphrase,
            timeout=timeout,
            client=client,
            store=functools.cache(lambda: stack.enter_context(opener().open(store, passphrase=passphrase))),
            vault=functools.cache(lambda: stack.enter_context(opener().connect())),
            stdin=stdin,
            now=now,
        )


def parse(references: Iterable[str], access: SourceAccess) -> Iterator[Source]:
    """Yield the sources that the words name, decided in the order of the contract; anything else is a failure.

    All live hosts are one source, so that many unreachable ones cost a single time-out.
    """
    budget = Budget(Allowance())
    endpoints: list[Endpoint] = []
    for reference in _expanded(references, access):
        if isinstance(reference, KnownSource):
            yield reference
            continue
        try:
            if is_live(reference):
                from certkit.expiry.sources.endpoint import Endpoint

                endpoints.append(Endpoint.parse(reference))
            else:
                yield from _sources(reference, access, budget)
        except InputError as error:
            yield _failed(reference, error)
    if endpoints:
        from certkit.expiry.sources.endpoint import EndpointSource

        yield EndpointSource(tuple(endpoints), access.timeout, access.client, access.now)


def _expanded(references: Iterable[str], access: SourceAccess) -> Iterator[str | KnownSource]:
    """Yield the words with lists replaced by their content."""
    for reference in references:
        if not reference.startswith("@") or reference == "@" or os.path.lexists(reference):
            yield reference
            continue
        try:
            yield from _listed(reference[1:], access)
        except InputError as error:
            yield _failed(reference, error)


def _failed(reference: str, error: InputError) -> KnownSource:
    # A password in an address is never printed.
    shown = re.sub("//[^/]*@", "//***@", reference)
    return KnownSource([Failure(shown, error.message, error.hint, Reason.BAD_SOURCE)])


def is_live(reference: str) -> bool:
    """Return whether a source is a live host: `tls://…`, `https://…`, or HOST:PORT if no file has that name."""
    if ":" not in reference or os.path.lexists(reference) or _is_pattern(reference):
        return False
    from certkit.expiry.sources.endpoint import is_endpoint

    return is_endpoint(reference)


def _is_pattern(reference: str) -> bool:
    return any(char in reference for char in "*?[") and not reference.startswith(("tls://", "https://", "["))


def _sources(reference: str, access: SourceAccess, budget: Budget) -> Iterator[Source]:
    """Yield the sources named by a word that is not a live host."""
    if os.path.isdir(reference):
        from certkit.expiry.sources import finding

        yield from finding.in_directory(reference, access.passphrase, budget)
    elif os.path.lexists(reference):
        yield FileSource((reference,), access.passphrase, budget)
    elif _is_pattern(reference):
        yield from _matching(reference, access, budget)
    elif reference.startswith(_VAULT):
        from certkit.expiry.sources.vault import VaultSource
        from certkit.stores.opening import vault_place

        mount, prefix = vault_place(reference)
        yield VaultSource(access.vault(), mount, prefix, access.now)
    elif reference.startswith(_IDENTITY):
        from certkit.expiry.sources.identity import look_at_identity
        from certkit.stores.record import require_name

        name = require_name(reference.removeprefix(_IDENTITY))
        yield KnownSource(look_at_identity(access.store(), name, access.now))
    elif reference == _STDIN:
        yield KnownSource(look_at_stream(access.stdin(), "standard input", access.passphrase, budget))
    else:
        try:
            os.lstat(reference)
        except PermissionError as error:  # of a directory above
            yield KnownSource([unreadable(reference, error)])
            return
        except (OSError, ValueError):
            pass
        message = f"cannot read {reference}: no such file or directory"
        is_host = _HOST.fullmatch(reference) is not None and not reference.endswith(WATCHED_NAMES)
        hint = f"check the path, or for a live host write {reference}:443" if is_host else "check the path"
        yield KnownSource([Failure(reference, message, hint, Reason.NOT_FOUND)])


def _matching(pattern: str, access: SourceAccess, budget: Budget) -> Iterator[Source]:
    from certkit.expiry.sources import finding
    from certkit.files import reading

    paths = finding.matching(pattern)
    for path in paths:
        if isinstance(path, Failure):
            yield KnownSource([path])
        elif os.path.isdir(path):
            yield from finding.in_directory(path, access.passphrase, budget, origin=pattern)
        elif reading.is_special(path):
            yield KnownSource([special(path)])
        else:
            yield FileSource((path,), access.passphrase, budget, may_hold_nothing=True, origin=pattern)
    yield KnownSource([Searched(pattern, has_found=not paths)])
    if not paths:
        message = f"cannot read {pattern}: no file matches"
        yield KnownSource([Failure(pattern, message, "check the pattern", Reason.NOT_FOUND)])


def _listed(reference: str, access: SourceAccess) -> list[str]:
    """Return the sources in a list, one per line; blank lines and lines that begin with # are ignored."""
    from certkit.files import reading

    data = b"".join(access.stdin()) if reference == _STDIN else reading.read(reference)
    name = "standard input" if reference == _STDIN else reference
    if b"-----BEGIN" in data or b"\0" in data or data[:1] == b"\x30":
        hint = "to check the file itself, leave out the @"
        raise InputError(f"cannot read {name}: not a list of sources", hint=hint)
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    nested = next((line for line in listed if line.startswith("@")), None)
    if nested:
        raise InputError(
            f"cannot read {name}: it names another list, {nested}", hint="name that list on the command line"
        )
    if not listed:
        raise InputError(f"cannot read {name}: it lists no source", hint="write one source on each line")
    return listed
