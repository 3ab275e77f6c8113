"""A damaged file store: every fault is reported, and no link is followed."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from certkit.errors import CertkitError, StoreError
from certkit.findings import Status
from certkit.stores.file.store import FileStore
from certkit.stores.opening import findings_of
from tests.stores.contract import CSR, PAIRS, RECORD, activate, answer, enroll, key
from tests.stores.legacy import old_form
from tests.stores.places import tree


@pytest.fixture
def store(tmp_path):
    """An empty store, whose directory is still to be made."""
    return FileStore(tmp_path / "store", wait_seconds=10)


def put(path, content):
    """Have something else in the place of a file."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(".was"))
    else:
        path.unlink(missing_ok=True)
    match content:
        case bytes():
            path.write_bytes(content)
        case int():
            with path.open("wb") as stream:
                stream.truncate(content)
        case Path():
            path.symlink_to(content)
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)


def document(**changes):
    """A record's JSON, changed."""
    return json.dumps({**old_form(RECORD), **changes}).encode()


NO_RECORD = "not an identity's record"
RECORD_DAMAGES = [
    (b"", NO_RECORD),
    (b"\0" * 617, NO_RECORD),
    (b"{", NO_RECORD),
    (b"null", NO_RECORD),
    (b"[]", NO_RECORD),
    (b'"version"', NO_RECORD),
    (b"\xff\xfe", NO_RECORD),
    (b"[" * 100_000, NO_RECORD),
    (b"9" * 5_000, NO_RECORD),
    (document(version=3), "version 3 of an identity's record"),
    (document(left=["x"]), NO_RECORD),
    (document(move=1), NO_RECORD),
    (document(move={"to": None}), NO_RECORD),
    (document(move={"to": "0009", "before": None}), NO_RECORD),
    (document(move={"to": "0009", "before": {}}), NO_RECORD),
    (4 * 1024 * 1024 + 1, "larger than 4,194,304 bytes"),
    ("directory", "not a regular file"),
    ("pipe", "not a regular file"),
    (Path("/etc/passwd"), "it is a symbolic link"),
    (Path("nowhere"), "it is a symbolic link"),
]
POINTER_DAMAGES = [
    (b"0001", "not a symbolic link"),
    ("directory", "it is a directory that is no generation"),
    (Path("generations/0009"), "there is no generation 0009"),
    (Path("generations/0003"), "there is no generation 0003"),
    (Path("0001"), "it points to '0001', which is not a generation"),
    (Path("generations/0001/key.pem"), "which is not a generation"),
    (Path("generations/../../other"), "which is not a generation"),
    (Path("../other/generations/0001"), "which is not a generation"),
    (Path("/etc"), "it points to '/etc', which is not a generation"),
    (Path("\x1b[1m\u202e"), r"it points to '\x1b[1m\u202e', which is not a generation"),
]
GENERATION_DAMAGES = [
    ("0001/key.pem", None, "generations/0001: key.pem is missing"),
    ("0001/fullchain.pem", None, "fullchain.pem: no such file or directory"),
    ("0001/ca.pem", None, "ca.pem: no such file or directory"),
    ("0001/fullchain.pem", PAIRS[1].pem, "fullchain.pem: it does not begin with the certificate"),
    ("0001/certificate.pem", Path("/etc/passwd"), "certificate.pem: it is a symbolic link"),
    ("0001/certificate.pem", b"", "certificate.pem: it is empty or cut off"),
    ("0001/certificate.pem", PAIRS[0].pem[:300], "certificate.pem: it is empty or cut off"),
    ("0001/csr.pem", "pipe", "csr.pem: not a regular file"),
    ("0001/ca.pem", 4 * 1024 * 1024 + 1, "ca.pem: larger than 4,194,304 bytes"),
    ("0002", Path("0001"), "generations/0002: it is a symbolic link"),
    ("0002", b"", "generations/0002: not a directory"),
]


def damaged(store, path, content):
    """A store with an identity whose file is something else now."""
    enroll(store, issued=2)
    activate(store, "0001")
    (store.root / "acme" / "generations" / "0003").symlink_to("0001")
    if not path.startswith("generations"):
        (store.root / "acme" / "generations" / "0003").unlink()
    put(store.root / "acme" / path, content)


def calls(store):
    """Everything that one can do with an identity."""
    return {
        "load": lambda: store.load("acme"),
        "change": lambda: store.change("acme", lambda record: record.activate("0002")),
        "add": lambda: store.add("acme", "0009", key=key(0), csr=CSR),
        "install": lambda: store.install("acme", "0002", answer(0), facts={}),
        "key": lambda: store.key("acme", "0001"),
        "create": lambda: store.create("acme", RECORD),
        "remove": lambda: store.remove("acme"),
    }


def assert_told(store, why):
    """Reading it is refused and says why, and so does a check; nothing else is raised, whatever is done."""
    with pytest.raises(StoreError) as refused:
        store.load("acme")
    assert why in refused.value.message
    assert refused.value.hint
    said = [finding for finding in findings_of(store) if finding.id == "identity:acme"]
    assert [finding.status for finding in said] == [Status.CRITICAL]
    assert all(each.message.isprintable() for each in findings_of(store))
    assert store.names() == ["acme"]
    for call in calls(store).values():
        with contextlib.suppress(StoreError):
            call()


@pytest.mark.parametrize(("content", "why"), RECORD_DAMAGES)
def test_a_damaged_record(store, content, why):
    """Is reported by name, never as a traceback."""
    damaged(store, "identity.json", content)
    assert_told(store, why)


@pytest.mark.parametrize(("content", "why"), POINTER_DAMAGES)
def test_a_damaged_pointer(store, content, why):
    """Is reported with the command that fixes it; it is never followed out of the identity."""
    damaged(store, "active", content)
    assert_told(store, why)


@pytest.mark.parametrize(("path", "content", "why"), GENERATION_DAMAGES)
def test_a_damaged_generation(store, path, content, why):
    """Is reported by name."""
    damaged(store, f"generations/{path}", content)
    (store.root / "acme" / "generations" / "0003").unlink(missing_ok=True)
    assert_told(store, why)


@pytest.mark.parametrize("kind", ["link", "link of generations", "no generations"])
def test_directories_are_no_links(tmp_path, store, kind):
    """A link in place of a directory is reported, and not followed."""
    enroll(store, issued=1)
    own = store.root / "acme"
    moved = own if kind == "link" else own / "generations"
    moved.rename(tmp_path / "elsewhere")
    if kind != "no generations":
        moved.symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path / "elsewhere")
    for call in calls(store).values():
        with pytest.raises(StoreError):
            call()
        if kind != "link":
            break
    why = "it is a symbolic link" if kind != "no generations" else "no such file or directory"
    assert any(why in each.message for each in findings_of(store) if each.id == "identity:acme")
    assert tree(tmp_path / "elsewhere") == before


def test_a_damaged_certificate(store):
    """Is a finding that names the file."""
    enroll(store, issued=1)
    folder = store.root / "acme" / "generations" / "0001"
    for content in (b"", b"x", PAIRS[0].pem[:200]):
        (folder / "certificate.pem").write_bytes(content)
        (folder / "fullchain.pem").write_bytes(content)
        [found] = [finding for finding in findings_of(store) if finding.status is Status.CRITICAL]
        assert (found.id, f"{folder}/certificate.pem" in found.message) == ("identity:acme", True)


@pytest.mark.parametrize("place", ["file", "file/below", "dangling", "x" * 300, "a\0b"])
def test_places_that_are_no_store(tmp_path, place):
    """Are reported by every method."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    store = FileStore(tmp_path / place)
    for call in [*calls(store).values(), store.names]:
        with contextlib.suppress(CertkitError):
            call()
    assert {finding.status for finding in findings_of(store)} <= {Status.CRITICAL, Status.UNKNOWN}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]
