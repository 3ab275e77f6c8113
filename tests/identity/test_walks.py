"""Walks through the life of an identity: wherever the commands lead, what they print leads to a certificate that works.

The commands are those of `certkit.store`, which the command line is built on, at times that are given.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

import pytest
from cryptography import x509
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from certkit.api.handle import StoreHandle, opener
from certkit.api.machine import Machine
from certkit.api.store import IdentityStore
from certkit.errors import CertkitError
from certkit.findings import Status
from certkit.identity import credentials, overview
from certkit.identity.issuers import IssuerAnswer
from certkit.policy.catalogue import load
from certkit.stores.record import State
from tests import pki
from tests.openbao import ROOT_TOKEN

POLICY = load("wise-sandbox")
ROOTS = [
    pki.root(pki.name(O="Partner", CN=f"Root CA {number}"), begin=pki.NOW - pki.YEAR, end=pki.NOW + 40 * pki.YEAR)
    for number in range(3)
]
ISSUERS = [root.intermediate(begin=pki.NOW - pki.YEAR, end=pki.NOW + 30 * pki.YEAR) for root in ROOTS]
FOREIGN = pki.root(pki.name(O="Somebody else", CN="Root"), begin=pki.NOW - pki.YEAR, end=pki.NOW + 40 * pki.YEAR)
LIFE = timedelta(days=180)
# More than this is going round in circles.
MOST_COMMANDS = 10
HOOK = '[hooks.reload]\ncommand = ["/usr/bin/test", "-e", "{folder}/ok"]\n'
PREFIXES = itertools.count()
ENROLL = {"policy": "wise-sandbox", "organization": "Acme Ltd", "country": "GB"}


@dataclass(frozen=True)
class PartnerMachine(Machine):
    """A machine on which the program of the issuer is the partner of the walk."""

    walk: object = None

    @contextlib.contextmanager
    def issuing(self, store, identity):
        """Yield the partner, unless a person fetches certificates."""
        yield None if identity.record.settings.issuer == "manual" else self.walk


class Walk(RuleBasedStateMachine):
    """An identity, a partner whose CA changes, a hook that may fail, and a clock."""

    uri = ""
    folder = None
    variables: ClassVar[dict[str, str]] = {}

    def __init__(self):
        super().__init__()
        self.now, self.ca, self.trusted, self.hook_fails, self.said, self.ran = pki.NOW, 0, ROOTS[0], False, "", []
        where = self.uri.format(number=next(PREFIXES), folder=self.folder)
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **self.variables}
        (self.folder / "certkit.toml").write_text(HOOK.format(folder=self.folder))
        variables["CERTKIT_CONFIG"] = str(self.folder / "certkit.toml")
        opening = replace(opener(variables), clock=lambda: self.now, warn=lambda _: None)
        self.store = IdentityStore(
            StoreHandle(where, None, opening), PartnerMachine(opener=opening, policy=load, walk=self)
        )
        self.set_hook(works=True)
        self.run("enroll", **ENROLL, ca=ROOTS[0].pem, deploy_hook="reload")

    def teardown(self):
        """From wherever the walk has led, the printed commands lead to a certificate that works."""
        self.set_hook(works=True)
        self.follow()
        with self.store._handle.use() as opened:
            opened.remove("acme")
        self.store._handle.close()

    # What the partner and the clock do

    def set_hook(self, *, works):
        """Let the deploy hook succeed or fail."""
        (self.folder / "ok").touch() if works else (self.folder / "ok").unlink(missing_ok=True)

    def issue(self, csr, *, ca=None, days=LIFE.days):
        """A certificate of the partner's present CA, or of another one; it began an hour and a half ago."""
        issuer = ca or ISSUERS[self.ca]
        key = x509.load_pem_x509_csr(csr).public_key()
        end = self.now + timedelta(days=days)
        begin = min(self.now - timedelta(minutes=90), end - pki.DAY)
        made = issuer.issue(public_key=key, begin=begin, end=end)
        return IssuerAnswer(certificates=made.pem + issuer.pem)

    @rule(hours=st.sampled_from([-1, 1, 24, 24 * 8, 24 * 60, 24 * 150, 24 * 400]))
    def time_passes(self, hours):
        """The clock goes on, or jumps back by an hour."""
        self.now += timedelta(hours=hours)

    @rule()
    def the_ca_changes(self):
        """The partner signs with another CA from now on."""
        self.ca = (self.ca + 1) % len(ROOTS)

    @rule(works=st.booleans())
    def the_hook(self, works):
        """Fails from now on, or works again."""
        self.set_hook(works=works)

    # Commands

    def run(self, command, *arguments, **options):
        """Run a command; what it prints."""
        self.ran.append((command, *(each if isinstance(each, str) else "CERT" for each in arguments), *options))
        try:
            found = getattr(self.store, command)("acme", *arguments, **options)
        except CertkitError as error:
            self.said = f"{error.message}. {error.hint}"
        else:
            outcome = getattr(found, "outcome", None)
            said = f"{outcome.message}. {outcome.hint}. " if outcome else ""
            self.said = said + getattr(found, "next", "")
        self.ran.append(self.said)

    def identity(self):
        """The identity as it is stored."""
        with self.store._handle.use() as opened:
            return opened.load("acme")

    def waiting(self):
        """The CSR that waits for its certificate, if there is one."""
        pending = overview.in_state(self.identity(), State.PENDING)
        return pending[-1].csr if pending else None

    @rule(kind=st.sampled_from(["good", "foreign", "expired", "short"]), no_activate=st.booleans())
    def install(self, kind="good", no_activate=False):  # noqa: FBT002
        """A person brings a certificate: what was asked for, or what must be refused."""
        csr = self.waiting()
        if csr is None:
            return
        days = {"expired": -1, "short": 20}.get(kind, LIFE.days)
        made = self.issue(csr, ca=FOREIGN if kind == "foreign" else None, days=days)
        self.run("install", made.certificates, no_activate=no_activate)

    @rule(force=st.booleans())
    def renew(self, force):
        """Run what cron runs."""
        self.run("renew", force=force)

    @rule(replace_ca=st.booleans(), force=st.booleans())
    def update(self, replace_ca, force):
        """Trust the partner's present CA, too, or nothing else."""
        self.run("update", ca=ROOTS[self.ca].pem, replace_ca=replace_ca, force=force)

    @rule(issuer=st.sampled_from(["manual", "command:partner"]))
    def change_issuer(self, issuer):
        """Certificates come from a person, or at once."""
        self.run("update", issuer=issuer)

    @rule(number=st.sampled_from([None, "0001", "0002", "0003"]))
    def activate(self, number):
        """Put a generation to use."""
        self.run("activate", *filter(None, [number]))

    @rule(command=st.sampled_from(["rollback", "discard"]))
    def step_back(self, command):
        """Return to the generation before, or drop a request."""
        self.run(command)

    @rule(number=st.sampled_from(["0001", "0002", "0003"]))
    def retire(self, number):
        """Put a generation out of use for good."""
        self.run("retire", number)

    @rule()
    def prune(self):
        """Delete what nothing uses."""
        self.run("prune", keep=0)

    # What holds at any time

    @invariant()
    def is_sound(self):
        """At most one generation is active, it has a certificate with its key, and no key is without an owner."""
        with self.store._handle.use() as opened:
            found = opened.load("acme")
            kept = {each.number for each in found.generations}
            assert len(overview.in_state(found, State.ACTIVE)) == (found.record.active is not None)
            assert found.record.active is None or found.record.active in kept
            assert kept <= set(found.record.facts)
            for each in found.generations:
                credentials.require_pair(found, each.number, opened.key("acme", each.number))
        assert len(overview.in_state(found, State.PENDING)) <= 1

    def is_well(self):
        """Return whether a certificate is in use that the partner accepts, and nothing is left to do."""
        shown = self.store.show("acme")
        if shown.active is None or shown.status is not Status.OK or shown.next != "nothing":
            return False
        identity = self.identity()
        try:
            credentials.require_trusted(identity, identity.record.active, now=self.now)
        except CertkitError:
            return False
        return shown.active.not_before <= self.now < shown.active.not_after

    def follow(self):
        """Run what cron runs, then what is printed, until everything is OK."""
        done, following = [], ["renew", "acme"]
        while True:
            self.obey(following)
            done.append(following)
            if self.is_well():
                return
            printed = re.findall(r"certkit identity ((?:[^\s;,`)]+ ?)+)", self.said)
            leading = [each.strip().rstrip(".").split() for each in printed]
            leading = [each for each in leading if each[0] not in {"show", "log", "list"}]
            fresh = [each for each in leading if each not in done]
            if len(done) == MOST_COMMANDS:
                pytest.fail("\n".join(map(str, self.ran)))
            following = (fresh or leading or [["renew", "acme"]])[0]

    def obey(self, words):
        """Run a printed command as a person does: with the certificate from the portal, and the partner's CA."""
        command, *arguments = words
        options = {each for each in arguments if each.startswith("--")}
        if command == "install":
            self.install()
        elif command == "enroll":
            self.run("enroll", **ENROLL)
        elif command == "update":
            assert "--ca" in options, words
            self.update(replace_ca=False, force=False)
        elif command == "renew":
            self.renew(force="--force" in options)
        elif command in {"activate", "retire", "discard", "rollback"}:
            self.run(command, *[each for each in arguments[1:] if not each.startswith("--")])
        else:
            pytest.fail(f"not a command that leads on: {words}")


@pytest.mark.parametrize(("kind", "walks"), [("file", 25), ("vault", 4)])
def test_walks(tmp_path, openbao, kind, walks):
    """On both stores, a number of walks of up to fifteen commands and events."""

    class Here(Walk):
        uri = {"file": "file:{folder}/store-{number}", "vault": "vault://secret/walks/{number}"}[kind]
        folder = tmp_path
        variables: ClassVar = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": ROOT_TOKEN}

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    bounds = settings(
        max_examples=walks, stateful_step_count=15, deadline=None, derandomize=True, suppress_health_check=checks
    )
    run_state_machine_as_test(Here, settings=bounds)
