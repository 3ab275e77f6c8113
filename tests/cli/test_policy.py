"""`certkit policy`: partners' rules on the command line."""

from __future__ import annotations

import pytest

NAMES = [
    "circle-mint",
    "general",
    "mastercard-mtf",
    "public-ca",
    "wise-production",
    "wise-sandbox",
    "wise-sandbox-legacy",
]


def test_the_list(certkit):
    """All that can be used, and not the base that Wise's policies share."""
    assert [policy["name"] for policy in certkit("policy", "list", "--json").json] == NAMES
    assert [line.split()[0] for line in certkit("policy", "list").out.splitlines()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_shown(certkit, name):
    """As text and JSON, with its sources and the day they were read."""
    shown = certkit("policy", "show", name, "--json").json
    assert shown["name"] == name
    assert all(source["title"] and source["read"] == "2026-11-22" for source in shown["sources"])
    assert certkit("policy", "show", name).out.startswith(f"name: {name}\n")


def test_wises_rules(certkit):
    """What Wise asks for, and what it leaves unsaid."""
    shown = certkit("policy", "show", "wise-sandbox", "--json").json
    assert shown["hosts"]["api_mtls"] == "https://api-mtls.wise-sandbox.com"
    assert shown["certificate"]["max_live"] == 10
    assert shown["certificate"]["san"] == "unknown"
    assert shown["csr"]["surrounding_text"] is False
    assert shown["renewal"] == {
        "opens": "45d",
        "at_least": None,
        "reuse_key": "unknown",
        "reminders": [28, 14, 7, 3, 1, 0],
    }


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
    """A name that is none says where the names are; a file of that name says how to give its path."""
    assert "`certkit policy list` shows the names" in certkit("policy", "show", "wize").err
    (tmp_path / "wize").touch()
    assert "give its path: ./wize" in certkit("policy", "show", "wize").err
    assert certkit("policy", "show", "wise").code == 3
