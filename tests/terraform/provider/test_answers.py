"""Answers of the provider to queries and to mistakes."""

from __future__ import annotations

import re

import pytest

from certkit.cli.identity.enroll import enroll
from certkit.terraform.provider import settings
from tests.terraform.provider.conftest import identity, provider
from tests.terraform.workspace import MODULE

DATA = """\
resource "certkit_identity" "acme" {
  name         = "acme"
  policy       = "wise-sandbox"
  organization = "Acme Ltd"
}
data "certkit_csr_check" "acme" {
  csr    = certkit_identity.acme.csr
  policy = "wise-sandbox"
}
data "certkit_csr_check" "unknown_policy_rules" {
  csr = file("acme.csr")
}
data "certkit_identity" "nobody" {
  name = "nobody"
}
data "certkit_expiry" "nobody" {
  source = "identity:nobody"
}
data "certkit_expiry" "file" {
  source   = "soon.pem"
  warn     = "30d"
  critical = "10d"
}
data "certkit_expiry" "directory" {
  source = "."
}
data "certkit_expiry" "bundle" {
  source = "acme.p12"
}
"""


def test_data_sources(file, workspaces, partner):
    """Facts of an identity, of files, of a directory, and of CSRs; an identity that is not there is an answer."""
    work = workspaces(file)
    (work.folder / "soon.pem").write_bytes(partner.ca.issue(end=partner.end(20)).pem)
    (work.folder / "acme.csr").write_bytes(partner.csr())
    (work.folder / "acme.p12").write_bytes(partner.bundle())
    work.write(provider(file) + DATA)
    work.apply()
    answers = {name: work.state(f"data.certkit_{name}") for name in ANSWERS}
    shown = {name: {key: answers[name][key] for key in wanted} for name, wanted in ANSWERS.items()}
    assert shown == ANSWERS
    assert answers["csr_check.acme"]["checks"][0] == {
        "id": "encoding",
        "status": "ok",
        "message": "one PEM block, nothing else",
        "hint": "",
    }
    assert answers["expiry.file"]["not_after"] == f"{partner.end(20):%Y-%m-%dT%H:%M:%SZ}"
    assert work.holds(file.secrets) == set()


ANSWERS = {
    "csr_check.acme": {"status": "ok", "subject": "O=Acme Ltd"},
    "csr_check.unknown_policy_rules": {"status": "ok", "subject": "CN=acme"},
    "identity.nobody": {"state": "absent", "status": "unknown", "days_left": None, "csr": None},
    "expiry.nobody": {"status": "unknown", "days_left": None},
    "expiry.file": {"status": "warning", "days_left": 19, "subject": "CN=acme-client-id,O=Acme Ltd"},
    "expiry.directory": {"status": "warning", "days_left": 19},
    "expiry.bundle": {"status": "ok"},
}

MISTAKES = {
    "a subject that the policy refuses": (
        'resource "certkit_identity" "a" {\n name = "a"\n policy = "wise-sandbox"\n}\n',
        "O is missing; Wise Platform (sandbox) requires it",
    ),
    "a policy that there is not": (
        'resource "certkit_identity" "a" {\n name = "a"\n policy = "wize"\n}\n',
        "unknown policy 'wize'",
    ),
    "a name that is none": (
        'resource "certkit_identity" "a" {\n name = "../a"\n policy = "general"\n common_name = "a"\n}\n',
        "not a valid identity name: '../a'",
    ),
    "a private key where the CA belongs": (
        'resource "certkit_identity" "a" {\n name = "a"\n policy = "general"\n ca = file("key.pem")\n}\n',
        "ca: there is a private key in it",
    ),
    "no certificate": (
        'resource "certkit_certificate" "a" {\n identity = "a"\n certificate = "hello"\n}\n',
        "cannot read the argument `certificate` as a certificate: ",
    ),
    "an issuer that is none": (
        'resource "certkit_identity" "a" {\n name = "a"\n policy = "general"\n common_name = "a"\n issuer = "x"\n}\n',
        "not an issuer: 'x'",
    ),
    "a subject in two ways": (
        'resource "certkit_identity" "a" {\n name = "a"\n policy = "general"\n email = "a"\n subject = ["O=a"]\n}\n',
        "`subject` and options such as `organization` exclude each other",
    ),
    "half of a PSD2 statement": (
        'resource "certkit_identity" "a" {\n name = "a"\n policy = "general"\n psd2_role = ["PSP_AI"]\n}\n',
        "Give `psd2_role`, `psd2_authority` and `psd2_authority_id` together.",
    ),
}

# What is one run's, or the shell's, and not an identity's.
OF_A_RUN = {
    "--no-probe",
    "--store",
    "--passphrase-file",
    "--json",
    "--quiet",
    "--verbose",
    "--timeout",
    "--proxy",
    "--help",
}
SPELT = {"--state": "province", "--unit": "units", "--type": "key_type"}


def test_every_option_of_enroll_is_an_argument():
    """Of the resource, and of the module."""
    options = {name for each in enroll.params for name in each.opts if name.startswith("--")} - OF_A_RUN
    named = {SPELT.get(name, name.removeprefix("--").replace("-", "_")) for name in options}
    assert named == {*settings.NAMES}
    module = (MODULE / "main.tf").read_text()
    assert [name for name in options if not re.search(rf"(?:{name}=|\b{name[2:]} +=)", module)] == []


def test_mistakes_are_told_before_anything_is_done(file, workspaces, partner):
    """Each as a diagnostic of its own, with a hint; nothing is written."""
    work = workspaces(file)
    (work.folder / "key.pem").write_bytes(partner.ca.key_pem)
    blocks = (text.replace('"a" {', f'"a{at}" {{', 1) for at, (text, _) in enumerate(MISTAKES.values()))
    work.write(provider(file) + "".join(blocks))
    ran = work.run("validate")
    assert ran.code == 1
    assert [name for name, (_, said) in MISTAKES.items() if said not in ran.said] == []
    assert "Set it with `organization`." in ran.said
    assert "`certkit policy list` shows the names" in ran.said
    (work.folder / "key.pem").unlink()
    assert work.holds(partner.secrets) == set()
    assert not file.store.root.exists()


STORES = {
    '"nowhere"': ("validate", "not a store: nowhere"),
    '"file:ids?transit=x"': ("validate", "not a store: file:ids?transit=x"),
    '"vault://"': ("validate", "vault:// does not name a mount"),
    "null": ("plan", "not a store: somewhere"),
    "terraform_data.known_later.output": ("apply", "not a store: nowhere"),
}


@pytest.mark.parametrize("uri", STORES)
def test_a_store_that_is_none(file, workspaces, uri):
    """Terraform says so as soon as it knows the value, and nothing is made."""
    work, (command, reason) = workspaces(file), STORES[uri]
    later = 'resource "terraform_data" "known_later" {\n input = "nowhere"\n}\n'
    block = identity().replace('file("ca.pem")', "null")
    work.write(f'provider "certkit" {{\n store = {uri}\n}}\n' + later + block)
    work.variables = {"CERTKIT_STORE": "somewhere"}
    for each in ("validate", "plan"):
        ran = work.run(each)
        assert ran.code == (1 if each == command else 0)
        if ran.code == 1:
            break
    else:
        ran = work.run("apply", "-auto-approve")
    assert reason in ran.said
    assert 'in provider "certkit"' in ran.said


def test_a_store_that_cannot_be_reached(file, workspaces, partner):
    """The error says what is wrong with it."""
    work = workspaces(file)
    (work.folder / "ca.pem").write_bytes(partner.ca.pem)
    work.write('provider "certkit" {\n store = "vault://secret/x"\n}\n' + identity())
    token = "hvs.no-token-of-anybody"
    work.variables = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": token, "VAULT_MAX_RETRIES": "0"}
    ran = work.run("apply", "-auto-approve")
    assert ran.code == 1
    assert "http://127.0.0.1:1" in ran.said
    assert work.holds([token.encode()]) == set()
