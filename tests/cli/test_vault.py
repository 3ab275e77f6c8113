"""Vault on the installed command: moving there, hosts that consume, a monitor that may read no key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import pki

NOW = pki.datetime.now(pki.UTC)
POLICIES = Path(__file__).parents[2] / "policies" / "vault"


@pytest.fixture
def acme(certkit, root):
    """An identity in a directory, in use."""
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    certificate, key = pair.write(certkit.folder, "acme")
    (certkit.folder / "ca.pem").write_bytes(root.pem)
    arguments = ("--policy", "wise-sandbox", "--key", key, "--cert", certificate, "--ca", "ca.pem")
    assert certkit("identity", "import", "wise-sandbox", *arguments, "--store", "file:here").code == 0
    return pair


@pytest.fixture
def variables(openbao):
    """The variables that lead to the server, for a token of a role or for root."""

    def of(role=None):
        token = openbao.token if role is None else openbao.token_for(acl(role))
        return {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": token, "VAULT_CACERT": "", "HOME": "/nonexistent"}

    return of


def acl(role):
    """The policy of a role as it is shipped, for the mount `secret` and the prefix `moved`."""
    text = (POLICIES / f"{role}.hcl").read_text(encoding="utf-8")
    return re.sub(r"/certkit/", "/moved/", text)


def test_from_a_directory_to_vault_in_two_commands(certkit, acme, variables):
    """Check, and copy; then a host exports it, a monitor watches it, and neither may do what the other does."""
    there = ("--store", "vault://secret/moved")
    root = variables()
    assert certkit("store", "check", *there, env=root).code in {0, 1}
    copied = certkit("identity", "copy", "wise-sandbox", "--to", there[1], "--store", "file:here", "--json", env=root)
    assert (copied.code, copied.json["changed"]) == (0, True)
    again = certkit("identity", "copy", "wise-sandbox", "--to", there[1], "--store", "file:here", "--json", env=root)
    assert (again.code, again.json["changed"]) == (0, False)
    export = ("identity", "export", "wise-sandbox", "--out", "tls", *there, "--json")
    host = variables("consumer")
    assert certkit(*export, env=host).json["changed"]
    assert not certkit(*export, env=host).json["changed"]
    assert (certkit.folder / "tls" / "key.pem").read_bytes() == acme.key_pem
    monitor = variables("monitor")
    watched = certkit("expiry", there[1], "--json", env=monitor)
    assert (watched.code, watched.json["certificates"][0]["days_left"]) == (0, 299)
    refused = certkit(*export[:4], "other", *there, env=monitor)
    assert refused.code == 3
    for ran in (copied, again, watched, refused):
        assert acme.key_pem.decode().splitlines()[1] not in ran.out + ran.err
        assert root["VAULT_TOKEN"] not in ran.out + ran.err


def test_a_program_by_path_is_no_issuer_in_vault(certkit, acme, variables):
    """It would never run there: it is refused before anything is stored, and pointed out after a copy."""
    here, there, root = ("--store", "file:here"), ("--store", "vault://secret/programs"), variables()
    by_path = ("--issuer", "command:./sign")
    subject = ("--policy", "wise-sandbox", "--organization", "Acme Ltd", "--country", "GB")
    refused = certkit("identity", "enroll", "new", *subject, *by_path, *there, env=root)
    assert refused.code == 3
    assert "cannot store the issuer 'command:./sign': a record in Vault must not contain a path" in refused.err
    assert certkit("identity", "show", "new", *there, env=root).code == 3
    assert certkit("identity", "update", "wise-sandbox", *by_path, *here).code == 0
    copied = certkit("identity", "copy", "wise-sandbox", "--to", there[1], *here, env=root)
    assert copied.code == 0
    assert "certkit: warning: cannot run" in copied.err
    assert certkit("identity", "update", "wise-sandbox", *by_path, *there, env=root).code == 3
    assert certkit("identity", "update", "wise-sandbox", "--issuer", "command:sign", *there, env=root).code == 0
    assert "warning" not in certkit("identity", "copy", "wise-sandbox", "--to", there[1], *there, env=root).err


def test_a_server_that_is_gone_is_told(certkit, variables):
    """Exit 3, one line, within the time that the variables allow."""
    gone = {**variables(), "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_MAX_RETRIES": "0"}
    for command in (("expiry", "vault://secret/x"), ("identity", "list", "--store", "vault://secret/x")):
        ran = certkit(*command, env=gone)
        assert ran.code == 3
        assert "cannot reach http://127.0.0.1:1: connection refused" in ran.err


@pytest.mark.parametrize("store", ["vault://secret/absent", "vault://absent/certkit"])
@pytest.mark.parametrize("command", [("list",), ("renew", "--all", "-q"), ("prune", "--all"), ("show", "acme")])
def test_a_prefix_without_identities(certkit, variables, store, command):
    """Is exit 3: a wrong prefix or mount looks the same."""
    ran = certkit("identity", *command, "--store", store, env=variables())
    assert (ran.code, ran.out) == (3, "")
    assert re.search("no identity|no secrets engine is mounted at absent", ran.err)


@pytest.mark.parametrize("command", [("list",), ("renew", "--all", "-q"), ("prune", "--all")])
def test_a_prefix_with_other_things(certkit, variables, openbao, command):
    """Folders that are no identities are none here either."""
    openbao.api("POST", "secret/data/others/folder/note", {"data": {"x": "y"}})
    ran = certkit("identity", *command, "--store", "vault://secret/others", env=variables())
    assert (ran.code, ran.out, "no identity" in ran.err) == (3, "", True)


@pytest.mark.parametrize("record", ["settings", "pointer"])
def test_an_unreadable_record_can_be_removed(certkit, variables, openbao, record):
    """With --force, with its keys, as in a directory; without, it is an error."""
    of, env = ("acme", "--store", "vault://secret/unreadable"), variables()
    assert certkit("identity", "enroll", *of, "--organization", "Acme Ltd", env=env).code == 0
    openbao.api("POST", f"secret/data/unreadable/acme/{record}", {"data": {"x": "y"}})
    assert certkit("identity", "remove", *of, env=env).code == 3
    assert openbao.api("GET", f"secret/data/unreadable/acme/{record}")
    removed = certkit("identity", "remove", *of, "--force", "--json", env=env)
    assert (removed.code, removed.json["changed"]) == (0, True)
    assert certkit("identity", "list", *of[1:], env=env).code == 3
