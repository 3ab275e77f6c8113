"""`certkit.wise.endpoints`: whose tokens they are, and how Wise is reached with that identity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certkit.errors import InputError
from certkit.policy import catalogue
from certkit.secret import Secret
from certkit.stores.base import AbsentError, Issued
from certkit.stores.record import Record, Settings
from certkit.wise import endpoints
from tests import pki

ROOT = pki.root()
PAIR = ROOT.intermediate().issue()
SANDBOX = catalogue.load("wise-sandbox")


def use(store):
    """Have the pair in use."""
    store.add("acme", "0001", key=partner_key(), csr=None)
    store.install("acme", "0001", issued(), facts={})
    store.change("acme", lambda record: record.activate("0001"))


def partner_key():
    """The pair's key."""
    return Secret(PAIR.key_pem)


def issued():
    """The pair's certificate, with the one above it, and the root to trust."""
    chain = pki.Pair(PAIR.above[0], None).pem
    return Issued(certificate=PAIR.pem, chain=chain, trust_bundle=ROOT.pem)


def reach(store, policy=SANDBOX, **options):
    """How Wise is reached."""
    return endpoints.endpoint(store, store.load("acme"), policy, **options)


# The identity


@pytest.mark.parametrize(
    ("policy", "base_url", "settings"),
    [
        ("wise-sandbox", None, Settings(policy="wise-sandbox")),
        ("wise-sandbox-legacy", None, Settings(policy="wise-sandbox-legacy")),
        ("wise-production", "https://p.example", Settings(policy="wise-production", base_url="https://p.example")),
        (None, "http://127.0.0.1:1", Settings(policy="wise-sandbox", base_url="http://127.0.0.1:1")),
    ],
)
def test_an_identity_is_made(store, policy, base_url, settings):
    """With its policy, and no generation; the next time it is there."""
    found = endpoints.identity(store, "other", policy=policy, base_url=base_url)
    assert (found.record, found.generations) == (Record(settings=settings), ())
    assert endpoints.identity(store, "other", policy=None, base_url=None) == found
    assert endpoints.identity(store, "other", policy=policy, base_url="https://elsewhere.example") == found


def test_an_identity_that_is_absent(store):
    """Is not made of nothing."""
    with pytest.raises(AbsentError) as told:
        endpoints.identity(store, "other", policy=None, base_url=None)
    assert told.value.hint.endswith("--environment or --base-url")
    assert store.names() == ["acme"]


def test_an_identity_of_another_environment(store):
    """Is not mistaken: the client secret of one is no business of the other."""
    with pytest.raises(InputError, match="acme: the identity is enrolled for wise-sandbox, not wise-production"):
        endpoints.identity(store, "acme", policy="wise-production", base_url=None)


# The way to Wise


def test_before_there_is_a_certificate(store):
    """The plain host, with the system's roots or those that are given."""
    found = reach(store)
    assert (found.url, found.credentials, found.anchors) == ("https://api.wise-sandbox.com/oauth/token", None, None)
    assert reach(store, anchors=[ROOT.value]).anchors == [ROOT.value]
    assert reach(store, timeout=3).timeout == 3


def test_with_a_certificate(store):
    """The mTLS host, with the pair and those above it, and the trust bundle."""
    use(store)
    found = reach(store)
    assert found.url == "https://api-mtls.wise-sandbox.com/oauth/token"
    assert found.credentials.chain == (PAIR.value, pki.value(PAIR.above[0]))
    assert found.anchors == [ROOT.value]
    assert reach(store, anchors=[PAIR.above[0]]).anchors == [PAIR.above[0]]
    plain = reach(store, plain=True)
    assert (plain.url, plain.credentials, plain.anchors) == ("https://api.wise-sandbox.com/oauth/token", None, None)


def test_a_pair_that_waits(store):
    """Is not in use, and not shown."""
    store.add("acme", "0001", key=partner_key(), csr=None)
    store.install("acme", "0001", issued(), facts={})
    assert reach(store).credentials is None


def test_a_base_url(store):
    """Takes the place of either host; one that is given wins over the one that is kept."""
    use(store)
    found = reach(store, base_url="https://proxy.example/wise")
    assert (found.url, found.credentials is None) == ("https://proxy.example/wise/oauth/token", False)
    store.change(
        "acme", lambda record: replace(record, settings=replace(record.settings, base_url="http://127.0.0.1:1"))
    )
    found = reach(store)
    assert (found.url, found.credentials) == ("http://127.0.0.1:1/oauth/token", None)
    assert reach(store, base_url="https://proxy.example").url == "https://proxy.example/oauth/token"


def test_an_unsafe_base_url_in_the_store(store):
    """Is refused too, whoever put it there."""
    store.change("acme", lambda record: replace(record, settings=replace(record.settings, base_url="http://a.example")))
    with pytest.raises(InputError, match="the client secret would be sent unencrypted"):
        reach(store)


def test_a_policy_without_hosts(store):
    """Needs a base URL."""
    with pytest.raises(InputError, match="policy general: it has no API host"):
        reach(store, catalogue.load("general"))
