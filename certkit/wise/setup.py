"""One run of Wise's guide: every step that can be done with what is given, in order.

It never waits for a person: questions go to a `Person`, and a program that has none gets as far as its input allows.
Everything is kept in the store, so the next run continues where this one stopped.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from certkit.errors import InputError, RefusedError
from certkit.findings import Status
from certkit.identity import activate, install, overview
from certkit.identity.enroll import enroll
from certkit.policy import catalogue
from certkit.stores.base import AbsentError
from certkit.stores.record import State
from certkit.wise import addresses, endpoints, exchange, first_call, guide, oauth_state, redirect
from certkit.wise.guide import Situation
from certkit.wise.oauth import Client
from certkit.x509.names import SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from certkit.csr.keyfile import Progress
    from certkit.errors import CertkitError
    from certkit.findings import Finding
    from certkit.identity.activate import Activation
    from certkit.policy.rules import Policy
    from certkit.secret import Secret
    from certkit.stores.base import Store, StoredIdentity
    from certkit.wise.oauth import TokenEndpoint


class Person(Protocol):
    """A person at a terminal who is asked for missing values. None is an empty answer: later."""

    def line(self, question: str, *, check: Callable[[str], object] | None = None) -> str | None:
        """Ask for a line of text, and again if `check` raises InputError for it."""

    def choice(self, question: str, choices: Sequence[str]) -> str:
        """Ask for one of several words."""

    def certificate(self, what: str, found: Situation) -> str | None:
        """Show the situation, and ask for certificates as PEM."""

    def visit(self, url: str) -> None:
        """Ask for a page to be opened in a browser."""


@dataclass(slots=True, kw_only=True)
class SetupRun:
    """One run: how to reach what it needs, and the values given for it, to which a person's answers are added.

    `client_secret` returns the client secret, and `optional_secret` does so if it is known; `activation` returns the
    steps to activate a generation. A request to Wise may take `timeout` seconds. `policy_name` is the name or path of a
    policy, `ca` is PEM, `certificate` is the file from Developer Hub.
    """

    store: Store
    name: str
    clock: Callable[[], datetime]
    client_secret: Callable[[], Secret]
    optional_secret: Callable[[], Secret | None]
    activation: Callable[[Store, StoredIdentity], Activation]
    timeout: float
    person: Person | None = None
    progress: Progress = contextlib.nullcontext
    warn: Callable[[CertkitError], None] = lambda _: None
    warn_of: Callable[[Sequence[Finding]], None] = lambda _: None
    policy_name: str | None = None
    base_url: str | None = None
    client_id: str | None = None
    redirect_uri: str | None = None
    redirect_url: str | None = None
    profile_id: str | None = None
    subject: SubjectOptions = field(default_factory=SubjectOptions)
    key_type: str | None = None
    ca: str | None = None
    certificate: bytes | None = None
    token: Secret | None = None
    skip_oauth: bool = False
    changed: bool = field(init=False, default=False)
    url: str | None = field(init=False, default=None)
    policy: Policy = field(init=False)
    found: Situation = field(init=False)

    def run(self) -> Situation:
        """Do every step that can be done, and return how far the identity has come.

        Raises:
            RefusedError: if Wise or a check refuses something.
            InputError: if something given cannot be used, or Wise cannot be reached.
            StoreError: if the store cannot be used.
        """
        addresses.optional(addresses.require_client_id, self.client_id)
        addresses.optional(addresses.require_redirect_uri, self.redirect_uri)
        self.policy = catalogue.load(self.begin().record.settings.policy)
        self._look()
        if self.grant() and self.enroll():
            self.trust()
            self.install()
        return replace(self.call(), changed=self.changed, url=self.url)

    def _look(self) -> None:
        """Read how far the identity has come: at the beginning, and after each change."""
        store, name, now = self.store, self.name, self.clock()
        identity = store.load(name)
        token, asked, noted_id, noted_uri = None, None, None, None
        if not self.skip_oauth:
            token = guide.usable_token(store, name, profile_id=self.profile_id, now=now)
            asked = oauth_state.latest(store, name)
            noted_id, noted_uri = oauth_state.noted(store, name)
        made_for = token.token.client_id if token else noted_id or (asked.client_id if asked else None)
        self.found = Situation(
            identity=identity,
            policy=self.policy,
            overview=overview.overview(identity, self.policy, now=now),
            client_id=self.client_id or identity.record.settings.client_id or made_for,
            redirect_uri=self.redirect_uri or noted_uri or (asked.redirect_uri if asked else None),
            token=token,
            skips_oauth=self.skip_oauth,
        )

    def begin(self) -> StoredIdentity:
        """Load or create the identity."""
        is_new = self.store.find(self.name) is None
        if is_new and self.person and not (self.policy_name or self.base_url):
            self.policy_name = addresses.ENVIRONMENTS[self.person.choice("Environment", tuple(addresses.ENVIRONMENTS))]
        base_url = addresses.optional(addresses.require_base_url, self.base_url)
        if self.policy_name is not None:
            catalogue.load(self.policy_name)  # before anything is written for it
        try:
            found = endpoints.identity(self.store, self.name, policy=self.policy_name, base_url=base_url)
        except AbsentError as error:
            message = f"identity {self.name!r} does not exist yet; say which environment"
            hint = f"give --environment {'|'.join(addresses.ENVIRONMENTS)}, or --policy for a rehearsal"
            raise InputError(message, hint=hint) from error
        self.changed = is_new
        if not self.skip_oauth:
            self._note()
        return found

    def grant(self) -> bool:
        """Get a token. Return whether to continue."""
        person = self.person
        if self.skip_oauth:
            return True
        if self.found.token is None and person:
            if self.found.client_id is None:
                self.client_id = person.line("Client id", check=addresses.require_client_id)
                self._note()
            if self.found.redirect_uri is None:
                self.redirect_uri = person.line("Redirect URI", check=addresses.require_redirect_uri)
                self._note()
            self._look()
        found, pasted = self.found, self.redirect_url
        if found.token is None:
            if found.client_id is None or found.redirect_uri is None:
                return False
            if pasted is None:
                pasted = self._send_to_wise(found.client_id, found.redirect_uri)
        if pasted is not None:
            self._exchange(pasted)
        return found.token is not None or pasted is not None

    def _note(self) -> None:
        """Keep the client id and redirect URI for the next run."""
        if self.client_id or self.redirect_uri:
            noted = {"client_id": self.client_id, "redirect_uri": self.redirect_uri}
            self.changed |= oauth_state.note(self.store, self.name, **noted)

    def _send_to_wise(self, client_id: str, redirect_uri: str) -> str | None:
        """Create the URL where access is granted. Return the URL that a person pastes afterwards."""
        asked = {"client_id": client_id, "redirect_uri": redirect_uri}
        state = oauth_state.remember(self.store, self.name, **asked, now=self.clock())
        self.changed = True
        self.url = addresses.authorize_url(self.policy, **asked, state=state)
        if self.person is None:
            return None
        self.person.visit(self.url)
        check = functools.partial(redirect.parse, redirect_uri=redirect_uri)
        question = "Paste the URL that the browser is redirected to (press Enter to do this later)"
        return self.person.line(question, check=check)

    def _exchange(self, pasted: str) -> None:
        found = self.found
        if found.redirect_uri is None:
            raise InputError("the redirect URI is missing", hint="give --redirect-uri")
        parsed = redirect.parse(pasted, redirect_uri=found.redirect_uri)
        if found.token is not None and oauth_state.is_used(self.store, self.name, parsed):
            return  # an earlier run exchanged it already
        if found.client_id is None:
            raise InputError("the client id is missing", hint="give --client-id")
        client = Client(id=found.client_id, secret=self.client_secret())
        exchange.exchange(self.store, self.name, self._endpoint(), client, redirect=parsed, now=self.clock())
        self.changed = True
        self._look()

    def _endpoint(self) -> TokenEndpoint:
        return endpoints.endpoint(
            self.store, self.found.identity, self.policy, base_url=self.base_url, timeout=self.timeout
        )

    def enroll(self) -> bool:
        """Create a key and a CSR. Return whether to continue."""
        found, person = self.found, self.person
        if not found.is_enrolled and not self.subject.organization and person:
            organization = person.line("Organization, by its legal name (press Enter to do this later)") or ""
            country = self.subject.country or person.line("Country, two letters (or none)") or ""
            self.subject = replace(self.subject, organization=organization, country=country)
        if not self.subject.organization:
            return found.is_enrolled
        known = found.identity.record.settings
        wanted = replace(
            known,
            subject=self.subject,
            key_type=self.key_type or known.key_type,
            client_id=found.client_id if known.is_blank else known.client_id,
        )
        done = enroll(self.store, self.name, wanted, self.policy, now=self.clock(), progress=self.progress)
        self.warn_of(done.findings)
        self.changed |= done.changed
        self._look()
        return True

    def trust(self) -> None:
        """Keep Wise's CA certificate, if it is given."""
        bundle = self.ca
        if bundle is None and self.person and not self.found.has_trust:
            bundle = self.person.certificate("Wise's CA certificate", self.found)
        if bundle is not None:
            known = self.store.load(self.name)
            self.changed |= install.trust(self.store, known, self.policy, bundle, now=self.clock()).changed
            self._look()

    def install(self) -> None:
        """Install the certificate, and activate it."""
        number, pasted = None, self.certificate
        is_first = self.found.identity.record.active is None
        waits = is_first and overview.in_state(self.found.identity, State.PENDING)
        if pasted is None and waits and self.person:
            text = self.person.certificate("the certificate that Developer Hub shows", self.found)
            pasted = None if text is None else text.encode()
        if pasted is not None:
            try:
                done, number = install.install(self.store, self.found.identity, pasted, self.policy, now=self.clock())
            except RefusedError as error:
                error.hint = error.hint.replace("with --untrusted", "to the file of --cert")
                raise
            self.warn_of(done.findings)
            self.changed |= done.changed
            self._look()
        identity = self.found.identity
        if number is not None or (is_first and overview.in_state(identity, State.ISSUED)):
            how, now = self.activation(self.store, identity), self.clock()
            self.changed |= activate.activate(self.store, identity, number, how=how, now=now).changed
            self._look()

    def call(self) -> Situation:
        """Call Wise with certificate and token, if there are both."""
        found, token = self.found, self.token
        if found.identity.record.active is None or (token is None and found.token is None and not found.skips_oauth):
            return found
        if token is None and found.token is not None:
            fresh = exchange.fresh(
                self.store,
                self.name,
                found.token,
                endpoint=self._endpoint,
                secret=self.optional_secret,
                clock=self.clock,
                warn=self.warn,
            )
            if fresh.is_expired(self.clock()):
                return found
            token = fresh.access
        finding = first_call.call(self._endpoint(), self.policy, token, now=self.clock())
        if finding.status is Status.CRITICAL:
            raise RefusedError(f"{self.name}: {finding.message}", hint=finding.hint, findings=(finding,))
        if finding.status is Status.UNKNOWN:
            raise InputError(f"cannot call Wise for {self.name}: {finding.message}", hint=finding.hint)
        return replace(found, is_answered=finding.status is Status.OK)
