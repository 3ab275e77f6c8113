"""macOS: without O_TMPFILE, /proc, memfd_create, pidfd and O_PATH, the same happens by other ways."""

from __future__ import annotations

import shlex

import pytest
from cryptography import x509

from tests import pki

STORE = "--store file:identities"


@pytest.fixture(scope="module")
def life(tmp_path_factory, root, as_on):
    """The life of an identity, as commands whose results are looked at below."""
    folder = tmp_path_factory.mktemp("macos")
    now = pki.datetime.now(pki.UTC)
    (folder / "ca.pem").write_bytes(root.pem)
    (folder / "hook").write_text('#!/bin/sh\necho "$CERTKIT_NAME $CERTKIT_KEY_PATH" >>hooked\n')
    (folder / "hook").chmod(0o755)
    results = {}

    def run(*lines):
        results.update(zip(lines, as_on("macos", folder, map(shlex.split, lines)), strict=True))

    def answer(number):
        csr = x509.load_pem_x509_csr((folder / f"identities/acme/generations/{number}/csr.pem").read_bytes())
        pair = root.issue(csr.subject, public_key=csr.public_key(), begin=now - pki.DAY, end=now + 300 * pki.DAY)
        (folder / f"{number}.pem").write_bytes(pair.pem)

    run(
        "key generate --out one.key",
        'csr create --policy wise-sandbox --organization "Acme Ltd" --key-out two.key --out two.csr',
        "csr check two.csr --policy wise-sandbox --key two.key",
        f'identity enroll acme --policy wise-sandbox --organization "Acme Ltd" --ca ca.pem {STORE}',
    )
    answer("0001")
    run(
        f"identity install acme 0001.pem --deploy-hook {folder}/hook {STORE}",
        f"identity renew acme --force {STORE}",
    )
    answer("0002")
    run(
        f"identity install acme 0002.pem {STORE}",
        f"identity rollback acme {STORE}",
        f"identity activate acme 0002 {STORE}",
        f"identity export acme --out exported {STORE}",
        f"identity export acme --out exported --json {STORE}",
        f"identity list {STORE}",
        f"identity log acme {STORE}",
        f"store check {STORE}",
        "inspect two.csr 0002.pem",
        "verify 0002.pem --ca ca.pem --key identities/acme/active/key.pem",
        "expiry 0001.pem 0002.pem identities --format json --output report.json",
        f"expiry -q identity:acme {STORE}",
        "expiry 127.0.0.1:1",
        f"identity remove acme --force {STORE}",
    )
    return folder, results


def test_every_command_works(life):
    """With its usual exit code, and no message about the system."""
    _, results = life
    bad = {line: ran for line, ran in results.items() if ran.code != 0 and line != "expiry 127.0.0.1:1"}
    assert bad == {}
    assert results["expiry 127.0.0.1:1"].code == 3


def test_nothing_is_left_behind_and_keys_are_private(life):
    """Files are written beside their target and renamed; keys are 0600."""
    folder, _ = life
    assert (folder / "exported/key.pem").stat().st_mode & 0o777 == 0o600
    for name in ("one.key", "two.key"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    # The exported directory is a link to one beside it, with a lock.
    assert [each.name for each in folder.iterdir() if each.name.startswith(".") and "exported" not in each.name] == []
    assert list((folder / "identities").glob("acme*")) == []


def test_the_deploy_hook_ran_with_the_identitys_names(life):
    """The programs of a deploy hook need no /proc either."""
    folder, _ = life
    hooked = (folder / "hooked").read_text().splitlines()
    assert hooked == [f"acme {folder}/identities/acme/active/key.pem"]


def test_an_export_that_changes_nothing_touches_nothing(life):
    """As on Linux."""
    _, results = life
    assert results[f"identity export acme --out exported --json {STORE}"].json["changed"] is False
