"""`certkit wise setup`: all steps, one after the other, from the client credentials to a call by mTLS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.identity import in_store
from certkit.cli.key import KEY_TYPES
from certkit.cli.shared import activating, inputs, pasting
from certkit.cli.shared.output import progress as shown
from certkit.cli.wise import WHICH_HINT, environment_options
from certkit.errors import InputError, RefusedError
from certkit.findings import Status

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import Asked
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store
    from certkit.wise.guide import Situation


@click.command()
@click.argument("name", metavar="NAME")
@environment_options
@click.option("--base-url", metavar="URL", help="In place of Wise's API: a proxy.")
@click.option("--client-id", metavar="ID", help="The client id of this environment.")
@inputs.file_option("--client-secret-file", metavar="FILE", help="Its first line is the client secret.")
@click.option("--redirect-uri", metavar="URI", help="One that Wise has configured for the client.")
@click.option("--redirect-url", metavar="URL", help="The address that granting access led to, as pasted; - reads it.")
@click.option("--profile", "profile_id", metavar="ID", help="The profile, where there are several.")
@inputs.subject_options
@click.option("--type", "key_type", type=click.Choice(KEY_TYPES), help="The key's type.  [default: the policy's first]")
@inputs.file_option("--ca", metavar="FILE", help="Wise's CA certificate, as Developer Hub gives it.")
@inputs.file_option("--cert", metavar="FILE", help="The certificate that Developer Hub shows; - reads it.")
@inputs.file_option("--token-file", metavar="FILE", help="An access token of your own (or CERTKIT_TOKEN).")
@click.option("--skip-oauth", is_flag=True, help="Begin with the key: tokens are there already.")
@inputs.timeout_option("For each request, all in all.")
@in_store
def setup(output: Output, store: Store, *, name: str, **options: Any) -> int:
    """Go through all steps of Wise's guide: access, tokens, key and CSR, certificate, and a call by mTLS.

    Each run does what it can with what it is given, and says what is done and what is next. Stop and come back whenever
    you like: all is kept in the store. On a terminal it asks for what is missing; elsewhere it never waits.

    \b
    Example:
      certkit wise setup acme --environment sandbox --client-id acme --redirect-uri https://acme.example/wise
    """
    from certkit.stores.record import require_name
    from certkit.wise import addresses

    addresses.optional(addresses.require_client_id, options["client_id"])
    addresses.optional(addresses.require_redirect_uri, options["redirect_uri"])
    walk = _Walk(output=output, store=store, name=require_name(name), options=options)
    walk.begin()
    for step in (walk.grant, walk.enroll, walk.trust, walk.install):
        if not step():
            break
    return walk.tell(walk.call())


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One run: `url` is the page where access is granted, once it was asked for."""

    output: Output
    store: Store
    name: str
    options: dict[str, Any]
    changed: bool = False
    url: str | None = None
    policy: Policy = field(init=False)

    @property
    def asks(self) -> bool:
        """Whether a person is there to be asked."""
        return inputs.is_terminal() and not self.output.as_json

    @property
    def asked(self) -> Asked:
        """How Wise is asked."""
        from certkit.cli.wise.options import Asked

        given = {each: self.options[each] for each in Asked.__dataclass_fields__ if each in self.options}
        return Asked(**{**given, "client_id": self.look().client_id, "policy": None, "plain": False, "ca": None})

    def look(self) -> Situation:
        """How far it has come."""
        from certkit.wise import guide

        return guide.look(
            self.store,
            self.name,
            self.policy,
            client_id=self.options["client_id"],
            redirect_uri=self.options["redirect_uri"],
            profile_id=self.options["profile_id"],
            skips_oauth=self.options["skip_oauth"],
            now=inputs.now(),
        )

    def begin(self) -> None:
        """Have the identity, new or as it is."""
        from certkit.cli.wise import policy_of
        from certkit.identity.enroll import settings_of
        from certkit.stores.base import AbsentError
        from certkit.wise import addresses, endpoints

        is_new = settings_of(self.store, self.name) is None
        if is_new and self.asks and not any(self.options[each] for each in ("environment", "policy_name", "base_url")):
            self.options["environment"] = pasting.choice("Environment", tuple(addresses.ENVIRONMENTS))
        base_url = addresses.optional(addresses.require_base_url, self.options["base_url"])
        policy = policy_of(environment=self.options["environment"], policy_name=self.options["policy_name"])
        if policy is not None:
            inputs.policy(policy)  # before anything is made for it
        try:
            found = endpoints.identity(self.store, self.name, policy=policy, base_url=base_url)
        except AbsentError as error:
            raise InputError(f"{error.message}, and nothing tells its environment", hint=WHICH_HINT) from error
        self.changed = is_new
        if not self.options["skip_oauth"]:
            self._note()
        self.policy = inputs.policy(found.record.settings.policy)

    def grant(self) -> bool:
        """Have a token; whether the way goes on."""
        found = self.look()
        if found.skips_oauth:
            return True
        if found.token is None and None in {found.client_id, found.redirect_uri} and self.asks:
            self._ask_for_client(found)
            found = self.look()
        if found.token is None and None in {found.client_id, found.redirect_uri}:
            return False
        pasted = self.options["redirect_url"]
        if pasted is None and found.token is None:
            pasted = self._sent(found)
        if pasted is not None:
            self._exchange(inputs.typed(pasted), found)
        return found.token is not None or pasted is not None

    def _ask_for_client(self, found: Situation) -> None:
        from certkit.wise import addresses

        if found.client_id is None:
            self.options["client_id"] = addresses.require_client_id(pasting.line("Client id") or "")
            self._note()
        if found.redirect_uri is None:
            self.options["redirect_uri"] = addresses.require_redirect_uri(pasting.line("Redirect URI") or "")
            self._note()

    def _note(self) -> None:
        """Remember what is given of the client, for a run that goes on from here."""
        from certkit.wise import oauth_state

        given = {each: self.options[each] for each in ("client_id", "redirect_uri")}
        if any(given.values()):
            self.changed |= oauth_state.note(self.store, self.name, **given)

    def _sent(self, found: Situation) -> str | None:
        """Send the user to the page where access is granted; what is pasted then, if somebody is there to paste it."""
        from certkit.wise import addresses, oauth_state

        assert found.client_id is not None  # noqa: S101  looked for before
        assert found.redirect_uri is not None  # noqa: S101  looked for before
        client_id, redirect_uri = found.client_id, found.redirect_uri
        now = inputs.now()
        state = oauth_state.remember(self.store, self.name, client_id=client_id, redirect_uri=redirect_uri, now=now)
        self.changed = True
        self.url = addresses.authorize_url(self.policy, client_id=client_id, redirect_uri=redirect_uri, state=state)
        if not self.asks:
            return None
        self.output.say(f"open this address, pick an account and grant access: {self.url}")
        return pasting.line("Paste the address that it leads to (Enter alone: later)")

    def _exchange(self, pasted: str, found: Situation) -> None:
        from certkit.wise import oauth_state, redirect
        from certkit.wise.exchange import exchange

        if found.redirect_uri is None:
            raise InputError("usage, certkit wise setup: there is no redirect URI", hint="give --redirect-uri")
        parsed = redirect.parse(pasted, redirect_uri=found.redirect_uri)
        if found.token is not None and oauth_state.is_used(self.store, self.name, parsed):
            return  # a run before this one has got as far
        client, endpoint = self.asked.client(), self.asked.endpoint(self.store, self.name)
        exchange(self.store, self.name, endpoint, client, redirect=parsed, now=inputs.now())
        self.changed = True

    def enroll(self) -> bool:
        """Have a key and a CSR; whether the way goes on."""
        from certkit.identity.enroll import enroll

        found = self.look()
        if not found.is_enrolled and not self.options["organization"] and self.asks:
            self.options["organization"] = pasting.line("Organization, by its legal name (Enter alone: later)") or ""
            self.options["country"] = self.options["country"] or pasting.line("Country, two letters (or none)") or ""
        if not self.options["organization"]:
            return found.is_enrolled
        known = found.identity.record.settings
        wanted = replace(
            known,
            subject=inputs.subject(self.options),
            key_type=self.options["key_type"] or known.key_type,
            client_id=found.client_id if known.is_blank else known.client_id,
        )
        done = enroll(self.store, self.name, wanted, self.policy, now=inputs.now(), progress=shown)
        self.output.warn_of(done.findings)
        self.changed |= done.changed
        return True

    def trust(self) -> bool:
        """Know the CA of Wise, if it is given; the way goes on."""
        from certkit.cli.identity.enroll import trust_bundle
        from certkit.identity.install import trust

        bundle = trust_bundle(self.options["ca"])
        if bundle is None and self.asks and not self.look().has_trust:
            self._show()
            bundle = pasting.certificate("the CA certificate of Wise")
        if bundle is not None:
            self.changed |= trust(self.store, self.name, self.policy, bundle)
        return True

    def install(self) -> bool:
        """Take in the certificate and put it to use; whether there is one in use."""
        from certkit.identity import activate, overview
        from certkit.identity import install as answer
        from certkit.stores.record import State

        found, number = self.look(), None
        pasted = None if self.options["cert"] is None else inputs.read(self.options["cert"])
        waits = overview.in_state(found.identity, State.PENDING) and found.identity.record.active is None
        if pasted is None and waits and self.asks:
            self._show()
            text = pasting.certificate("the certificate that Developer Hub shows")
            pasted = None if text is None else text.encode()
        if pasted is not None:
            done, number = answer.install(self.store, self.name, pasted, self.policy, now=inputs.now())
            self.output.warn_of(done.findings)
            self.changed |= done.changed
        is_issued = overview.in_state(self.store.load(self.name), State.ISSUED)
        if number is not None or (is_issued and found.identity.record.active is None):
            how = activating.how(self.store, self.name, deploy_hook=None)
            self.changed |= activate.activate(self.store, self.name, number, how=how, now=inputs.now()).changed
        return True

    def call(self) -> Situation:
        """The situation, with a call made if there is all that it takes.

        Raises:
            RefusedError: Wise refuses the certificate or the token.
            InputError: nobody can tell.
        """
        from certkit.wise import first_call

        found = self.look()
        token = inputs.token(self.options["token_file"])
        if found.identity.record.active is None or (token is None and found.token is None and not found.skips_oauth):
            return found
        if token is None and found.token is not None:
            from certkit.cli.wise.token import fresh

            current = fresh(self.output, self.store, self.name, found.token, self.asked)
            if current.is_expired(inputs.now()):
                return found
            token = current.access
        finding = first_call.call(self.asked.endpoint(self.store, self.name), self.policy, token, now=inputs.now())
        if finding.status is Status.CRITICAL:
            message = f"refused, {self.name}: {finding.message}"
            raise RefusedError(message, hint=finding.hint, findings=(finding,))
        if finding.status is Status.UNKNOWN:
            raise InputError(f"{self.name}: {finding.message}", hint=finding.hint)
        return replace(found, is_answered=finding.status is Status.OK)

    def tell(self, found: Situation) -> int:
        """Show how far it has come."""
        from certkit.report import setup

        if self.output.as_json:
            self.output.document(
                setup.document(found, command=self._command(found), url=self.url, changed=self.changed)
            )
        elif not self.output.quiet:
            self._show(found)
        return 0

    def _show(self, found: Situation | None = None) -> None:
        from certkit.report import setup

        found = found or self.look()
        self.output.result(setup.text(found, command=self._command(found), url=self.url, paint=self.output.paint))

    def _command(self, found: Situation) -> str:
        from certkit.wise import guide

        source = click.get_current_context().get_parameter_source("store_uri")
        store_uri = self.store.uri if source is ParameterSource.COMMANDLINE else None
        return guide.command(found, store_uri=store_uri)
