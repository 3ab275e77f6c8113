"""The requests of commands to Vault, counted before a real OpenBao: as many for an old identity as for a new one.

In a directory they open as many files.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.identity import enroll
from certkit.identity.install import install as install_into
from certkit.policy.catalogue import load
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.record import Journal, Settings
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.wise import tokens
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.conftest import environment
from tests.stores.lossy import network

NOW = datetime.now(UTC)
GENERATIONS = 41
POLICY = load("general")
SUBJECT = SubjectOptions(organization="Acme Ltd")


@pytest.fixture(scope="module")
def counted(openbao):
    """The network that counts, and the store beyond it, with a new identity and with one of many generations."""
    ca = pki.root(begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    settings = Settings(policy="general", subject=SUBJECT, key_type="ec-p256", trust_bundle=ca.pem.decode())
    with network(openbao.address) as made, Vault.connect(openbao.settings(address=made.address)) as vault:
        store = VaultStore(vault, "secret", "counted", journal=Journal("tester", lambda: NOW))
        for name, count in (("new", 1), ("old", GENERATIONS)):
            live(store, ca, settings, name, count)
        yield made, store, ca


def live(store, ca, settings, name, count):
    """Have so many certificates put to use, one after the other, and a token."""
    identity = enroll.enroll(store, name, settings, POLICY, now=NOW).identity
    for number in range(count):
        if number:
            identity = enroll.add_request(store, identity, POLICY, now=NOW).identity
        identity = answered(store, ca, identity)
    times = {"received_at": NOW, "expires_at": NOW + pki.DAY}
    made = tokens.Token(grant="client_credentials", client_id="acme", access=Secret(b"opaque"), **times)
    tokens.write(store, name, made, over=None)


def answered(store, ca, identity):
    """The identity with the answer to its last request in use."""
    request = x509.load_pem_x509_csr(identity.generations[-1].csr)
    pair = ca.issue(public_key=request.public_key(), begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    done, number = install_into(store, identity, pair.pem, POLICY, now=NOW)
    return store.change(done.identity, lambda record: record.activate(number))


@pytest.fixture
def run(certkit, counted, openbao):
    """Run a command over the network that counts; the number of its requests."""
    made, store, _ = counted
    variables = {"VAULT_ADDR": made.address, "VAULT_TOKEN": openbao.token, "CERTKIT_STORE": store.uri}

    def run(*arguments, code=0, stdin=b""):
        made.lines.clear()
        done = certkit(*arguments, env=variables, stdin=stdin)
        assert done.code == code, done.err
        return len(made.lines)

    return run


@pytest.mark.parametrize("name", ["new", "old"])
@pytest.mark.parametrize(
    ("command", "most"),
    [("identity renew {}", 3), ("identity show {}", 2), ("expiry identity:{}", 3), ("identity prune {} --dry-run", 2)],
)
def test_one_identity(run, name, command, most):
    """Settings and pointer, and a certificate where it is judged."""
    assert run(*command.format(name).split()) <= most


@pytest.mark.parametrize("name", ["new", "old"])
def test_a_query_of_terraform(run, counted, name):
    """The same."""
    assert run("terraform", "query", stdin=f'{{"identity": "{name}", "store": "{counted[1].uri}"}}'.encode()) <= 3


@pytest.mark.parametrize("name", ["new", "old"])
@pytest.mark.parametrize("form", ["pem", "pkcs12", "kubernetes"])
def test_an_export_that_changes_nothing(run, name, form):
    """Reads the certificate, and no key."""
    arguments = ("identity", "export", name, "--out", "tls", "--format", form)
    assert run(*arguments) <= 4
    assert run(*arguments) <= 3


def most_often(lines):
    """The request that was made most often, with its number; those for different URLs are different."""
    return max((lines.count(line), line) for line in lines)


@pytest.mark.parametrize(
    "command",
    [
        "identity activate new",
        "identity update new --client-id acme-client-id",
        "identity renew new --force",
        "identity discard new",
        "identity export new --out once",
        "wise token get --identity new",
        "wise token get --identity new --json",
        "wise token show --identity new",
        "wise token refresh --identity new",
        "wise token revoke-local --identity new",
    ],
)
def test_nothing_is_read_twice(run, counted, command):
    """Whatever a command reads or writes, it asks for it once."""
    run(*command.split())
    assert most_often([line for line in counted[0].lines if line.startswith("GET")])[0] == 1


@pytest.mark.parametrize("command", ["identity list", "identity renew --all", "identity prune --all --dry-run"])
def test_a_whole_store(run, counted, command):
    """The names, and for each identity as much as alone."""
    each = 3 if "renew" in command else 2
    assert run(*command.split()) <= 1 + each * len(counted[1].names())


def test_a_check_of_the_store(run, counted):
    """Asks for each generation twice: whether it has its key, and for its certificate."""
    run("store", "check", code=1)  # a root token is a warning
    asked = [line for line in counted[0].lines if "/old/generations/0007" in line]
    assert len(asked) == 2


def test_a_new_identity(run, counted):
    """Ten where there are no others that the partner's limits count."""
    store = counted[1]
    arguments = ("identity", "enroll", "one", "--policy", "wise-sandbox", "--organization", "Acme Ltd")
    assert run(*arguments, "--store", f"{store.uri}/apart") <= 10
    assert run("identity", "list", "--store", f"{store.uri}/apart", code=3) <= 3  # a request that waits, too


@pytest.mark.parametrize("name", ["new", "old"])
def test_an_installation(run, counted, certkit, name):
    """Loads the identity once, whatever it has been through."""
    made, store, ca = counted
    identity = enroll.add_request(store, store.load(name), POLICY, now=NOW).identity
    request = x509.load_pem_x509_csr(identity.generations[-1].csr)
    pair = ca.issue(public_key=request.public_key(), begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    (certkit.folder / "answer.pem").write_bytes(pair.pem)
    assert run("identity", "install", name, "answer.pem") <= 13
    read = [line for line in made.lines if line.startswith("GET") and line.endswith(("/settings", "/pointer"))]
    assert len(read) == len(set(read)) == 2


COUNTS = """
import sys
from certkit.cli import main
from certkit.stores.record import Record
calls = []
code = Record.parse.__func__.__code__
sys.setprofile(lambda frame, event, _: calls.append(1) if event == "call" and frame.f_code is code else None)
try:
    main()
finally:
    sys.setprofile(None)
    print(len(calls), file=sys.stderr)
"""


OPENED = """
import re, sys
from certkit.cli import main
names = []
def note(event, arguments):
    if event == "open" and re.search(r"(^|/)([0-9]{4}|[a-z_-]+[.](pem|json))$", str(arguments[0])):
        names.append(arguments[0])
sys.addaudithook(note)
if sys.argv[1] == "api":
    import certkit
    with certkit.identity(sys.argv[2]) as acme:
        acme.ssl_context(), acme.reload(), acme.token()
else:
    try:
        main()
    except SystemExit as end:
        assert end.code in {0, None}, end.code
print(len(names), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A store in a directory, with an identity of three generations and one of many."""
    ca = pki.root(begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    settings = Settings(policy="general", subject=SUBJECT, key_type="ec-p256", trust_bundle=ca.pem.decode())
    store = FileStore(tmp_path_factory.mktemp("counted") / "store", journal=Journal("tester", lambda: NOW))
    live(store, ca, settings, "new", 3)
    live(store, ca, settings, "old", GENERATIONS)
    return store


@pytest.mark.parametrize(
    "command",
    [
        "identity show {}",
        "identity log {}",
        "identity renew {}",
        "identity renew {} --force",
        "identity discard {}",
        "identity rollback {}",
        "identity prune {} --dry-run",
        "identity export {} --out {}",
        "expiry identity:{}",
        "wise token get --identity {}",
        "api {}",
    ],
)
def test_files_opened(directory, tmp_path, command):
    """As many for an old identity: past generations are read only by commands about them."""
    counts = []
    for name in ("new", "old"):
        program = [sys.executable, "-c", OPENED, *command.format(name, name).split()]
        variables = environment() | {"CERTKIT_STORE": directory.uri}
        done = subprocess.run(program, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
        counts.append(int(done.stderr.splitlines()[-1]))
    assert counts[0] == counts[1] > 0


def test_an_installation_in_files_parses_the_record_twice_at_most(certkit):
    """However many steps it takes."""
    ca = pki.root(begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    (certkit.folder / "ca.pem").write_bytes(ca.pem)
    of = ("--store", "file:store")
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "ca.pem", "--json")
    csr = certkit("identity", "enroll", "acme", *options, *of).json["pending"]["csr"]
    request = x509.load_pem_x509_csr(csr.encode())
    pair = ca.issue(public_key=request.public_key(), begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    (certkit.folder / "answer.pem").write_bytes(pair.pem)
    program = [sys.executable, "-c", COUNTS, "identity", "install", "acme", "answer.pem", *of]
    done = subprocess.run(program, cwd=certkit.folder, env=environment(), capture_output=True, text=True, check=True)
    assert int(done.stderr.splitlines()[-1]) <= 2
