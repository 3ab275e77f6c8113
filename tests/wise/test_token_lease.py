"""`certkit.wise.token_lease`: many hosts renew the same token, and end with the one that Wise takes."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from certkit.errors import InputError, RefusedError, StoreError
from certkit.wise import oauth, tokens
from certkit.wise.oauth_answers import UncertainError
from tests.wise.conftest import CLIENT, begin, endpoint, now, renew, stored, valid

MANY = 8


def later():
    """The time of day of a host where every lease is over."""
    return now() + timedelta(hours=1)


def at_once(work):
    """Let many threads do the same at the same moment; what each of them got."""
    gate = threading.Barrier(MANY)

    def one(_):
        gate.wait(30)
        return work()

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


def refreshes(wise):
    """The requests for a refresh that the server has seen."""
    return [form for form in wise.requests if form.get("grant_type") == "refresh_token"]


@pytest.mark.parametrize("rotates", [False, True])
def test_many_hosts_renew_a_token_that_is_due(wise, open_store, rotates):
    """Wise is asked once, all have the same token, and it is the one that Wise takes."""
    begin(open_store(), wise)
    wise.rotates = rotates
    got = at_once(lambda: renew(open_store(), wise))
    assert {each.access.reveal() for each in got} == set(valid(wise))
    assert len(refreshes(wise)) == 1
    assert stored(open_store()).access.reveal() in valid(wise)
    assert stored(open_store()).lease is None


@pytest.mark.parametrize("rotates", [False, True])
def test_many_hosts_insist(wise, open_store, rotates):
    """Whoever is first, the store ends with the token that Wise accepts, and every host has one of Wise's."""
    begin(open_store(), wise, expired=False)
    wise.rotates = rotates
    got = at_once(lambda: renew(open_store(), wise, force=True))
    assert [stored(open_store()).access.reveal()] == valid(wise)
    assert {each.access.reveal().decode() for each in got} <= set(wise.made)


def test_a_token_that_is_not_due_is_left_alone(wise, store):
    """Unless it is forced."""
    made = begin(store, wise, expired=False)
    assert renew(store, wise) == made
    assert refreshes(wise) == []
    assert renew(store, wise, force=True).access != made.access
    assert [stored(store).access.reveal()] == valid(wise)


def test_what_a_refresh_keeps(wise, store):
    """Profile, scope and client id, and the refresh token where no other comes."""
    made = begin(store, wise)
    renewed = renew(store, wise)
    assert (renewed.profile_id, renewed.scope, renewed.client_id) == ("123", "transfers", "acme-client")
    assert (renewed.refresh, renewed.lease) == (made.refresh, None)
    assert renewed == stored(store)


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("is_last", [False, True])
def test_hosts_whose_clocks_are_apart(wise, open_store, is_last, rotates):
    """One ignores the lease of the other: the last token from Wise is in the store, and both have it or fail."""
    begin(open_store(), wise)
    wise.rotates = rotates
    others = []

    def ask(token):
        """Ask Wise while another host renews, before us or after us."""
        if is_last:
            others.append(renew(open_store(), wise, clock=later))
        made = oauth.renew(endpoint(wise), CLIENT, token, now=now())
        if not is_last and rotates:
            with pytest.raises(RefusedError, match="invalid_grant"):
                renew(open_store(), wise, clock=later)
        elif not is_last:
            others.append(renew(open_store(), wise, clock=later))
        return made

    got = renew(open_store(), wise, ask=ask)
    assert stored(open_store()).access.reveal() in valid(wise)
    assert got.access == stored(open_store()).access
    assert len(others) == (is_last or not rotates)


def test_others_wait_for_who_renews(wise, store):
    """However long Wise takes, within the lease, and say so once; Wise is not asked twice."""
    begin(store, wise)
    asked, may_go_on = threading.Event(), threading.Event()

    def slowly(_):
        asked.set()
        may_go_on.wait(30)

    wise.meanwhile = slowly
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(renew, store, wise)
        asked.wait(30)
        wise.meanwhile = lambda _: None
        second = pool.submit(renew, store, wise, warned=(warned := []))
        assert stored(store).is_leased(now())
        time.sleep(4)
        may_go_on.set()
        assert first.result(30) == second.result(30) == stored(store)
    assert len(refreshes(wise)) == 1
    [trouble] = warned
    assert trouble.message == "another process is refreshing the token of acme"
    assert re.fullmatch(r"this run waits for the result, up to \d+ seconds", trouble.hint)


@pytest.mark.parametrize("rotates", [False, True])
def test_an_answer_that_is_lost(wise, store, rotates):
    """It is unknown whether the token works; the next run refreshes it, if Wise still accepts the refresh token."""
    before = begin(store, wise, expired=False)
    wise.rotates = rotates
    fate = {"lost": True}
    honest = wise.answer

    def answer(authorization, form):
        status, kind, body = honest(authorization, form)
        return (0 if fate["lost"] else status), kind, body

    wise.answer = answer
    with pytest.raises(UncertainError) as told:
        renew(store, wise, force=True)
    assert told.value.hint.endswith("the previous token may be invalid now; try again") or rotates
    assert (stored(store).access, stored(store).status(now())) == (before.access, "warning")
    fate["lost"] = False
    if rotates:
        with pytest.raises(RefusedError, match="invalid_grant"):
            renew(store, wise)
    else:
        renew(store, wise)
        assert [stored(store).access.reveal()] == valid(wise)


def test_a_run_that_is_killed_before_it_writes(wise, store):
    """Its lease stays, and once that is over the next run renews the token."""
    begin(store, wise, expired=False)

    def ask(token):
        oauth.renew(endpoint(wise), CLIENT, token, now=now())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renew(store, wise, ask=ask, force=True)
    assert stored(store).is_leased(now())
    assert stored(store).access.reveal() not in valid(wise)
    assert renew(store, wise, clock=later).access.reveal() in valid(wise)
    assert [stored(store).access.reveal()] == valid(wise)


def test_a_refusal_leaves_the_token_as_it_was(wise, store):
    """It may still be good, and others need not wait."""
    before = begin(store, wise, expired=False)
    wise.valid.clear()
    with pytest.raises(RefusedError, match="invalid_grant: Invalid user credentials") as told:
        renew(store, wise, force=True)
    assert told.value.hint.startswith("the refresh token was revoked or has expired")
    assert stored(store) == before


def test_nobody_to_ask_leaves_the_token_as_it_was(store, wise):
    """Nothing was sent, so nothing has changed."""
    before = begin(store, wise, expired=False)

    def ask(token):
        raise InputError("nobody is there", hint="try again")

    with pytest.raises(InputError, match="nobody is there"):
        renew(store, wise, ask=ask, force=True)
    assert stored(store) == before


def test_a_token_that_is_removed_meanwhile_stays_removed(wise, store):
    """Whoever removed it knew why."""
    begin(store, wise)

    def ask(token):
        store.delete_document("acme", token.document)
        return oauth.renew(endpoint(wise), CLIENT, token, now=now())

    with pytest.raises(InputError, match="the token was removed while it was being refreshed"):
        renew(store, wise, ask=ask)
    assert store.documents("acme") == []


class FlakyStore:
    """A store that fails to write documents so many times, after the first one."""

    def __init__(self, store, failures):
        self._store = store
        self._writes = 0
        self._failures = failures

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put_document(self, *args, **kwargs):
        """Write, or fail."""
        self._writes += 1
        if 1 < self._writes <= self._failures + 1:
            raise StoreError("the store is away", hint="try again")
        return self._store.put_document(*args, **kwargs)


def test_a_store_that_is_away_for_a_moment(wise, store):
    """Does not lose what Wise says once."""
    begin(store, wise)
    renew(FlakyStore(store, 3), wise)
    assert [stored(store).access.reveal()] == valid(wise)


def test_a_token_of_the_application_is_got_anew(wise, store):
    """It has no refresh token."""
    made = oauth.client_credentials(endpoint(wise), CLIENT, now=now())
    tokens.write(store, "acme", made, over=None)
    renewed = renew(store, wise, force=True)
    assert (renewed.grant, renewed.refresh) == ("client_credentials", None)
    assert renewed.access != made.access
