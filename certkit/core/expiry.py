"""Nearness of expiry: thresholds, and what a certificate's time left means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Status

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.core.durations import Duration

# What applies where no policy says otherwise; `policies/general.toml` says the same.
DEFAULT_WARN = "28d"
DEFAULT_CRITICAL = "7d"

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which time left a certificate is a warning, or critical."""

    warn: Duration
    critical: Duration

    @classmethod
    def choose(
        cls, *, warn: Duration | None, critical: Duration | None, default_warn: Duration, default_critical: Duration
    ) -> Thresholds:
        """The thresholds asked for, completed by the defaults; a default gives way to what was asked for.

        Raises:
            InputError: both were asked for, and critical is above warn.
        """
        if warn is not None and critical is not None and critical.exceeds(warn):
            raise InputError(
                f"critical ({critical}) is above warn ({warn})", hint="give a --warn that is at least --critical"
            )
        chosen_warn, chosen_critical = warn or default_warn, critical or default_critical
        if chosen_critical.exceeds(chosen_warn):
            if critical is None:
                chosen_critical = chosen_warn
            else:
                chosen_warn = chosen_critical
        return cls(chosen_warn, chosen_critical)

    def judge(self, *, not_before: datetime, not_after: datetime, now: datetime) -> Status:
        """The status of a certificate: less time left than a threshold triggers it; expired is critical."""
        left, lifetime = not_after - now, not_after - not_before
        if left < timedelta(0) or left < self.critical.of(lifetime):
            return Status.CRITICAL
        if left < self.warn.of(lifetime):
            return Status.WARNING
        return Status.OK


def days_left(not_after: datetime, now: datetime) -> int:
    """Whole days left, rounded down; negative once expired."""
    return (not_after - now) // _DAY
