"""`certkit.identity.activate`: probes before and after the pointer moves, and deploy hooks."""

from __future__ import annotations

import os

import pytest

from certkit.errors import InputError, RefusedError
from certkit.findings import critical, ok, unknown
from certkit.identity import activate as activation
from certkit.identity import overview
from certkit.identity.activate import Activation, Deployment
from certkit.identity.hooks import HookError
from certkit.identity.programs import Program
from certkit.times import rfc3339
from tests import pki
from tests.identity.conftest import enroll, everything, install, issue, pasted, request_again, states, use

REFUSED = critical("client-certificate", "the partner refuses it", "look at it")
AWAY = unknown("connect", "nobody answers", "try again")
WELL = ok("client-certificate", "the partner takes it")


class Asking:
    """A probe that gives one answer after the other; it remembers whom it was asked about, and what was in use then."""

    def __init__(self, store, *answers):
        self.store, self.answers, self.asked = store, list(answers), []

    def __call__(self, identity, number):
        """The next answer."""
        self.asked.append((number, self.store.load(identity.name).record.active))
        return self.answers.pop(0)


@pytest.fixture
def renewed(store):
    """A store with an identity in use, and a newer certificate that is not."""
    use(store)
    number = request_again(store)
    install(store, pasted(issue(store, number)))
    return store


@pytest.fixture
def hook(tmp_path):
    """A function that writes a hook; each appends its environment to a file."""

    def write(text="", name="hook"):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\nenv | grep -E "CERTKIT_|RENEWED_" >>"{tmp_path}/told"\n{text}\n')
        path.chmod(0o755)
        return path

    return write


def deploying(*programs):
    """How to put to use, with hooks."""
    found = [Program((str(each),)) for each in programs]
    return Activation(deployment=Deployment(programs=found, environment={"PATH": os.defpath}))


def activate(store, number=None, how=activation.PLAIN):
    """Make a generation the active one."""
    return activation.activate(store, store.load("acme"), number, how=how, now=pki.NOW)


def test_the_new_pair_is_proved(renewed):
    """Before the pointer moves, and once more when it has moved."""
    probe = Asking(renewed, WELL, WELL)
    done = activate(renewed, how=Activation(probe=probe))
    assert probe.asked == [("0002", "0001"), ("0002", "0002")]
    assert (done.changed, done.findings, states(renewed)) == (True, (WELL,), {"0001": "previous", "0002": "active"})


@pytest.mark.parametrize(("answer", "error"), [(REFUSED, RefusedError), (AWAY, InputError)])
def test_what_is_not_proved(renewed, answer, error):
    """Does not get the pointer, and nothing changes; it is said which generation it was, and what the hint is."""
    before = everything(renewed)
    with pytest.raises(
        error, match=f"the probe of generation 0002 (failed|could not be made): {answer.message}; the active gener"
    ) as no:
        activate(renewed, how=Activation(probe=Asking(renewed, answer)))
    again = "; or request another one: certkit identity renew acme --force" if answer is REFUSED else ""
    assert no.value.hint == answer.hint + again
    assert isinstance(no.value, RefusedError) == (answer is REFUSED)
    assert everything(renewed) == before


@pytest.mark.parametrize(("answer", "error"), [(REFUSED, RefusedError), (AWAY, InputError)])
def test_what_fails_once_it_is_in_use(renewed, hook, answer, error):
    """Loses the pointer at once to what was in use before, and no hook runs."""
    how = Activation(probe=Asking(renewed, WELL, answer), deployment=deploying(hook()).deployment)
    with pytest.raises(error, match=f"{answer.message}; rolled back to generation 0001") as caught:
        activate(renewed, how=how)
    assert not caught.value.is_changed
    # It can be tried again, and `rollback` never chooses it.
    assert states(renewed) == {"0001": "active", "0002": "issued"}
    assert renewed.load("acme").record.previous is None
    assert renewed.load("acme").record.active == "0001"
    assert renewed.load("acme").record.undeployed is None
    assert not hook().with_name("told").exists()


def test_the_first_one_that_fails_once_it_is_in_use(store):
    """Stays, for there is nothing else; it is said so."""
    enroll(store)
    install(store, pasted(issue(store)))
    with pytest.raises(RefusedError, match="there is no earlier generation to roll back to") as caught:
        activate(store, how=Activation(probe=Asking(store, WELL, REFUSED)))
    assert caught.value.is_changed
    assert states(store) == {"0001": "active"}


def test_what_is_in_use_is_not_proved_again(renewed):
    """Nothing moves, so the server is not probed."""
    assert not activate(renewed, "0001", how=Activation(probe=Asking(renewed))).changed


def test_going_back_asks_nobody(renewed):
    """It has proved itself, and there is haste."""
    activate(renewed)
    activation.rollback(renewed, renewed.load("acme"), how=Activation(probe=Asking(renewed)), now=pki.NOW)
    assert states(renewed) == {"0001": "active", "0002": "previous"}


def test_hooks(renewed, hook, tmp_path):
    """Run one after the other once the generation is active, with certbot's variables too, and without a key."""
    done = activate(renewed, how=deploying(hook("exit 0", "a"), hook(name="b")))
    told = dict(line.split("=", 1) for line in (tmp_path / "told").read_text().splitlines())
    identity = renewed.load("acme")
    where = renewed.location(identity, "0002")
    certificate = overview.certificate(overview.generation(identity, "0002"))
    key = {"CERTKIT_KEY_PATH" if where.is_directory else "CERTKIT_KEY_REFERENCE": where.key}
    assert told == {
        "CERTKIT_NAME": "acme",
        "CERTKIT_LINEAGE": where.lineage,
        "RENEWED_LINEAGE": where.lineage,
        "CERTKIT_CERT_PATH": where.certificate,
        "CERTKIT_CHAIN_PATH": where.fullchain,
        "CERTKIT_NOT_AFTER": rfc3339(certificate.not_after),
        **key,
    }
    assert (tmp_path / "told").read_text().count("CERTKIT_NAME=acme") == 2
    assert done.identity.record.undeployed is None


def test_a_hook_that_fails(renewed, hook, tmp_path):
    """Is an error, the generation is active, the state records the failure, and all run again until they succeed."""
    with pytest.raises(HookError, match="it exited with code 7"):
        activate(renewed, how=deploying(hook(name="a"), hook("exit 7", "b"), hook(name="c")))
    assert renewed.load("acme").record.undeployed == "0002"
    assert states(renewed) == {"0001": "previous", "0002": "active"}
    again = activate(renewed, how=deploying(hook(name="a"), hook(name="b"), hook(name="c")))
    assert (again.changed, again.identity.record.undeployed) == (False, None)
    assert (tmp_path / "told").read_text().count("CERTKIT_NAME=acme") == 5


def test_hooks_that_succeeded(renewed, hook, tmp_path):
    """Do not run again where nothing changed."""
    for _ in range(3):
        activate(renewed, how=deploying(hook()))
    assert (tmp_path / "told").read_text().count("CERTKIT_NAME=acme") == 1


def test_a_host_without_hooks(renewed, hook):
    """Leaves those that failed on another host to be run there."""
    with pytest.raises(HookError):
        activate(renewed, how=deploying(hook("exit 1")))
    assert activate(renewed).identity.record.undeployed == "0002"


def test_hooks_run_when_going_back(renewed, hook, tmp_path):
    """The active generation has changed then, too."""
    activate(renewed)
    activation.rollback(renewed, renewed.load("acme"), how=deploying(hook()), now=pki.NOW)
    assert "CERTKIT_NAME=acme" in (tmp_path / "told").read_text()


def test_a_key_of_another_certificate(store):
    """Is not put to use from a directory; in Vault it is not looked at, for not everybody may read it."""
    enroll(store)
    enroll(store, "other")
    data = pasted(issue(store))
    store.create("mixed", store.load("acme").record)
    store.add("mixed", "0001", key=store.key("other", "0001"), csr=store.load("acme").generations[0].csr)
    install(store, data, "mixed")
    if store.uri.startswith("vault:"):
        assert activation.activate(store, store.load("mixed"), now=pki.NOW).changed
        return
    with pytest.raises(InputError, match="its private key does not belong to its certificate"):
        activation.activate(store, store.load("mixed"), now=pki.NOW)
    assert store.load("mixed").record.active is None
