"""One run of Wise's guide: every step that can be done with what is given, in order.

`run` is the use case behind `certkit wise setup`, and a program can call it too. It never waits for a person: questions
go to a `Person`, and a program that has none gets as far as its input allows. Everything is kept in the store, so the
next run continues where this one stopped.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from certkit.csr import keyfile
from certkit.errors import InputError, RefusedError
from certkit.findings import Status
from certkit.identity import activate, install, overview
from certkit.identity.enroll import enroll
from certkit.policy import catalogue
from certkit.stores.base import AbsentError
from certkit.stores.record import State
from certkit.wise import addresses, endpoints, exchange, first_call, guide, oauth_state, redirect
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
    from certkit.wise.guide import Situation
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
class Given:
    """The values given for a run, all of them optional. A person's answers are added.

    `policy` is the name or path of a policy, `ca` is PEM, `certificate` is the file from Developer Hub.
    """

    policy: str | None = None
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
    skips_oauth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The external services of a run.

    `client_secret` returns the client secret; its argument is whether it may fail; `how` returns how to activate a
    generation. A request to Wise may take `timeout` seconds.
    """

    clock: Callable[[], datetime]
    client_secret: Callable[[], Secret]
    optional_secret: Callable[[], Secret | None]
    how: Callable[[Store, StoredIdentity], Activation]
    timeout: float
    person: Person | None = None
    progress: Progress = keyfile.silent
    warn: Callable[[CertkitError], None] = lambda _: None
    warn_of: Callable[[Sequence[Finding]], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Reached:
    """The progress of a run: `url` is the page where access is granted, if this run asked for access."""

    situation: Situation
    changed: bool
    url: str | None


def run(store: Store, name: str, given: Given, around: Surroundings) -> Reached:
    """Do every step that can be done, and return how far the identity has come.

    Raises:
        RefusedError: if Wise or a check refuses something.
        InputError: if something given cannot be used, or Wise cannot be reached.
        StoreError: if the store cannot be used.
    """
    addresses.optional(addresses.require_client_id, given.client_id)
    addresses.optional(addresses.require_redirect_uri, given.redirect_uri)
    steps = _Run(store, name, given, around)
    identity = steps.begin()
    steps.policy = catalogue.load(identity.record.settings.policy)
    if steps.grant() and steps.enroll():
        steps.trust()
        steps.install()
    return Reached(steps.call(), steps.changed, steps.url)


@dataclass(slots=True)
class _Run:
    """The steps of one run."""

    store: Store
    name: str
    given: Given
    around: Surroundings
    changed: bool = False
    url: str | None = None
    policy: Policy = field(init=False)

    def situation(self) -> Situation:
        return guide.situation(
            self.store,
            self.name,
            self.policy,
            client_id=self.given.client_id,
            redirect_uri=self.given.redirect_uri,
            profile_id=self.given.profile_id,
            skips_oauth=self.given.skips_oauth,
            now=self.around.clock(),
        )

    def begin(self) -> StoredIdentity:
        """Load or create the identity."""
        given, person = self.given, self.around.person
        is_new = self.store.find(self.name) is None
        if is_new and person and not (given.policy or given.base_url):
            given.policy = addresses.ENVIRONMENTS[person.choice("Environment", tuple(addresses.ENVIRONMENTS))]
        base_url = addresses.optional(addresses.require_base_url, given.base_url)
        if given.policy is not None:
            catalogue.load(given.policy)  # before anything is written for it
        try:
            found = endpoints.identity(self.store, self.name, policy=given.policy, base_url=base_url)
        except AbsentError as error:
            message = f"identity {self.name!r} does not exist yet; say which environment"
            hint = f"give --environment {'|'.join(addresses.ENVIRONMENTS)}, or --policy for a rehearsal"
            raise InputError(message, hint=hint) from error
        self.changed = is_new
        if not given.skips_oauth:
            self._note()
        return found

    def grant(self) -> bool:
        """Get a token. Return whether to continue."""
        found, given, person = self.situation(), self.given, self.around.person
        if found.skips_oauth:
            return True
        if found.token is None and person:
            if found.client_id is None:
                client_id = person.line("Client id", check=addresses.require_client_id)
                given.client_id = addresses.require_client_id(client_id or "")
                self._note()
            if found.redirect_uri is None:
                redirect_uri = person.line("Redirect URI", check=addresses.require_redirect_uri)
                given.redirect_uri = addresses.require_redirect_uri(redirect_uri or "")
                self._note()
            found = self.situation()
        if found.token is None and None in {found.client_id, found.redirect_uri}:
            return False
        pasted = given.redirect_url
        if pasted is None and found.token is None:
            pasted = self._send_to_wise(found.client_id or "", found.redirect_uri or "")
        if pasted is not None:
            self._exchange(pasted, found)
        return found.token is not None or pasted is not None

    def _note(self) -> None:
        """Keep the client id and redirect URI for the next run."""
        if self.given.client_id or self.given.redirect_uri:
            noted = {"client_id": self.given.client_id, "redirect_uri": self.given.redirect_uri}
            self.changed |= oauth_state.note(self.store, self.name, **noted)

    def _send_to_wise(self, client_id: str, redirect_uri: str) -> str | None:
        """Create the URL where access is granted. Return the URL that a person pastes afterwards."""
        asked = {"client_id": client_id, "redirect_uri": redirect_uri}
        state = oauth_state.remember(self.store, self.name, **asked, now=self.around.clock())
        self.changed = True
        self.url = addresses.authorize_url(self.policy, **asked, state=state)
        if self.around.person is None:
            return None
        self.around.person.visit(self.url)
        check = functools.partial(redirect.parse, redirect_uri=redirect_uri)
        question = "Paste the URL that the browser is redirected to (press Enter to do this later)"
        return self.around.person.line(question, check=check)

    def _exchange(self, pasted: str, found: Situation) -> None:
        if found.redirect_uri is None:
            raise InputError("the redirect URI is missing", hint="give --redirect-uri")
        parsed = redirect.parse(pasted, redirect_uri=found.redirect_uri)
        if found.token is not None and oauth_state.is_used(self.store, self.name, parsed):
            return  # an earlier run exchanged it already
        if found.client_id is None:
            raise InputError("the client id is missing", hint="give --client-id")
        client = Client(id=found.client_id, secret=self.around.client_secret())
        exchange.exchange(self.store, self.name, self._endpoint(), client, redirect=parsed, now=self.around.clock())
        self.changed = True

    def _endpoint(self) -> TokenEndpoint:
        identity = self.store.load(self.name)
        how: dict[str, Any] = {"base_url": self.given.base_url, "timeout": self.around.timeout}
        return endpoints.endpoint(self.store, identity, self.policy, **how)

    def enroll(self) -> bool:
        """Create a key and a CSR. Return whether to continue."""
        found, given, person = self.situation(), self.given, self.around.person
        if not found.is_enrolled and not given.subject.organization and person:
            organization = person.line("Organization, by its legal name (press Enter to do this later)") or ""
            country = given.subject.country or person.line("Country, two letters (or none)") or ""
            given.subject = replace(given.subject, organization=organization, country=country)
        if not given.subject.organization:
            return found.is_enrolled
        known = found.identity.record.settings
        wanted = replace(
            known,
            subject=given.subject,
            key_type=given.key_type or known.key_type,
            client_id=found.client_id if known.is_blank else known.client_id,
        )
        now, progress = self.around.clock(), self.around.progress
        done = enroll(self.store, self.name, wanted, self.policy, now=now, progress=progress)
        self.around.warn_of(done.findings)
        self.changed |= done.changed
        return True

    def trust(self) -> None:
        """Keep Wise's CA certificate, if it is given."""
        bundle, found = self.given.ca, self.situation()
        if bundle is None and self.around.person and not found.has_trust:
            bundle = self.around.person.certificate("Wise's CA certificate", found)
        if bundle is not None:
            known, now = self.store.load(self.name), self.around.clock()
            self.changed |= install.trust(self.store, known, self.policy, bundle, now=now).changed

    def install(self) -> None:
        """Install the certificate, and activate it."""
        found, number, pasted = self.situation(), None, self.given.certificate
        is_first = found.identity.record.active is None
        waits = is_first and overview.in_state(found.identity, State.PENDING)
        if pasted is None and waits and self.around.person:
            text = self.around.person.certificate("the certificate that Developer Hub shows", found)
            pasted = None if text is None else text.encode()
        if pasted is not None:
            done, number = install.install(self.store, found.identity, pasted, self.policy, now=self.around.clock())
            self.around.warn_of(done.findings)
            self.changed |= done.changed
        identity = self.store.load(self.name)
        if number is not None or (is_first and overview.in_state(identity, State.ISSUED)):
            how, now = self.around.how(self.store, identity), self.around.clock()
            self.changed |= activate.activate(self.store, identity, number, how=how, now=now).changed

    def call(self) -> Situation:
        """Call Wise with certificate and token, if there are both."""
        found, token = self.situation(), self.given.token
        if found.identity.record.active is None or (token is None and found.token is None and not found.skips_oauth):
            return found
        if token is None and found.token is not None:
            fresh = exchange.fresh(
                self.store,
                self.name,
                found.token,
                endpoint=self._endpoint,
                secret=self.around.optional_secret,
                clock=self.around.clock,
                warn=self.around.warn,
            )
            if fresh.is_expired(self.around.clock()):
                return found
            token = fresh.access
        finding = first_call.call(self._endpoint(), self.policy, token, now=self.around.clock())
        if finding.status is Status.CRITICAL:
            raise RefusedError(f"{self.name}: {finding.message}", hint=finding.hint, findings=(finding,))
        if finding.status is Status.UNKNOWN:
            raise InputError(f"cannot call Wise for {self.name}: {finding.message}", hint=finding.hint)
        return replace(found, is_answered=finding.status is Status.OK)
