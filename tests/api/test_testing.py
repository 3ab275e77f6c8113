"""The fixtures for users' own tests, used as the documentation says."""

from __future__ import annotations

import ssl
import subprocess
import sys
import textwrap
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509

import certkit
from certkit.testing import CA, rehearsing
from certkit.x509.names import SubjectOptions
from tests.csr_of import key_and_csr

PLAYGROUND = "/v1/authenticated/playground"


def test_a_call_to_the_stand_in(certkit_rehearsal, certkit_identity):
    """An identity of the stand-in has a certificate and a token: a call is answered 200, without them it is not."""
    acme = certkit_identity
    with httpx.Client(verify=acme.ssl_context(), auth=acme.auth(), base_url=certkit_rehearsal.api_mtls) as client:
        assert client.get(PLAYGROUND).status_code == 200
    with httpx.Client(verify=acme.ssl_context(), base_url=certkit_rehearsal.api_mtls) as client:
        assert client.get(PLAYGROUND).status_code == 401


def test_a_renewal_while_a_client_is_in_use(certkit_rehearsal, certkit_identity):
    """`renew` issues and activates another certificate; a client that is open presents it from then on."""
    acme = certkit_identity
    before = acme.certificate
    with httpx.Client(verify=acme.ssl_context(), auth=acme.auth(), base_url=certkit_rehearsal.api_mtls) as client:
        assert client.get(PLAYGROUND).status_code == 200
        certkit_rehearsal.renew()
        assert client.get(PLAYGROUND).status_code == 200
    assert acme.certificate != before
    assert acme.generation == "0002"


def test_a_token_is_refreshed_after_401(certkit_rehearsal, certkit_identity):
    """A token that the server does not accept any more is refreshed once, and the request sent again."""
    acme = certkit_identity
    first = acme.token()
    assert acme.token() == first
    end_access(certkit_rehearsal)
    with httpx.Client(verify=acme.ssl_context(), auth=acme.auth(), base_url=certkit_rehearsal.api_mtls) as client:
        assert client.get(PLAYGROUND).status_code == 200
    assert acme.token() != first


def test_a_valid_token_outlives_its_store(certkit_rehearsal, certkit_identity, caplog):
    """While the store cannot be read, the last token is used until it expires, or the server refuses it."""
    acme, store = certkit_identity, Path(certkit_rehearsal.store.removeprefix("file:"))
    token = acme.token()
    gone = store.rename(store.with_name("gone"))
    assert acme.token() == token
    assert "stays as it is: there is no store" in caplog.text
    context = acme.ssl_context()
    with httpx.Client(verify=context, auth=acme.auth(), base_url=certkit_rehearsal.api_mtls) as client:
        assert client.get(PLAYGROUND).status_code == 200
        end_access(certkit_rehearsal)
        with pytest.raises(certkit.StoreError):
            client.get(PLAYGROUND)
        gone.rename(store)
        assert client.get(PLAYGROUND).status_code == 200


def test_a_stand_in_goes_on_where_it_was(tmp_path, monkeypatch):
    """With the same directory, however it is named; and a failure of the test itself is not one of the directory."""
    monkeypatch.chdir(tmp_path)
    with rehearsing(Path("stand-in")) as wise:
        first = wise.identity().certificate
    with rehearsing(tmp_path / "stand-in") as wise:
        assert wise.identity().certificate == first
    with pytest.raises(FileNotFoundError), rehearsing(tmp_path / "stand-in"):
        Path("no such file").read_text()


def end_access(rehearsal):
    """Expire the access token of every grant, as the page Controls does."""
    running = rehearsal._running
    with running.lock:
        grants = (replace(each, access_expires=running.clock()) for each in running.state.grants)
        running.update(grants=tuple(grants))


def test_a_server_of_ones_own(certkit_ca, certkit_server, tmp_path):
    """The mTLS server shows who called, and answers what a test prepared."""
    key, csr = key_and_csr(SubjectOptions(organization="Acme Ltd", common_name="acme"))
    pair = tmp_path / "acme.pem"
    pair.write_bytes(certkit_ca.sign(csr, common_name="client-7") + key)
    context = ssl.create_default_context(cadata=certkit_ca.pem.decode())
    context.load_cert_chain(pair)
    certkit_server.answers["/ping"] = (202, b'{"pong":true}')
    with httpx.Client(verify=context, base_url=certkit_server.url) as client:
        assert client.get("/ping").json() == {"pong": True}
    [seen] = certkit_server.requests
    assert seen.method == "GET"
    assert seen.subject == "organizationName=Acme Ltd,commonName=client-7"


def test_another_ca_is_another_world():
    """Two CAs have different keys."""
    assert CA().pem != CA().pem


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("server.example", x509.DNSName("server.example")),
        ("my_server", x509.DNSName("my_server")),
        ("*.a_b.example", x509.DNSName("*.a_b.example")),
        ("::1", x509.IPAddress(ip_address("::1"))),
        ("192.0.2.1", x509.IPAddress(ip_address("192.0.2.1"))),
        ("user@host", x509.DNSName("user@host")),
        ("email:a@b.example", x509.DNSName("email:a@b.example")),
    ],
)
def test_a_host_of_a_server(host, name):
    """Is an IP address or a host name in its certificate, as it was given, never a name of another kind."""
    found = x509.load_pem_x509_certificate(CA().server(host)[0])
    assert list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == [name]


def test_without_pytest(tmp_path):
    """The context managers work in a plain program."""
    script = f"""
        from pathlib import Path
        from certkit.testing import rehearsing
        with rehearsing(Path({str(tmp_path)!r})) as wise:
            acme = wise.identity()
            print(acme.generation, bool(acme.token()))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)], capture_output=True, check=True, timeout=120
    )
    assert done.stdout == b"0001 True\n"


def test_the_plugin_costs_little():
    """Pytest loads the plugin in every project: it must not import certkit's machinery for that."""
    script = "import sys, certkit.testing.plugin; print([m for m in sys.modules if m.startswith('cryptography')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_tokens_from_the_authorization_to_the_end(certkit_rehearsal):
    """A user grants access, the code is exchanged, and the token is shown, refreshed and removed: all from Python."""
    import http.client
    from urllib.parse import parse_qsl, urlencode, urlsplit

    from certkit.testing.rehearsal import REDIRECT_URI

    wise = certkit_rehearsal
    with certkit.store(wise.store, environment={}) as store:
        options = {"client_id": wise.client_id, "client_secret": wise.client_secret, "policy": str(wise.policy)}
        tokens = store.tokens("acme", **options)
        assert wise.client_secret not in repr(tokens)
        url = urlsplit(tokens.authorize_url(redirect_uri=REDIRECT_URI))
        form = {**dict(parse_qsl(url.query)), "profile": "10000001", "decision": "grant"}
        connection = http.client.HTTPConnection(url.netloc, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", url.path, urlencode(form), headers)
        location = connection.getresponse().headers["Location"]
        connection.close()
        found = tokens.exchange(location, redirect_uri=REDIRECT_URI)
        assert (found.grant, found.profile_id, found.status) == ("authorization_code", "10000001", "ok")
        assert tokens.show() == found
        assert tokens.refresh() == found
        assert tokens.refresh(force=True).expires_at > found.expires_at
        assert tokens.client_credentials().grant == "client_credentials"
        assert tokens.revoke_local(grant="client_credentials").grant == "client_credentials"
        assert tokens.revoke_local(grant="client_credentials") is None
        assert tokens.worker_token() != tokens.get()
        assert tokens.get() == tokens.get(profile_id="10000001", refresh=False)
        with pytest.raises(certkit.InputError, match="unknown environment"):
            store.tokens("acme", environment="moon")
        with pytest.raises(certkit.InputError, match="client secret"):
            store.tokens("acme", **options | {"client_secret": None}).client_credentials()
