"""Hosts that are upgraded from version 0.1.0 one after the other, as `docs/how-to/vault.md` describes it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from certkit.stores.record import Record, Settings
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.stores import vault_roles
from tests.stores.contract import CSR, PAIRS, facts, key
from tests.stores.contract import answer as answer_of
from tests.stores.legacy import old_form

NAME = "wise-sandbox"
NOW = pki.datetime.now(pki.UTC)


@pytest.fixture
def old_store(openbao, root):
    """A store in Vault as 0.1.0 left it: an identity in use; its URI."""
    subject = SubjectOptions(organization="Acme Ltd")
    settings = Settings(policy="wise-sandbox", subject=subject, trust_bundle=root.pem.decode(), key_type="ec-p256")
    pair = root.issue(public_key=PAIRS[0].certificate.public_key(), begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    with Vault.connect(openbao.settings()) as vault:
        store = VaultStore(vault, "secret", "upgraded")
        store.remove(NAME)
        store.create(NAME, Record(settings=settings))
        identity = store.add(NAME, "0001", key=key(0), csr=CSR)
        issued = replace(answer_of(0), certificate=pair.pem, chain=b"", trust_bundle=root.pem)
        identity = store.install(identity, "0001", issued, facts=facts(0))
        identity = store.change(identity, lambda record: record.activate("0001"))
    openbao.api("DELETE", f"secret/metadata/upgraded/{NAME}/settings")
    openbao.api("POST", f"secret/data/upgraded/{NAME}/pointer", {"data": old_form(identity.record)})
    return "vault://secret/upgraded"


def test_hosts_are_upgraded_one_after_the_other(certkit, openbao, old_store):
    """Upgraded hosts read and change nothing; once an operator has migrated it they export, and 0.1.0 stops."""

    def pointer():
        return openbao.api("GET", f"secret/data/upgraded/{NAME}/pointer")["data"]["data"]

    def run(role, *arguments):
        token = openbao.token_for(vault_roles.acl(role, prefix="upgraded"))
        variables = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": token, "CERTKIT_STORE": old_store}
        return certkit(*arguments, env=variables)

    before, export = pointer(), ("identity", "export", NAME, "--out", "tls")
    assert run("monitor", "identity", "list").code == 0
    assert run("monitor", "store", "check").code == 1
    stopped = run("consumer", *export)
    assert (stopped.code, "certkit store migrate" in stopped.err) == (3, True)
    assert run("provisioner", "identity", "renew", NAME).code == 0
    refused = run("provisioner", "identity", "renew", NAME, "--force")
    assert (refused.code, "certkit store migrate" in refused.err) == (3, True)
    assert pointer() == before
    assert openbao.api("LIST", f"secret/metadata/upgraded/{NAME}/generations")["data"]["keys"] == ["0001/"]
    assert run("operator", "store", "migrate").code == 0
    assert pointer()["version"] == 2  # 0.1.0 takes 1 only
    assert run("consumer", *export).code == 0
    assert run("operator", "store", "check").code == 0


def test_a_store_of_files(certkit, root):
    """Is read as it is; the first change converts it."""
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    certificate, key_file = pair.write(certkit.folder, "acme")
    (certkit.folder / "ca.pem").write_bytes(root.pem)
    of = ("--store", "file:store")
    arguments = ("--policy", "wise-sandbox", "--key", key_file, "--cert", certificate, "--ca", "ca.pem")
    assert certkit("identity", "import", "acme", *arguments, *of).code == 0
    record = certkit.folder / "store" / "acme" / "identity.json"
    settings = record.with_name("settings.json")
    state = Record.parse(
        {**json.loads(record.read_text()), "active": "0001"},
        settings=Settings.parse(json.loads(settings.read_text()), where="x"),
        where="x",
    )
    settings.unlink()
    old = json.dumps(old_form(state))
    record.write_text(old)
    assert certkit("identity", "show", "acme", *of).code == 0
    assert certkit("identity", "export", "acme", "--out", "tls", *of).code == 0
    assert certkit("identity", "renew", "acme", *of).code == 0
    assert (record.read_text(), settings.exists()) == (old, False)
    assert certkit("identity", "renew", "acme", "--force", *of).code == 0
    assert (json.loads(record.read_text())["version"], settings.exists()) == (2, True)
