"""Attacks on a store in Vault by the token of a role, on a real OpenBao: what version 0.1.0 allowed, and now fails."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from certkit.errors import RefusedError, StoreError
from certkit.identity import credentials
from certkit.policy.catalogue import load
from certkit.stores.record import Journal
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests import openbao as server
from tests import pki
from tests.stores import vault_roles
from tests.stores.contract import CSR, RECORD, ROOT, answer, enroll, facts, key
from tests.stores.legacy import old_form

PREFIXES = (f"boundaries/{number}" for number in itertools.count())
NAME = "wise-sandbox"
POLICY = load("wise-sandbox")
PLANTED = {"base_url": "https://evil.example", "issuer": "command:/tmp/evil", "probe": "https://evil.example/"}


@pytest.fixture
def prefix():
    """A prefix of its own."""
    return next(PREFIXES)


@pytest.fixture
def as_role(openbao, prefix):
    """The store as a role sees it."""
    opened = []

    def as_role(role):
        opened.append(Vault.connect(vault_roles.settings(openbao, role, prefix=prefix)))
        return VaultStore(opened[-1], "secret", prefix, journal=Journal("tester", lambda: pki.NOW))

    yield as_role
    for vault in opened:
        vault.close()


@pytest.fixture
def as_provisioner(openbao, prefix):
    """A function that sends a request with the provisioner's token, below the identity."""
    token = openbao.token_for(vault_roles.acl("provisioner", prefix=prefix))

    def send(method, view, path, body=None):
        return openbao.api(method, f"secret/{view}/{prefix}/{NAME}/{path}", body, token=token)

    return send


def in_use(store):
    """An identity with a generation in use."""
    enroll(store, NAME, issued=1)
    store.change(NAME, lambda record: record.activate("0001"))
    return store.load(NAME)


@pytest.mark.parametrize(
    ("method", "view", "path", "body"),
    [
        ("POST", "data", "settings", {"data": PLANTED}),
        ("DELETE", "data", "settings", None),
        ("DELETE", "metadata", "settings", None),
        ("POST", "delete", "settings", {"versions": [1]}),
        ("POST", "destroy", "settings", {"versions": [1]}),
        ("POST", "metadata", "settings", {"max_versions": 1}),
    ],
)
def test_settings_stay_as_they_are(as_role, as_provisioner, method, view, path, body):
    """A provisioner cannot change hide or remove the settings of an identity that exists."""
    before = in_use(as_role("operator"))
    with pytest.raises(server.RefusedError, match="403"):
        as_provisioner(method, view, path, body)
    assert as_role("consumer").load(NAME) == before


def test_an_old_record_over_a_new_one_is_refused(as_role, as_provisioner):
    """The old form held settings in the pointer; beside settings it is an attack, and is ignored."""
    identity = in_use(as_role("operator"))
    as_provisioner("POST", "data", "pointer", {"data": old_form(identity.record, **PLANTED)})
    for role in ("consumer", "operator", "provisioner"):
        with pytest.raises(StoreError, match="beside settings"):
            as_role(role).load(NAME)


def test_a_record_without_settings_is_refused(as_role, openbao, prefix):
    """A pointer alone says nothing about whom to trust."""
    operator = as_role("operator")
    in_use(operator)
    openbao.api("DELETE", f"secret/metadata/{prefix}/{NAME}/settings")
    with pytest.raises(StoreError, match="the settings beside it are missing"):
        as_role("consumer").load(NAME)


def test_an_old_record_is_not_trusted_until_it_is_migrated(as_role, openbao, prefix):
    """Its issuer, its addresses and its bundle count once an operator has migrated it; the log stays."""
    operator = as_role("operator")
    identity = in_use(operator)
    openbao.api("DELETE", f"secret/metadata/{prefix}/{NAME}/settings")
    record = old_form(identity.record, **PLANTED)
    openbao.api("POST", f"secret/data/{prefix}/{NAME}/pointer", {"data": record})
    settings = as_role("consumer").load(NAME).record.settings
    assert (settings.issuer, settings.base_url, settings.probe, settings.trust_bundle) == ("manual", None, None, None)
    with pytest.raises(StoreError, match="permission denied"):
        as_role("consumer").migrate(NAME)
    with pytest.raises(StoreError, match="which cannot be changed"):
        as_role("provisioner").change(NAME, lambda record: record.retire("0002"))
    assert operator.migrate(NAME)
    assert not operator.migrate(NAME)
    assert as_role("consumer").load(NAME).record.settings == replace(identity.record.settings, **PLANTED)


def test_settings_beside_an_old_record_are_not_migrated(as_role, as_provisioner, openbao, prefix):
    """A provisioner may create settings if there are none: they are not used, and an operator does not adopt them."""
    operator = as_role("operator")
    identity = in_use(operator)
    openbao.api("DELETE", f"secret/metadata/{prefix}/{NAME}/settings")
    openbao.api("POST", f"secret/data/{prefix}/{NAME}/pointer", {"data": old_form(identity.record)})
    planted = {**identity.record.settings.document(), **PLANTED}
    as_provisioner("POST", "data", "settings", {"data": planted})
    for work in (lambda: as_role("consumer").load(NAME), lambda: operator.migrate(NAME)):
        with pytest.raises(StoreError, match="beside settings") as refused:
            work()
        assert "bao kv get" in refused.value.hint
    openbao.api("DELETE", f"secret/metadata/{prefix}/{NAME}/settings")
    assert operator.migrate(NAME)
    assert as_role("consumer").load(NAME).record.settings == identity.record.settings


def test_a_migration_that_was_interrupted(as_role, openbao, prefix):
    """Between the settings and the pointer: it is completed, for both say the same."""
    operator = as_role("operator")
    identity = in_use(operator)
    openbao.api("POST", f"secret/data/{prefix}/{NAME}/pointer", {"data": old_form(identity.record)})
    assert operator.migrate(NAME)
    assert as_role("consumer").load(NAME).record.settings == identity.record.settings


def test_a_planted_certificate_is_not_exported(as_role):
    """A provisioner may add a generation and move the pointer, but the settings say whom to trust."""
    in_use(as_role("operator"))
    provisioner = as_role("provisioner")
    evil = pki.root()
    planted = evil.issue(pki.name(O="Acme Ltd", CN="client"))
    provisioner.add(NAME, "0002", key=key(1), csr=CSR)
    issued = replace(answer(1), certificate=planted.pem, chain=b"", trust_bundle=evil.pem)
    provisioner.install(provisioner.load(NAME), "0002", issued, facts=facts(1))
    provisioner.change(NAME, lambda record: record.activate("0002"))
    found = as_role("consumer").load(NAME)
    assert found.generations[-1].issued.trust_bundle == ROOT.pem
    with pytest.raises(RefusedError, match="is not trusted"):
        credentials.require_trusted(found, "0002", now=pki.NOW)
    credentials.require_trusted(found, "0001", now=pki.NOW)


def test_the_log_cannot_be_erased(as_role, as_provisioner, openbao, prefix):
    """Entries are created once; a provisioner adds to them, and can neither change nor remove one."""
    operator = as_role("operator")
    in_use(operator)
    before = operator.log(NAME)
    [entry, *_] = openbao.api("LIST", f"secret/metadata/{prefix}/{NAME}/log")["data"]["keys"]
    for method, view, body in (
        ("POST", "data", {"data": {"events": []}}),
        ("DELETE", "data", None),
        ("DELETE", "metadata", None),
    ):
        with pytest.raises(server.RefusedError, match="403"):
            as_provisioner(method, view, f"log/{entry}", body)
    as_role("provisioner").change(NAME, lambda record: replace(record, active=None, left=("0001",)))
    assert operator.log(NAME)[: len(before)] == before
    assert len(operator.log(NAME)) == len(before) + 1


def test_events_name_the_token(as_role, openbao):
    """Whatever a host calls itself, the entry says which token wrote it."""
    in_use(as_role("operator"))
    assert all("token accessor " in each.who for each in as_role("operator").log(NAME))


def test_a_provisioner_creates_identities(as_role):
    """And chooses their settings, once."""
    provisioner = as_role("provisioner")
    provisioner.create(NAME, RECORD)
    assert provisioner.load(NAME).record.settings == RECORD.settings
    with pytest.raises(StoreError) as refused:
        provisioner.change(NAME, lambda record: replace(record, settings=replace(record.settings, client_id="other")))
    assert "permission denied" in refused.value.message
    assert f"/{NAME}/settings" in refused.value.hint
