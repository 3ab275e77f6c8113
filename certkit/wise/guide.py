"""The progress of an identity in Wise's guide, from the client credentials to a call with mTLS.

Everything is derived from the store, so the guide can be interrupted and resumed at any step. Only a call shows whether
Wise accepts certificate and token.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from certkit.identity import overview as view
from certkit.stores.record import State
from certkit.wise import tokens
from certkit.wise.addresses import ENVIRONMENTS

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.identity.overview import Overview
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity
    from certkit.wise.tokens import Kept


class Step(StrEnum):
    """The steps of the guide in order."""

    CLIENT = "client"
    AUTHORIZE = "authorize"
    TOKEN = "token"  # noqa: S105  a step, not a token
    ENROLL = "enroll"
    REQUEST = "request"
    TRUST = "trust"
    CERTIFICATE = "certificate"
    CALL = "call"
    REMINDERS = "reminders"


OAUTH = (Step.CLIENT, Step.AUTHORIZE, Step.TOKEN)
_USABLE = (State.PENDING, State.ISSUED, State.ACTIVE, State.PREVIOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The progress of an identity.

    `token` is one that works or can be refreshed, and `is_answered` is True if a call succeeded. `changed` is whether
    the run that returned this has changed anything, and `url` is the page where access is granted, if it asked for
    access.
    """

    identity: StoredIdentity
    policy: Policy
    overview: Overview
    client_id: str | None
    redirect_uri: str | None
    token: Kept | None
    skips_oauth: bool
    is_answered: bool = False
    changed: bool = False
    url: str | None = None

    @property
    def environment(self) -> str:
        """The environment as --environment spells it, else as the policy does."""
        names = {policy: name for name, policy in ENVIRONMENTS.items()}
        return names.get(self.identity.record.settings.policy, self.policy.environment)

    @property
    def is_enrolled(self) -> bool:
        """Whether there is a request or a certificate."""
        return bool(view.in_state(self.identity, *_USABLE))

    @property
    def has_trust(self) -> bool:
        """Whether the CAs to trust are known."""
        issued = (each.issued for each in self.identity.generations)
        return bool(self.identity.record.settings.trust_bundle or any(each and each.trust_bundle for each in issued))

    @property
    def done(self) -> tuple[Step, ...]:
        """The completed steps in order, without those that are skipped."""
        is_issued = any(each.is_issued for each in view.in_state(self.identity, *_USABLE))
        holds = {
            Step.CLIENT: self.token is not None or None not in {self.client_id, self.redirect_uri},
            Step.AUTHORIZE: self.token is not None,
            Step.TOKEN: self.token is not None,
            Step.ENROLL: self.is_enrolled,
            Step.REQUEST: is_issued,
            Step.TRUST: self.has_trust,
            Step.CERTIFICATE: self.identity.record.active is not None,
            Step.CALL: self.is_answered,
        }
        return tuple(step for step in self.wanted if holds.get(step))

    @property
    def wanted(self) -> tuple[Step, ...]:
        """The steps of this identity in order."""
        return tuple(step for step in Step if not (self.skips_oauth and step in OAUTH))

    @property
    def next(self) -> Step:
        """The first step that is not done. Only a person can see whether reminders arrive."""
        done = self.done
        return next(step for step in self.wanted if step not in done)


def usable_token(store: Store, name: str, *, profile_id: str | None = None, now: datetime) -> Kept | None:
    """Return the token to use: of those that work or can be refreshed, a user's if there is one, and the latest.

    Raises:
        StoreError: if a token is damaged, or the store cannot be used.
    """
    usable = [
        each
        for each in tokens.every(store, name)
        if profile_id in {None, each.token.profile_id}
        and (not each.token.is_expired(now) or each.token.is_refreshable(now))
    ]
    return max(
        usable, key=lambda each: (each.token.grant == tokens.AUTHORIZATION_CODE, each.token.received_at), default=None
    )


def command(situation: Situation, *, store_uri: str | None) -> str:
    """Return the next command to run, with placeholders in capitals."""
    name = situation.identity.name
    if situation.next is Step.REMINDERS:
        days = ",".join(f"{day}d" for day in situation.policy.renewal.reminders)
        again = ["certkit", "expiry", "-q", f"identity:{name}", *(["--remind", days] if days else [])]
    else:
        again = ["certkit", "wise", "setup", name, *(["--skip-oauth"] if situation.skips_oauth else [])]
    where = ["--store", store_uri] if store_uri is not None else []
    return " ".join([shlex.join([*again, *where]), *_fill_in(situation)])


def _fill_in(situation: Situation) -> list[str]:
    match situation.next:
        case Step.CLIENT:
            client = [] if situation.client_id else ["--client-id ID"]
            return [*client, *([] if situation.redirect_uri else ["--redirect-uri URI"])]
        case Step.AUTHORIZE | Step.TOKEN:
            return ["--client-secret-file FILE", "--redirect-url 'PASTED'"]
        case Step.ENROLL:
            return ["--organization O", "--country C"]
        case Step.REQUEST:
            return [*([] if situation.has_trust else ["--ca CA.pem"]), "--cert CERT.pem"]
        case Step.TRUST:
            return ["--ca CA.pem"]
        case Step.CALL if situation.skips_oauth:
            return ["--token-file FILE"]
        case Step.CALL:
            return ["--client-secret-file FILE"]
    return []


def advice(situation: Situation) -> str:
    """Return the next action of a person, in one sentence."""
    pending, portal = situation.overview.pending, situation.policy.portal.name or "the partner's portal"
    called = f" under the name {pending.certificate_name}" if pending and pending.certificate_name else ""
    return {
        Step.CLIENT: "find the client id and a redirect URI that Wise has configured for this environment",
        Step.AUTHORIZE: (
            "open the page, choose an account and grant access; then copy the URL that the browser is redirected to"
        ),
        Step.TOKEN: "paste the URL that the browser was redirected to after access was granted",
        Step.ENROLL: "give the organization that the certificate is for, to create a key and a CSR",
        Step.REQUEST: f"in {portal}, submit the CSR{called}, and copy the certificate and the CA certificate",
        Step.TRUST: f"in {portal}, download the CA certificate",
        Step.CERTIFICATE: "activate the certificate",
        Step.CALL: "call Wise with the certificate and a token",
        Step.REMINDERS: "the set-up is complete; last step: schedule reminders",
    }[situation.next]
