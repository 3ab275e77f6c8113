"""A rehearsal while it runs: one state, changed by one rule at a time, and kept before anybody hears of the change."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.policy.rules import Policy
    from certkit.secret import Secret
    from certkit.wise.rehearsal.authority import CertifiedKey
    from certkit.wise.rehearsal.pages import Places
    from certkit.wise.rehearsal.state import HubSubscription, RehearsalState

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class RehearsalParts:
    """What the listeners share.

    `clock` tells the rehearsal's time, `keep` puts the state where it survives, and `notify` takes a notification to a
    webhook and says how that went.
    """

    state: RehearsalState
    places: Places
    policy: Policy
    ca: CertifiedKey
    server: CertifiedKey
    client_secret: Secret = field(repr=False)
    clock: Callable[[], datetime]
    keep: Callable[[RehearsalState], None]
    notify: Callable[[HubSubscription, bytes], str]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """Where users may be sent: what was configured, else the rehearsal's own page."""
        return self.state.redirect_uris or (f"{self.places.web}/callback",)

    def change(self, rule: Callable[[RehearsalState, datetime], tuple[RehearsalState, T]]) -> T:
        """Apply a rule to the state; what it answers, once the new state is kept.

        Raises:
            CertkitError: if the rule refuses, or the state cannot be kept; then it is as it was.
        """
        with self._lock:
            state, answer = rule(self.state, self.clock())
            if state is not self.state:
                self.keep(state)
                self.state = state
        return answer
