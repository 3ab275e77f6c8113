"""`certkit.stores.file.check`: what a check of a file store says."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess

import pytest

from certkit.findings import Status
from certkit.stores.file.store import FileStore
from certkit.stores.opening import findings_of
from tests.conftest import require_program
from tests.stores.contract import FIELDS, activate, enroll, facts
from tests.stores.places import enroll_for, let_through, some_group, tree, with_group


@pytest.fixture
def store(tmp_path):
    """An empty store, whose directory is still to be made."""
    return FileStore(tmp_path / "store", wait_seconds=10)


def told(store):
    """Return the findings of a check: status, id, message and hint, with STORE for the path."""
    return [
        f"{each.status} {each.id}: {each.message} -> {each.hint}".replace(str(store.root), "STORE")
        for each in findings_of(store)
        if not each.is_good
    ]


def test_a_check_of_a_sound_store(store):
    """Says what is there, for people."""
    enroll(store, issued=2, pending=1)
    enroll(store, "other")
    activate(store, "0002")
    assert [(each.id, each.status, each.message) for each in findings_of(store)] == [
        ("store", Status.OK, f"2 identities in {store.root}"),
        ("identity:acme", Status.OK, "3 generations, 0002 active"),
        ("identity:other", Status.OK, "0 generations, none active"),
        ("permissions", Status.OK, "only the intended users can read the keys"),
    ]


def test_a_check_of_a_store_that_is_not_there(store):
    """Does not make it."""
    assert told(store) == [
        (
            "unknown store: the directory STORE does not exist"
            " -> check --store, CERTKIT_STORE and HOME; `certkit identity enroll` creates a store"
        )
    ]
    assert not store.root.exists()


def test_keys_of_an_identity_that_cannot_be_loaded(store):
    """Were not checked, so nothing says that only those who should can read them."""
    enroll(store, issued=1)
    (store.root / "acme" / "identity.json").write_text("{")
    (store.root / "acme" / "generations" / "0001" / "key.pem").chmod(0o666)
    assert [(each.status, each.id) for each in findings_of(store)] == [
        (Status.OK, "store"),
        (Status.CRITICAL, "identity:acme"),
        (Status.UNKNOWN, "permissions"),
    ]


def test_a_reader_let_in_by_an_acl(store):
    """Is named; the advice does not only close the mask of the ACL, which would be open again with the next one."""
    enroll(store, issued=1)
    path = store.root / "acme" / "generations" / "0001" / "key.pem"
    subprocess.run([require_program("setfacl"), "-m", "u:1:r,g:2:r,u:3:-", path], check=True)
    readers = f"user {pwd.getpwuid(1).pw_name}, group {grp.getgrgid(2).gr_name}"
    where = "STORE/acme/generations/0001/key.pem"
    hint = f"setfacl -b {where} && chmod 600 {where}"
    assert told(store) == [f"warning permissions: by its ACL, {readers} can read {where} (mode 0640) -> {hint}"]
    subprocess.run(hint.replace("STORE", str(store.root)), shell=True, check=True)
    assert told(store) == []


def test_a_check_changes_nothing(store):
    """Not even the leftovers of a killed run, which the next change removes."""
    enroll(store, issued=1)
    (store.root / ".acme.0123456789ab.tmp").mkdir()
    (store.root / "acme" / "generations" / ".0002.0123456789ab.tmp").mkdir()
    before = tree(store.root)
    assert told(store) == [
        "warning store: left in STORE by interrupted runs: .acme.0123456789ab.tmp -> the next change removes it",
        (
            "warning identity:acme: left in STORE/acme/generations by interrupted runs: .0002.0123456789ab.tmp"
            " -> the next change removes it"
        ),
    ]
    assert tree(store.root) == before
    store.change("acme", lambda record: record)
    assert told(store) == []


@pytest.mark.parametrize("is_described", [False, True])
def test_what_is_said_of_a_leftover_in_a_generation(store, is_described):
    """Is what happens: the next change removes it, but not beside a certificate that the record describes."""
    enroll(store, issued=1)
    if is_described:
        store.change("acme", lambda record: record.describe("0001", facts(0)))
    left = store.root / "acme" / "generations" / "0001" / ".ca.pem.0123456789ab.tmp"
    left.write_text("")
    [said] = told(store)
    store.change("acme", lambda record: record.describe("0001", {"seen": "yes"}))
    assert left.exists() is is_described
    where, _, hint = said.partition(" -> ")
    assert where == (
        "warning identity:acme: left in STORE/acme/generations/0001 by interrupted runs: .ca.pem.0123456789ab.tmp"
    )
    if is_described:
        what, command = hint.split(": ")
        assert what == "unless that run is still active, remove it"
        subprocess.run(command.replace("STORE", str(store.root)), shell=True, check=True)
    else:
        assert hint == "the next change removes it"
    assert told(store) == []


@pytest.mark.parametrize(
    ("path", "mode", "expected"),
    [
        (".", 0o777, "critical permissions: other users can write to STORE"),
        ("acme", 0o755, "warning permissions: other users can read STORE/acme (mode 0755) -> chmod 700 STORE/acme"),
        (
            "acme/generations",
            0o770,
            "critical permissions: other users can write to STORE/acme/generations (mode 0770)",
        ),
        ("acme/generations/0001", 0o701, "warning permissions: other users can read STORE/acme/generations/0001 (mode"),
        (
            "acme/generations/0001/key.pem",
            0o644,
            "warning permissions: other users can read STORE/acme/generations/0001/k",
        ),
        (
            "acme/generations/0001/key.pem",
            0o666,
            "critical permissions: other users can write to STORE/acme/generations",
        ),
        (
            "acme/generations/0001/ca.pem",
            0o646,
            "critical permissions: other users can write to STORE/acme/generations",
        ),
        (
            "acme/identity.json",
            0o664,
            "critical permissions: other users can write to STORE/acme/identity.json (mode 0664)",
        ),
    ],
)
def test_a_check_of_permissions(store, path, mode, expected):
    """Reports who may read or write what they should not, and the command that fixes it."""
    enroll(store, issued=1)
    (store.root / path).chmod(mode)
    [said] = told(store)
    assert said.startswith(expected)


@pytest.mark.parametrize("path", ["acme/generations/0001/csr.pem", "acme/identity.json"])
def test_what_is_public_may_be_more_private(store, path):
    """A stricter mode than ours is no problem."""
    enroll(store, issued=1)
    (store.root / path).chmod(0o600)
    assert told(store) == []


def test_a_check_of_owners(store):
    """Files of another user than the store's owner are reported."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    enroll(store, issued=1)
    os.chown(store.root / "acme" / "generations" / "0001" / "key.pem", 65534, -1)
    assert told(store) == [
        (
            "warning permissions: STORE/acme/generations/0001/key.pem belongs to user 65534"
            " -> chown 0 STORE/acme/generations/0001/key.pem"
        )
    ]


def test_a_check_of_a_group(tmp_path, store):
    """Tells where the group of an identity does not get through, and what it may not read."""
    group = some_group()
    store.root.mkdir(mode=0o700)
    enroll_for(store, group.gr_name)
    let_through(tmp_path)
    assert told(store) == [f"warning permissions: the group {group.gr_name} cannot enter STORE -> chmod o+x STORE"]
    store.root.chmod(0o711)
    key_file = store.root / "acme" / "generations" / "0001" / "key.pem"
    key_file.chmod(0o600)
    assert told(store) == [
        (
            "warning permissions: the intended users cannot read STORE/acme/generations/0001/key.pem (mode 0600)"
            " -> chmod 640 STORE/acme/generations/0001/key.pem"
        )
    ]


def test_a_check_of_a_group_that_is_gone(store):
    """Is reported once for each of its identities."""
    enroll(store, issued=1)
    path = store.root / "acme" / "settings.json"
    path.write_bytes(json.dumps(with_group("no-such-group").settings.document()).encode())
    assert told(store) == [
        (
            "critical identity:acme: this host has no group 'no-such-group'"
            " -> create it (groupadd), or use another --group"
        ),
        "unknown permissions: the permissions of the keys of acme were not checked -> see identity:acme",
    ]


def test_a_check_of_strange_files(store):
    """Names what certkit did not put there, escaped, and not all of very many."""
    enroll(store, issued=1)
    (store.root / "acme" / "hooks" / "deploy.d").mkdir(parents=True)
    (store.root / ".git").mkdir()
    (store.root / "notes\x1b[31m\u202e").write_text("x")
    for number in range(8):
        (store.root / "acme" / "generations" / f"old-{number}").mkdir()
    (store.root / "acme" / "generations" / "0001" / "key.pem.bak").write_text("x")
    (store.root / "lost").mkdir()
    assert told(store) == [
        r"warning store: not created by certkit in STORE: notes\1B[31m\E2\80\AE -> move it away",
        (
            "warning identity:acme: not created by certkit in STORE/acme/generations:"
            " old-0, old-1, old-2, old-3, old-4 and 3 more -> move it away"
        ),
        "warning identity:acme: not created by certkit in STORE/acme/generations/0001: key.pem.bak -> move it away",
        (
            "critical identity:lost: STORE/lost is not an identity: it has no identity.json"
            " -> restore its identity.json from a backup, or remove the directory by hand"
        ),
        "unknown permissions: the permissions of the keys of lost were not checked -> see identity:lost",
    ]


def test_a_check_of_what_is_half_there(store):
    """An interrupted install, a missing generation, a file that is not a key."""
    enroll(store, issued=2)
    activate(store, "0002")
    activate(store, "0001")
    own = store.root / "acme" / "generations"
    (own / "0001" / "certificate.pem").unlink()
    (own / "0001" / "key.pem").write_bytes(b"\0" * 241)
    (own / "0002").rename(store.root / "acme" / "hooks")
    assert told(store) == [
        (
            "warning identity:acme: an install in STORE/acme/generations/0001 was interrupted"
            " -> install the certificate again"
        ),
        (
            "critical identity:acme: cannot read STORE/acme/generations/0001/key.pem: expected a private key:"
            " it contains only whitespace or NULs -> restore it from a backup"
        ),
        "warning identity:acme: generations that were active are missing: 0002 -> restore them from a backup",
    ]


def test_documents_that_are_damaged_or_open_to_others(store):
    """Are reported one by one, without their contents."""
    enroll(store)
    store.put_document("acme", "sound", FIELDS, over=None)
    tokens = store.root / "acme" / "tokens"
    (tokens / "broken.json").write_text('{"access_token": "first-token"')
    (tokens / "odd.json").write_text('{"access_token": ["first-token"]}')
    (tokens / "note.txt").write_text("first-token")
    (tokens / "odd.json").chmod(0o600)
    (tokens / "broken.json").chmod(0o644)
    tokens.chmod(0o755)
    assert told(store) == [
        "warning identity:acme: not created by certkit in STORE/acme/tokens: note.txt -> move it away",
        (
            "critical identity:acme: cannot read STORE/acme/tokens/broken.json: not a JSON object of strings"
            " -> restore it from a backup, or remove it and get another"
        ),
        (
            "critical identity:acme: cannot read STORE/acme/tokens/odd.json: not a JSON object of strings"
            " -> restore it from a backup, or remove it and get another"
        ),
        "warning permissions: other users can read STORE/acme/tokens (mode 0755) -> chmod 700 STORE/acme/tokens",
        (
            "warning permissions: other users can read STORE/acme/tokens/broken.json (mode 0644)"
            " -> chmod 600 STORE/acme/tokens/broken.json"
        ),
    ]


def test_documents_are_for_their_owner_only(store):
    """Also where a group may read the keys."""
    let_through(store.root.parent)
    enroll_for(store, some_group().gr_name)
    store.put_document("acme", "x", FIELDS, over=None)
    found = tree(store.root / "acme")
    assert (found["tokens"], found["tokens/x.json"]) == ("d 0700", "f 0600")
    assert told(store) == []


def test_a_directory_of_documents_that_is_none(store):
    """Is reported, and the other checks still run."""
    enroll(store)
    (store.root / "acme" / "tokens").symlink_to("elsewhere")
    assert told(store) == [
        (
            "critical identity:acme: cannot read STORE/acme/tokens: it is a symbolic link"
            " -> replace it with its target: a store does not follow symbolic links"
        )
    ]
