"""From every state that an identity can reach, the commands that certkit prints lead to a certificate that works."""

from __future__ import annotations

import itertools
import re
import shutil
import stat
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from certkit.errors import CertkitError
from certkit.findings import Status
from certkit.identity.enroll import add_request, enroll
from certkit.identity.import_ import adopt
from certkit.identity.install import install
from certkit.identity.overview import overview
from certkit.secret import Secret
from certkit.stores.record import Record, Settings
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests import pki, tls_servers
from tests.cli.test_identity import ENROLL, ISSUING, NOW, POLICY, ROOT, SETTINGS, Identities
from tests.conftest import require_program
from tests.identity.conftest import journaled

YEAR_AGO = NOW - 350 * pki.DAY
NEXT_ROOT = pki.root(pki.name(O="Partner", CN="Next Root CA"), begin=NOW - pki.YEAR, end=NOW + pki.YEAR)
NEXT_ISSUING = NEXT_ROOT.intermediate(begin=NOW - pki.YEAR, end=NOW + pki.YEAR)
PREFIXES = itertools.count()
# More than this is going round in circles.
MOST_COMMANDS = 8

# An issuer that answers at once: openssl, below the CA whose files have the name in `issuer-is`.
ISSUER = """#!/bin/sh
cd '{folder}' || exit 1
echo signed >> signed
test -e broken && exit 1
ca=$(cat issuer-is)
{openssl} x509 -req -CA $ca.pem -CAkey $ca.key -set_serial 0x$({openssl} rand -hex 16) -days 360 -extfile extensions
cat $ca.pem
"""


# In Vault a record names programs by their names in the configuration of the host.
CONFIG = """
[issuers.signer]
command = ["{folder}/issuer"]
[hooks.reload]
command = ["{hook}"]
"""


@dataclass(frozen=True)
class Anywhere(Identities):
    """The command over a store in a directory, or in Vault (`kept`), with the variables for it."""

    kept: object = None
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments, **options):
        """Run it."""
        return super().__call__(*arguments, env=self.variables, **options)

    @property
    def store(self):
        """The store, for what a test only needs to be there."""
        return self.kept or super().store

    def program(self, name, path):
        """How a record names a program."""
        return name if self.kept else path

    def let_sign(self):
        """Have an issuer sign requests at once."""
        issuer = f"command:{self.program('signer', self.folder / 'issuer')}"
        self.store.change("acme", lambda record: replace(record, settings=replace(record.settings, issuer=issuer)))


@pytest.fixture
def identity(request, tmp_path):
    """The command, with the partner's CAs and the person's own pair beside it."""
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    (tmp_path / "next-root.pem").write_bytes(NEXT_ROOT.pem)
    ISSUING.write(tmp_path, "issuing")
    NEXT_ISSUING.write(tmp_path, "next")
    (tmp_path / "issuer-is").write_text("issuing\n")
    (tmp_path / "extensions").write_text("extendedKeyUsage=clientAuth\n")
    program = tmp_path / "issuer"
    program.write_text(ISSUER.format(folder=tmp_path, openssl=require_program("openssl")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 360 * pki.DAY).write(tmp_path, "own")
    (tmp_path / "certkit.toml").write_text(CONFIG.format(folder=tmp_path, hook=shutil.which("true")))
    if getattr(request, "param", "file") == "file":
        yield Anywhere(tmp_path)
        return
    server = request.getfixturevalue("openbao")
    with Vault.connect(server.settings()) as vault:
        store = journaled(VaultStore(vault, "secret", f"states/{next(PREFIXES)}"), "tester", lambda: NOW)
        variables = {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.token, "CERTKIT_STORE": store.uri}
        yield Anywhere(tmp_path, kept=store, variables={**variables, "CERTKIT_CONFIG": str(tmp_path / "certkit.toml")})


# States


def issued(identity, name="acme", *, begin=NOW - pki.DAY, end=NOW + 360 * pki.DAY):
    """Answer the newest request, at the time when the certificate begins; return its number."""
    identity.answer(name, begin=begin, end=end)
    data = (identity.folder / "answer.pem").read_bytes()
    return install(identity.store, identity.store.load(name), data, POLICY, now=begin + pki.DAY / 2)[1]


def used(identity, name="acme", *, end=NOW - pki.DAY):
    """Have one more generation in use for 360 days, by default one that has expired; return its number."""
    store, begin = identity.store, end - 360 * pki.DAY
    if name not in store.names():
        enroll(store, name, SETTINGS, POLICY, now=begin)
    else:
        add_request(store, store.load(name), POLICY, now=begin)
    number = issued(identity, name, begin=begin, end=end)
    store.change(name, lambda record: record.activate(number))
    return number


def again(identity, *, now=NOW):
    """One more request."""
    add_request(identity.store, identity.store.load("acme"), POLICY, now=now)


def requested(identity):
    """A first request that waits for its answer."""
    enroll(identity.store, "acme", SETTINGS, POLICY, now=NOW)


def forgotten(identity):
    """A request that has waited for most of a year, while the certificate in use expired."""
    used(identity)
    again(identity, now=YEAR_AGO)


def ready(identity):
    """A certificate that was installed and not activated."""
    requested(identity)
    issued(identity)


def stale(identity):
    """A first certificate that expired before anything used it."""
    enroll(identity.store, "acme", SETTINGS, POLICY, now=YEAR_AGO)
    issued(identity, begin=YEAR_AGO, end=NOW - pki.DAY)


def stale_beside_another(identity):
    """The same, while what is in use has expired, too."""
    used(identity)
    again(identity, now=YEAR_AGO)
    issued(identity, begin=YEAR_AGO, end=NOW - pki.DAY)


def stale_and_due(identity):
    """A certificate that was never used and is itself due for renewal."""
    used(identity)
    again(identity, now=YEAR_AGO)
    issued(identity, begin=YEAR_AGO, end=NOW + 10 * pki.DAY)


def superseded(identity):
    """A certificate that was never used, older than the one in use, which has expired."""
    used(identity)
    again(identity, now=YEAR_AGO)
    issued(identity, begin=YEAR_AGO, end=NOW + pki.DAY)
    used(identity)


def due(identity):
    """The renewal window is open."""
    used(identity, end=NOW + 10 * pki.DAY)


def expired(identity):
    """Nothing was renewed for a year."""
    used(identity)


def rolled_back(identity):
    """The older of two is in use again, and has expired."""
    used(identity)
    used(identity, end=NOW + 10 * pki.DAY)
    identity.store.change("acme", lambda record: record.activate("0001"))


def discarded(identity):
    """The only request was dropped."""
    requested(identity)
    identity.store.change("acme", lambda record: record.discard("0001"))


def retired(identity):
    """The only request was retired."""
    requested(identity)
    identity.store.change("acme", lambda record: record.retire("0001"))


def pruned(identity):
    """Past generations are deleted, and what is in use has expired."""
    for _ in range(3):
        used(identity)
    identity.store.prune("acme", ["0001"])


def only_tokens(identity):
    """An identity that was created for tokens, before its key."""
    identity.store.create("acme", Record(settings=Settings(policy="wise-sandbox", trust_bundle=ROOT.pem.decode())))


def without_a_name(identity):
    """A run was killed between the key and the name under which the request is handed in."""
    requested(identity)
    record = identity.store.load("acme").record
    identity.store.change("acme", lambda _: replace(record, names={}, requested={}, facts={}))


def half_imported(identity):
    """An import was killed between the key and its certificate."""
    identity.store.create("acme", Record(settings=replace(SETTINGS, subject=SETTINGS.subject, key_type="ec-p256")))
    identity.store.add("acme", "0001", key=Secret((identity.folder / "own.key").read_bytes()), csr=None)


def imported(identity):
    """An adopted pair, without a CSR, has expired."""
    pair = ISSUING.issue(begin=YEAR_AGO, end=NOW - pki.DAY)
    more = {"certificates": [pair.value, ISSUING.value], "anchors": [ROOT.value], "now": YEAR_AGO}
    adopt(identity.store, "acme", SETTINGS, POLICY, key=pair.key, **more)


def hook_owed(identity):
    """A hook failed, and has been repaired."""
    used(identity, end=NOW + 300 * pki.DAY)
    hook = identity.program("reload", shutil.which("true"))
    identity.store.change(
        "acme",
        lambda record: replace(record, undeployed="0001", settings=replace(record.settings, deploy_hook=hook)),
    )


def copied(identity):
    """A backup replaced the pointer by a copy."""
    used(identity)
    home = identity.folder / "store" / "acme"
    (home / "active").unlink()
    shutil.copytree(home / "generations" / "0001", home / "active")


def full(identity):
    """The partner accepts no more certificates: those that are not needed any more count, pruned ones, too."""
    used(identity, end=NOW - 61 * pki.DAY)
    for _ in range(POLICY.certificate.max_live):
        used(identity, "other", end=NOW + 300 * pki.DAY)
    identity.store.prune("other", ["0001", "0002"])


STATES = [
    *(requested, forgotten, ready, stale, stale_beside_another, stale_and_due, superseded, due, expired, rolled_back),
    *(discarded, retired, pruned, only_tokens, without_a_name, half_imported, imported, hook_owed, copied, full),
]


# Following what is printed


class StuckError(AssertionError):
    """The printed commands do not lead on."""


def is_well(identity):
    """Return whether a certificate is in use that works, and nothing is left to do."""
    try:
        found = overview(identity.store.load("acme"), POLICY, now=datetime.now(UTC))
    except CertkitError:
        return False
    is_fresh = found.active is not None and found.active.days_left > 100
    return is_fresh and (found.status, found.pending) == (Status.OK, None)


def commands(said):
    """The commands of `certkit identity` in what was printed."""
    found = re.findall(r"certkit identity ((?:[^\s;,`)]+ ?)+)", said)
    return [each.strip().rstrip(".").split() for each in found]


def answered(identity, words):
    """A printed command as a person runs it: with the certificate from the portal, the partner's CA, and options."""
    if words[0] == "install":
        identity.answer()
        return [*words[:2], "answer.pem"]
    if words[0] == "enroll":
        return ENROLL
    if words[0] == "import":
        return ["import", "acme", "--key", "own.key", "--cert", "own.pem"]
    return ["next-root.pem" if each == "FILE" else each for each in words]


def follow(identity):
    """Run what cron runs, then each command that is printed, until everything is OK."""
    done, following = [], ["renew", "acme"]
    while not is_well(identity):
        ran = identity(*answered(identity, following))
        said = ran.err + ran.out if ran.code or ran.err else ran.out
        assert "internal error" not in said
        done.append((following, said))
        leading = [each for each in commands(said) if each[0] not in {"show", "log", "list"}]
        fresh = [each for each in leading if each not in [command for command, _ in done]]
        if is_well(identity):
            break
        if not leading and following[0] != "renew":
            fresh = [["renew", "acme"]]  # cron's next run
        elif not leading or len(done) == MOST_COMMANDS:
            raise StuckError("\n".join(f"certkit identity {' '.join(command)}: {said}" for command, said in done))
        following = (fresh or leading)[0]
    return [command for command, _ in done]


@pytest.mark.parametrize("identity", ["file", "vault"], indirect=True)
@pytest.mark.parametrize("issuer", ["manual", "automatic"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_every_state_leads_on(identity, state, issuer):
    """To a certificate in use that is neither expired nor due; nothing waits, and cron has nothing to report."""
    if identity.kept and state is copied:
        pytest.skip("no pointer of Vault is a link")
    state(identity)
    if issuer == "automatic" and state is not copied:
        identity.let_sign()
    follow(identity)
    last = identity("renew", "acme", "-q")
    assert (last.code, last.out, last.err) == (0, "", "")


def test_a_new_ca_of_the_partner(identity):
    """One certificate is signed: it is kept until the CA is added, and then it is put to use."""
    due(identity)
    identity.let_sign()
    (identity.folder / "issuer-is").write_text("next\n")
    for _ in range(3):
        assert identity("renew", "acme", "-q").code == 2
    assert follow(identity) == [["renew", "acme"], ["update", "acme", "--ca", "FILE"], ["renew", "acme"]]
    assert (identity.folder / "signed").read_text() == "signed\n"
    assert (identity.folder / "store/acme/active/fullchain.pem").read_bytes().endswith(NEXT_ISSUING.pem)


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def partner(request, identity, tmp_path):
    """An Apache that asks for the certificate after the request; the one in `answer.pem` is revoked there.

    The identity has one in use that expires soon, and is probed at Apache before another one is activated.
    """
    used(identity, end=NOW + 10 * pki.DAY)
    again(identity)
    revoked = identity.answer()
    serial = x509.RevokedCertificateBuilder().serial_number(revoked.certificate.serial_number)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ISSUING.certificate.subject)
    builder = builder.last_update(NOW - pki.DAY).next_update(NOW + pki.DAY)
    crl = builder.add_revoked_certificate(serial.revocation_date(NOW - pki.DAY).build())
    folder = tmp_path / "apache"
    folder.mkdir()
    (folder / "crl.pem").write_bytes(crl.sign(ISSUING.key, SHA256()).public_bytes(Encoding.PEM))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    own = ROOT.issue(pki.name(CN="localhost"), extensions=(pki.SERVER, names), begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    more = f"SSLCARevocationFile {folder}/crl.pem\nSSLCARevocationCheck leaf"
    with tls_servers.apache(own, folder, client_ca=ROOT, version=request.param, more=more) as port:
        identity.store.change(
            "acme",
            lambda record: replace(
                record, settings=replace(record.settings, probe=f"https://localhost:{port}/mtls/file")
            ),
        )
        yield port


def test_what_the_partner_revoked(partner, identity):
    """Never becomes active, although the handshake said nothing; the next renewal replaces it at once."""
    refused = identity("install", "acme", "answer.pem")
    assert refused.code == 2
    assert "rejected the client certificate as revoked" in refused.err
    assert identity("show", "acme", "--json").json["pending"]["state"] == "issued"
    again_refused = identity("activate", "acme")
    assert again_refused.code == 2
    program = f"command:{identity.folder / 'issuer'}"
    assert identity("update", "acme", "--issuer", program).code == 0
    renewed = identity("renew", "acme", "--json")
    assert (renewed.code, renewed.json["active"]["generation"], renewed.json["previous"]["generation"]) == (
        0,
        "0003",
        "0001",
    )
    assert identity.store.load("acme").record.discarded == ("0002",)
    assert (identity.folder / "signed").read_text() == "signed\n"


def test_no_probe(partner, identity):
    """Skips the guard once."""
    assert identity("install", "acme", "answer.pem", "--no-probe").code == 0
    assert identity("show", "acme", "--json").json["active"]["generation"] == "0002"
