"""`certkit policy`: partners' rules on the command line."""

from __future__ import annotations

import pytest

from certkit.policy import catalogue
from tests.conftest import openssl

NAMES = catalogue.names()


def test_the_list(certkit):
    """All that can be used, and not the bases that policies share."""
    assert {"adyen", "obwac", "wise-sandbox"} <= set(NAMES)
    assert not {"wise", "klarna", "eidas-psd2"} & set(NAMES)
    assert [policy["name"] for policy in certkit("policy", "list", "--json").json] == NAMES
    assert [line.split()[0] for line in certkit("policy", "list").out.splitlines()] == NAMES


@pytest.mark.parametrize("name", ["adyen", "brazil-brcac", "general", "wise-production"])
def test_each_can_be_shown(certkit, name):
    """As text and JSON, with its sources and the day they were read."""
    shown = certkit("policy", "show", name, "--json").json
    assert shown["name"] == name
    assert all(source["title"] and source["read"].startswith("2026-11-") for source in shown["sources"])
    assert certkit("policy", "show", name).out.startswith(f"name: {name}\n")


def test_every_rule_is_shown_with_its_source(certkit):
    """By number; a choice of the policy's author with a star."""
    shown = certkit("policy", "show", "circle-mint").out
    assert "  key.types                      ec-p256  [1]\n" in shown
    assert "  renewal.at_least               14d  [2]\n" in shown
    assert "  renewal.opens                  30d  [*]\n" in shown
    assert "https://developers.circle.com/circle-mint/rotate-mtls-certificate\n" in shown


def test_a_new_policy_is_valid_as_it_is(certkit, tmp_path):
    """With every key of the format; it is never overwritten."""
    assert certkit("policy", "new", "acme").out == ("acme.toml: fill it in, then: certkit policy validate acme.toml\n")
    assert certkit("policy", "validate", "acme.toml").out == "acme.toml: ok, acme\n"
    text = (tmp_path / "acme.toml").read_text()
    assert all(f"[{table}]" in text for table in ("key", "subject", "csr", "certificate", "renewal", "hosts", "portal"))
    assert certkit("policy", "new", "acme").code == 3
    assert certkit("policy", "new", "../acme").code == 3
    everything = "\n".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in text.splitlines()
    )
    (tmp_path / "all.toml").write_text(everything.replace('extends = "general"', ""))
    assert certkit("policy", "validate", "all.toml").err.count("\n") <= 1


@pytest.mark.parametrize("begin", [b"-----BEGIN PRIVATE KEY-----\n", bytes.fromhex("feedfeed00000002")])
def test_a_new_policy_never_replaces_a_key(certkit, tmp_path, begin):
    """With --force neither: PEM, and a Java key store."""
    (tmp_path / "k").write_bytes(begin)
    refused = certkit("policy", "new", "acme", "--out", "k", "--force")
    assert (refused.code, refused.err) == (
        3,
        "certkit: error: cannot write k: it already exists. It may hold a private key: choose another name\n",
    )
    assert (tmp_path / "k").read_bytes() == begin
    (tmp_path / "k").write_bytes(b"# another\n")
    assert certkit("policy", "new", "acme", "--out", "k", "--force").code == 0


def test_which_partners_would_accept_a_csr(certkit, tmp_path):
    """Each with its verdict; of those that would reject it, the reason."""
    certkit("key", "generate", "--type", "rsa-4096", "--out", "k")
    openssl("req", "-new", "-key", tmp_path / "k", "-subj", "/O=Acme", "-out", tmp_path / "c.csr")
    found = {each["policy"]: each for each in certkit("policy", "which", "c.csr", "--json").json}
    assert (found["swish"]["status"], found["fireblocks"]["status"], found["clearbank"]["status"]) == (
        "ok",
        "ok",
        "warning",
    )
    assert found["circle-mint"]["reasons"][0] == "rsa-4096 is not accepted for Circle Mint"
    assert certkit("policy", "which", "k").code == 3


def test_which_partners_would_accept_a_certificate(certkit, tmp_path):
    """Its key and its limits."""
    certkit("key", "generate", "--type", "ec-p256", "--out", "k")
    openssl(
        *("req", "-x509", "-new", "-key", tmp_path / "k", "-subj", "/CN=Acme/O=Acme", "-days", "3650"),
        *("-out", tmp_path / "c.pem"),
    )
    found = {each["policy"]: each for each in certkit("policy", "which", "c.pem", "--json").json}
    assert found["circle-mint"]["reasons"] == ["valid for 3650 days; Circle Mint allows at most 365"]
    assert "self-signed, which Checkout.com does not accept" in found["checkout"]["reasons"]
    assert found["general"]["status"] == "ok"


def test_keys_that_are_no_longer_rules_are_noted(certkit, tmp_path):
    """A file of format 1 that has them is still valid."""
    (tmp_path / "old.toml").write_text('extends = "wise-sandbox"\n[certificate]\nunique_names = true\n')
    valid = certkit("policy", "validate", "old.toml")
    assert valid.code == 0
    note = "certificate.unique_names is no longer a rule: certkit never uses a certificate name twice"
    assert valid.err == f"certkit: old.toml: note: {note}\n"


def test_wises_rules(certkit):
    """Wise's documented rules, and those that it leaves open."""
    shown = certkit("policy", "show", "wise-sandbox", "--json").json
    assert shown["hosts"]["api_mtls"] == "https://api-mtls.wise-sandbox.com"
    assert shown["certificate"]["max_live"] == 10
    assert shown["certificate"]["san"] == "unknown"
    assert shown["csr"]["surrounding_text"] is False
    renewal = shown["renewal"]
    assert (renewal["opens"], renewal["reuse_key"]) == ("45d", "unknown")
    assert renewal["reminders"] == [28, 14, 7, 3, 1, 0]


def test_a_policy_of_ones_own(certkit, tmp_path):
    """A path names a TOML file, which may extend a policy that certkit brings."""
    (tmp_path / "ours.toml").write_text('extends = "wise-sandbox"\ntitle = "Ours"\n[key]\ntypes = ["rsa-4096"]\n')
    create = ("csr", "create", "--policy", "./ours.toml", "--organization", "A", "--key-out", "k", "--out", "c")
    assert certkit(*create, "--json").json["key"]["type"] == "rsa-4096"
    assert certkit("policy", "validate", "ours.toml").out == "ours.toml: ok, Ours\n"


def test_a_mistake_is_named_with_its_line(certkit, tmp_path):
    """A misspelt key: the file, the line, and what was meant."""
    (tmp_path / "ours.toml").write_text('extends = "wise"\ntitle = "Ours"\n\n[subject]\nrequierd = ["O"]\n')
    refused = certkit("policy", "validate", "ours.toml")
    assert refused.code == 3
    assert refused.err == (
        "certkit: error: policy ours.toml, line 5: unknown key 'subject.requierd'. Did you mean 'required'?\n"
    )


def test_an_unknown_policy(certkit, tmp_path):
    """For an unknown name the hint is where the names are; for a file of that name it is how to give its path."""
    assert "`certkit policy list` shows the names" in certkit("policy", "show", "wize").err
    (tmp_path / "wize").touch()
    assert "give its path: ./wize" in certkit("policy", "show", "wize").err
    assert certkit("policy", "show", "wise").code == 3
