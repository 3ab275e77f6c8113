"""A year of life, simulated: while a client calls the partner every day, no call fails."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import ssl
import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certkit.expiry import reminder_file
from certkit.expiry.reminders import Reminders
from certkit.identity import activate, install, overview
from certkit.identity import retire as retirement
from certkit.identity.export import WantedExport, export
from certkit.identity.renew import Renewal, renew
from certkit.stores.file.store import FileStore
from certkit.stores.record import State
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.x509.items import Kind
from tests import pki, tls_servers
from tests.conftest import require_program
from tests.identity.conftest import ISSUING, POLICY, ROOT, enroll, journaled
from tests.identity.partner import YEAR, Partner, states

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.x509.certificate import Certificate

DAYS = 400
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
REMINDERS = Reminders.of_days(POLICY.renewal.reminders)


@dataclass(frozen=True)
class Watched:
    """A certificate in the store, as reminders see it."""

    certificate: Certificate
    kind: Kind = Kind.CERTIFICATE

    @property
    def fingerprint_sha256(self):
        """In lower-case hex."""
        return self.certificate.fingerprint_sha256

    @property
    def not_before(self):
        """When it begins."""
        return self.certificate.not_before

    @property
    def not_after(self):
        """When it ends."""
        return self.certificate.not_after


@dataclass
class Gateway:
    """The partner's gateway: an nginx whose clock is ours, and the certificates that it does not take any more."""

    folder: Path
    port: int
    revoked: list[int] = field(default_factory=list)
    restart: Callable[[], None] = lambda: None

    def set_clock(self, now):
        """Let it be another day for it."""
        path = self.folder / "clock"
        path.with_suffix(".new").write_text(now.strftime("%Y-%m-%d %H:%M:%S\n"))
        path.with_suffix(".new").replace(path)

    def revoke(self, certificate):
        """Take a certificate no more."""
        self.revoked.append(certificate.serial)
        self.write_lists()
        self.restart()

    def write_lists(self):
        """Write the revocation lists of both CAs, valid for the whole time."""
        lists = [revocation_list(ROOT, ()), revocation_list(ISSUING, self.revoked)]
        (self.folder / "crl.pem").write_bytes(b"".join(lists))

    def call(self, folder):
        """Return the status that a client gets with the pair in a directory, or why there is none."""
        context = ssl.create_default_context(cafile=self.folder / "above.pem")
        # The certificate of the gateway is judged by our clock, which is another one.
        context.verify_mode, context.check_hostname = ssl.CERT_REQUIRED, False
        context.load_cert_chain(folder / "fullchain.pem", folder / "key.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/")
                return connection.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                return repr(error)


def revocation_list(ca, serials):
    """A CRL of a CA, as PEM."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(pki.NOW - YEAR).next_update(pki.NOW + 3 * YEAR)
    for serial in serials:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(pki.NOW).build()
        builder = builder.add_revoked_certificate(one)
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def gateway(tmp_path):
    """The partner's gateway."""
    require_program("faketime")
    nginx = "/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else require_program("nginx")
    folder = tmp_path / "gateway"
    (folder / "html").mkdir(parents=True)
    (folder / "html" / "index.html").write_text("hello")
    own = ISSUING.issue(pki.name(CN="gateway"), extensions=(pki.SERVER,), begin=pki.NOW - YEAR, end=pki.NOW + 3 * YEAR)
    tls_servers.write(own, folder)
    made = Gateway(folder, tls_servers.free_port())
    made.set_clock(pki.NOW)
    made.write_lists()
    more = f"ssl_verify_depth 3; ssl_crl {folder}/crl.pem; root {folder}/html;"
    text = tls_servers.NGINX.format(folder=folder, port=made.port, client_ca="above.pem", more=more)
    names = ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE", "FAKETIME_DONT_RESET", "TZ")
    text = "".join(f"env {name};\n" for name in names) + "master_process off;\n" + text
    (folder / "nginx.conf").write_text(text)
    moved = {
        **os.environ,
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "TZ": "UTC",
    }
    command = [nginx, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"]

    @contextlib.contextmanager
    def running():
        process = subprocess.Popen(command, env=moved, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with tls_servers.ending(process):
            tls_servers.wait_for(lambda: tls_servers.listens(made.port), process)
            yield

    with contextlib.ExitStack() as started:
        started.enter_context(running())

        def restart():
            started.close()
            started.enter_context(running())

        made.restart = restart
        yield made


def test_a_person_who_brings_the_answers(tmp_path, gateway, capsys):
    """Enrolled, reminded, renewed with an overlap, the old one retired when it has expired: no call fails."""
    today = [pki.NOW]
    store = journaled(FileStore(tmp_path / "store"), "cron@host", lambda: today[0])
    enroll(store, now=today[0])
    person(store, today[0])
    failed, spoken, seen, asked = [], [], [], None
    for day in range(DAYS):
        now = today[0] = pki.NOW + timedelta(days=day, hours=1)
        gateway.set_clock(now)
        renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=now)
        identity = store.load("acme")
        if overview.in_state(identity, State.PENDING):
            asked = asked or now
            if now - asked >= 20 * pki.DAY:  # so late that there is a warning
                person(store, now)
                asked = None
        spoken += remind(store, tmp_path / "reminders.json", now, day)
        seen.append(overview.overview(store.load("acme"), POLICY, now=now).status.value)
        status = gateway.call(tmp_path / "store" / "acme" / "active")
        if status != 200:
            failed.append((day, status))
        retire(store, gateway, tmp_path / "store" / "acme" / "generations", now)
    tell(capsys, failed)
    assert (failed, spoken, states(store.load("acme"))) == ([], [(337, "28d")], ["retired", "active"])
    assert [seen[0], *(new for old, new in itertools.pairwise(seen) if old != new)] == ["ok", "warning", "ok"]
    # The old pair is refused because it is revoked, also at a time at which it was valid.
    gateway.set_clock(pki.NOW + 100 * pki.DAY)
    assert gateway.call(tmp_path / "store" / "acme" / "generations" / "0001") == 400


def test_an_issuer_that_answers_at_once(openbao, tmp_path, gateway, capsys):
    """A host that exports from Vault each day: no call fails, and no reminder is sent."""
    today = [pki.NOW]
    wanted = WantedExport(directory=tmp_path / "tls", environment={"PATH": os.defpath})
    failed, spoken, seen, changed = [], [], set(), []
    with Vault.connect(openbao.settings()) as vault:
        store = journaled(VaultStore(vault, "secret", "year"), "cron@host", lambda: today[0])
        enroll(store, now=today[0])
        for day in range(DAYS):
            now = today[0] = pki.NOW + timedelta(days=day, hours=1)
            gateway.set_clock(now)
            issuer = Partner(now - timedelta(minutes=5))
            renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=now)
            if export(store, store.load("acme"), wanted).changed:
                changed.append(day)
            spoken += remind(store, tmp_path / "reminders.json", now, day)
            seen.add(overview.overview(store.load("acme"), POLICY, now=now).status.value)
            status = gateway.call(tmp_path / "tls")
            if status != 200:
                failed.append((day, status))
        found = states(store.load("acme"))
    tell(capsys, failed)
    assert (failed, spoken, seen, changed) == ([], [], {"ok"}, [0, 320])
    assert found == ["previous", "active"]


def retire(store, gateway, folder, now):
    """Put out of use what has expired, which the gateway refuses by then, and have it revoked."""
    for each in overview.in_state(store.load("acme"), State.PREVIOUS):
        certificate = overview.certificate(each)
        if certificate.not_after < now:
            assert gateway.call(folder / each.number) == 400
            retirement.retire(store, store.load("acme"), each.number)
            gateway.revoke(certificate)


def tell(capsys, failed):
    """Print a figure for people."""
    with capsys.disabled():
        print(f"\n{DAYS} days, failed calls {len(failed)}")  # noqa: T201  figures for people


def person(store, now):
    """A person at the partner's portal, who fetches the certificate."""
    [pending] = overview.in_state(store.load("acme"), State.PENDING)
    answered = Partner(now - timedelta(minutes=5)).issue(pending.csr).certificates
    _, number = install.install(store, store.load("acme"), answered, POLICY, now=now)
    activate.activate(store, store.load("acme"), number, now=now)


def remind(store, path, now, day):
    """The reminders that are spoken on a day, about what is in use."""
    identity = store.load("acme")
    watched = [Watched(overview.certificate(overview.generation(identity, identity.record.active)))]
    with reminder_file.ReminderFile.open(path) as state:
        due = state.due(watched, reminders=REMINDERS, now=now)
        state.record(due)
    return [(day, each.reminder.text) for each in due]
