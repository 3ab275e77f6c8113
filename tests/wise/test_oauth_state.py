"""`certkit.wise.oauth_state`: a redirect answers what was asked for, once, and in time."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from certkit.errors import InputError, RefusedError
from certkit.secret import Secret
from certkit.wise import oauth_state
from certkit.wise.redirect import Redirect
from tests.pki import NOW

URI = "https://acme.example/wise"
MINUTE = timedelta(minutes=1)


def remember(store, at=NOW):
    """A state that was asked with."""
    return oauth_state.remember(store, "acme", client_id="acme", redirect_uri=URI, now=at)


@contextlib.contextmanager
def claimed(store, state, *, expected=None, is_whole=True, client_id="acme", uri=URI, at=NOW + MINUTE):
    """Whether the result of a redirect with that state uses up a document of the store."""
    redirect = Redirect(redirect_uri=uri, code=Secret(b"x"), state=state, is_whole=is_whole)
    before = documents(store)
    with oauth_state.claimed(store, "acme", redirect, expected=expected, client_id=client_id, now=at):
        yield documents(store) != before


def documents(store):
    """The documents of the store with their versions."""
    return [store.document("acme", each).version for each in store.documents("acme")]


def claim(store, state, **options):
    """Use up the state of a redirect; whether there was one in the store."""
    with claimed(store, state, **options) as is_known:
        return is_known


def refused(store, state, **options):
    """Why a redirect is refused."""
    with pytest.raises(RefusedError) as told:
        claim(store, state, **options)
    hints = {
        "authorize-url",
        "token show",
        "--state" if options.get("is_whole") is False else "paste the whole URL that",
    }
    assert any(each in told.value.hint for each in hints)
    return told.value.message


def test_a_state_that_was_asked_with(store):
    """Is good once."""
    first, second = remember(store), remember(store)
    assert first != second
    assert len(first) >= 43
    assert claim(store, first)
    assert refused(store, first) == "acme: the state of this redirect was already used"
    assert claim(store, second)


def test_a_state_is_not_in_the_store(store):
    """Only its digest, so who reads the store cannot use it."""
    state = remember(store)
    [document] = store.documents("acme")
    assert state not in document
    assert state.encode() not in b"".join(each.reveal() for each in store.document("acme", document).fields.values())


def test_a_state_that_is_too_old(store):
    """After an hour it has expired."""
    state = remember(store)
    assert refused(store, state, at=NOW + timedelta(hours=1, seconds=1)) == (
        "acme: the state of this redirect is older than 60 minutes"
    )
    assert claim(store, state, at=NOW + timedelta(hours=1))


def test_a_state_that_nobody_asked_with(store):
    """May be an attacker's, who wants us to use his account; ours stays good."""
    state = remember(store)
    assert refused(store, "another") == "acme: the state in the redirect URL is unknown"
    assert refused(store, "\udc80") == "acme: the state in the redirect URL is unknown"
    assert claim(store, state)


def test_a_state_that_is_missing(store):
    """Is missed where one was asked with and still waits, and only there."""
    assert not claim(store, None)
    state = remember(store)
    assert refused(store, None) == "acme: the expected state is missing"
    assert refused(store, None, is_whole=False) == "acme: the expected state is missing"
    assert not claim(store, None, at=NOW + timedelta(hours=2))
    claim(store, state)
    assert not claim(store, None)


def test_a_state_of_the_callers_own(store):
    """Has to be the one that comes back, remembered or not."""
    assert not claim(store, "mine", expected="mine")
    assert refused(store, "other", expected="mine") == "acme: the redirect's state is not the expected one"
    assert refused(store, None, expected="mine") == "acme: the redirect's state is not the expected one"


def test_a_code_without_its_redirect(store):
    """Its state comes from the caller, and is used up as well."""
    state = remember(store)
    assert refused(store, None, expected="other", is_whole=False) == "acme: the state is not the expected one"
    assert refused(store, None, is_whole=False) == "acme: the expected state is missing"
    assert claim(store, None, expected=state, is_whole=False)
    assert refused(store, None, expected=state, is_whole=False) == "acme: the state of this redirect was already used"


@pytest.mark.parametrize(
    ("options", "what"),
    [({"client_id": "other"}, "--client-id"), ({"uri": "https://acme.example/other"}, "--redirect-uri")],
)
def test_another_question(store, options, what):
    """Wise would refuse the code, and it might be used up: we are faster. The state stays good."""
    state = remember(store)
    with pytest.raises(InputError, match=f"the authorization URL had another {what}"):
        claim(store, state, **options)
    assert claim(store, state)


def test_a_state_without_a_token_is_good_again(store):
    """Whatever went wrong."""
    for state in (remember(store), None):
        with pytest.raises(KeyboardInterrupt), claimed(store, state, expected=state):
            raise KeyboardInterrupt
        assert claim(store, state) == (state is not None)


def test_old_states_are_forgotten(store):
    """With the next one, a day later, used or not."""
    claim(store, remember(store))
    remember(store)
    remember(store, NOW + timedelta(hours=23))
    assert len(store.documents("acme")) == 3
    remember(store, NOW + timedelta(hours=25))
    assert len(store.documents("acme")) == 2
