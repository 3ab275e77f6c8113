"""Expiry of certificates, wherever they are kept: `certkit expiry` for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.handle import opener
from certkit.api.signatures import public
from certkit.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from certkit.api.arguments import Passphrase
    from certkit.expiry.scan import Judge, Scan
    from certkit.stores.opening import Opener


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryRow:
    """A certificate or CRL and when it expires, or a source that could not be checked (`status` unknown, `message`).

    `sources` are all places where it was found; `days_left` is the floor of the days left, negative once expired.
    `serial` is lower-case hex of even length. What is not known is None.
    """

    status: Status
    sources: tuple[str, ...]
    message: str = ""
    subject: str | None = None
    issuer: str | None = None
    serial: str | None = None
    fingerprint_sha256: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    days_left: int | None = None

    @property
    def source(self) -> str:
        """The first of its places."""
        return self.sources[0]


@public
def scan(  # noqa: PLR0913  as many as the command has options
    sources: Iterable[str],
    *,
    warn: str | None = None,
    critical: str | None = None,
    policy: str = "general",
    leaf_only: bool = False,
    store: str | None = None,
    passphrase: Passphrase | None = None,
    timeout: float = arguments.TIMEOUT_SECONDS,
    environment: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Iterator[ExpiryRow]:
    """Find certificates and CRLs and judge how near their expiry is, as `certkit expiry` does.

    A source that cannot be checked is a row of its own, with the status unknown; nothing is skipped silently.

    Args:
        sources: files, directories, globs, `@LIST`, `HOST:PORT`, `tls://…`, `vault://MOUNT/PREFIX`, `identity:NAME`.
        warn: warn when less time is left, such as `28d` or `33%`; by default as the policy says.
        critical: the same for critical.
        policy: a policy's name, or the path of a policy file.
        leaf_only: judge only the first certificate of each bundle.
        store: where `identity:NAME` is looked up; by default CERTKIT_STORE, else the user's own store.
        passphrase: opens encrypted PKCS#12 files and sealed stores.
        timeout: seconds for each live host.
        environment: variables to use in place of `os.environ`, such as `VAULT_ADDR`.
        now: the moment to judge; by default the present.

    Raises:
        certkit.InputError: if a threshold is invalid.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.durations import Duration
    from certkit.expiry.scan import Judge
    from certkit.expiry.thresholds import Thresholds
    from certkit.policy import catalogue

    thresholds = Thresholds.choose(
        warn=None if warn is None else Duration.parse(warn),
        critical=None if critical is None else Duration.parse(critical),
        defaults=catalogue.load(policy).expiry,
    )
    judge = Judge(thresholds=thresholds, now=now or arguments.now(), leaf_only=leaf_only)
    secret = arguments.secret(passphrase)
    return _rows(
        lambda: scanned(sources, judge, lambda: opener(environment), store=store, passphrase=secret, timeout=timeout)
    )


def _rows(look: Callable[[], Scan]) -> Iterator[ExpiryRow]:
    """Scan on first use, and yield what is found."""
    found = look()
    for row in found.rows:
        yield ExpiryRow(
            status=row.status,
            sources=tuple(row.sources),
            subject=row.subject,
            issuer=row.issuer,
            serial=row.serial_hex,
            fingerprint_sha256=row.fingerprint_sha256,
            not_before=row.not_before,
            not_after=row.not_after,
            days_left=row.days_left,
        )
    for failure in found.failures:
        yield ExpiryRow(status=Status.UNKNOWN, sources=(failure.source,), message=failure.message)


def scanned(sources: Iterable[str], judge: Judge, opening: Callable[[], Opener], **options: Any) -> Scan:
    """Judge the certificates in some sources in this process alone; the options are those of `access`."""
    from certkit.expiry.scan import look, scan
    from certkit.expiry.sources.parsing import access, parse

    with access(opening, now=judge.now, **options) as access_to:
        return scan(look(parse(sources, access_to), judge, may_fork=False), now=judge.now)
