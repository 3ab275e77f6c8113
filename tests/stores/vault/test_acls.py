"""The ACL policies in `policies/vault`, on a real OpenBao: what each role may do, and what it may not."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import pytest

from certkit.errors import StoreError
from certkit.policy import catalogue
from certkit.secret import Secret
from certkit.stores.base import Issued
from certkit.stores.opening import findings_of
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests.openbao import RefusedError
from tests.stores import vault_roles
from tests.stores.contract import CSR, FIELDS, OTHERS, RECORD, ROOT, answer, enroll, facts, key
from tests.stores.lossy import Fate, network
from tests.stores.vault_roles import kept_facts

PREFIXES = (f"roles/{number}" for number in itertools.count())
ROLES = ("operator", "provisioner", "consumer", "monitor")

# What each method of a store does, and who may do it.
METHODS = {
    "names": (lambda store: store.names(), {"operator", "provisioner", "monitor"}),
    "load": (lambda store: store.load("wise-sandbox"), {"operator", "provisioner", "consumer", "monitor"}),
    "load another one": (lambda store: store.load("other"), {"operator", "provisioner", "monitor"}),
    "facts": (lambda store: kept_facts(store, "wise-sandbox"), {"operator", "provisioner", "monitor"}),
    "key": (lambda store: store.key("wise-sandbox", "0001"), {"operator", "consumer"}),
    "key of another one": (lambda store: store.key("other", "0001"), {"operator"}),
    "create": (lambda store: store.create("new", RECORD), {"operator", "provisioner"}),
    "add": (lambda store: store.add("wise-sandbox", "0003", key=key(2), csr=CSR), {"operator", "provisioner"}),
    "import": (lambda store: store.add("wise-sandbox", "0003", key=key(2), csr=None), {"operator", "provisioner"}),
    "install": (
        lambda store: store.install("wise-sandbox", "0002", answer(1), facts=facts(1)),
        {"operator", "provisioner"},
    ),
    "change": (
        lambda store: store.change("wise-sandbox", lambda record: record.activate("0001")),
        {"operator", "provisioner"},
    ),
    "documents": (lambda store: store.documents("wise-sandbox"), {"operator", "consumer"}),
    "document": (lambda store: store.document("wise-sandbox", "x"), {"operator", "consumer"}),
    "document of another one": (lambda store: store.document("other", "x"), {"operator"}),
    "first document": (
        lambda store: store.put_document("wise-sandbox", "y", FIELDS, over=None),
        {"operator", "consumer"},
    ),
    "put document": (lambda store: store.put_document("wise-sandbox", "x", OTHERS, over="1"), {"operator", "consumer"}),
    "delete document": (lambda store: store.delete_document("wise-sandbox", "x"), {"operator"}),
    "remove": (lambda store: store.remove("wise-sandbox"), {"operator"}),
}


@pytest.fixture
def prefix(openbao):
    """A prefix with two identities, one of which has a request that waits."""
    prefix = next(PREFIXES)
    with Vault.connect(openbao.settings()) as root:
        store = VaultStore(root, "secret", prefix)
        enroll(store, "wise-sandbox", issued=1, pending=1)
        enroll(store, "other", issued=1)
        for name in ("wise-sandbox", "other"):
            store.put_document(name, "x", FIELDS, over=None)
    return prefix


@pytest.fixture
def as_role(openbao, prefix):
    """The store with the token of a role, and nothing but its ACL policy."""
    opened = []

    def as_role(role):
        opened.append(Vault.connect(vault_roles.settings(openbao, role, prefix=prefix)))
        return VaultStore(opened[-1], "secret", prefix)

    yield as_role
    for vault in opened:
        vault.close()


def everything(openbao, prefix):
    """All secrets below the prefix as root sees them, with their versions."""
    with Vault.connect(openbao.settings()) as root:
        kv = root.kv(f"secret/{prefix}")
        return {path: (found.version, found.data) for path, _ in kv.walk() if (found := kv.read(path))}


@pytest.mark.parametrize(
    ("role", "method"), [(role, method) for method, (_, able) in METHODS.items() for role in ROLES if role in able]
)
def test_what_a_role_may_do(as_role, role, method):
    """Its ACL policy is enough for it."""
    METHODS[method][0](as_role(role))


@pytest.mark.parametrize(
    ("role", "method"), [(role, method) for method, (_, able) in METHODS.items() for role in ROLES if role not in able]
)
def test_what_a_role_may_not_do(openbao, prefix, as_role, role, method):
    """It is refused, nothing changes, and the rules that are named would be enough."""
    before = everything(openbao, prefix)
    with pytest.raises(StoreError) as caught:
        METHODS[method][0](as_role(role))
    assert "permission denied" in caught.value.message
    assert everything(openbao, prefix) == before
    rules = with_the_rules_that_errors_name(openbao, prefix, role, METHODS[method][0])
    assert rules


def with_the_rules_that_errors_name(openbao, prefix, role, work):
    """Do the work as a role that is given each rule that an error asks for; the rules."""
    rules = []
    before = everything(openbao, prefix)
    for _ in range(12):
        token = openbao.token_for("\n".join([vault_roles.acl(role, prefix=prefix), *merged(rules)]))
        with Vault.connect(openbao.settings(token=Secret(token.encode()))) as vault:
            try:
                work(VaultStore(vault, "secret", prefix))
            except StoreError as error:
                rules.append(re.search(r"must contain: (path .*?\})", error.hint)[1])
            else:
                return rules
        forget(openbao, prefix, before)
    raise AssertionError(f"still refused with {rules}")


def forget(openbao, prefix, before):
    """Remove what was not there before, such as the first half of a generation."""
    for path in everything(openbao, prefix).keys() - before.keys():
        openbao.api("DELETE", f"secret/metadata/{prefix}/{path}")


def merged(rules):
    """Rules for the same path as one, for Vault takes the last of several."""
    paths = {}
    for rule in rules:
        path, capability = re.fullmatch(r'path "(.*)" \{ capabilities = \["(.*)"\] \}', rule).groups()
        paths.setdefault(path, []).append(capability)
    return [f'path "{path}" {{ capabilities = {json.dumps(listed)} }}' for path, listed in paths.items()]


CERTIFICATE, KEY = "wise-sandbox/generations/0001/certificate", "wise-sandbox/generations/0001/key"
POINTER = "wise-sandbox/pointer"
WRITE = {"data": {"private_key": "another"}}

# What each role may not ask of the server, whatever program it uses.
FORBIDDEN = {
    "operator": [
        ("GET", "secret/data/elsewhere/pointer", None),
        ("POST", "secret/data/elsewhere/pointer", WRITE),
        ("GET", "secret/metadata/?list=true", None),
        ("GET", "secret/config", None),
        ("POST", "secret/config", {"max_versions": 1}),
        ("GET", "sys/policies/acl/default", None),
    ],
    "monitor": [
        ("GET", f"secret/data/PREFIX/{KEY}", None),
        ("GET", f"secret/data/PREFIX/{KEY}?version=1", None),
        ("GET", f"secret/subkeys/PREFIX/{KEY}", None),
        ("GET", f"secret/metadata/PREFIX/{KEY}", None),
        ("POST", f"secret/data/PREFIX/{POINTER}", WRITE),
        ("POST", f"secret/metadata/PREFIX/{CERTIFICATE}", {"custom_metadata": {"not_after": "later"}}),
        ("DELETE", f"secret/metadata/PREFIX/{CERTIFICATE}", None),
        ("GET", "secret/metadata/PREFIX/wise-sandbox/tokens/?list=true", None),
        ("GET", "secret/data/PREFIX/wise-sandbox/tokens/x", None),
    ],
    "consumer": [
        ("GET", "secret/data/PREFIX/other/pointer", None),
        ("GET", "secret/data/PREFIX/other/generations/0001/certificate", None),
        ("GET", "secret/data/PREFIX/other/generations/0001/key", None),
        ("GET", "secret/metadata/PREFIX/?list=true", None),
        ("GET", "secret/metadata/PREFIX/wise-sandbox/?list=true", None),
        ("GET", "secret/metadata/PREFIX/other/generations/?list=true", None),
        ("GET", f"secret/metadata/PREFIX/{KEY}", None),
        ("GET", "secret/data/PREFIX/other/tokens/x", None),
        ("POST", "secret/data/PREFIX/other/tokens/x", WRITE),
        ("GET", "secret/metadata/PREFIX/other/tokens/?list=true", None),
        ("DELETE", "secret/data/PREFIX/wise-sandbox/tokens/x", None),
        ("DELETE", "secret/metadata/PREFIX/wise-sandbox/tokens/x", None),
        ("POST", "secret/data/PREFIX/wise-sandbox/tokens/x/y", WRITE),
        ("POST", f"secret/data/PREFIX/{KEY}", WRITE),
        ("POST", f"secret/data/PREFIX/{POINTER}", WRITE),
        ("POST", f"secret/metadata/PREFIX/{CERTIFICATE}", {"custom_metadata": {"not_after": "later"}}),
        ("DELETE", f"secret/data/PREFIX/{KEY}", None),
    ],
    "provisioner": [
        ("GET", f"secret/data/PREFIX/{KEY}", None),
        ("GET", f"secret/data/PREFIX/{KEY}?version=1", None),
        ("GET", f"secret/subkeys/PREFIX/{KEY}", None),
        ("POST", f"secret/data/PREFIX/{KEY}", WRITE),
        ("POST", f"secret/data/PREFIX/{KEY}", {**WRITE, "options": {"cas": 1}}),
        ("POST", f"secret/metadata/PREFIX/{KEY}", {"custom_metadata": {"a": "b"}}),
        ("POST", f"secret/metadata/PREFIX/{CERTIFICATE}", {"max_versions": 1}),
        ("POST", f"secret/metadata/PREFIX/{CERTIFICATE}", {"custom_metadata": {}, "delete_version_after": "1s"}),
        ("DELETE", f"secret/data/PREFIX/{KEY}", None),
        ("DELETE", f"secret/metadata/PREFIX/{KEY}", None),
        ("DELETE", f"secret/metadata/PREFIX/{POINTER}", None),
        ("POST", f"secret/destroy/PREFIX/{KEY}", {"versions": [1]}),
        ("POST", f"secret/delete/PREFIX/{CERTIFICATE}", {"versions": [1]}),
        ("GET", "secret/data/PREFIX/wise-sandbox/tokens/x", None),
    ],
}


@pytest.mark.parametrize(("role", "asked"), [(role, asked) for role, listed in FORBIDDEN.items() for asked in listed])
def test_what_the_server_refuses_a_role(openbao, prefix, role, asked):
    """The least privilege is held by the server, not by certkit."""
    method, path, body = asked
    token = openbao.token_for(vault_roles.acl(role, prefix=prefix), no_default_policy=True)
    with pytest.raises(RefusedError, match=r"^403 .*permission denied"):
        openbao.api(method, path.replace("PREFIX", prefix), body, token=token)


def test_a_key_that_was_deleted_is_not_overwritten(openbao, prefix, as_role):
    """To who may create keys, the number of a deleted one is taken."""
    token = openbao.token_for(vault_roles.acl("provisioner", prefix=prefix), no_default_policy=True)
    openbao.api("DELETE", f"secret/data/{prefix}/{KEY}")
    with pytest.raises(RefusedError, match=r"^403 "):
        openbao.api("POST", f"secret/data/{prefix}/{KEY}", WRITE, token=token)


def test_a_provisioner_goes_all_the_way(as_role):
    """From nothing to a certificate in use, and to the next one; what it has made the consumer can use."""
    store = as_role("provisioner")
    store.create("wise-production", RECORD)
    for at, number in enumerate(("0001", "0002")):
        store.add("wise-production", number, key=key(at), csr=CSR)
        store.install("wise-production", number, answer(at), facts=facts(at))
        store.change("wise-production", lambda record, number=number: record.activate(number))
    assert store.load("wise-production").record.previous == "0001"
    assert as_role("operator").key("wise-production", "0002") == key(1)


def test_a_provisioner_is_certain_of_its_key_without_reading_it(openbao, prefix):
    """The answer to the write is lost, and the repetition is refused because the key is there."""
    settings = vault_roles.settings(openbao, "provisioner", prefix=prefix)
    lost = []

    def fate(_, line):
        if line.startswith("POST") and line.endswith("/key") and not lost:
            lost.append(line)
            return Fate.ANSWER_IS_LOST
        return Fate.ARRIVES

    with network(openbao.address) as made, Vault.connect(replace(settings, address=made.address)) as vault:
        made.fate = fate
        store = VaultStore(vault, "secret", prefix)
        store.add("wise-sandbox", "0003", key=key(2), csr=CSR)
        lost.clear()
        with pytest.raises(StoreError, match=r"^cannot tell whether "):
            store.add("wise-sandbox", "0004", key=key(3), csr=None)
    assert not [line for line in made.lines if line.startswith("POST") and line.endswith("0003/key")][2:]


@pytest.mark.parametrize("role", ROLES)
def test_a_check_names_the_role(as_role, role):
    """It shows what the token may do, as far as the token may list the identities."""
    [*found] = [finding for finding in findings_of(as_role(role)) if finding.id == "access"]
    if role == "consumer":
        assert {finding.status for finding in found} == {"warning"}
    else:
        assert [finding.message for finding in found] == [f"the token has the rights of policies/vault/{role}.hcl"]
        assert found[0].status == "ok"


@pytest.mark.parametrize("role", ["operator", "provisioner", "monitor"])
def test_a_check_has_no_complaint_about_a_role(as_role, role):
    """A cron job may check the store too."""
    assert [finding for finding in findings_of(as_role(role)) if not finding.is_good] == []


def test_policies_of_partners_are_no_acls():
    """The folder does not add names to `certkit policy list`."""
    assert {path.stem for path in vault_roles.FOLDER.glob("*")} == set(ROLES)
    assert not set(ROLES) & set(catalogue.names())


def test_each_role_tells_how_to_change_its_place():
    """The command in its comment changes every rule of the store, and no other."""
    for role in ROLES:
        text = vault_roles.acl(role, mount="teams/kv", prefix="a/b", name="acme")
        paths = re.findall(r'^path "(.*)"', text, re.MULTILINE)
        ours = [path for path in paths if re.match(r"teams/kv/(data|metadata|undelete|delete|destroy)/a/b/", path)]
        assert [path for path in paths if path not in ours] == [
            "auth/token/lookup-self",
            "auth/token/renew-self",
            "sys/capabilities-self",
        ]
        assert ours


def test_an_empty_chain_is_an_answer_too(as_role):
    """A provisioner may install a certificate without any above it."""
    issued = Issued(certificate=answer(1).certificate, chain=b"", trust_bundle=ROOT.pem)
    as_role("provisioner").install("wise-sandbox", "0002", issued, facts=facts(1))
    assert as_role("consumer").load("wise-sandbox").generations[1].issued == issued
