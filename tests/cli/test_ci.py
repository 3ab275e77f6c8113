"""certkit in other people's CI: the GitHub action, the GitLab template and the hooks for pre-commit."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs12

from tests import pki
from tests.conftest import environment

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    """A good and a weak CSR."""
    folder = tmp_path_factory.mktemp("requests")
    for name, digest in (("good", "sha256"), ("weak", "sha1")):
        make = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", f"-{digest}"]
        subprocess.run([*make, "-subj", "/O=Acme", "-out", folder / f"{name}.csr"], check=True, capture_output=True)
    return folder


@pytest.fixture
def repository(tmp_path, root, requests):
    """A user's repository: a good and a weak CSR, and certificates with a year and with ten days left."""
    shutil.copytree(requests, tmp_path / "requests")
    now = pki.datetime.now(pki.UTC)
    for name, left in (("year", 365), ("days", 10)):
        (tmp_path / f"{name}.pem").write_bytes(root.issue(begin=now - pki.DAY, end=now + left * pki.DAY).pem)
    return tmp_path


def run(script, folder, variables):
    """Run a script of a job in a user's repository."""
    own = {**environment(), "RUNNER_TEMP": str(folder), "CI_PROJECT_DIR": str(folder), **variables}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=own, capture_output=True, check=False
    )
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def act(folder, **inputs):
    """Run the action's steps but the installation, as a runner does; return the exit code of each that ran."""
    if not (folder / "certkit").exists():
        (folder / "certkit").symlink_to(sys.prefix)
    action = yaml.safe_load((PROJECT / "action.yml").read_text())
    given = {name: str(declared["default"]) for name, declared in action["inputs"].items()} | inputs
    codes = {}
    for step in action["runs"]["steps"][1:]:
        wanted = re.fullmatch(r"inputs\.([a-z]+) != ''", step["if"])[1]
        if given[wanted]:
            variables = {
                name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: given[found[1]], value)
                for name, value in step["env"].items()
            }
            codes[step["name"]], _ = run(step["run"], folder, variables)
    return codes


def test_the_action(repository):
    """It runs the given checks, and fails by `CHECK_FAIL_ON`."""
    assert act(repository) == {}
    assert act(repository, csr="requests/good.csr\n") == {"Check CSRs": 0}
    assert act(repository, csr="requests/*.csr\n", expiry="year.pem") == {"Check CSRs": 2, "Check expiry": 0}
    assert act(repository, expiry="\n  year.pem\ndays.pem\n") == {"Check expiry": 0}
    assert act(repository, expiry="*.pem", **{"fail-on": "warning"}) == {"Check expiry": 1}
    assert act(repository, expiry="*.pem", critical="11d") == {"Check expiry": 2}
    assert act(repository, csr="missing.csr", policy="wise-sandbox") == {"Check CSRs": 3}


def test_the_action_installs_the_checked_versions():
    """Nothing is installed that constraints.txt does not name with a hash."""
    action = yaml.safe_load((PROJECT / "action.yml").read_text())
    lines = action["runs"]["steps"][0]["run"].splitlines()
    assert ["--require-hashes" in line or "--no-deps" in line for line in lines if " install " in line] == [True, True]
    assert not re.search(r"\$\{\{", "".join(step["run"] for step in action["runs"]["steps"]))  # no injection


@pytest.mark.parametrize(
    ("job", "variables", "code"),
    [
        ("certkit-csr", {"CHECK_CSR": "requests/good.csr"}, 0),
        ("certkit-csr", {"CHECK_CSR": "requests/*.csr"}, 2),
        ("certkit-csr", {"CHECK_CSR": "requests/good.csr", "CHECK_POLICY": "missing"}, 3),
        ("certkit-csr", {"CHECK_CSR": " \n"}, 3),
        ("certkit-expiry", {"CHECK_EXPIRY": "year.pem\ndays.pem\n"}, 0),
        ("certkit-expiry", {"CHECK_EXPIRY": "year.pem\ndays.pem", "CHECK_FAIL_ON": "warning"}, 1),
        ("certkit-expiry", {"CHECK_EXPIRY": "year.pem", "CHECK_CRITICAL": "400d", "CHECK_WARN": "500d"}, 2),
    ],
)
def test_the_gitlab_template(repository, job, variables, code):
    """Its jobs run what the variables name, and fail as they say."""
    template = yaml.safe_load((PROJECT / "scripts/ci/gitlab.yml").read_text())
    (repository / ".certkit").symlink_to(sys.prefix)
    assert template[job]["rules"] == [{"if": f"${next(iter(variables))}"}]
    found, said = run("\n".join(template[job]["script"]), repository, template["variables"] | variables)
    assert found == code, said


def hook(name, folder, *arguments):
    """Run a hook as pre-commit does: by its entry, with its arguments and the names of files."""
    hooks = {each["id"]: each for each in yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text())}
    python, *entry = shlex.split(hooks[name]["entry"])
    assert python == "python"
    return run(shlex.join([sys.executable, *entry, *arguments]), folder, {})


def test_the_hook_against_private_keys(repository, root):
    """Keys in PEM, DER, PKCS#12 and Java's format are refused with their place; certificates, CSRs and texts pass."""
    pair = root.issue()
    (repository / "key.pem").write_bytes(pair.pem + pair.key_pem)
    (repository / "key.der").write_bytes(
        pair.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    (repository / "key.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"a", pair.key, pair.certificate, None, BestAvailableEncryption(b"x"))
    )
    (repository / "key.jks").write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2")
    (repository / "openssh").write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    (repository / "empty").write_bytes(b"")
    assert hook("certkit-private-keys", repository, "year.pem", "requests/good.csr", "empty", sys.executable) == (0, "")
    code, said = hook(
        "certkit-private-keys", repository, "year.pem", "key.pem", "key.der", "key.p12", "key.jks", "openssh"
    )
    line = pair.pem.count(b"\n") + 1
    assert code == 2
    assert said.splitlines() == [
        f"key.pem: line {line}: a private key",
        "key.der: a private key",
        "key.p12: a PKCS#12 bundle",
        "key.jks: a Java key store",
        "openssh: line 1: a private key",
    ]


def test_the_hook_for_csrs(repository):
    """Each CSR is checked against the policy of the hook's arguments; the worst one decides."""
    good, weak = "requests/good.csr", "requests/weak.csr"
    assert hook("certkit-csr", repository, good)[0] == 0
    code, said = hook("certkit-csr", repository, "--policy=general", weak, good)
    assert code == 2
    assert "sha1" in said.lower()
    assert hook("certkit-csr", repository, "--policy=missing", good)[0] == 3


@pytest.mark.parametrize("name", ["--key.pem", "-key.pem", "-", "--help", "a b.pem", "x\n::error::y.pem", "[ab].pem"])
def test_a_private_key_whatever_the_name_of_its_file(repository, root, name):
    """The names of files come from whoever commits: none is an option, a pattern, or a line of the log."""
    (repository / name).write_bytes(root.issue().key_pem)
    (repository / "a.pem").write_bytes(root.pem)
    code, said = hook("certkit-private-keys", repository, "year.pem", name)
    assert (code, said.count("\n"), said.endswith(": line 1: a private key\n")) == (2, 1, True)


@pytest.mark.parametrize(
    "name", ["--weak.csr", "-weak.csr", "-", "--policy=general", "a b.csr", "x\ny.csr", "[ab].csr"]
)
def test_a_weak_csr_whatever_the_name_of_its_file(repository, name):
    """It is checked under its own name."""
    (repository / name).write_bytes((repository / "requests/weak.csr").read_bytes())
    (repository / "a.csr").write_bytes((repository / "requests/good.csr").read_bytes())
    assert hook("certkit-csr", repository, "--policy=general", name)[0] == 2


def test_a_file_that_the_hook_cannot_read(repository):
    """Fails the hook, in one line."""
    code, said = hook("certkit-private-keys", repository, "missing")
    assert (code, said) == (3, "certkit: error: cannot read missing: no such file or directory. Check the path\n")


def test_the_files_of_the_hooks():
    """CSRs are found by their names, and keys are looked for in every file."""
    hooks = {each["id"]: each for each in yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text())}
    assert [bool(re.search(hooks["certkit-csr"]["files"], name)) for name in ("a/b.csr", "b.csr.pem", "csr.py")] == [
        *(True, True, False)
    ]
    assert "files" not in hooks["certkit-private-keys"]
    assert {each["language"] for each in hooks.values()} == {"python"}
