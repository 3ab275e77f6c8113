"""Probes of real servers on this machine: nginx, Python's, and hostile ones."""

from __future__ import annotations

import ipaddress
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from certkit.errors import InputError
from certkit.net import connecting, tls, wire
from certkit.policy import catalogue
from certkit.probe import judge, target
from certkit.probe import probe as probed
from certkit.secret import Secret
from certkit.x509.directory_name import Name
from tests import pki, tls_servers

NOW = datetime.now(UTC).replace(microsecond=0)
SOON = {"begin": NOW - pki.DAY, "end": NOW + pki.DAY}
SAN = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def server_pair(root):
    """A sound server of this machine."""
    return root.issue(pki.name(CN="server"), extensions=[pki.SERVER, SAN], **SOON)


@pytest.fixture(scope="module")
def client(root):
    """A sound client."""
    return root.issue(**SOON)


def probe(port, root, client, *, host="localhost", anchors=(), now=None, **options):
    """Return the result of a probe; the root is trusted by default."""
    credentials = tls.Credentials(client.key, (client.value,))
    trusted = [root.value] if anchors == () else anchors
    where = target(f"{host}:{port}")
    return probed(where, credentials=credentials, anchors=trusted, now=now or datetime.now(UTC), **options)


def statuses(found):
    """The statuses, by check, without those that were not come to."""
    return {each.id: each.status.value for each in found.findings if each.status.value != "skipped"}


def of(found, check="client-certificate"):
    """One finding as its status and message."""
    return next((each.status.value, each.message) for each in found.findings if each.id == check)


GOOD = dict.fromkeys(("dns", "connect", "server-chain", "name", "client-certificate", "http"), "ok")

# --- nginx ----------------------------------------------------------------------------------------------------------


def crl(root, *revoked):
    """A list of a CA that revokes certificates."""
    made = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject)
    made = made.last_update(NOW - pki.DAY).next_update(NOW + pki.DAY)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        made = made.add_revoked_certificate(entry.revocation_date(NOW - pki.DAY).build())
    return made.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module", params=["TLSv1.2", "TLSv1.3"])
def gateway(request, root, server_pair, tmp_path_factory):
    """An nginx with a revocation list; its port, the version of TLS, and a client that is revoked."""
    folder = tmp_path_factory.mktemp("nginx")
    revoked = root.issue(**SOON)
    (folder / "crl.pem").write_bytes(crl(root, revoked))
    (folder / "ca.pem").write_bytes(root.pem)
    more = f"ssl_protocols {request.param}; ssl_crl {folder}/crl.pem; location / {{ return 200 ok; }}"
    with tls_servers.nginx(server_pair, folder, client_ca="ca.pem", more=more) as port:
        yield port, request.param, revoked


def test_a_gateway_that_accepts(gateway, root, client):
    """Everything is OK, with the version, the CAs that it names, and both ends."""
    port, version, _ = gateway
    found = probe(port, root, client)
    assert (statuses(found), found.status.value, found.tls_version) == (GOOD, "ok", version)
    assert found.accepted_cas == ("CN=Partner Root CA,O=Partner",)
    assert (found.server_not_after, found.client_not_after) == (NOW + pki.DAY, NOW + pki.DAY)
    assert found.verdict_on_certificate().status.value == "ok"


def refused_clients(root, revoked):
    """Clients that nginx refuses, and the words that say why."""
    stranger = pki.root(pki.name(CN="Elsewhere")).issue(**SOON)
    old = root.issue(begin=NOW - 2 * pki.DAY, end=NOW - pki.DAY)
    early = root.issue(begin=NOW + pki.DAY, end=NOW + 2 * pki.DAY)
    return [
        (revoked, "it may be revoked"),
        (stranger, "issued by CN=Elsewhere, and the server accepts only CN=Partner Root CA,O=Partner ->"),
        (old, "certificate: it expired on "),
        (early, "certificate: it is not valid before "),
    ]


def test_a_gateway_that_refuses_in_http(gateway, root):
    """Its 400 is a refused certificate, for the reason that this side can see; else the hint has a guess."""
    port, _, revoked = gateway
    for client, reason in refused_clients(root, revoked):
        verdict = probe(port, root, client).verdict_on_certificate()
        assert verdict.status.value == "critical"
        assert verdict.message.startswith("refused: HTTP 400, the gateway rejected the certificate")
        assert reason in f"{verdict.message} -> {verdict.hint}"


def test_clocks_that_differ(gateway, root, client):
    """The clock is named as the reason, before anything else."""
    found = probe(gateway[0], root, client, now=NOW + timedelta(hours=2))
    assert "the server's clock says" in of(found, "http")[1]
    assert of(found)[0] == "ok"


# --- Alerts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alert_is_always_seen(root, server_pair, client, tmp_path, version):
    """Also in TLS 1.3, where it comes after the handshake, and is lost to those who send first."""
    other = pki.root(pki.name(CN="Elsewhere"))
    with tls_servers.tls(server_pair, tmp_path, version=version, client_ca=other) as server:
        seen = {of(probe(server.port, root, client)) for _ in range(50)}
    words = "refused: the server rejected the client certificate as issued by an unknown CA (TLS alert unknown ca)"
    assert seen == {("critical", words)}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (40, "probably not acceptable (TLS alert handshake failure)"),
        (42, "bad (TLS alert bad certificate)"),
        (43, "of an unsupported kind (TLS alert unsupported certificate)"),
        (44, "revoked (TLS alert certificate revoked)"),
        (45, "expired or not valid yet (TLS alert certificate expired)"),
        (46, "not acceptable (TLS alert certificate unknown)"),
        (48, "issued by an unknown CA (TLS alert unknown ca)"),
        (49, "valid, but without access (TLS alert access denied)"),
        (51, "not matching its signature (TLS alert decrypt error)"),
        (116, "missing, though required (TLS alert certificate required)"),
    ],
)
def test_each_alert_in_plain_words(root, server_pair, client, tmp_path, number, words):
    """The message says what the server reports about the certificate."""
    with tls_servers.serving(tls_servers.refusing(server_pair, tmp_path, number)) as server:
        found = probe(server.port, root, client)
    assert of(found) == ("critical", f"refused: the server rejected the client certificate as {words}")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_goes_without_an_answer(root, server_pair, client, tmp_path, version):
    """It asked for a certificate, and so probably refuses it."""
    with tls_servers.web(server_pair, tmp_path, b"", version=version, client_ca=root) as seen:
        found = probe(int(seen[0]), root, client)
    assert of(found)[0] == "critical"
    assert of(found)[1].startswith("probably refused: the server ")


# --- Servers that are no good, and such that want no certificate -----------------------------------------------------


def test_no_client_certificate_wanted(root, server_pair, client, tmp_path):
    """It is a warning: what the server answers says nothing about the certificate."""
    with tls_servers.web(server_pair, tmp_path, OK) as seen:
        found = probe(int(seen[0]), root, client)
    assert statuses(found) == {**GOOD, "client-certificate": "warning"}
    assert (of(found)[1], found.accepted_cas) == ("the server does not request a client certificate", None)


@pytest.mark.parametrize(("status", "token", "wanted"), [(401, None, "ok"), (403, b"abc", "critical")])
def test_401_and_403_are_about_the_token(root, server_pair, client, tmp_path, status, token, wanted):
    """And not about TLS; a token goes to a server that was verified."""
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    with tls_servers.web(server_pair, tmp_path, answer, client_ca=root) as seen:
        found = probe(int(seen[0]), root, client, token=Secret(token) if token else None)
    assert statuses(found) == {**GOOD, "http": wanted}
    assert "token" in of(found, "http")[1]
    assert (b"authorization: Bearer abc\r\n".lower() in seen[1].lower()) == bool(token)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("Klarna-Mtls-Verification-Status: VALID", ("ok", "accepted: the answer says {}")),
        ("Klarna-MTLS-Verification-Status: INVALID", ("critical", "refused: the answer says {}")),
        ("klarna-mtls-verification-status: NOT_PRESENT", ("critical", "refused: the answer says {}")),
        ("Other: INVALID", ("ok", "accept")),
    ],
)
def test_a_partner_that_says_so_in_a_header(root, server_pair, client, tmp_path, header, wanted):
    """A policy's header counts more than the status of a response."""
    answer = OK.replace(b"\r\n\r\n", f"\r\n{header}\r\n\r\n".encode())
    with tls_servers.web(server_pair, tmp_path, answer, client_ca=root) as seen:
        found = probe(int(seen[0]), root, client, addresses=catalogue.load("klarna-acquirer").hosts)
    status, message = wanted
    said = f"Klarna-Mtls-Verification-Status: {header.partition(': ')[2]}"
    assert of(found)[0] == status
    assert message.format(said) in of(found)[1]


def test_a_400_that_says_nothing(root, server_pair, client, tmp_path):
    """It is unknown whether it is about the certificate."""
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    with tls_servers.web(server_pair, tmp_path, answer, client_ca=root) as seen:
        assert of(probe(int(seen[0]), root, client))[0] == "unknown"


def bad_servers(root):
    """Servers that are not trusted, and the check that says so."""
    stranger = pki.root(pki.name(CN="Elsewhere"))
    other = x509.SubjectAlternativeName([x509.DNSName("other.example")])
    old = {"begin": NOW - 2 * pki.DAY, "end": NOW - pki.DAY}
    return {
        "stranger": (stranger.issue(extensions=[pki.SERVER, SAN], **SOON), "server-chain"),
        "expired": (root.issue(extensions=[pki.SERVER, SAN], **old), "server-chain"),
        "a client": (root.issue(extensions=[pki.CLIENT, SAN], **SOON), "server-chain"),
        "another host": (root.issue(extensions=[pki.SERVER, other], **SOON), "name"),
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["stranger", "expired", "a client", "another host"])
def test_a_server_that_is_not_trusted(root, client, tmp_path, kind, version):
    """It sees neither the client certificate nor a request; its chain is reported."""
    pair, check = bad_servers(root)[kind]
    with tls_servers.recording(pair, tmp_path, version) as (port, shown, sent):
        found = probe(port, root, client, token=Secret(b"abc"))
        time.sleep(0.1)
    assert (shown, sent) == ([], [])
    assert statuses(found)[check] == "critical"
    assert found.server_chain[0] == pair.value
    message = "not checked: the server is not trusted, so no certificate was sent"
    assert of(found) == ("unknown", message)
    assert found.verdict_on_certificate().status.value == "unknown"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_trusted_server_sees_the_certificate(root, server_pair, client, tmp_path, version):
    """The server that records what it is shown would have noticed."""
    with tls_servers.recording(server_pair, tmp_path, version) as (port, shown, sent):
        assert statuses(probe(port, root, client)) == GOOD
    assert (set(shown), len(sent)) == ({"CN=acme-client-id,O=Acme Ltd"}, 1)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_without_anchors_the_system_s_count(root, server_pair, client, tmp_path, monkeypatch, is_trusted):
    """A server that this machine does not trust sees nothing, and the hint names --ca."""
    (tmp_path / "system.pem").write_bytes(root.pem if is_trusted else pki.root().pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    with tls_servers.recording(server_pair, tmp_path, VERSIONS[1]) as (port, shown, sent):
        found = probe(port, root, client, anchors=None, token=Secret(b"abc"))
        time.sleep(0.1)
    assert (bool(shown), bool(sent)) == (is_trusted, is_trusted)
    if not is_trusted:
        assert found.findings[2].hint == "give the CA of the server with --ca FILE"


# --- Apache, which asks for the certificate once it has read the request ----------------------------------------------


@pytest.fixture(scope="module", params=["TLSv1.2", "TLSv1.3"])
def late(request, root, server_pair, tmp_path_factory):
    """An Apache with SSLVerifyClient in a <Location>; its port, and a client that is revoked."""
    folder = tmp_path_factory.mktemp("apache")
    folder.chmod(0o755)
    revoked = root.issue(**SOON)
    (folder / "crl.pem").write_bytes(crl(root, revoked))
    more = f"SSLCARevocationFile {folder}/crl.pem\nSSLCARevocationCheck leaf"
    with tls_servers.apache(server_pair, folder, client_ca=root, version=request.param, more=more) as port:
        yield port, revoked


def late_probe(port, root, client, path="/mtls/file"):
    """Probe an address of Apache's."""
    credentials = tls.Credentials(client.key, (client.value,))
    where = target(f"https://localhost:{port}{path}")
    return probed(where, credentials=credentials, anchors=[root.value], now=datetime.now(UTC))


def test_a_certificate_that_is_asked_for_after_the_request(late, root, client):
    """Post-handshake authentication in TLS 1.3, renegotiation in TLS 1.2: it is shown, and accepted."""
    found = late_probe(late[0], root, client)
    assert (statuses(found), found.http_status) == (GOOD, 200)
    assert found.accepted_cas == ("CN=Partner Root CA,O=Partner",)


def test_a_certificate_that_is_refused_after_the_request(late, root):
    """It is critical, and so stops an activation: it counts like a refusal in the handshake."""
    port, revoked = late
    stranger = pki.root(pki.name(CN="Elsewhere")).issue(**SOON)
    for client, words in ((revoked, "as revoked"), (stranger, "as issued by an unknown CA")):
        verdict = late_probe(port, root, client).verdict_on_certificate()
        assert verdict.status.value == "critical"
        assert words in verdict.message


def test_an_address_without_client_certificates(late, root, client):
    """The server could have asked, and did not."""
    found = late_probe(late[0], root, client, path="/file")
    assert of(found) == ("warning", "the server does not request a client certificate")


def test_where_a_later_request_could_not_be_answered(root, client):
    """The verdict is unknown then, so the probe guard refuses to activate."""
    side = judge.ClientSide((client.value,), NOW, is_sure=False)
    answer = wire.HttpAnswer(status=200, headers={}, body=b"")
    refusal = wire.HttpAnswer(status=403, headers={}, body=b"Reason: Cannot perform Post-Handshake Authentication.")
    for found in (
        judge.from_response(answer, side),
        judge.from_response(refusal, judge.ClientSide((client.value,), NOW)),
        judge.ended(connecting.NetError("it ended", hint=""), side),
    ):
        assert (found.status.value, found.message.partition(":")[0]) == ("unknown", "cannot tell")


@pytest.mark.parametrize(
    ("answer", "message", "certificate"),
    [
        (b"rubbish\r\n\r\n", "the response is not HTTP/1.1", "unknown"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n", "the response is not HTTP/1.1", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1", "the response is truncated or malformed", "ok"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(300_000), "the response is longer than 262,144 bytes", "ok"),
    ],
)
def test_nonsense(root, server_pair, client, tmp_path, answer, message, certificate):
    """It is no trouble of the certificate's, if a status tells so much."""
    with tls_servers.web(server_pair, tmp_path, answer, client_ca=root) as seen:
        found = probe(int(seen[0]), root, client)
    assert of(found, "http") == ("critical", message)
    assert (of(found)[0], found.verdict_on_certificate().status.value) == (certificate, certificate)


def test_a_server_that_says_nothing(root, server_pair, client, tmp_path):
    """It is unknown, once the time is over."""
    began = time.monotonic()
    with tls_servers.web(server_pair, tmp_path, b"", client_ca=root, after=tls_servers.silent) as seen:
        found = probe(int(seen[0]), root, client, timeout=1)
    assert time.monotonic() - began < 10
    assert (of(found)[0], of(found, "http")[0]) == ("unknown", "unknown")


@pytest.mark.parametrize("talk", [tls_servers.flooding(b"HTTP/1.1 100 Continue\r\n\r\n"), tls_servers.closing])
def test_what_does_not_speak_tls(root, client, talk):
    """It is reported for the connection, and the certificate's status is unknown."""
    with tls_servers.serving(talk) as server:
        found = probe(server.port, root, client, timeout=2)
    assert (of(found, "connect")[0], of(found)[0]) == ("critical", "unknown")


def test_an_endless_preface(root, server_pair, client, tmp_path):
    """A server that never comes to the point ends with the time."""
    flood = tls_servers.flooding(b"HTTP/1.1 100 Continue\r\n\r\n")
    with tls_servers.web(server_pair, tmp_path, b"", client_ca=root, after=flood) as seen:
        found = probe(int(seen[0]), root, client, timeout=1)
    assert of(found, "http")[0] in {"unknown", "critical"}


def test_nobody_there(root, client):
    """A refused connection and an unknown name are distinguished."""
    assert "connection refused" in of(probe(tls_servers.free_port(), root, client), "connect")[1]
    found = probe(443, root, client, host="nowhere.invalid")
    assert statuses(found) == {"dns": "unknown", "client-certificate": "unknown"}


def test_a_proxy(root, server_pair, client, tmp_path):
    """It opens a tunnel to the host, and gets the user's credentials."""
    asked = []
    host = tls_servers.web(server_pair, tmp_path, OK, client_ca=root)
    with host as seen, tls_servers.serving(tls_servers.tunnel(asked)) as proxy:
        found = probe(int(seen[0]), root, client, proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
    assert statuses(found) == {check: "ok" for check in GOOD if check != "dns"}
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in asked[0]


def test_a_proxy_that_refuses(root, client):
    """The server was not reached."""
    with tls_servers.serving(tls_servers.answering(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")) as proxy:
        found = probe(443, root, client, proxy=f"http://127.0.0.1:{proxy.port}")
    reason = f"the proxy http://127.0.0.1:{proxy.port} requires a user name and password (HTTP 407)"
    assert of(found, "connect") == ("unknown", f"localhost:443: {reason}")


@pytest.mark.parametrize(
    "text", ["ho st", "http://host/", "https://a:b@host/", "host:0", "https://host/a b", "x://h:1"]
)
def test_what_cannot_be_probed(text):
    """It is refused before anybody is asked."""
    with pytest.raises(InputError, match="cannot probe"):
        target(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("api.example:8443/v1/me", "https://api.example:8443/v1/me"),
        ("host", "https://host/"),
        ("host:8443", "https://host:8443/"),
        ("https://host", "https://host/"),
        ("[::1]:1", "https://[::1]:1/"),
    ],
)
def test_what_can_be_probed(text, url):
    """A host, a host and port, or a URL."""
    assert str(target(text)) == url


# --- what alerts say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "hint"),
    [
        ("certificate revoked", "get a new certificate"),
        ("certificate expired", "compare both clocks: by this machine's clock it is valid"),
        (
            "unknown ca",
            "it was sent without intermediates: if its issuer, CN=Partner Root CA,O=Partner, is an intermediate CA",
        ),
    ],
)
def test_a_certificate_of_a_minute_ago(root, alert, hint):
    """Clocks are blamed only if the alert is about dates."""
    young = judge.ClientSide((root.issue(begin=NOW - pki.DAY / 1440, end=NOW + pki.DAY).value,), NOW, asks=True)
    ended = tls.HandshakeEndedError("it ended", hint="", alert=alert)
    found = judge.ended(ended, young)
    assert (found.status.value, found.hint.startswith(hint)) == ("critical", True), found.hint


def test_an_expired_certificate_is_renewed(root):
    """The dates of the certificate are the reason, as far as this machine knows."""
    old = judge.ClientSide((root.issue(begin=NOW - 2 * pki.DAY, end=NOW - pki.DAY).value,), NOW, asks=True)
    found = judge.ended(tls.HandshakeEndedError("", hint="", alert="certificate expired"), old)
    assert "certificate expired): it expired on " in found.message
    assert found.hint == "renew it"


def refusal(chain, accepts=(), there=None):
    """Return the reason and hint for an HTTP refusal that gives no reason."""
    headers = {} if there is None else {"date": there.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    answer = wire.HttpAnswer(status=495, headers=headers, body=b"")
    found = judge.from_response(answer, judge.ClientSide(chain, NOW, accepts, asks=True))
    return f"{found.message.removeprefix('refused: HTTP 495, the gateway rejected the certificate')} -> {found.hint}"


def test_what_can_be_seen_from_here_comes_first(root):
    """Dates, purpose, the CAs that the server names, its clock, and the chain that was sent; only then a guess."""
    issuing = root.intermediate(begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    mine, server = issuing.issue(**SOON).value, issuing.issue(extensions=[pki.SERVER], **SOON).value
    other = Name(pki.name(CN="Other").public_bytes())
    assert "its extended key usage is serverAuth" in refusal((server, issuing.value), [other])
    named = ": it was issued by CN=Partner Issuing CA,O=Partner, and the server accepts only CN=Other -> "
    assert refusal((mine, issuing.value), [other]).startswith(named)
    assert refusal((mine,), [Name(root.certificate.subject.public_bytes())]).endswith(
        " -> check that the certificate and the host belong to the same environment; if CN=Partner Issuing CA,O=Partner"
        " is an intermediate CA, add its certificate to --cert"
    )
    assert "it is not valid by the server's clock" in refusal((mine,), there=NOW - 2 * pki.DAY)
    assert refusal((mine,), there=NOW + timedelta(hours=2)).startswith(" -> it was sent without intermediates: ")
    assert refusal((mine, issuing.value)).startswith(" -> it may be revoked, or issued by a CA ")


@pytest.mark.parametrize("spelling", ["Partner Issuing CA", "PARTNER ISSUING CA", " Partner  Issuing  CA"])
@pytest.mark.parametrize("kind", ["UTF8String", "PrintableString", "BMPString"])
def test_a_ca_may_be_named_in_another_encoding(root, spelling, kind):
    """A server may write the name of the issuer in other letters than the certificate (RFC 5280 section 7.1)."""
    issuing = root.intermediate(begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    parts = [
        x509.NameAttribute(
            each.oid, spelling if each.oid == NameOID.COMMON_NAME else each.value, x509.name._ASN1Type[kind]
        )
        for each in issuing.certificate.subject
    ]
    named = Name(x509.Name(parts).public_bytes())
    assert refusal((issuing.issue(**SOON).value, issuing.value), [named]).startswith(" -> it may be revoked, ")


def test_when_to_try_again_and_the_trace_id_are_shown(root, server_pair, client, tmp_path):
    """Wise's support asks for the trace id."""
    answer = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7\r\nx-trace-id: 4bf92f\r\n\r\n"
    with tls_servers.web(server_pair, tmp_path, answer, client_ca=root) as seen:
        found = probe(int(seen[0]), root, client)
    message = "HTTP 429: the server is rate limiting requests; try again in 7 seconds (trace id 4bf92f)"
    assert of(found, "http") == ("warning", message)
