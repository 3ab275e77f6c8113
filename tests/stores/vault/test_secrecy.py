"""Private keys of a store in Vault stay in memory, and nothing that is shown holds one, a token or a secret id."""

from __future__ import annotations

import http.client
import itertools
import logging
import os
import re
import subprocess
import sys
import traceback
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certkit.errors import InputError
from certkit.secret import Secret
from certkit.stores.vault.check import check
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.vault.settings import Login
from tests.conftest import require_program
from tests.stores import vault_roles
from tests.stores.contract import CSR, FIELDS, OTHERS, PAIRS, RECORD, answer, enroll, facts, key
from tests.stores.lossy import Fate, network

PREFIXES = (f"secrecy/{number}" for number in itertools.count())
LOG = logging.getLogger(__name__)

SIGNS = """
import os, sys
from pathlib import Path
from OpenSSL import SSL
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from certkit.x509.keys import load_private_key
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.vault.settings import VaultSettings

with Vault.connect(VaultSettings.from_environment(os.environ, Path("/nonexistent"))) as vault:
    store = VaultStore(vault, "secret", sys.argv[1])
    active = store.load("acme").record.active
    key = load_private_key(store.key("acme", active).reveal())
    SSL.Context(SSL.TLS_CLIENT_METHOD).use_privatekey(key)
    print(key.sign(b"message", ec.ECDSA(hashes.SHA256())).hex())
"""
MAKING = "openat,open,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,memfd_create"
WRITING = "write,pwrite64,writev,sendto,sendmsg"


@pytest.fixture
def prefix():
    """A place of its own for each test."""
    return next(PREFIXES)


def bodies(number):
    """The lines of a private key that are secret; the third has the public key, as a certificate has it."""
    return PAIRS[number].key_pem.decode().splitlines()[1:3]


def test_a_key_is_used_without_a_file(openbao, prefix, tmp_path):
    """Read, loaded for TLS, and used for a signature: no file is made or written, and nothing but memory sees it."""
    settings = vault_roles.settings(openbao, "consumer", prefix=prefix, name="acme")
    with Vault.connect(openbao.settings()) as vault:
        store = VaultStore(vault, "secret", prefix)
        enroll(store, issued=1)
        store.change("acme", lambda record: record.activate("0001"))
    trace = tmp_path / "trace"
    traced = [
        require_program("strace"),
        "-f",
        "-qq",
        "-y",
        "-s",
        "100000",
        "-e",
        f"trace={MAKING},{WRITING}",
        "-o",
        trace,
    ]
    token = settings.token.reveal().decode()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))}
    done = subprocess.run(
        [*traced, sys.executable, "-B", "-c", SIGNS, prefix],
        env={**own, "VAULT_ADDR": openbao.address, "VAULT_TOKEN": token},
        capture_output=True,
        check=True,
        timeout=120,
    )
    public = PAIRS[0].key.public_key()
    public.verify(bytes.fromhex(done.stdout.decode()), b"message", ec.ECDSA(hashes.SHA256()))
    calls = trace.read_text().splitlines()
    assert len(calls) > 100
    assert [call for call in calls if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", call)] == []
    assert [call for call in calls if re.search(r" (creat|rename|link|symlink|memfd_create)\w*\(", call)] == []
    assert [call for call in calls if any(line in call for line in bodies(0))] == []


@pytest.fixture
def said(caplog, capfd, monkeypatch):
    """All that was printed and logged, with every library as talkative as it can be."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    for name in ("urllib3", "requests", "hvac", "http"):
        logging.getLogger(name).setLevel(logging.DEBUG)

    def said():
        captured = capfd.readouterr()
        return captured.out + captured.err + caplog.text

    return said


@pytest.fixture(scope="session")
def approle(openbao):
    """A way to log in as an operator of everything below `secrecy`, and its secrets."""
    openbao.api("POST", "sys/auth/of-stores", {"type": "approle"})
    openbao.api("PUT", "sys/policies/acl/of-stores", {"policy": vault_roles.acl("operator", prefix="secrecy")})
    openbao.api("POST", "auth/of-stores/role/operator", {"token_policies": "of-stores", "token_ttl": "1h"})
    role_id = openbao.api("GET", "auth/of-stores/role/operator/role-id")["data"]["role_id"]
    secret_id = openbao.api("POST", "auth/of-stores/role/operator/secret-id")["data"]["secret_id"]
    fields = {"role_id": Secret(role_id.encode()), "secret_id": Secret(secret_id.encode())}
    return Login("approle", "of-stores", fields), [role_id, secret_id]


def attempt(work):
    """Do some work, and show what comes of it in every way there is."""
    try:
        result = work()
    except InputError as error:
        LOG.info("%r %s %s", error, error, error.hint, exc_info=error)
        return "".join(traceback.format_exception(error)) + repr(error.__dict__) + repr(error.__reduce__())
    LOG.info("%r %s", result, result)
    return repr(result)


def everything(store):
    """Every method of a store, done so that it succeeds and so that it fails."""
    return [
        lambda: store.create("acme", RECORD),
        lambda: store.create("acme", RECORD),
        lambda: store.add("acme", "0001", key=key(0), csr=CSR),
        lambda: store.add("acme", "0001", key=key(1), csr=CSR),
        lambda: store.add("nobody", "0001", key=key(1), csr=CSR),
        lambda: store.add("acme", "x", key=key(1), csr=CSR),
        lambda: store.install("acme", "0001", answer(0), facts=facts(0)),
        lambda: store.install("acme", "0001", answer(1), facts=facts(1)),
        lambda: store.change("acme", lambda record: record.activate("0001")),
        lambda: store.change("acme", lambda record: record.activate("0009")),
        lambda: store.load("acme"),
        lambda: store.key("acme", "0001"),
        lambda: store.key("acme", "0002"),
        lambda: store.put_document("acme", "x", FIELDS, over=None),
        lambda: store.put_document("acme", "x", OTHERS, over=None),
        lambda: store.put_document("acme", "x", OTHERS, over="1"),
        lambda: store.document("acme", "x"),
        lambda: store.documents("acme"),
        lambda: store.delete_document("acme", "x"),
        store.names,
        lambda: check(store),
        lambda: (store, store.secrets.vault, store.secrets.kv, store.secrets.vault.transport),
        lambda: store.secrets.kv.read("acme/generations/0001/key"),
        lambda: store.remove("acme"),
    ]


@pytest.mark.parametrize("fate", [Fate.ARRIVES, Fate.ANSWER_IS_LOST, Fate.ANSWER_IS_500, Fate.REQUEST_IS_LOST])
def test_nothing_that_is_shown_holds_a_secret(openbao, approle, prefix, said, fate):
    """Without failures, and with every third request or response lost."""
    login, hidden = approle
    with network(openbao.address) as made:
        settings = openbao.settings(address=made.address, token=None, login=login, max_retries=0)
        shown = repr(settings)
        with Vault.connect(settings) as vault:
            store = VaultStore(vault, "secret", prefix, wait_seconds=0.2)
            hidden.append(vault.transport.token.reveal().decode())
            made.fate = lambda number, _: fate if number % 3 == 0 else Fate.ARRIVES
            shown += "".join(attempt(work) for work in everything(store))
    shown += said()
    assert "acme" in shown
    hidden += [*bodies(0), *bodies(1), "first-token", "second-token"]
    assert [text for text in hidden if text in shown] == []


def test_a_server_that_repeats_a_key_does_not_betray_it(openbao, prefix, said):
    """Data written to the wrong place is never shown."""
    with Vault.connect(openbao.settings()) as vault:
        store = VaultStore(vault, "secret", prefix)
        enroll(store, issued=1)
        text = PAIRS[0].key_pem.decode()
        for path, data in {
            "pointer": {"version": 1, "settings": {"policy": text}, "active": text},
            "generations/0001/certificate": {"certificate": [text]},
            "generations/0001/key": {"private_key": [text]},
        }.items():
            openbao.api("POST", f"secret/data/{prefix}/acme/{path}", {"data": data})
        works = [lambda: store.load("acme"), lambda: store.key("acme", "0001"), lambda: check(store)]
        shown = "".join(attempt(work) for work in works)
    shown += said()
    assert [line for line in bodies(0) if line in shown] == []


def test_a_secret_in_the_settings_is_blank(openbao):
    """Also in a copy of them."""
    settings = replace(openbao.settings(token=Secret(b"s.the-token")), timeout=3)
    assert "s.the-token" not in repr(settings)
