"""Runs that are killed at any step of installing, activating and renewing: the identity works, the next run ends it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import traceback
from dataclasses import replace

import pytest

from certkit.identity import activate as activation
from certkit.identity import install as answer
from certkit.identity import renew as renewing
from certkit.stores.file.store import FileStore
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests import pki
from tests.identity.conftest import POLICY, issue, journaled, pasted, request_again, use
from tests.identity.partner import YEAR, Partner, faults, states, troubles
from tests.stores import steps, vault_roles
from tests.stores.lossy import Fate, network

# So late that the window of the certificates of `use` is open, and so early that they are valid.
LATE = pki.NOW + YEAR - 20 * pki.DAY

PREFIXES = itertools.count()


def audited(store):
    """The store as the command line uses it."""
    return journaled(store, "alice@host", lambda: LATE)


def install(store, data):
    """Do what `identity install` does."""
    _, number = answer.install(store, store.load("acme"), data, POLICY, now=LATE)
    activation.activate(store, store.load("acme"), number, now=LATE)


def activate(store, _):
    """Do what `identity activate` does."""
    activation.activate(store, store.load("acme"), now=LATE)


def renew(store, _):
    """Do what `identity renew` does with an issuer that issues at once."""
    renewing.renew(store, store.load("acme"), POLICY, wanted=renewing.Renewal(issuer=Partner(LATE)), now=LATE)


def ready_to_renew(store):
    """One generation in use, near its end."""
    use(store)
    return b""


def ready_to_install(store):
    """The same with a request; the answer to it."""
    use(store)
    request_again(store)
    return pasted(issue(store, "0002", end=LATE + YEAR - pki.DAY, begin=LATE - pki.DAY))


def ready_to_activate(store):
    """The same with the answer installed."""
    data = ready_to_install(store)
    answer.install(store, store.load("acme"), data, POLICY, now=LATE)
    return data


WORK = {
    "install": (ready_to_install, install),
    "activate": (ready_to_activate, activate),
    "renew": (ready_to_renew, renew),
}


@pytest.fixture(params=WORK)
def work(request):
    """Return the state before, and the change to make."""
    return WORK[request.param]


def finish(store, run, data):
    """Repeat the change, and return what differs from a run that was not killed."""
    yield from faults(store, "acme", now=LATE)
    run(store, data)
    yield from faults(store, "acme", now=LATE)
    identity = store.load("acme")
    if states(identity) != ["previous", "active"]:
        yield f"not finished: {states(identity)}"
    if identity.record.active not in identity.record.names:
        yield "it has no name"
    told = {(each.what, each.generation) for each in store.log(identity.name)}
    if not {("installed", identity.record.active), ("activated", identity.record.active)} <= told:
        yield f"not told: {told}"
    yield from troubles(store)


def test_in_a_directory(tmp_path, work, capsys):
    """At every call of the system that changes a file."""
    prepare, run = work
    (tmp_path / "before").mkdir()
    data = prepare(audited(FileStore(tmp_path / "before" / "store")))

    def again():
        shutil.rmtree(tmp_path / "now", ignore_errors=True)
        shutil.copytree(tmp_path / "before", tmp_path / "now", symlinks=True)
        return audited(FileStore(tmp_path / "now" / "store"))

    store = again()
    done = steps.run(lambda: run(store, data), tmp_path)
    assert (done.code, list(finish(store, run, data))) == (0, [])
    calls = [call for call in done.calls if " = -1 E" not in call.rest]
    for call in calls:
        store = again()
        ended = steps.run(lambda: run(store, data), tmp_path, inject=f"{call.name}:signal=SIGKILL:when={call.count}")  # noqa: B023  it runs at once
        assert (ended.code, list(finish(store, run, data))) == (-signal.SIGKILL, []), call
    tell(capsys, run, "a directory", len(calls))


def tell(capsys, run, where, kills):
    """Print a figure for people."""
    assert kills > 5
    with capsys.disabled():
        print(f"\n{run.__name__} in {where}: {kills} kills survived")  # noqa: T201  figures for people


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_vault(openbao, work, capsys):
    """At every request, before it reaches the server and after the server has acted upon it."""
    prepare, run = work
    kills = 0
    operator = vault_roles.settings(openbao, "operator")
    with Vault.connect(operator) as vault, network(openbao.address) as net:
        for at in itertools.count(1):
            for loss in (Fate.REQUEST_IS_LOST, Fate.ANSWER_IS_LOST):
                prefix = f"certkit/killed-{next(PREFIXES)}"
                store = audited(VaultStore(vault, "secret", prefix))
                data = prepare(store)
                settings = replace(operator, address=net.address, max_retries=0)
                code = killed(net, lambda: over(settings, prefix, run, data), at, loss)  # noqa: B023  it runs at once
                assert (list(finish(store, run, data))) == [], (at, loss, net.lines[-1])
                if code == 0:
                    tell(capsys, run, "Vault", kills)
                    return
                assert code == -signal.SIGKILL
                kills += 1
                if net.lines[at - 1].startswith("GET"):
                    break  # after it all is as before the next one


def over(settings, prefix, run, data):
    """Do the work over a connection of its own."""
    with Vault.connect(settings) as vault:
        run(audited(VaultStore(vault, "secret", prefix)), data)


def killed(net, run, at, loss):
    """Do some work in a child, which is killed at a request; how it ended."""
    net.lines.clear()
    net.fate = lambda number, _: loss if number == at else Fate.ARRIVES
    gate, opener = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.read(gate, 1)
            run()
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            raise
        finally:
            os._exit(code)
    net.on_loss = lambda: os.kill(child, signal.SIGKILL)
    os.write(opener, b"x")
    for each in (gate, opener):
        os.close(each)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
