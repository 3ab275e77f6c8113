"""Unsafe records, hooks and addresses that `store check` finds, in files and on a real OpenBao."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from certkit.stores.record import Settings
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests import pki
from tests.stores.contract import CSR, RECORD, facts, key
from tests.stores.contract import answer as answer_of

NAME = "wise-sandbox"
STORE = "vault://secret/audited"
NOW = pki.datetime.now(pki.UTC)


@pytest.fixture
def found(certkit):
    """Problems that `store check` finds in a store, for an environment."""

    def found(uri, **variables):
        done = certkit("store", "check", "--store", uri, "--json", env=variables)
        problems = [each for each in done.json["checks"] if each["status"] not in {"ok", "skipped"}]
        assert done.code == {"critical": 2, "warning": 1, "unknown": 3, "ok": 0}[done.json["status"]]
        return [(each["status"], each["message"]) for each in problems if each["id"].startswith("identity:")]

    return found


@pytest.fixture
def acme(certkit, root):
    """An identity in use, in files."""
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    certificate, key_file = pair.write(certkit.folder, "acme")
    (certkit.folder / "ca.pem").write_bytes(root.pem)
    arguments = ("--policy", "general", "--key", key_file, "--cert", certificate, "--ca", "ca.pem")
    assert certkit("identity", "import", "acme", *arguments, "--store", "file:store").code == 0
    return certkit.folder / "store" / "acme"


def test_hooks_that_never_run(certkit, found, acme):
    """One without the right to run, and one that leads nowhere; hidden files and copies of editors do not count."""
    hooks = acme / "hooks" / "deploy.d"
    hooks.mkdir(parents=True, mode=0o700)
    (hooks / "10-reload").write_text("#!/bin/sh\n")
    (hooks / "20-gone").symlink_to("nowhere")
    (hooks / ".hidden").write_text("")
    (hooks / "10-reload~").write_text("")
    assert found("file:store") == [
        ("warning", f"the hook store/acme/hooks/deploy.d/{name} never runs: {why}")
        for name, why in (("10-reload", "it is not executable"), ("20-gone", "it is a broken symlink"))
    ]
    hooks = "store/acme/hooks/deploy.d"
    hints = [each["hint"] for each in certkit("store", "check", "--store", "file:store", "--json").json["checks"]]
    assert f"chmod +x {hooks}/10-reload, or move it away" in hints
    assert f"fix it or remove it: rm {hooks}/20-gone" in hints


@pytest.mark.parametrize("place", ["hooks", "hooks/deploy.d", "hooks/deploy.d/10-reload"])
def test_hooks_that_others_may_write(found, acme, place):
    """Either the program or a directory above it."""
    program = acme / "hooks" / "deploy.d" / "10-reload"
    program.parent.mkdir(parents=True, mode=0o700)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert found("file:store") == []
    (acme / place).chmod(0o777)
    [(status, message)] = found("file:store")
    assert (status, message.rpartition(": ")[2]) == ("critical", f"other users can write to {acme / place}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_hook_of_another_user(found, acme):
    """Is not one's own."""
    program = acme / "hooks" / "deploy.d" / "10-reload"
    program.parent.mkdir(parents=True, mode=0o700)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    os.chown(program, 12345, 12345)
    [(status, message)] = found("file:store")
    assert (status, "belongs to uid 12345" in message) == ("critical", True)


@pytest.fixture
def vault_store(openbao, root):
    """A store in Vault with an identity in use, which each test changes as an attacker would."""
    settings = Settings(policy="wise-sandbox", trust_bundle=root.pem.decode(), key_type="ec-p256")
    with Vault.connect(openbao.settings()) as vault:
        store = VaultStore(vault, "secret", "audited")
        store.remove(NAME)
        pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
        store.create(NAME, replace(RECORD, settings=settings))
        identity = store.add(NAME, "0001", key=key(0), csr=CSR)
        issued = replace(answer_of(0), certificate=pair.pem, chain=b"", trust_bundle=root.pem)
        identity = store.install(identity, "0001", issued, facts=facts(0))
        store.change(identity, lambda record: record.activate("0001"))
        yield store


CHANGES = {
    "a path as an issuer": ({"issuer": "command:/tmp/evil"}, "critical", "a record in Vault must not contain a path"),
    "an unknown issuer": ({"issuer": "command:sign"}, "warning", "no issuer 'sign' in the host configuration"),
    "a path as a hook": ({"deploy_hook": "/tmp/evil"}, "critical", "a record in Vault must not contain a path"),
    "an unknown hook": ({"deploy_hook": "reload"}, "warning", "no hook 'reload' in the host configuration"),
    "another API": ({"base_url": "https://evil.example"}, "critical", "neither the policy nor this host allows"),
    "another probe": ({"probe": "https://evil.example/"}, "critical", "neither the policy nor this host allows"),
    "another CA": ({"trust_bundle": pki.root().pem.decode()}, "critical", "is not trusted"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_settings_that_are_unsafe(found, vault_store, openbao, change):
    """Each is a finding that says what it is."""
    settings, status, why = CHANGES[change]
    assert found(STORE, VAULT_ADDR=openbao.address, VAULT_TOKEN=openbao.token) == []
    vault_store.change(NAME, lambda record: replace(record, settings=replace(record.settings, **settings)))
    [problem] = found(STORE, VAULT_ADDR=openbao.address, VAULT_TOKEN=openbao.token)
    assert (problem[0], why in problem[1]) == (status, True)


def test_facts_that_are_not_the_certificate_s(found, vault_store, openbao):
    """A user who may move the pointer could otherwise hide that the certificate expires."""
    lie = {"not_after": "2099-01-01T00:00:00Z"}
    vault_store.change(NAME, lambda record: record.describe("0001", lie))
    [(status, message)] = found(STORE, VAULT_ADDR=openbao.address, VAULT_TOKEN=openbao.token)
    assert (status, "the facts that the record has of generation 0001" in message) == ("critical", True)


def test_a_hook_that_is_owed(found, vault_store, openbao):
    """As in files."""
    vault_store.change(NAME, lambda record: replace(record, undeployed="0001"))
    problems = found(STORE, VAULT_ADDR=openbao.address, VAULT_TOKEN=openbao.token)
    assert problems == [("critical", "a deploy hook failed and has not succeeded since")]


def test_a_generation_beside_the_pointer(found, vault_store, openbao):
    """Of a run that was killed, or planted."""
    for path in ("certificate", "key"):
        openbao.api("POST", f"secret/data/audited/{NAME}/generations/0007/{path}", {"data": {"csr": "x"}})
    [(status, message)] = found(STORE, VAULT_ADDR=openbao.address, VAULT_TOKEN=openbao.token)
    assert (status, message.startswith("not in the pointer: generation 0007")) == ("warning", True)


def test_a_certificate_that_the_record_made_up(found, certkit, vault_store, openbao):
    """A request that the pointer calls issued, or active: nothing believes it, and a check says so."""
    variables = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.token}
    vault_store.add(NAME, "0002", key=key(1), csr=None)
    lie = {"fingerprint_sha256": "00" * 32, "not_before": "2020-01-01T00:00:00Z", "not_after": "2099-01-01T00:00:00Z"}
    vault_store.change(NAME, lambda record: record.describe("0002", lie))
    assert certkit("identity", "renew", NAME, "--store", STORE, env=variables).code == 0
    assert certkit("identity", "activate", NAME, "--store", STORE, env=variables).code == 2
    vault_store.change(NAME, lambda record: record.activate("0002"))
    problems = found(STORE, **variables)
    assert ("critical", "generation 0002, which is active, has no certificate") in problems
    assert certkit("identity", "export", NAME, "--out", "tls", "--store", STORE, env=variables).code == 3
