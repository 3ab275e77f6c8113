"""`certkit identity update` and `prune`, numbers of generations, and intermediates: the contract, on the command."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography import x509

from certkit.identity.issuers import IssuerAnswer
from certkit.identity.renew import Renewal, renew
from tests import pki
from tests.cli.test_identity import ISSUING, NOW, POLICY, ROOT, TRUSTING, Identities, refuses

NEXT = pki.root(pki.name(O="Partner", CN="Next Root CA"), begin=NOW - pki.YEAR, end=NOW + pki.YEAR)
SETTINGS_OF = "store/acme/settings.json"


@pytest.fixture
def identity(tmp_path):
    """An identity in use, with the partner's CAs beside it."""
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    (tmp_path / "next.pem").write_bytes(NEXT.pem)
    (tmp_path / "issuing.pem").write_bytes(ISSUING.pem)
    found = Identities(tmp_path)
    found.use()
    return found


def settings(identity):
    """The settings in the store."""
    return json.loads((identity.folder / SETTINGS_OF).read_text())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--client-id", "other"), {"client_id": "other"}),
        (("--issuer", "command:./sign --now"), {"issuer": "command:{folder}/sign --now"}),
        (("--issuer", "vault-pki:pki/acme"), {"issuer": "vault-pki:pki/acme"}),
        (("--probe", "https://localhost/x"), {"probe": "https://localhost/x"}),
        (("--probe", "none"), {"probe": None}),
        (("--deploy-hook", "/bin/true x"), {"deploy_hook": "/bin/true x"}),
        (("--deploy-hook", "none"), {"deploy_hook": None}),
        (("--ca", "next.pem"), {"trust_bundle": ROOT.pem.decode() + NEXT.pem.decode()}),
        (("--ca", "next.pem", "--replace-ca", "--force"), {"trust_bundle": NEXT.pem.decode()}),
    ],
)
def test_update(identity, options, expected):
    """Changes that setting and no other, and again changes nothing."""
    before = settings(identity)
    updated = identity("update", "acme", *options, "--json")
    same = all(
        before[name] == (value or "").format(folder=identity.folder) or before[name] is value
        for name, value in expected.items()
    )
    assert (updated.code, updated.json["changed"]) == (0, not same)
    wanted = {name: value and value.format(folder=identity.folder) for name, value in expected.items()}
    assert settings(identity) == {**before, **wanted}
    assert identity("update", "acme", *options, "--json").json["changed"] is False


def test_a_hook_that_this_host_does_not_know(identity):
    """It is stored, because it may be configured later; a file beside it needs its path."""
    (identity.folder / "reload.sh").write_text("#!/bin/sh\n")
    updated = identity("update", "acme", "--deploy-hook", "reload.sh")
    assert updated.code == 0
    assert updated.err.startswith("certkit: warning: there is no program 'reload.sh' in the system's directories")
    assert "(such as ./reload.sh), or add [hooks.reload.sh]" in updated.err
    assert identity("update", "acme", "--deploy-hook", "./reload.sh").err == ""


def test_a_client_id_that_the_active_certificate_contradicts(identity):
    """It is stored, for the next certificate may have it, with a warning that names both."""
    updated = identity("update", "acme", "--client-id", "other")
    said = "certkit: warning: the active certificate's CN is acme-client-id, not the client id other. "
    assert (updated.code, updated.err.startswith(said)) == (0, True)
    assert identity("update", "acme", "--client-id", "acme-client-id").err == ""


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--ca", "next.pem", "--replace-ca"), 2, "the certificate of generation 0001 is not trusted"),
        (("--replace-ca",), 3, "--replace-ca needs --ca"),
        (("--ca", "answer.pem"), 3, "trust"),
        (("--issuer", "nonsense"), 3, "nonsense"),
        (("--probe", "http://localhost"), 3, "http://localhost"),
        (("--client-id", ""), 3, "--client-id"),
    ],
)
def test_update_of_what_cannot_be(identity, options, code, said):
    """Is refused with the reason, and nothing is written."""
    if "answer.pem" in options:
        (identity.folder / "answer.pem").write_bytes(identity.use("other").pem)
    refuses(identity, code, said, "update", "acme", *options)


def test_a_ca_is_replaced_without_downtime(identity):
    """Add the new one, renew below it, then drop the old one: a certificate that works is in use all the time."""
    issuing = NEXT.intermediate(begin=NOW - pki.YEAR, end=NOW + pki.YEAR)
    assert identity("update", "acme", "--ca", "next.pem").code == 0
    assert identity("renew", "acme", "--force").code == 0
    made = identity.answer(issuer=issuing)
    (identity.folder / "answer.pem").write_bytes(made.pem + issuing.pem)
    assert identity("install", "acme", "answer.pem", "--json").json["active"]["generation"] == "0002"
    assert identity("update", "acme", "--ca", "next.pem", "--replace-ca").code == 0
    assert identity("export", "acme", "--out", "tls").code == 0
    assert (identity.folder / "tls/ca.pem").read_bytes() == NEXT.pem


def test_untrusted(identity):
    """Intermediates that the partner did not send may complete the chain, of an answer and of an adopted pair."""
    made = identity.renew()
    (identity.folder / "leaf.pem").write_bytes(made.pem)
    refuses(identity, 2, "chain: ", "install", "acme", "leaf.pem")
    installed = identity("install", "acme", "leaf.pem", "--untrusted", "issuing.pem", "--json")
    assert (installed.code, installed.json["active"]["generation"]) == (0, "0002")
    assert (identity.folder / "store/acme/active/fullchain.pem").read_bytes() == made.pem + ISSUING.pem
    own = ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 60 * pki.DAY)
    own.write(identity.folder, "own")
    pair = ("import", "own", "--policy", "wise-sandbox", "--key", "own.key", "--cert", "own.pem", *TRUSTING)
    assert identity(*pair).code == 2
    assert identity(*pair, "--untrusted", "issuing.pem").code == 0


class Signer:
    """An issuer that answers at once."""

    def issue(self, csr):
        """A certificate of the partner's."""
        key = x509.load_pem_x509_csr(csr).public_key()
        made = ISSUING.issue(public_key=key, begin=NOW - pki.DAY, end=NOW + 360 * pki.DAY)
        return IssuerAnswer(certificates=made.pem + ISSUING.pem)


def past(identity, count):
    """Renew so many times with an issuer that answers at once."""
    for _ in range(count):
        wanted = Renewal(issuer=Signer(), force=True)
        renew(identity.store, identity.store.load("acme"), POLICY, wanted=wanted, now=NOW)


def test_prune(identity, tmp_path):
    """Deletes keys and certificates of past generations but the newest, once; a dry run says which."""
    past(identity, 5)
    shown = identity("prune", "acme", "--keep", "1", "--dry-run", "--json")
    assert (shown.code, shown.json["changed"], shown.json["pruned"]) == (0, False, ["0001", "0002", "0003"])
    assert len(list((tmp_path / "store/acme/generations").iterdir())) == 6
    pruned = identity("prune", "acme", "--keep", "1", "--json")
    assert pruned.json == {"name": "acme", "changed": True, "status": "ok", "pruned": ["0001", "0002", "0003"]}
    assert sorted(path.name for path in (tmp_path / "store/acme/generations").iterdir()) == ["0004", "0005", "0006"]
    assert identity("prune", "--all", "--keep", "1", "--json").json[0]["changed"] is False
    assert identity("rollback", "acme", "--json").json["active"]["generation"] == "0005"
    assert identity("prune", "acme", "--all").code == 3


def test_prune_says_what_it_could_not_read(identity, tmp_path):
    """An identity without a readable record: exit 3, an `error` in its document, and no line that it was pruned."""
    past(identity, 1)
    (tmp_path / "store" / "acme" / "identity.json").write_text("{}")
    ran = identity("prune", "--all")
    assert (ran.code, ran.out) == (3, "")
    [document] = identity("prune", "--all", "--json").json
    assert (document["name"], document["changed"], document["status"]) == ("acme", False, "unknown")
    assert set(document["error"]) == {"message", "hint"}


def test_prune_by_policy(identity, tmp_path):
    """A renewal deletes what the policy does not keep, so that the cost of a run does not grow."""
    keeping = replace(POLICY, renewal=replace(POLICY.renewal, keep=1))
    for turn in range(4):
        wanted = Renewal(issuer=Signer(), force=True)
        done = renew(identity.store, identity.store.load("acme"), keeping, wanted=wanted, now=NOW)
        assert [each.number for each in done.identity.generations] == [
            f"{turn + 2 - each:04}" for each in (2, 1, 0) if turn + 2 > each
        ]
    assert sorted(path.name for path in (tmp_path / "store/acme/generations").iterdir()) == ["0003", "0004", "0005"]


@pytest.mark.parametrize("number", ["2", "02", "0002"])
def test_short_numbers(identity, number):
    """Of generations are understood."""
    past(identity, 1)
    assert identity("rollback", "acme").code == 0
    assert identity("activate", "acme", number, "--json").json["active"]["generation"] == "0002"
    assert identity("retire", "acme", number.replace("2", "1"), "--json").json["changed"]
    assert identity("activate", "acme", "9").code == 3
