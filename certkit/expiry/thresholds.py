"""Nearness of expiry: thresholds, and the status that follows from the time left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from certkit.durations import Duration
from certkit.errors import InputError
from certkit.findings import Status

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.policy.rules import ExpiryRules

_DAY = timedelta(days=1)
_NOTHING = timedelta(0)


class Thresholds(NamedTuple):
    """The time left below which a certificate is a warning, or critical."""

    warn: Duration
    critical: Duration

    @classmethod
    def choose(
        cls, *, warn: Duration | None, critical: Duration | None, defaults: ExpiryRules | Thresholds
    ) -> Thresholds:
        """Return the requested thresholds, completed by the defaults; a default yields to a requested one.

        Raises:
            InputError: if both were requested, and critical is above warn.
        """
        if warn is not None and critical is not None and critical.exceeds(warn):
            raise InputError(f"critical ({critical}) is above warn ({warn})", hint="set --warn to at least --critical")
        chosen_warn, chosen_critical = warn or defaults.warn, critical or defaults.critical
        if chosen_critical.exceeds(chosen_warn):
            if critical is None:
                chosen_critical = chosen_warn
            else:
                chosen_warn = chosen_critical
        return cls(chosen_warn, chosen_critical)

    def judge(self, *, not_before: datetime, not_after: datetime, now: datetime, is_list: bool = False) -> Status:
        """Return the status of a certificate or revocation list: less time left than a threshold triggers it.

        Expired or stale is critical, and so is not yet valid: neither works today.
        """
        left, lifetime = not_after - now, not_after - not_before
        fitting = self.of_list(lifetime) if is_list else self
        if left < _NOTHING or left < fitting.critical.of(lifetime) or now < not_before:
            return Status.CRITICAL
        return Status.WARNING if left < fitting.warn.of(lifetime) else Status.OK

    def of_list(self, lifetime: timedelta) -> Thresholds:
        """Return the thresholds for a revocation list of this lifetime.

        A list may live for a week only and be replaced as a matter of course. Where a new one would be a warning
        already, shares of its lifetime take over: a quarter for a warning, at most a twelfth for critical.
        """
        warn, critical = self.warn.of(lifetime), self.critical.of(lifetime)
        if warn >= lifetime:
            warn, critical = lifetime / 4, min(critical, lifetime / 12)
        return Thresholds(Duration.of_length(warn), Duration.of_length(critical))


def days_left(not_after: datetime, now: datetime) -> int:
    """Return the whole days left, rounded down; negative once expired."""
    return (not_after - now) // _DAY


def renewal_opens(*, not_before: datetime, not_after: datetime, opens: Duration | None) -> datetime:
    """Return when renewal opens: `opens` before expiry, or when a third of the lifetime is left."""
    lifetime = not_after - not_before
    return not_after - (opens.of(lifetime) if opens is not None else lifetime / 3)
