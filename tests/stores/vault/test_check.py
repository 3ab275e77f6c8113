"""`store check` of a store in Vault: the server, the token, the mount, our rights and the identities."""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certkit.secret import Secret
from certkit.stores.opening import findings_of
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.vault.settings import VaultSettings
from tests.odd_http import odd_server, reply
from tests.openbao import development_server
from tests.stores import vault_roles
from tests.stores.contract import CSR, activate, answer, enroll, facts, key

PREFIXES = (f"checked/{number}" for number in itertools.count())


@pytest.fixture
def connect(openbao):
    """The store at a place, with a token; root's unless another is given."""
    opened = []

    def connect(place, *, token=None, server=openbao, **options):
        settings = server.settings(max_retries=0, **({"token": Secret(token.encode())} if token else {}))
        opened.append(Vault.connect(settings))
        mount, _, prefix = place.partition("/")
        return VaultStore(opened[-1], mount, prefix, **options)

    yield connect
    for vault in opened:
        vault.close()


@pytest.fixture
def place():
    """A place of its own for each test."""
    return f"secret/{next(PREFIXES)}"


@pytest.fixture
def operator(openbao, connect, place):
    """An empty store there, as an operator has it."""
    acl = vault_roles.acl("operator", prefix=place.removeprefix("secret/"))
    return connect(place, token=openbao.token_for(acl, ttl="100h"))


def lines(store, *only):
    """Return the findings, a line each, optionally only those with some ids."""
    found = [each for each in findings_of(store) if not only or each.id in only]
    return [f"{each.status.value} {each.id}: {each.message}" for each in found]


def test_a_sound_store(operator, openbao):
    """Every part of it is named."""
    enroll(operator, issued=2, pending=1)
    operator.change("acme", lambda record: record.activate("0002"))
    enroll(operator, "other", pending=1)
    assert [re.sub(r"answers, version [0-9.]+", "answers, version V", line) for line in lines(operator)] == [
        f"ok server: {openbao.address} answers, version V",
        "ok token: token, valid for 4 days, and can be renewed",
        "ok mount: secret is KV version 2",
        "ok access: the token has the rights of policies/vault/operator.hcl",
        f"ok store: 2 identities in {operator.uri}",
        "ok identity:acme: 3 generations, 0002 active",
        "ok identity:other: 1 generation, none active",
    ]


def test_an_empty_store_is_sound(operator):
    """Nothing is enrolled yet."""
    assert lines(operator, "access", "store") == [
        "ok access: the token has the rights of policies/vault/operator.hcl",
        f"ok store: 0 identities in {operator.uri}",
    ]


def test_nothing_is_changed(operator, openbao):
    """A check reads metadata and records, and writes nothing."""
    enroll(operator, issued=1)
    before = openbao.api("GET", f"{operator.secrets.location.replace('secret', 'secret/metadata', 1)}/acme/pointer")[
        "data"
    ]
    findings_of(operator)
    assert (
        openbao.api("GET", f"{operator.secrets.location.replace('secret', 'secret/metadata', 1)}/acme/pointer")["data"]
        == before
    )


# The server


def test_a_sealed_server(connect, tmp_path):
    """Nothing else is asked."""
    with development_server(tmp_path) as server:
        store = connect("secret/x", server=server)
        server.api("PUT", "sys/seal")
        assert lines(store) == [
            f"critical server: {server.address} is sealed",
            f"critical token: cannot look up the token at {server.address}: Vault is sealed",
        ]


def test_a_server_that_is_gone(connect, tmp_path):
    """One finding, which says that it could not be determined."""
    with development_server(tmp_path) as server:
        store = connect("secret/x", server=server)
        server.process.kill()
        server.process.wait(20)
        assert lines(store) == [f"unknown server: cannot reach {server.address}: connection refused"]


@pytest.mark.parametrize(
    ("skew", "line"),
    [
        (timedelta(0), "ok clock: the clocks of the server and this host agree"),
        (
            timedelta(hours=2),
            "warning clock: the server's clock says TIME, SECONDS seconds off this host's clock",
        ),
        (
            timedelta(hours=-2),
            "warning clock: the server's clock says TIME, SECONDS seconds off this host's clock",
        ),
    ],
)
def test_clocks_that_differ(connect, place, skew, line):
    """Said where there is a clock to compare with."""
    store = connect(place, clock=lambda: datetime.now(UTC) + skew)
    [said] = lines(store, "clock")
    said = re.sub(r"20..-..-..T..:..:..Z", "TIME", said)
    assert re.sub(r"7,(199|200|201) seconds", "SECONDS seconds", said) == line


def test_a_namespace_does_not_say_how_the_server_is(openbao):
    """All else can be checked there."""
    openbao.api("POST", "sys/namespaces/checked", {})
    openbao.api("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, namespace="checked")
    with Vault.connect(openbao.settings(namespace="checked")) as vault:
        found = findings_of(VaultStore(vault, "kv", "x"))
    assert [(each.id, each.status.value) for each in found] == [
        ("server", "ok"),
        ("token", "warning"),
        ("mount", "ok"),
        ("access", "ok"),
        ("store", "ok"),
    ]


# The token


def test_a_token_that_the_server_does_not_know(connect, place, openbao):
    """Log in again; nothing else is asked."""
    found = findings_of(connect(place, token="s.no-such-token"))
    assert [(each.id, each.status.value) for each in found] == [("server", "ok"), ("token", "critical")]
    assert found[1].hint == "log in again, and set VAULT_TOKEN; check VAULT_NAMESPACE"


def test_a_root_token(connect, place):
    """Works, and is too much."""
    found = findings_of(connect(place))
    bad = [each for each in found if not each.is_good]
    assert [(each.id, each.status.value, each.message) for each in bad] == [
        ("token", "warning", "it is a root token, which can do anything")
    ]


def test_a_token_that_ends_soon(openbao, connect, place):
    """And that cannot be renewed."""
    token = openbao.token_for("", ttl="90s", renewable=False)
    [said] = lines(connect(place, token=token), "token")
    assert re.sub(r"(90|8\d) seconds", "N seconds", said) == "warning token: token, valid for N seconds"


@pytest.mark.parametrize(
    ("ttl", "said"), [(10**30, "1,089 years"), (-(10**30), "0 seconds"), (2 * 365 * 86400, "2 years"), (1, "1 second")]
)
def test_a_lifetime_of_any_length(ttl, said):
    """Is put in words; no server says so much, but another program may answer in its place."""
    data = {"display_name": "token", "policies": [], "ttl": ttl, "renewable": True}
    with odd_server(reply(200, {"data": data})) as server:
        settings = VaultSettings(address=server.address, token=Secret(b"t"), max_retries=0)
        with contextlib.closing(Vault.connect(settings)) as vault:
            [found] = lines(VaultStore(vault, "secret", "x"), "token")
    assert found == f"ok token: token, valid for {said}, and can be renewed"


def test_a_token_that_may_not_know_itself(openbao, connect, place):
    """It may be a good one."""
    acl = vault_roles.acl("operator", prefix=place.removeprefix("secret/")).replace(
        "auth/token/lookup-self", "auth/none"
    )
    store = connect(place, token=openbao.token_for(acl, no_default_policy=True))
    [finding] = [each for each in findings_of(store) if each.id == "token"]
    assert finding.status.value == "unknown"
    rule = 'path "auth/token/lookup-self" { capabilities = ["read"] }'
    assert finding.hint == f"an ACL policy of the token must contain: {rule}"


# The mount


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            "old-1/x",
            "critical mount: cannot use vault://old-1/x: the mount old-1 is KV version 1, not KV version 2",
        ),
        ("nowhere/x", "unknown mount: no secrets engine is mounted at nowhere (vault://nowhere/x)"),
    ],
)
def test_another_kind_of_mount(openbao, connect, place, line):
    """Nothing else is asked."""
    if place.startswith("old"):
        openbao.mount("old-1", version="1")
    store = connect(place)
    assert lines(store)[-1] == line


# Rights


def test_each_right_that_is_missing_is_named_with_its_rule(openbao, connect, place):
    """With all rules that are named, the token can do everything."""
    prefix = place.removeprefix("secret/")
    acl = f'path "secret/data/{prefix}/+/pointer" {{ capabilities = ["read"] }}'
    store = connect(place, token=openbao.token_for(acl))
    enroll(connect(place), issued=1)
    found = [each for each in findings_of(store) if each.id == "access"]
    assert {each.status.value for each in found} == {"warning"}
    assert [each.message for each in found] == [
        "the token may not list the identities: list",
        "the token may not look into an identity: list",
        "the token may not list its generations: list",
        "the token may not look into a generation: list",
        "the token may not use records: create, update",
        "the token may not use settings: create, read, update",
        "the token may not write the log: create, read",
        "the token may not use certificates: create, read, update",
        "the token may not keep refused answers: create, read",
        "the token may not use private keys: create, read",
        "the token may not use the facts of certificates: read, update, delete",
        "the token may not list tokens: list",
        "the token may not use tokens: create, read, update",
        "the token may not remove tokens: delete",
        "the token may not remove private keys: delete",
        "the token may not list the log: list",
        "the token may not remove the log: delete",
        "the token may not remove settings: delete",
        "the token may not remove records: delete",
    ]
    rules = [each.hint.partition("of the token: ")[2] for each in found]
    assert rules[9] == (f'path "secret/data/{prefix}/+/generations/+/key" {{ capabilities = ["create", "read"] }}')
    able = connect(place, token=openbao.token_for("\n".join(rules)))
    assert lines(able, "access", "store") == [
        "ok access: the token has the rights of policies/vault/operator.hcl",
        f"ok store: 1 identity in {store.uri}",
    ]
    able.load("acme")
    able.remove("acme")


def test_what_may_not_be_listed_cannot_be_told(openbao, connect, place):
    """The consumer of one identity does not see the others."""
    acl = vault_roles.acl("consumer", prefix=place.removeprefix("secret/"))
    found = [each for each in findings_of(connect(place, token=openbao.token_for(acl))) if each.id == "store"]
    assert [(each.status.value, each.message) for each in found] == [
        ("unknown", f"cannot list vault://{place}: permission denied")
    ]


# Identities


def test_a_generation_that_was_begun(operator):
    """Does no harm, and is reported."""
    enroll(operator, issued=1)
    operator.secrets.kv.write("acme/generations/0002/certificate", {"csr": "x"})
    assert lines(operator, "identity:acme") == ["ok identity:acme: 1 generation, 1 more incomplete, none active"]


def test_a_hook_that_is_owed(operator):
    """Is critical until it has succeeded, as in a directory."""
    enroll(operator, issued=1)
    activate(operator, "0001")
    for owed, line in (
        ("0001", "critical identity:acme: a deploy hook failed and has not"),
        (None, "ok identity:acme: 1 g"),
    ):
        operator.change("acme", lambda record, owed=owed: replace(record, undeployed=owed))
        [said] = lines(operator, "identity:acme")
        assert said.startswith(line)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("garbage", "critical identity:acme: cannot read "),
        (answer(1).certificate.decode(), "critical identity:acme: the c"),
    ],
)
def test_a_certificate_that_somebody_replaced(operator, written, line):
    """Is never ok: it is read, and compared with the record."""
    enroll(operator, issued=1)
    operator.change("acme", lambda record: record.describe("0001", facts(0)))
    path = "acme/generations/0001/certificate"
    stored = operator.secrets.kv.read(path)
    assert operator.secrets.kv.write(path, {**stored.data, "certificate": written}, cas=stored.version)
    [said] = lines(operator, "identity:acme")
    assert said.startswith(line)


def test_facts_that_nobody_wrote(operator):
    """A run was killed between the certificate and its facts; to install it again helps."""
    enroll(operator, issued=1)
    operator.secrets.kv.write_metadata("acme/generations/0001/certificate", {})
    assert lines(operator, "identity:acme") == [
        (
            "warning identity:acme: the facts about the certificate of generation"
            " 0001 are missing, so expiry cannot check it"
        )
    ]
    operator.install("acme", "0001", answer(0), facts=facts(0))
    assert lines(operator, "identity:acme") == ["ok identity:acme: 1 generation, none active"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("pointer", "critical identity:acme: cannot read {}/acme/pointer: it was deleted"),
        ("generations/0001/certificate", "critical identity:acme: the certificate of generation 0001 is deleted"),
    ],
)
def test_what_somebody_deleted(operator, openbao, path, line):
    """Vault can bring it back."""
    enroll(operator, issued=1)
    openbao.api("DELETE", f"{operator.secrets.location.replace('secret', 'secret/data', 1)}/acme/{path}")
    assert lines(operator, "identity:acme") == [line.format(operator.uri)]


def test_what_is_in_use_and_gone(operator):
    """The identity cannot be loaded any more."""
    enroll(operator, issued=1)
    operator.change("acme", lambda record: record.activate("0001"))
    operator.secrets.kv.delete_all_versions("acme/generations/0001/key")
    assert lines(operator, "identity:acme") == ["critical identity:acme: generation 0001, which is active, is missing"]


def test_a_record_that_is_none(operator, openbao):
    """One identity that is broken does not hide the others."""
    enroll(operator, issued=1)
    operator.create("other", operator.load("acme").record)
    openbao.api(
        "POST", f"{operator.secrets.location.replace('secret', 'secret/data', 1)}/acme/pointer", {"data": {"a": "b"}}
    )
    found = lines(operator, "identity:acme", "identity:other")
    assert found[0].startswith(f"critical identity:acme: cannot read {operator.uri}/acme/pointer: ")
    assert found[1:] == ["ok identity:other: 0 generations, none active"]


def test_what_others_wrote_is_shown_safely(operator, openbao):
    """Nothing turns the terminal around."""
    enroll(operator, issued=1)
    data = {"version": "\x1b[31m\u202e"}
    openbao.api("POST", f"{operator.secrets.location.replace('secret', 'secret/data', 1)}/acme/pointer", {"data": data})
    [said] = lines(operator, "identity:acme")
    assert said.isprintable()


def test_no_key_is_touched(operator):
    """The names show whether there is a key."""
    enroll(operator)
    operator.add("acme", "0001", key=key(0), csr=CSR)
    assert "PRIVATE" not in str(findings_of(operator))
