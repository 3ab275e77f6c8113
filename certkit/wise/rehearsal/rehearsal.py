"""A running rehearsal: one state, changed by one rule at a time, and stored before the response is sent."""

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
    """The parts that the listeners share.

    `clock` returns the rehearsal's time, `keep` stores the state, and `notify` delivers a notification to a webhook and
    returns the result.
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
        """The URIs that users may be sent to: the configured ones, else the rehearsal's own page."""
        return self.state.redirect_uris or (f"{self.places.web}/callback",)

    def change(self, rule: Callable[[RehearsalState, datetime], tuple[RehearsalState, T]]) -> T:
        """Apply a rule to the state, store the new state, and return the rule's result.

        Raises:
            CertkitError: if the rule refuses, or the state cannot be stored; the state is unchanged then.
        """
        with self._lock:
            state, answer = rule(self.state, self.clock())
            if state is not self.state:
                self.keep(state)
                self.state = state
        return answer
