"""`expiry vault://MOUNT/PREFIX` with the token of a cron job that may read neither keys nor certificates."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from cryptography import x509

from certkit.durations import Duration
from certkit.expiry.scan import Judge, look, scan
from certkit.expiry.sources.base import Reason
from certkit.expiry.sources.files import FileSource
from certkit.expiry.sources.vault import VaultSource
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status
from certkit.secret import Secret
from certkit.stores import record as identity
from certkit.stores.base import Issued
from certkit.stores.record import Record
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.vault.settings import VaultSettings
from certkit.x509 import describe
from certkit.x509.names import distinguished_name
from tests import pki
from tests.odd_http import odd_server, reply
from tests.openbao import development_server
from tests.stores import vault_roles
from tests.stores.lossy import Fate, network

PREFIXES = (f"watched/{number}" for number in itertools.count())
THRESHOLDS = Thresholds(Duration.parse("28d"), Duration.parse("7d"))
RECORD = Record(settings=identity.Settings(policy="wise-sandbox"))


@pytest.fixture
def store(openbao):
    """An empty store, as root has it."""
    with Vault.connect(openbao.settings()) as vault:
        yield VaultStore(vault, "secret", next(PREFIXES))


@pytest.fixture
def connect(openbao):
    """Connect with some settings."""
    opened = []

    def connect(settings):
        opened.append(Vault.connect(settings))
        return opened[-1]

    yield connect
    for vault in opened:
        vault.close()


@pytest.fixture
def monitor(openbao, store, connect):
    """The store as a source, for the token of a cron job."""
    prefix = store.secrets.location.removeprefix("secret/")
    vault = connect(vault_roles.settings(openbao, "monitor", prefix=prefix))
    return VaultSource(vault, "secret", prefix)


def scanned(*sources, **options):
    """Return the result of scanning the sources at `pki.NOW`."""
    return scan(look(sources, Judge(THRESHOLDS, pki.NOW, **options)), now=pki.NOW)


def add(store, number, certificate=None, *, name="acme", facts=None):
    """A generation, with the certificate if there is one."""
    store.add(name, number, key=Secret(b"-----BEGIN PRIVATE KEY-----"), csr=b"csr")
    if certificate is not None:
        told = {**describe.facts(certificate.value), "policy": "wise-sandbox"} | (facts or {})
        store.install(name, number, Issued(certificate=certificate.pem, chain=b"", trust_bundle=b""), facts=told)


def enroll(store, root, *, name="acme", days=60, **more):
    """An identity with one certificate, in use, that ends in so many days."""
    pair = root.issue(pki.name(O="Acme Ltd", CN=name), end=pki.NOW + days * pki.DAY, **more)
    store.create(name, RECORD)
    add(store, "0001", pair, name=name)
    store.change(name, lambda record: record.activate("0001"))
    return pair


def failures(found):
    """Where something could not be looked at, and why."""
    return [(each.source, each.reason) for each in found.failures]


def test_a_certificate_is_judged_by_its_facts(root, store, monitor):
    """Its row says what the row of the certificate itself says, and where it is."""
    pair = enroll(store, root, days=20)
    [row] = scanned(monitor).rows
    assert row.sources == [f"{store.uri}/acme/generations/0001"]
    assert (row.subject, row.issuer) == ("CN=acme,O=Acme Ltd", "CN=Partner Root CA,O=Partner")
    assert (row.serial, row.fingerprint_sha256) == (
        pair.certificate.serial_number,
        {**describe.facts(pair.value), "policy": "x"}["fingerprint_sha256"],
    )
    assert (row.not_before, row.not_after) == (pki.NOW - pki.DAY, pki.NOW + 20 * pki.DAY)
    assert (row.days_left, row.status) == (20, Status.WARNING)


def test_a_certificate_seen_in_a_file_too_is_one(root, store, monitor, tmp_path):
    """Both places are reported, and both rows would have the same labels."""
    subject = pki.name(C="GB", O="Acme, Ltd", OU="Ünits", CN="a+b=c")
    pair = root.issue(subject)
    path, _ = pair.write(tmp_path, "acme")
    store.create("acme", RECORD)
    add(store, "0001", pair)
    of_vault = scanned(monitor, with_labels=True).rows
    of_file = scanned(FileSource((str(path),)), with_labels=True).rows
    assert replace_sources(of_vault) == replace_sources(of_file)
    [row] = scanned(FileSource((str(path),)), monitor).rows
    assert row.sources == [str(path), f"{store.uri}/acme/generations/0001"]


def replace_sources(rows):
    """The rows without where they come from."""
    return [row._replace(sources=[]) for row in rows]


def test_what_counts_is_in_use_or_to_come_into_use(root, store, monitor):
    """Not what was before, not what was put away, and not a request that waits."""
    store.create("acme", RECORD)
    for number in range(1, 7):
        add(store, f"{number:04}", root.issue(key=root.key) if number < 6 else None)
    for edit in (
        lambda record: record.activate("0001"),
        lambda record: record.activate("0002"),
        lambda record: record.retire("0003"),
        lambda record: record.discard("0004"),
    ):
        store.change("acme", edit)
    found = scanned(monitor)
    assert [row.sources for row in found.rows] == [[f"{store.uri}/acme/generations/{n}"] for n in ("0002", "0005")]
    assert found.failures == []


def test_without_the_record_everything_is_watched(root, openbao, store, connect):
    """A token that may not read which one is in use learns of every certificate, and of no failure."""
    store.create("acme", RECORD)
    for number in ("0001", "0002"):
        add(store, number, root.issue(key=root.key))
    add(store, "0003")
    store.change("acme", lambda record: record.activate("0002"))
    prefix = store.secrets.location.removeprefix("secret/")
    acl = vault_roles.acl("monitor", prefix=prefix).replace('/pointer"', '/nothing"')
    vault = connect(openbao.settings(token=Secret(openbao.token_for(acl, no_default_policy=True).encode())))
    found = scanned(VaultSource(vault, "secret", prefix))
    assert [row.sources for row in found.rows] == [[f"{store.uri}/acme/generations/{n}"] for n in ("0001", "0002")]
    assert found.failures == []


def test_identities_are_looked_at_in_their_order(root, store, monitor):
    """Many of them, and each once."""
    names = [f"client-{number:03}" for number in range(120)]
    for name in reversed(names):
        enroll(store, root, name=name, key=root.key)
    found = scanned(monitor)
    assert [row.sources for row in found.rows] == [[f"{store.uri}/{name}/generations/0001"] for name in names]
    assert found.status is Status.OK


def test_quiet_rows_are_counted(root, store, monitor):
    """As those of files are."""
    enroll(store, root)
    enroll(store, root, name="late", days=3)
    found = scanned(monitor, only_urgent=True)
    assert ([row.status for row in found.rows], found.quiet) == ([Status.CRITICAL], 1)


@pytest.mark.parametrize("is_in_use", [True, False])
def test_a_certificate_without_facts_is_a_failure(root, store, monitor, is_in_use):
    """The run that installed it was killed before it wrote them."""
    enroll(store, root)
    if not is_in_use:
        store.change("acme", lambda record: replace(record, active=None))
    store.secrets.kv.write_metadata("acme/generations/0001/certificate", {})
    found = scanned(monitor)
    place = f"{store.uri}/acme/generations/0001"
    assert [each.message for each in found.failures] == [
        f"cannot check {place}: the facts about its certificate are missing"
    ]
    assert failures(found) == [(place, Reason.STORE_FAILED)]
    assert found.status is Status.UNKNOWN


def test_facts_that_are_missing_are_written_by_installing_again(root, store, monitor):
    """As the hint says."""
    pair = enroll(store, root)
    store.secrets.kv.write_metadata("acme/generations/0001/certificate", {})
    told = {**describe.facts(pair.value), "policy": "wise-sandbox"}
    store.install("acme", "0001", Issued(certificate=pair.pem, chain=b"", trust_bundle=b""), facts=told)
    assert scanned(monitor).status is Status.OK


@pytest.mark.parametrize(
    "facts",
    [
        {"not_after": "soon"},
        {"not_after": "9999-99-99T00:00:00Z"},
        {"not_before": ""},
        {"fingerprint_sha256": "ab" * 31},
        {"fingerprint_sha256": "AB" * 32},
        {"serial": "zz"},
        {"serial": "f" * 512 + "0"},
        {"serial": ""},
    ],
)
def test_facts_that_are_malformed_are_a_failure(root, store, monitor, facts):
    """Whoever wrote them."""
    store.create("acme", RECORD)
    add(store, "0001", root.issue(), facts=facts)
    found = scanned(monitor)
    assert failures(found) == [(f"{store.uri}/acme/generations/0001", Reason.DECODE_FAILED)]
    assert found.failures[0].message.startswith(f"cannot check {store.uri}/acme/generations/0001: the facts ")


def test_names_that_were_cut_are_shown_as_they_are(root, store, monitor):
    """Metrics do without their parts."""
    store.create("acme", RECORD)
    subject = x509.Name([*pki.name(O="x" * 64), *[a for a in pki.name(CN="y" * 60) for _ in range(10)]])
    pair = root.issue(subject)
    add(store, "0001", pair, facts={"subject": distinguished_name(subject), "issuer": "no=thing=\\"})
    [row] = scanned(monitor, with_labels=True).rows
    assert row.subject.endswith("y…")
    assert row.issuer == "no=thing=\\"
    assert "issuer_CN" not in row.labels


def test_what_a_server_says_is_shown_safely():
    """Names that would turn the line around come escaped, and Vault's own rules for them are not relied upon."""
    told = {**describe.facts(pki.root().value), "policy": "x"} | {
        "subject": "CN=a\u2028b",
        "issuer": "CN=\x1b[31m",
    }
    metadata = {
        "current_version": 2,
        "versions": {"2": {}},
        "updated_time": "2026-11-23T12:00:00Z",
        "custom_metadata": told,
    }
    answers = [
        {"type": "kv", "path": "secret/", "options": {"version": "2"}},
        {"keys": ["acme/"]},
        {"keys": ["0001/"]},
        {"data": RECORD.document(), "metadata": {"version": 1, "created_time": "2026-11-23T12:00:00Z"}},
        metadata,
    ]
    with odd_server(*(reply(200, {"data": data}) for data in answers)) as server:
        settings = VaultSettings(address=server.address, token=Secret(b"x"))
        with Vault.connect(settings) as vault:
            [row] = scanned(VaultSource(vault, "secret")).rows
    assert row.subject == r"CN=a\E2\80\A8b"
    assert row.issuer == r"CN=\1B[31m"


def test_a_generation_in_use_that_is_gone_is_a_failure(root, store, monitor):
    """Certificate, facts and all."""
    enroll(store, root)
    for part in ("certificate", "key"):
        store.secrets.kv.delete_all_versions(f"acme/generations/0001/{part}")
    assert failures(scanned(monitor)) == [(f"{store.uri}/acme/generations/0001", Reason.STORE_FAILED)]


@pytest.mark.parametrize("data", [{}, {"version": 99}, {"version": 1, "settings": {}}])
def test_a_record_that_cannot_be_read_is_a_failure(root, openbao, store, monitor, data):
    """The other identities are watched all the same."""
    enroll(store, root)
    enroll(store, root, name="other")
    openbao.api("POST", f"{store.secrets.location.replace('secret', 'secret/data', 1)}/acme/pointer", {"data": data})
    found = scanned(monitor)
    assert failures(found) == [(f"{store.uri}/acme", Reason.STORE_FAILED)]
    assert [row.sources for row in found.rows] == [[f"{store.uri}/other/generations/0001"]]


def test_a_record_that_somebody_deleted_is_a_failure(root, openbao, store, monitor):
    """It is unknown which generation is in use."""
    enroll(store, root)
    openbao.api("DELETE", f"{store.secrets.location.replace('secret', 'secret/data', 1)}/acme/pointer")
    found = scanned(monitor)
    assert failures(found) == [(f"{store.uri}/acme", Reason.STORE_FAILED)]
    assert found.failures[0].message == f"cannot read {store.uri}/acme/pointer: it was deleted"


@pytest.mark.parametrize(
    ("rule", "source", "message"),
    [
        ("/+/generations/", "acme", "cannot list {}/acme/generations: permission denied"),
        (
            "/+/generations/+/certificate",
            "acme/generations/0001",
            "cannot read the metadata of {}/acme/generations/0001/certificate: permission denied",
        ),
        ("/", "", "cannot list {}: permission denied"),
    ],
)
def test_what_may_not_be_seen_is_a_failure(root, openbao, store, connect, rule, source, message):
    """Never silence, where a right is missing."""
    enroll(store, root)
    prefix = store.secrets.location.removeprefix("secret/")
    acl = vault_roles.acl("monitor", prefix=prefix).replace(f'metadata/{prefix}{rule}"', f'metadata/{prefix}/none"')
    vault = connect(openbao.settings(token=Secret(openbao.token_for(acl, no_default_policy=True).encode())))
    found = scanned(VaultSource(vault, "secret", prefix))
    assert failures(found) == [(f"{store.uri}/{source}".rstrip("/"), Reason.PERMISSION_DENIED)]
    assert found.failures[0].message == message.format(store.uri)
    assert "metadata" in found.failures[0].hint


@pytest.mark.parametrize("content", ["nothing", "request", "others"])
def test_nothing_to_watch_is_a_failure(store, monitor, content):
    """An empty prefix, an identity without its first certificate, another program's secrets."""
    if content == "request":
        store.create("acme", RECORD)
        add(store, "0001")
    if content == "others":
        store.secrets.kv.write("folder/secret", {"a": "b"})
        store.secrets.kv.write("secret", {"a": "b"})
    found = scanned(monitor)
    assert failures(found) == [(store.uri, Reason.NO_CERTIFICATE_FOUND)]
    assert found.failures[0].message == f"no identity with a certificate found in {store.uri}"


@pytest.mark.parametrize(
    ("place", "reason"), [(("nowhere", "x"), Reason.STORE_FAILED), (("secret", "a//b"), Reason.STORE_FAILED)]
)
def test_a_place_that_is_none_is_a_failure(openbao, connect, place, reason):
    """Another mount, or what is no path."""
    found = scanned(VaultSource(connect(openbao.settings()), *place))
    assert failures(found) == [(f"vault://{place[0]}/{place[1]}", reason)]


def test_a_server_that_is_gone_is_one_failure(root, tmp_path):
    """However many identities were there."""
    with development_server(tmp_path) as server, Vault.connect(server.settings(max_retries=0)) as vault:
        store = VaultStore(vault, "secret", "certkit")
        enroll(store, root)
        source = VaultSource(vault, "secret", "certkit")
        assert scanned(source).status is Status.OK
        server.process.kill()
        server.process.wait(20)
        found = scanned(source)
    assert failures(found) == [("vault://secret/certkit", Reason.CONNECTION_FAILED)]


@pytest.mark.parametrize("arrive", [3, 40, 80, 130])
def test_a_server_that_goes_away_meanwhile_is_one_failure(root, openbao, store, arrive):
    """Earlier findings are reported."""
    for number in range(50):
        enroll(store, root, name=f"client-{number:02}", key=root.key)
    with network(openbao.address) as made:
        made.fate = lambda at, _: Fate.ARRIVES if at <= arrive else Fate.REQUEST_IS_LOST
        with Vault.connect(openbao.settings(address=made.address, max_retries=0)) as vault:
            found = scanned(VaultSource(vault, *store.secrets.location.split("/", 1)))
    assert failures(found) == [(store.uri, Reason.CONNECTION_FAILED)]
    assert (len(found.rows) > 0) == (arrive > 120)


def test_a_request_that_hangs(store, monitor):
    """Is a certificate that is expected; one of today is nothing to watch."""
    record = replace(RECORD, requested={"0001": "2026-11-18T12:00:00Z", "0002": "2026-11-23T12:00:00Z"})
    store.create("acme", record)
    for number in ("0001", "0002"):
        store.add("acme", number, key=Secret(b"key"), csr=b"csr")
    [failure] = scanned(replace(monitor, now=pki.NOW)).failures
    assert (failure.reason, failure.source) == (Reason.REQUEST_WAITING, f"{store.uri}/acme/generations/0001")
    assert failure.message.endswith("the request of generation 0001 has been pending for 5 days")
