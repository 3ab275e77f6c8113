"""The reference pages say what certkit does: commands, JSON, exit codes, metrics."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certkit.expiry.sources.base import Reason
from certkit.report import prometheus
from certkit.testing import CA, rehearsing, serving
from scripts import make_reference
from tests import pki
from tests.conftest import Command, openssl
from tests.verify import shapes

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", re.MULTILINE)
# The names of fields whose values have a section of their own.
SHARED = {"checks": "checks", "key": "key", "error": "error", "contents": "inspect"}
SHARED |= dict.fromkeys(("active", "pending", "previous"), "generation")

# Commands for each section of the page, run one after the other in one directory.
RUNS = """
key generate: key generate --out one.key --json
csr create: csr create --policy wise-sandbox --organization Acme --key one.key --out one.csr --json
csr create: csr create --policy wise-sandbox --batch clients.jsonl --out-dir clients --json
csr check: csr check one.csr --policy wise-sandbox --json
csr check: csr check one.csr --policy wise-sandbox --policy adyen --json
csr check: csr check missing.csr --json
inspect: inspect acme.pem acme.key one.csr list.crl bundle.p12 public.pem --passphrase-file pass --json
verify: verify acme.pem --ca ca.pem --json
verify: verify acme.pem --ca missing.pem --json
expiry: expiry acme.pem missing.pem list.crl --json
expiry --format jsonl: expiry acme.pem missing.pem --format jsonl
probe: probe URL --cert acme.pem --key acme.key --ca server-ca.pem --json
identity: identity enroll new --policy wise-sandbox --organization Acme --json
identity: identity show acme --json
identity list: identity list --json
identity list: identity renew --all --json
identity log: identity log acme --json
identity prune: identity prune acme --json
identity export: identity export acme --out exported --json
store check: store check --json
store migrate: store migrate --json
policy list: policy list --json
policy which: policy which one.csr --json
policy validate: policy validate own.toml --json
policy new: policy new ours --json
wise authorize-url: wise authorize-url --environment sandbox --client-id a --redirect-uri https://a.example/ --json
wise token: wise token show --identity acme --json
wise setup: wise setup acme --json
wise check: wise check acme new --json
wise ca: wise ca ca.pem --out webhook-ca.pem --json
wise webhook verify: wise webhook verify --environment sandbox --header x one.csr --json
terraform query: terraform query
terraform install-provider: terraform install-provider --mirror mirror --json
config show: config show --json
config check: config check --json
identity remove: identity remove new --force --json
"""


# Keys that are names or ids of the user's own.
OPEN = {"issuers", "hooks"}


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """The JSON documents of each section, from real commands."""
    folder = tmp_path_factory.mktemp("json")
    ca, now = CA(), pki.datetime.now(pki.UTC)
    root = pki.root()
    pair = root.issue(begin=now - pki.DAY, end=now + 90 * pki.DAY)
    pair.write(folder, "acme")
    key = folder / "acme.key"
    bundle = openssl("pkcs12", "-export", "-inkey", key, "-in", folder / "acme.pem", "-passout", "pass:secret").stdout
    for name, content in {
        "ca.pem": root.pem,
        "server-ca.pem": ca.pem,
        "list.crl": shapes.crl(root).public_bytes(Encoding.PEM),
        "bundle.p12": bundle,
        "public.pem": openssl("pkey", "-in", key, "-pubout").stdout,
        "pass": b"secret\n",
        "clients.jsonl": b'{"name": "a", "organization": "A"}\n',
        "own.toml": b'extends = "wise-sandbox"\ntitle = "Ours"\n',
    }.items():
        (folder / name).write_bytes(content)
    found = {}
    with rehearsing(folder / "rehearsal") as wise, serving(ca, client_ca=root.pem) as server:
        wise.identity()
        certkit, env = Command(folder), {"CERTKIT_STORE": wise.store, "CERTKIT_CLIENT_SECRET": wise.client_secret}
        for line in RUNS.strip().splitlines():
            section, _, words = line.partition(": ")
            ran = certkit(
                *shlex.split(words.replace("URL", server.url)),
                stdin=b'{"identity": "acme"}' if section == "terraform query" else b"",
                env=env,
            )
            assert ran.out, (line, ran.err)
            lines = ran.out.splitlines() if "format jsonl" in words else [ran.out]
            found.setdefault(section, []).extend(map(json.loads, lines))
    return found


def fields(value, where=""):
    """Yield the fields of a document as the page spells them (`path[].subject`), without those of its parts."""
    if isinstance(value, list):
        for each in value:
            yield from fields(each, f"{where}[]")
    elif isinstance(value, dict) and where not in OPEN:
        for name, below in value.items():
            path = f"{where}.{name}" if where else name
            yield path
            if name not in SHARED:
                yield from fields(below, path)


def parts(value):
    """Yield the parts of a document that the page describes in sections of their own, with the name of that section."""
    if isinstance(value, list):
        for each in value:
            yield from parts(each)
    elif isinstance(value, dict):
        for name, below in value.items():
            if name in SHARED and below is not None:
                yield from ((SHARED[name], each) for each in (below if isinstance(below, list) else [below]))
            yield from parts(below)


def described(section):
    """Return the fields that a section describes, and those of them that are not always there."""
    chapters = re.split(r"^## (.+)$", (REFERENCE / "json.md").read_text(), flags=re.MULTILINE)
    rows = ROW.findall(dict(zip(chapters[1::2], chapters[2::2], strict=True))[section])
    return {field for field, _ in rows}, {field for field, meaning in rows if meaning.startswith("only if")}


@pytest.mark.parametrize("section", sorted({line.partition(": ")[0] for line in RUNS.strip().splitlines()}))
def test_every_field_is_described(documents, section):
    """The page describes the fields that a command prints, and no others."""
    printed = {field.removeprefix("[].") for document in documents[section] for field in fields(document)} - {"[]"}
    there, perhaps = described("identity" if section == "identity list" else section)
    assert printed - there == set()
    assert there - printed - perhaps == set()


@pytest.mark.parametrize("section", sorted({*SHARED.values()}))
def test_every_field_of_a_part_is_described(documents, section):
    """The parts that many documents have: findings, keys, generations, errors, objects."""
    found = [each for listed in documents.values() for name, each in parts(listed) if name == section]
    printed = {field for each in found for field in fields(each)}
    if section == "error":
        printed = {"status", "error"} | {f"error.{field}" for field in printed}
    there, perhaps = described(section)
    assert printed <= there
    assert section == "inspect" or there - printed - perhaps == set()


def test_every_command_is_described():
    """The page is the one that `python -m scripts.make_reference` writes; run that after a change of a help text."""
    assert make_reference.PAGE.read_text() == make_reference.page()


@pytest.mark.parametrize("named", [*prometheus.MEANINGS, *prometheus._LABELS, *Reason], ids=str)
def test_every_metric_is_described(named):
    """With its labels, and the reasons why a source could not be checked."""
    assert f"`{named}`" in (REFERENCE / "metrics.md").read_text()


def test_no_metric_is_described_that_does_not_exist():
    """The page names no others."""
    names = re.findall(r"`((?:x509_c|certkit_)\w+)`", (REFERENCE / "metrics.md").read_text())
    assert set(names) == set(prometheus.MEANINGS)
