"""The TLS context of an identity: it follows the identity, keeps settings, and never lets a key reach a file system."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import re
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

import certkit
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.sealing import TransitWrapping
from certkit.vault.client import Vault
from certkit.wise import tokens
from certkit.x509 import containers
from tests import pki
from tests.api.conftest import ENVIRONMENT, Place, in_vault, partner
from tests.conftest import require_program
from tests.identity import conftest as life


def plain(context, url):
    """The serial by which a plain `ssl` client was known."""
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        return answer.status


def test_a_plain_client_presents_the_active_certificate(place, server):
    """`acme.ssl_context()` is an ssl.SSLContext for `urllib.request` and everything else that takes one."""
    context = place.identity().ssl_context()
    assert isinstance(context, ssl.SSLContext)
    assert plain(context, server.url) == 200
    assert server.serials == [place.serial]


def test_clients_of_other_people(place, server):
    """httpx, requests, urllib3 and aiohttp present it, in threads and with asyncio."""
    acme = place.identity()
    with httpx.Client(verify=acme.ssl_context()) as client:
        assert client.get(server.url).status_code == 200
    with requests.Session() as session:
        session.mount("https://", acme.requests_adapter())
        assert session.get(server.url, timeout=10).status_code == 200
    with acme.pool_manager() as pool:
        assert pool.request("GET", server.url).status == 200

    async def both():
        async with httpx.AsyncClient(verify=acme.ssl_context()) as client:
            assert (await client.get(server.url)).status_code == 200
        connector = aiohttp.TCPConnector(ssl=acme.ssl_context())
        async with aiohttp.ClientSession(connector=connector) as session, session.get(server.url) as answer:
            assert answer.status == 200
        await asyncio.sleep(0.25)  # aiohttp closes TLS connections in the background

    asyncio.run(both())
    assert server.serials == [place.serial] * 5


def test_it_follows_a_renewal(place, server):
    """A connection that is opened after the interval presents the new certificate, without a restart."""
    context = place.identity(interval=0).ssl_context()
    plain(context, server.url)
    before, after = place.serial, place.renew()
    plain(context, server.url)
    assert server.serials == [before, after]


def test_within_the_interval_the_store_is_left_alone(directory, server):
    """The pair in memory is used until the interval is over; `reload` looks at once."""
    acme = directory.identity(interval=3600)
    context = acme.ssl_context()
    before, after = directory.serial, directory.renew()
    plain(context, server.url)
    assert acme.reload() is True
    assert acme.reload() is False
    plain(context, server.url)
    assert server.serials == [before, after]
    assert acme.generation == "0002"


def test_an_event_loop_is_not_kept_waiting(request, server):
    """With asyncio a store in Vault is read in a thread: while Vault hangs, the pair in use is presented."""
    place = life_in_vault(request)
    context = place.identity(interval=0).ssl_context()
    before, after = place.serial, place.renew()
    vault = request.getfixturevalue("openbao")

    async def presented(session):
        async with session.get(server.url) as answer:
            return (await answer.json())["serial"]

    async def until_new():
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            vault.process.send_signal(signal.SIGSTOP)
            try:
                async with asyncio.timeout(20):
                    assert await presented(session) == before
            finally:
                vault.process.send_signal(signal.SIGCONT)
            for _ in range(600):
                if await presented(session) == after:
                    break
                await asyncio.sleep(0.1)
            else:
                pytest.fail("the new certificate was not presented")
        await asyncio.sleep(0.25)

    asyncio.run(until_new())


def test_an_event_loop_that_has_paused_sees_a_renewal(request, server, monkeypatch):
    """The first connection after a pause, however long, presents the new certificate, if Vault answers in time."""
    monkeypatch.setattr("certkit.api.following._LOOP_WAIT_SECONDS", 60)
    place = life_in_vault(request)
    context = place.identity(interval=0).ssl_context()
    after = place.renew()

    async def once():
        async with httpx.AsyncClient(verify=context, timeout=60) as client:
            return (await client.get(server.url)).json()["serial"]

    assert asyncio.run(once()) == after


def test_a_vault_that_hangs_holds_up_no_request(request, server, monkeypatch):
    """Its process is stopped: a thread waits for a moment, and goes on with the pair in use."""
    monkeypatch.setattr("certkit.api.following.THREAD_WAIT_SECONDS", 0.1)
    place = life_in_vault(request)
    context, serial = place.identity(interval=0).ssl_context(), place.serial
    vault = request.getfixturevalue("openbao")
    vault.process.send_signal(signal.SIGSTOP)
    try:
        plain(context, server.url)
    finally:
        vault.process.send_signal(signal.SIGCONT)
    assert server.serials == [serial]


def sealed_by_vault(request):
    """A store in a directory, sealed by Transit, with an identity in use."""
    server, root = request.getfixturevalue("openbao"), request.getfixturevalue("tmp_path") / "sealed"
    mount = f"transit-{time.monotonic_ns()}"
    server.api("POST", f"sys/mounts/{mount}", {"type": "transit"})
    server.api("POST", f"{mount}/keys/certkit", {})
    vault = Vault.connect(server.settings())
    request.addfinalizer(vault.close)
    store = FileStore(root, TransitWrapping(vault, "certkit", mount))
    variables = {**ENVIRONMENT, "VAULT_ADDR": server.address, "VAULT_TOKEN": server.token}
    place = Place(store, f"file:{root}?transit={mount}/certkit", variables)
    life.use(store)
    return place


def named_in_the_configuration(request):
    """A store in Vault that is the default of the host's configuration."""
    place, path = life_in_vault(request), request.getfixturevalue("tmp_path") / "certkit.toml"
    path.write_text(f"[store]\ndefault = {place.uri!r}\n")
    path.chmod(0o600)
    return replace(place, uri=None, environment={**place.environment, "CERTKIT_CONFIG": str(path)})


@pytest.mark.parametrize("make", [sealed_by_vault, named_in_the_configuration])
def test_an_event_loop_waits_for_no_vault_however_it_is_named(request, make):
    """A store whose keys Vault opens, and one that the host's configuration names, are read in a thread, too."""
    place = make(request)
    acme = place.identity(interval=0)
    place.renew()
    vault = request.getfixturevalue("openbao")
    vault.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        acme._follower.current(may_wait=False)
        assert time.monotonic() - begun < 10
    finally:
        vault.process.send_signal(signal.SIGCONT)


def test_a_token_that_is_due_is_used_on_while_vault_hangs(request, monkeypatch):
    """It is valid until it expires: no call waits for a client's timeout, and others find out within the interval."""
    monkeypatch.setattr("certkit.api.auth.THREAD_WAIT_SECONDS", 0.1)
    place = life_in_vault(request)
    now = datetime.now(UTC)
    lifetime = {"received_at": now - timedelta(hours=11), "expires_at": now + timedelta(minutes=5)}
    made = tokens.Token(grant="client_credentials", client_id="acme", access=Secret(b"opaque"), **lifetime)
    tokens.write(place.store, "acme", made, over=None)
    acme = place.identity(interval=0)
    assert acme.token() == "opaque"
    vault = request.getfixturevalue("openbao")
    vault.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert [acme.token() for _ in range(3)] == ["opaque"] * 3
        assert time.monotonic() - begun < 10
    finally:
        vault.process.send_signal(signal.SIGCONT)


def test_a_token_that_becomes_due_is_renewed_at_once(certkit_rehearsal, certkit_identity):
    """Although the store was asked less than an interval ago."""
    acme = certkit_identity
    first = acme.token()
    [(place, known)] = acme._access_tokens._remembered.items()
    now = datetime.now(UTC)
    due = replace(known.token, received_at=now - timedelta(hours=11), expires_at=now + timedelta(minutes=5))
    acme._access_tokens._remembered[place] = known._replace(token=due)
    with acme._follower.store.use() as store:
        kept = tokens.require(store, "acme")
        tokens.write(store, "acme", due, over=kept.version)
    assert acme.token() != first


def life_in_vault(request):
    place = in_vault(request)
    life.use(place.store)
    return place


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_after_a_refused_handshake_the_store_is_read_at_once(directory, version, monkeypatch):
    """A server that revoked the old certificate refuses one connection; the next one presents the new certificate."""
    monkeypatch.setattr("certkit.api.following._PAUSE_AFTER_REFUSAL_SECONDS", 0)
    context = directory.identity(interval=3600).ssl_context()
    context.maximum_version = context.minimum_version = version
    before, after = directory.serial, directory.renew()
    path = directory_of(directory) / "revoked.pem"
    path.write_bytes(crl(before))
    with partner(directory_of(directory) / "strict", crl=path) as strict:
        with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
            plain(context, strict.url)
        plain(context, strict.url)
        assert strict.serials == [after]


def crl(serial):
    """A CRL of the partner's issuing CA with one certificate, for servers, whose clock is the real one."""
    now = datetime.now(UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(days=1)).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(life.ISSUING.certificate.subject)
    builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
    key = load_pem_private_key(life.ISSUING.key_pem, None)
    return builder.add_revoked_certificate(revoked).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def directory_of(place):
    return Path(place.uri.removeprefix("file:")).parent


def other_root():
    return pki.root(pki.name(CN="Another CA"))


def test_an_alert_after_the_handshake_counts_as_a_refusal(directory):
    """In TLS 1.3 the refusal arrives when the client reads; sockets and event loops report it both."""
    acme = directory.identity(interval=1e12)
    with partner(directory_of(directory) / "strict", client_ca=other_root()) as strict:
        acme._follower._checked = 0.0
        with pytest.raises((httpx.HTTPError, ssl.SSLError)), httpx.Client(verify=acme.ssl_context()) as client:
            client.get(strict.url)
    assert acme._follower._checked == float("-inf")


def test_a_pair_that_does_not_match_is_not_used(request, place, server, caplog):
    """A failed reload keeps the old pair: it is logged and reported to `on_error`, and no request fails."""
    seen = []
    acme = place.identity(interval=0, on_error=seen.append)
    context = acme.ssl_context()
    before = place.serial
    foreign = life.ROOT.intermediate().issue()
    number = life.request_again(place.store)
    made = life.issue(place.store, number)
    life.install(place.store, life.pasted(made))
    wreck(request, place, number, foreign)
    place.store.change("acme", lambda record: record.activate(number))
    plain(context, server.url)
    assert server.serials == [before]
    assert "acme stays at generation 0001" in caplog.text
    assert seen
    with pytest.raises(certkit.Error):
        acme.reload()


def wreck(request, place, number, foreign):
    """Put another key in the place of a generation's, as a bad restore of a backup does."""
    if place.uri.startswith("file:"):
        path = Path(place.uri.removeprefix("file:")) / "acme" / "generations" / number / "key.pem"
        path.write_bytes(foreign.key_pem)
        return
    mount, prefix = place.uri.removeprefix("vault://").split("/", 1)
    data = {"data": {"private_key": foreign.key_pem.decode()}}
    path = f"{mount}/data/{prefix}/acme/generations/{number}/key"
    request.getfixturevalue("openbao").api("POST", path, data)


def test_settings_hold_across_renewals(directory, server):
    """Settings that a client makes on the context apply to every connection after a renewal, too."""
    context = directory.identity(interval=0).ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    context.set_ciphers("ECDHE+AESGCM")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=other_root().pem.decode())
    directory.renew()
    inner = context._current(may_wait=True)
    assert inner is not context
    assert inner.maximum_version == ssl.TLSVersion.TLSv1_2
    assert inner.verify_flags & ssl.VERIFY_X509_STRICT
    assert {cipher["name"] for cipher in inner.get_ciphers()} == {cipher["name"] for cipher in context.get_ciphers()}
    assert len(inner.get_ca_certs()) == 2
    assert context.get_ca_certs() == inner.get_ca_certs()


def test_a_server_of_another_ca_is_refused(directory, tmp_path):
    """Trust is the identity's trust bundle, not the system's CAs."""
    context = directory.identity().ssl_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_requests_cannot_widen_trust(directory, server, monkeypatch, tmp_path):
    """Neither REQUESTS_CA_BUNDLE nor certifi adds a CA; `verify=False` and `cert=` are refused."""
    other = tmp_path / "other.pem"
    other.write_bytes(other_root().pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    adapter = directory.identity().requests_adapter()
    with requests.Session() as session:
        session.mount("https://", adapter)
        assert session.get(server.url, timeout=10).status_code == 200
        assert len(adapter._context.get_ca_certs()) == 1
        with pytest.raises(certkit.InputError, match="other settings for TLS"):
            session.get(server.url, verify=False, timeout=10)


def test_idle_connections_are_closed_after_a_renewal(directory, server):
    """Requests and urllib3 keep connections open; after a renewal they open new ones."""
    acme = directory.identity(interval=0)
    with requests.Session() as session, acme.pool_manager() as pool:
        session.mount("https://", acme.requests_adapter())
        for _ in range(2):
            session.get(server.url, timeout=10)
            pool.request("GET", server.url)
        assert len(server.handshakes) == 2
        after = directory.renew()
        session.get(server.url, timeout=10)
        pool.request("GET", server.url)
    assert server.handshakes[2:] == [after, after]


def test_another_certificate_cannot_be_loaded(directory):
    """`load_cert_chain` on the context is an error that says what to leave out."""
    with pytest.raises(certkit.InputError, match="another certificate"):
        directory.identity().ssl_context().load_cert_chain("acme.pem")


def forked(work):
    """Do some work in a child, which a minute ends; its process id."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001
            os._exit(1)
    return child


def ended(child):
    """The status with which a child ends."""
    return os.waitpid(child, 0)[1]


def test_a_forked_child_goes_on(place, server):
    """After a fork the child reads the store by a connection of its own, and the parent's stays in use."""
    acme = place.identity(interval=0)
    context = acme.ssl_context()
    plain(context, server.url)
    assert ended(forked(lambda: plain(context, server.url))) == 0
    assert acme.reload() is False
    plain(context, server.url)


def test_a_fork_while_another_thread_loads_a_pair(directory, server):
    """The child inherits no lock that would never be released, and loads the new pair itself."""
    acme = directory.identity(interval=0)
    context = acme.ssl_context()
    after = directory.renew()
    with context._lock, acme._follower.lock:
        child = forked(lambda: plain(context, server.url))
    assert ended(child) == 0
    assert server.serials == [after]


def test_no_handshake_without_a_certificate_while_it_is_renewed(directory, tmp_path):
    """Eight threads shake hands while contexts are swapped a hundred times: each presents a certificate.

    `CERTKIT_SOAK_RELOADS=1000` swaps them more often.
    """
    acme = directory.identity(interval=3600)
    context = acme.ssl_context()
    with partner(tmp_path / "optional", demand=ssl.CERT_OPTIONAL) as server:
        done = threading.Event()
        failures = []

        def shake():
            while not done.is_set():
                try:
                    plain(context, server.url)
                except Exception as error:  # noqa: BLE001
                    failures.append(error)

        threads = [threading.Thread(target=shake) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(int(os.environ.get("CERTKIT_SOAK_RELOADS", "100"))):
            acme._follower._pair = copy.copy(acme._follower._pair)  # what a renewal does, as often as one likes
            context._current(may_wait=True)
        done.set()
        for thread in threads:
            thread.join()
        print(f"{len(server.handshakes)} handshakes")  # noqa: T201
        assert failures == []
        assert None not in server.handshakes


def test_it_is_not_serialised(directory):
    """Neither pickle nor repr gives the key away."""
    acme = directory.identity()
    for value in (acme, acme.ssl_context(), acme.auth()):
        with pytest.raises(TypeError, match="not serialised"):
            pickle.dumps(value)
        assert "PRIVATE" not in repr(value)
    assert "key" not in repr(acme._follower.current(may_wait=True))


def test_no_key_byte_reaches_a_file_system(place, tmp_path):
    """Strace shows every byte that is written: neither the key nor a file of it, and nothing is created."""
    script = f"""
        import certkit
        certkit.identity("acme", store={place.uri!r}, environment={place.environment!r}).ssl_context()
    """
    require_no_trace_of(place.store.key("acme", "0001").reveal(), script, tmp_path)


def test_no_key_byte_of_a_bundle_reaches_a_file_system(request, tmp_path):
    """The same where the key comes from a PKCS#12 file, and goes to Vault and into a context."""
    place = life_in_vault(request)
    pair = life.ISSUING.issue(pki.name(O="Acme Ltd", CN="acme-client-id"))
    bundle = containers.to_pkcs12(Secret(pair.key_pem), pair.value, [life.ISSUING.value], Secret(b"correct horse"))
    (tmp_path / "acme.p12").write_bytes(bundle.reveal())
    (tmp_path / "root.pem").write_bytes(life.ROOT.pem)
    script = f"""
        import certkit
        from pathlib import Path
        folder = Path({str(tmp_path)!r})
        options = {{"policy": "wise-sandbox", "passphrase": "correct horse", "ca": folder / "root.pem"}}
        with certkit.store({place.uri!r}, environment={place.environment!r}) as store:
            store.import_("bundled", folder / "acme.p12", **options)
            store.identity("bundled").ssl_context()
    """
    require_no_trace_of(pair.key_pem, script, tmp_path)


def require_no_trace_of(key, script, tmp_path):
    """Run a script that makes a context, and require that no byte of its key is written to a file."""
    trace = tmp_path / "trace"
    call = "trace=openat,open,creat,write,pwrite64,writev,memfd_create,sendfile,rename,linkat"
    strace = [require_program("strace"), "-f", "-qq", "-y", "-s", "100000", "-e", call, "-o", trace]
    subprocess.run(
        [*strace, sys.executable, "-c", textwrap.dedent(script)],
        check=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)},
    )
    lines = trace.read_text().splitlines()
    body = key.decode().splitlines()[1]
    written = [line for line in lines if re.search(r" p?write(v|64)?\(", line)]
    assert not any(body in line for line in written)
    assert [line for line in written if "PRIVATE KEY" in line]
    assert all("memfd:certkit" in line for line in written if "PRIVATE KEY" in line)
    created = [line for line in lines if "O_CREAT" in line]
    assert created == []


def test_no_secret_is_printed_or_logged(tmp_path):
    """Neither key, passphrase, token nor client secret is in logs, tracebacks, arguments or a child's environment."""
    from certkit.testing import rehearsing

    with rehearsing(tmp_path) as wise:
        wise.identity()
        script = textwrap.dedent(
            f"""
            import logging, os, subprocess, sys, traceback
            logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
            import certkit, httpx
            secret = sys.stdin.readline().strip()
            acme = certkit.identity("acme", store={wise.store!r}, interval=0, client_secret=secret)
            with httpx.Client(verify=acme.ssl_context(), auth=acme.auth(), base_url={wise.api_mtls!r}) as client:
                assert client.get("/v1/authenticated/playground").status_code == 200
            token = acme.token()
            try:
                os.rename({str(tmp_path / "store")!r}, {str(tmp_path / "moved")!r})
                acme.reload()
            except certkit.Error:
                traceback.print_exc(file=sys.stdout)
            print(open("/proc/self/cmdline", "rb").read())
            print(subprocess.run(["env"], capture_output=True, check=True).stdout)
            print("TOKEN", token, sep="=")
            """
        )
        key = (tmp_path / "store/acme/active/key.pem").read_text().splitlines()[1]
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=wise.client_secret.encode(),
            capture_output=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
    shown, _, token = done.stdout.decode().rpartition("TOKEN=")
    assert "Traceback" in shown
    assert "HTTP Request" in shown
    for secret in (key, token.strip(), wise.client_secret):
        assert secret
        assert secret not in shown
    assert done.stderr == b""


def test_without_files_in_memory_the_caller_decides(directory, server, monkeypatch):
    """Where `memfd_create` is missing, a temporary file is used only if allowed; it is 0600, encrypted, and removed."""
    monkeypatch.delattr(os, "memfd_create")
    acme = directory.identity()
    with pytest.raises(certkit.InputError, match="temporary file") as caught:
        acme.ssl_context()
    assert "allow_temporary_file=True" in caught.value.hint
    context = acme.ssl_context(allow_temporary_file=True)
    plain(context, server.url)
    assert server.serials == [directory.serial]


def test_a_file_of_cas_that_is_gone_fails_no_connection(directory, server, tmp_path, caplog):
    """After a renewal it cannot be loaded again: the pair in use stays, and the log says so once."""
    acme = directory.identity(interval=0)
    context, path = acme.ssl_context(), tmp_path / "more.pem"
    path.write_bytes(acme.trust_bundle)
    context.load_verify_locations(path)
    plain(context, server.url)
    before = directory.serial
    path.unlink()
    after = directory.renew()
    plain(context, server.url)
    plain(context, server.url)
    assert server.serials == [before] * 3
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    path.write_bytes(acme.trust_bundle)
    plain(context, server.url)
    assert server.serials[3:] == [after]


def test_a_function_for_errors_that_fails_fails_no_connection(directory, server, caplog):
    """Its failure is logged, too."""
    acme = directory.identity(interval=0, on_error=lambda error: error.no_such_attribute)
    context, home = acme.ssl_context(), Path(directory.uri.removeprefix("file:")) / "acme"
    home.rename(home.with_name("elsewhere"))
    plain(context, server.url)
    assert [each.levelname for each in caplog.records] == ["WARNING", "ERROR"]
    assert "on_error of identity acme failed" in caplog.text
