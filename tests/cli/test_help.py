"""Help, manual pages and completion: what they show exists and works."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import click
import pytest
from cryptography import x509

from certkit.cli.key import KEY_TYPES
from certkit.cli.shared.commands import CommandGroup, certkit
from certkit.identity import activate, enroll, install
from certkit.policy import catalogue
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.wise import endpoints, oauth, token_lease
from certkit.wise.redirect import Redirect
from certkit.wise.rehearsal.state import HubSubscription
from certkit.x509 import keys
from certkit.x509.names import SubjectOptions
from tests import forked, pki, tls_servers, wise_server
from tests.conftest import command as installed
from tests.conftest import environment
from tests.wise.rehearsal.stage import Stage, document
from tests.wise.test_deliveries import BODY, SIGNATURE


def commands(group=certkit, path=("certkit",)):
    """Every command with its path."""
    yield path, group
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            below = group.get_command(click.Context(group), name)
            yield from commands(below, (*path, name))


def examples():
    """Every example line of every help page, continued lines joined."""
    for path, command in commands():
        shown = re.search("\b\n *Examples?:\n(.*)", command.help, re.DOTALL)
        lines = shown[1].replace("\\\n", " ").strip().split("\n") if shown else []
        yield from ((path, " ".join(line.split())) for line in lines)


def test_every_command_has_an_example():
    """Help without an example is half a help."""
    assert {path for path, _ in commands()} == {path for path, _ in examples()}


def prepare_identity(folder, root, command):
    """An identity called acme, in the default store and in `file:identities`, as the command needs it."""
    now = pki.datetime.now(pki.UTC)
    policy = catalogue.load("wise-sandbox")
    settings = Settings(policy="wise-sandbox", subject=SubjectOptions(organization="Acme Ltd"))
    for place in ("home/.local/share/certkit/identities", "identities"):
        if command in {"enroll", "import"}:
            continue
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        store = FileStore(folder / place)
        identity = enroll.enroll(store, "acme", settings, policy, now=now).identity
        for _ in range(0 if command in {"install", "discard"} else 2):
            pasted = answered(root, identity.generations[-1].csr)
            number = install.install(store, store.load("acme"), pasted, policy, trust_bundle=root.pem, now=now)[1]
            identity = activate.activate(store, store.load("acme"), number, now=now).identity
            if number == "0001":
                identity = enroll.add_request(store, identity, policy, now=now).identity
        if command == "install" and place.startswith("home"):
            (folder / "acme.pem").write_bytes(answered(root, identity.generations[-1].csr))


def prepare_tokens(folder, server):
    """Tokens of an identity called acme in the default store, whose Wise is a server of ours."""
    (folder / "home/.local/share/certkit").mkdir(parents=True)
    (folder / "secret.txt").write_text(wise_server.CLIENT_SECRET)
    store = FileStore(folder / "home/.local/share/certkit/identities")
    endpoints.identity(store, "acme", policy="wise-sandbox", base_url=server.address)
    client = oauth.Client(id="acme", secret=Secret(wise_server.CLIENT_SECRET.encode()))
    code = Secret(server.code().encode())
    redirect = Redirect(redirect_uri=wise_server.REDIRECT_URI, code=code, profile_id="123")
    at = oauth.TokenEndpoint(url=f"{server.address}/oauth/token")
    token_lease.keep(store, "acme", oauth.exchange(at, client, redirect, now=pki.datetime.now(pki.UTC)))


def prepare_both(folder):
    """Identities for sandbox and production in the default store."""
    now = pki.datetime.now(pki.UTC)
    store = FileStore(folder / "home/.local/share/certkit/identities")
    store.root.mkdir(parents=True)
    for name in ("sandbox", "production"):
        policy, ca = catalogue.load(f"wise-{name}"), pki.root(begin=now - pki.YEAR, end=now + pki.YEAR)
        settings = Settings(policy=f"wise-{name}", subject=SubjectOptions(organization="Acme Ltd"))
        csr = enroll.enroll(store, f"acme-{name}", settings, policy, now=now).identity.generations[0].csr
        number = install.install(
            store, store.load(f"acme-{name}"), answered(ca, csr), policy, trust_bundle=ca.pem, now=now
        )[1]
        activate.activate(store, store.load(f"acme-{name}"), number, now=now)


def answered(root, csr):
    """A certificate for a CSR, for the real time of day."""
    now = pki.datetime.now(pki.UTC)
    request = x509.load_pem_x509_csr(csr)
    issued = root.issue(public_key=request.public_key(), begin=now - pki.DAY, end=now + 300 * pki.DAY)
    return issued.pem


@contextlib.contextmanager
def rehearsed(folder, line):
    """A line about webhooks with the addresses of a rehearsal, and the token for it."""
    stage = Stage()
    token = document(stage.token(grant_type="client_credentials"))["access_token"]
    hook = HubSubscription(id="ID", name="x", trigger_on="x", version="x", url="x", mtls_enabled=True, created=pki.NOW)
    stage.rehearsal.state = replace(stage.rehearsal.state, subscriptions=(hook,))
    (folder / "server-ca.pem").write_bytes(stage.rehearsal.ca.pem)
    with stage.serving() as listeners:
        _, plain, mutual = listeners.addresses
        line = line.replace("--environment sandbox", f"--base-url {plain}").replace("https://hooks.example.com", mutual)
        yield line, {"CERTKIT_TOKEN": token}


@pytest.fixture(scope="module")
def wise():
    """A server that behaves as Wise, to the client of the examples."""
    with wise_server.serving(wise_server.Wise(client_id="acme")) as server:
        yield server


@pytest.mark.parametrize("line", sorted({line for _, line in examples()}))
def test_every_example_works(certkit, tmp_path, root, wise, line):
    """As written, after what it needs is there; a server is one of this machine."""
    pair = root.issue(begin=pki.datetime.now(pki.UTC) - pki.DAY, end=pki.datetime.now(pki.UTC) + 300 * pki.DAY)
    prepare = {
        "acme.pem": pair.pem,
        "partners/acme.pem": pair.pem,
        "wise-ca.pem": root.pem,
        "clients.jsonl": b'{"name": "acme", "organization": "Acme Ltd"}\n',
        "query.json": b'{"identity": "acme"}\n',
        "body.json": BODY,
        "partner.toml": b'extends = "wise-sandbox"\ntitle = "Ours"\n',
    }
    (tmp_path / "partners").mkdir()
    for name, content in prepare.items():
        (tmp_path / name).write_bytes(content)
    if not {"create", "generate"} & set(line.split()):
        made = certkit("csr", "create", "--organization", "A", "--key-out", "acme.key", "--out", "acme.csr")
        assert made.code == 0, made.err
    if line.startswith(("certkit verify", "certkit identity import", "certkit probe")):
        pair.write(tmp_path, "acme")
    if line.startswith(("certkit identity", "certkit store")):
        prepare_identity(tmp_path, root, line.split()[2])
    if line.startswith("certkit wise token"):
        wise.codes["abc"] = wise_server.REDIRECT_URI
        prepare_tokens(tmp_path, wise)
    if line.startswith("certkit wise check"):
        prepare_both(tmp_path)
    (tmp_path / "home/.local/share/bash-completion/completions").mkdir(parents=True, exist_ok=True)
    program, rest = line.split(" ", 1)
    assert program == "certkit"
    (tmp_path / "home" / "bin").mkdir()
    program = forked.program(tmp_path / "home" / "bin", installed())
    if line.startswith("certkit wise rehearse"):  # it runs until it is told to end
        rest += " --ready-file ready & until [ -e ready ]; do sleep 0.1; done; kill $!; wait $!"
    with answering(tmp_path, root, rest) as (rest, more):
        done = subprocess.run(
            ["sh", "-c", f"{shlex.quote(str(program))} {rest}"],
            cwd=tmp_path,
            env={**environment(), **more, "HOME": str(tmp_path / "home"), "SIGNATURE": SIGNATURE},
            capture_output=True,
            check=False,
            timeout=60,
        )
    # Whether reminders run is different from host to host.
    assert done.returncode in ({0, 1} if line.startswith("certkit wise check") else {0}), (done.stdout, done.stderr)


def answering(folder, root, line):
    """A line with the address of the server that it asks, as long as that runs, and variables for it."""
    if line.startswith("wise webhook"):
        return rehearsed(folder, line)
    if line.startswith("probe"):
        return served(folder, root, line)
    return contextlib.nullcontext((line, {}))


@contextlib.contextmanager
def served(folder, root, line):
    """A line with the address of a server that takes the root's clients."""
    now = pki.datetime.now(pki.UTC)
    san = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    pair = root.issue(extensions=[pki.SERVER, san], begin=now - pki.DAY, end=now + pki.DAY)
    (folder / "server").mkdir()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with tls_servers.web(pair, folder / "server", answer, client_ca=root) as seen:
        yield line.replace("https://api.example", f"https://localhost:{int(seen[0])}"), {}


@pytest.mark.parametrize(
    ("path", "group"), [(path, each) for path, each in commands() if isinstance(each, CommandGroup)]
)
def test_a_groups_table_says_what_its_commands_say(path, group):
    """The one-line helps that stand in the table, to start fast, are not about something else."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        text = group.lazy[name][1] if name in group.lazy else command.get_short_help_str(1000)
        assert text.endswith(".")
        assert command.name == name


def test_the_types_on_the_command_line_are_those_that_are_made():
    """The options spell the types out, to start fast."""
    assert sorted(KEY_TYPES) == sorted(keys.KEY_TYPES)


@pytest.mark.parametrize("words", [["--help"], ["csr", "--help"], ["csr", "create", "--help"]])
def test_help_imports_nothing_heavy(words):
    """Start-up is a feature: no page of help needs cryptography."""
    code = (
        "import sys\nfrom certkit.cli.boundary import run\n"
        f"run({words!r})\nassert not [name for name in sys.modules if name.startswith(('cryptography', 'OpenSSL'))]"
    )
    python = Path(installed()[0]).with_name("python")
    assert subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ([], "Usage: certkit [OPTIONS] COMMAND [ARGS]..."),
        (["key"], "Usage: certkit key [OPTIONS] COMMAND [ARGS]..."),
        (["key", "generate"], "Usage: certkit key generate [OPTIONS]"),
    ],
)
def test_help_is_a_command_too(certkit, words, first):
    """`certkit help csr create` prints what `certkit csr create --help` prints."""
    shown = certkit("help", *words)
    assert (shown.code, shown.out.splitlines()[0]) == (0, first)
    assert shown.out == certkit(*words, "--help").out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["verfy", "x"], "certkit: error: no such command 'verfy'. Did you mean 'verify'?"),
        (["wise", "tokn"], "certkit: error: wise: no such command 'tokn'. Did you mean 'token'?"),
        (["help", "csr", "chek"], "certkit: error: csr: no such command 'chek'. Did you mean 'check'?"),
        (["export", "acme"], "certkit: error: no such command 'export'. Did you mean 'identity export'?"),
        (["list"], "certkit: error: no such command 'list'. Did you mean 'identity list' or 'policy list'?"),
        (["token", "get"], "certkit: error: no such command 'token'. Did you mean 'wise token'?"),
        (
            ["csr", "validate"],
            "certkit: error: csr: no such command 'validate'. Did you mean 'certkit policy validate'?",
        ),
        (["frobnicate"], "certkit: error: no such command 'frobnicate'. See `certkit --help`"),
        (
            ["--json", "expiry", "x.pem"],
            "certkit: error: no such option '--json'. Options follow the command: certkit COMMAND --json",
        ),
        (
            ["csr", "-q", "check"],
            "certkit: error: csr: no such option '-q'. Options follow the command: certkit csr COMMAND -q",
        ),
        (["--versoin"], "certkit: error: no such option '--versoin'. Did you mean '--version'?"),
        (
            ["verify", "--ca"],
            "certkit: error: verify: option '--ca' requires an argument. See `certkit verify --help`",
        ),
        (
            ["expiry", "--json=x"],
            "certkit: error: expiry: option '--json' does not take a value. See `certkit expiry --help`",
        ),
        (
            ["csr", "check", "--plicy", "x"],
            "certkit: error: csr check: no such option '--plicy'. Did you mean '--policy'?",
        ),
    ],
)
def test_a_mistyped_command_is_answered_with_a_suggestion(certkit, words, line):
    """The nearest name, if one is near."""
    ran = certkit(*words)
    assert (ran.code, ran.err) == (3, f"{line}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(certkit, shell):
    """Each shell gets a script that its own parser accepts."""
    script = certkit("completion", shell)
    assert (script.code, "_CERTKIT_COMPLETE" in script.out) == (0, True)
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=script.out.encode(), check=True)


def test_completion_knows_commands_and_policies(tmp_path):
    """Tab after `csr check --policy wise-` offers Wise's policies."""
    words = {"COMP_WORDS": "certkit csr check --policy wise-", "COMP_CWORD": "4", "_CERTKIT_COMPLETE": "bash_complete"}
    done = subprocess.run(installed(), env={**environment(), **words}, capture_output=True, check=False)
    offered = [line.split(",")[1] for line in done.stdout.decode().split()]
    assert offered == ["wise-production", "wise-sandbox", "wise-sandbox-legacy"]


def test_completion_knows_identities(certkit, tmp_path):
    """Of the store that is named before, or of CERTKIT_STORE; one that does not exist offers nothing."""
    for name in ("acme-live", "acme-test", "other"):
        assert (
            certkit("identity", "enroll", name, "--organization", "Acme", "--store", f"file:{tmp_path}/store").code == 0
        )
    for line, expected in (
        (f"certkit identity show --store file:{tmp_path}/store ac", ["acme-live", "acme-test"]),
        (f"certkit probe --store file:{tmp_path}/store --identity o", ["other"]),
        (f"certkit identity renew --store file:{tmp_path}/absent a", []),
    ):
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_CERTKIT_COMPLETE": "bash_complete"}
        done = subprocess.run(installed(), env={**environment(), **words}, capture_output=True, check=False)
        assert [each.split(",")[1] for each in done.stdout.decode().split()] == expected


def test_no_arguments_is_bad_usage(certkit):
    """For a script that lost its arguments: help on standard error, exit 3."""
    ran = certkit()
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("Usage: certkit")
