"""Two renewers at once: never two requests, never a lost key."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from certkit.errors import CertkitError, InputError, RefusedError
from certkit.identity import overview
from certkit.identity.issuers import IssuerAnswer
from certkit.identity.renew import Renewal, renew
from certkit.stores.file.store import FileStore
from certkit.stores.record import ANSWERS, LEASE
from certkit.stores.vault import layout
from certkit.stores.vault.store import VaultStore
from certkit.times import rfc3339
from certkit.vault.client import Vault
from tests import pki
from tests.identity.conftest import POLICY, journaled, use
from tests.identity.partner import YEAR, Partner, faults, states

RACES = 50
LATE = pki.NOW + YEAR - 20 * pki.DAY


def audited(store):
    """The store as the command line uses it."""
    return journaled(store, "alice@host", lambda: LATE)


@pytest.fixture(params=["a directory", "Vault"])
def renewers(request, tmp_path):
    """Two stores of their own, over the same place."""
    if request.param == "a directory":
        yield [audited(FileStore(tmp_path / "store")) for _ in range(2)]
        return
    settings = request.getfixturevalue("openbao").settings()
    prefix = f"races/{tmp_path.name}"
    with Vault.connect(settings) as first, Vault.connect(settings) as second:
        yield [audited(VaultStore(vault, "secret", prefix)) for vault in (first, second)]


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [(None, ["active", "pending"]), (Partner(LATE), ["previous", "active"])],
    ids=["manual", "automatic"],
)
def test_two_renewers(renewers, issuer, expected, capsys):
    """Make one generation, which waits for a person or is in use, and both tell the same."""
    lost = []
    for turn in range(RACES):
        store, name = renewers[0], f"acme-{turn}"
        use(store, name)
        gate = threading.Barrier(2)

        def run(own, name=name, gate=gate):
            gate.wait(60)
            return renew(own, own.load(name), POLICY, wanted=Renewal(issuer=issuer), now=LATE).identity

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(run, renewers))
        found = store.load(name)
        asked = {overview.generation(each, "0002").csr for each in (*told, found)}
        if states(found) != expected or len(asked) > 1 or list(faults(store, name, now=LATE)):
            lost.append((turn, states(found)))
        store.remove(name)
    with capsys.disabled():
        print(f"\n{RACES} races, lost {len(lost)}")  # noqa: T201  figures for people
    assert lost == []


@dataclass
class Counting:
    """The partner's issuer; it counts what it signs."""

    signed: list[bytes] = field(default_factory=list)

    def issue(self, csr):
        """A certificate."""
        self.signed.append(csr)
        return Partner(LATE).issue(csr)


def test_four_runs_have_one_certificate_signed(renewers):
    """The run with the lease asks the issuer; the others wait, and all report the same."""
    for turn in range(5):
        name, issuer, gate = f"leased-{turn}", Counting(), threading.Barrier(4)
        use(renewers[0], name)

        def run(own, name=name, issuer=issuer, gate=gate):
            gate.wait(60)
            return renew(own, own.load(name), POLICY, wanted=Renewal(issuer=issuer), now=LATE).identity

        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(run, [*renewers, *renewers]))
        assert len(issuer.signed) == 1
        assert {each.record.active for each in told} == {"0002"}
        assert list(faults(renewers[0], name, now=LATE)) == []


def test_a_run_that_comes_after_one_that_has_ended(renewers):
    """It read the identity while the request was pending, and does not ask the issuer again."""
    store, issuer = renewers[0], Counting()
    use(store)
    renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=LATE)
    before = renewers[1].load("acme")
    renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    store.change("acme", lambda record: record.describe("0002", {LEASE: ""}))
    done = renew(renewers[1], before, POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    assert (len(issuer.signed), done.identity.record.active) == (1, "0002")


@pytest.mark.parametrize("renewers", ["a directory"], indirect=True)
def test_a_run_that_reads_the_record_of_a_request_before_the_request(renewers):
    """The last certificate that the partner allows is not refused to those who wait for it."""
    store, issuer = renewers[0], Counting()
    for number in range(4):
        use(store, f"other-{number}")
        renew(store, store.load(f"other-{number}"), POLICY, wanted=Renewal(issuer=Counting()), now=LATE)
    use(store)
    seen = renewers[1].load("acme")
    done = renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    described = seen.record.describe("0002", {"spki_sha256": done.identity.record.facts["0002"]["spki_sha256"]})
    seen = replace(seen, record=described)
    done = renew(renewers[1], seen, POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    assert (len(issuer.signed), done.identity.record.active) == (1, "0002")
    with pytest.raises(RefusedError, match="allows 10 live certificates"):
        renew(store, done.identity, POLICY, wanted=Renewal(issuer=issuer, force=True), now=LATE)


def test_a_certificate_that_was_lost(tmp_path):
    """The record still describes it, as after the restore of a part of a backup: the next run requests another."""
    store, issuer = FileStore(tmp_path / "store"), Counting()
    use(store)
    renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    store.change("acme", lambda record: record.activate("0001").describe("0002", {LEASE: ""}))
    (tmp_path / "store/acme/generations/0002/certificate.pem").unlink()
    done = renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    assert (len(issuer.signed), done.identity.record.active) == (2, "0002")


@pytest.mark.parametrize("renewers", ["a directory"], indirect=True)
def test_a_run_that_waits_for_one_that_fails(renewers):
    """Says so, and asks for nothing itself; the next run does."""
    store, issuer = renewers[0], Counting()
    use(store)
    renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=LATE)
    lease = {LEASE: f"{rfc3339(LATE + pki.DAY)} another-host 1 mark"}
    store.change("acme", lambda record: record.describe("0002", lease))
    fails = threading.Timer(3, lambda: store.change("acme", lambda record: record.describe("0002", {LEASE: ""})))
    fails.start()
    with pytest.raises(InputError, match="another run did not get the request of generation 0002 signed"):
        renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    fails.join()
    assert issuer.signed == []
    done = renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer), now=LATE)
    assert (len(issuer.signed), done.identity.record.active) == (1, "0002")


@pytest.mark.parametrize("refused", [False, True], ids=["no certificate", "a refused certificate"])
def test_a_run_that_fails_late_leaves_the_lease_of_another(renewers, refused):
    """It took so long that its lease ended, and another run took over; what that run noted stays, too."""
    store, theirs = renewers[0], f"{rfc3339(LATE + pki.DAY)} another-host 1 mark"
    use(store)
    renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=LATE)

    class Late:
        def issue(self, csr):
            noted = {LEASE: theirs, ANSWERS: "2026-01-01T00:00:00Z"}
            renewers[1].change("acme", lambda record: record.describe("0002", noted))
            if refused:
                return IssuerAnswer(certificates=pki.root(pki.name(CN="stranger")).issue().pem)
            raise InputError("the issuer is busy", hint="try again")

    with pytest.raises(CertkitError):
        renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=Late()), now=LATE)
    facts = store.load("acme").record.facts["0002"]
    assert facts[LEASE] == theirs
    assert facts[ANSWERS].split()[0] == "2026-01-01T00:00:00Z"
    assert len(facts[ANSWERS].split()) == 1 + refused


def test_a_run_that_waits_for_one_that_is_killed(tmp_path):
    """On the same host it need not wait until the lease is over."""
    store = FileStore(tmp_path / "store")
    use(store)
    renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=LATE)
    with subprocess.Popen(["/bin/sleep", "600"]) as holder:
        lease = {LEASE: f"{rfc3339(LATE + pki.DAY)} {socket.gethostname()} {holder.pid} mark"}
        store.change("acme", lambda record: record.describe("0002", lease))
        threading.Timer(1, lambda: (holder.kill(), holder.wait())).start()
        begin = time.monotonic()
        with pytest.raises(InputError, match="another run did not get the request of generation 0002 signed"):
            renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=Counting()), now=LATE)
        assert 0.5 < time.monotonic() - begin < 30


def test_a_renewer_that_is_held_up(openbao):
    """Between its request and its key: another one goes on, and what comes late is no second request."""
    with Vault.connect(openbao.settings()) as vault:
        plain = VaultStore(vault, "secret", "races/late")
        store = audited(plain)
        use(store)
        request = overview.generation(store.load("acme"), "0001").csr
        plain.secrets.put(layout.certificate("acme", "0002"), layout.document_of(request), cas=0)
        renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=LATE)
        key = store.key("acme", "0001")
        plain.secrets.put(layout.key("acme", "0002"), {"private_key": key}, cas=0)
        assert states(store.load("acme")) == ["active", "pending"]
        again = renew(store, store.load("acme"), POLICY, wanted=Renewal(), now=LATE)
        assert (again.changed, list(faults(store, "acme", now=LATE))) == (False, [])
