"""A partner's limits across a whole store: the number of certificates, and keys and CAs of other environments.

A store knows what certkit created or imported. It cannot know what else the partner has issued.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import CertkitError, InputError, RefusedError
from certkit.findings import critical, warning
from certkit.identity import overview
from certkit.policy import catalogue
from certkit.stores.base import AbsentError
from certkit.stores.record import ANSWERS, State
from certkit.times import parse_time
from certkit.x509 import objects
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.stores.base import Generation, Store, StoredIdentity
    from certkit.x509.certificate import Certificate

_PROPOSED = 3


@dataclass(frozen=True, slots=True)
class Live:
    """A live certificate, or a request for one: issued, unexpired and not retired."""

    name: str
    generation: str
    state: State
    not_after: datetime | None

    def __str__(self) -> str:
        return f"{self.name} {self.generation} ({self.state})"


class Neighbours:
    """The identities of a store: loaded once, and only when they are needed; `known`, the one named, already is."""

    def __init__(self, store: Store, name: str, policy: Policy, known: StoredIdentity | None = None) -> None:
        self.unread: list[str] = []
        self._store, self._name, self._policy, self._known = store, name, policy, known
        self._found: list[tuple[StoredIdentity, Policy]] | None = None

    def all(self) -> list[tuple[StoredIdentity, Policy]]:
        """Return the identities with their policies; `unread` names those that cannot be read."""
        if self._found is None:
            load, self._found = functools.cache(catalogue.load), []
            for name in self._store.names():
                try:
                    is_known = self._known is not None and name == self._name
                    identity = self._known if is_known and self._known else self._store.load(name)
                    self._found.append((identity, load(identity.record.settings.policy)))
                except AbsentError:
                    continue
                except CertkitError:
                    self.unread.append(name)
        return self._found

    def elsewhere(self) -> list[tuple[StoredIdentity, Policy]]:
        """Return the identities of other environments; none if the policy's environment has no name."""
        if not self._policy.environment:
            return []
        known = {"", self._policy.environment}
        return [each for each in self.all() if each[0].name != self._name and each[1].environment not in known]

    def room(self, *, now: datetime) -> tuple[Finding, ...]:
        """Return a warning if the next certificate is the last that the partner accepts, or that is unknown.

        Raises:
            RefusedError: if the partner's limit of live certificates is reached.
        """
        policy, limit = self._policy, self._policy.certificate.max_live
        if limit is None:
            return ()
        here = policy.environment or policy.name
        same = [identity for identity, theirs in self.all() if (theirs.environment or theirs.name) == here]
        found = [each for identity in same for each in _live(identity, now)]
        if len(found) >= limit:
            message = f"{policy.title} allows {limit} live certificates, and there are already {len(found)}"
            findings = (critical("policy", message, _proposal(found)),)
            raise RefusedError(f"{self._name}: {message}", hint=_proposal(found), findings=findings)
        said: list[Finding] = []
        if len(found) == limit - 1:
            message = f"this is the last of the {limit} live certificates that {policy.title} allows"
            said.append(warning("policy", message, _proposal(found)))
        if self.unread:
            message = f"the number of live certificates is unknown: {', '.join(self.unread)} cannot be read"
            said.append(warning("policy", message, "see `certkit store check`"))
        return tuple(said)

    def sharing_key(self, spki_sha256: str) -> list[Finding]:
        """Return a finding if a key is used by an identity of another environment."""
        for identity, theirs in self.elsewhere():
            if any(spki_of(identity, each) == spki_sha256 for each in identity.generations):
                message = f"the key belongs to {identity.name}, which is for {theirs.title}"
                return [critical("key-match", message, "each environment needs its own key; create a new one")]
        return []

    def sharing_trust(self, anchors: Iterable[Certificate]) -> list[Finding]:
        """Return a finding if a CA to trust is one that an identity of another environment trusts."""
        known = set(anchors)
        for identity, theirs in self.elsewhere():
            if known & set(trusted(identity)):
                message = f"the trust bundle belongs to {identity.name}, which is for {theirs.title}"
                return [critical("chain", message, "give this environment's CA with --ca")]
        return []


def _live(identity: StoredIdentity, now: datetime) -> Iterator[Live]:
    """Yield the certificates that count towards the partner's limit, even if discarded, pruned or refused here."""
    record = identity.record
    known = {each.number: each for each in identity.generations}
    for number in sorted({*known, *record.facts} - {*record.retired}):
        facts = record.facts_of(number)
        shown = overview.facts_of(identity, known[number]) if number in known else facts
        end = _time(shown.get("not_after"))
        state = record.state(number, has_certificate=end is not None)
        ends = [each for text in facts.get(ANSWERS, "").split() if (each := _time(text)) is not None]
        if end is not None and end not in ends:
            ends.append(end)
        live = [Live(identity.name, number, state, each) for each in ends if each >= now]
        if state is State.PENDING and not live:
            live.append(Live(identity.name, number, state, None))
        yield from live


def _time(text: str | None) -> datetime | None:
    with contextlib.suppress(InputError):
        return parse_time(text or "")
    return None


def _proposal(found: Sequence[Live]) -> str:
    """Return which certificates to give up: unused ones, the first to expire first."""
    idle = [each for each in found if each.state is not State.ACTIVE and each.not_after is not None]
    if not idle:
        return "revoke an unused one at the partner, then run: certkit identity retire NAME GENERATION"
    idle.sort(key=lambda each: (each.state is State.ISSUED, each.not_after))
    listed = ", ".join(map(str, idle[:_PROPOSED]))
    first = idle[0]
    return (
        f"nothing uses {listed}; revoke it at the partner, then: "
        f"certkit identity retire {first.name} {first.generation}"
    )


def require_current(name: str, anchors: Sequence[Certificate], now: datetime) -> None:
    """Refuse a trust bundle in which every CA has expired."""
    if anchors and all(isinstance(end := each.not_after, Unreadable) or end < now for each in anchors):
        message, hint = "every CA in the trust bundle has expired", "give the partner's current CA with --ca"
        raise RefusedError(f"{name}: {message}", hint=hint, findings=[critical("chain", message, hint)])


def spki_of(identity: StoredIdentity, generation: Generation) -> str | None:
    """Return the fingerprint of a generation's public key; None if it is unknown."""
    return overview.facts_of(identity, generation).get("spki_sha256")


def trusted(identity: StoredIdentity) -> list[Certificate]:
    """Return the CAs that an identity trusts, by its settings or else by its generations, unless unreadable."""
    bundle = identity.record.settings.trust_bundle
    texts = {bundle.encode()} if bundle else {each.issued.trust_bundle for each in identity.generations if each.issued}
    found: list[Certificate] = []
    for text in texts:
        try:
            found += objects.certificates(text, name=f"the trust bundle of {identity.name}")
        except CertkitError:
            continue
    return found
