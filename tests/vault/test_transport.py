"""Requests to Vault: retries, redirects, limits, and how failures are distinguished."""

from __future__ import annotations

import socket
import time

import pytest

from certkit.net.proxy import Proxies
from certkit.secret import Secret
from certkit.vault.errors import CasMismatch, Fault, UncertainWrite, VaultError
from certkit.vault.settings import VaultSettings
from tests.odd_http import errors, odd_server, reply, secret
from tests.vault.conftest import TOKEN

WRITTEN = reply(200, {"data": {"version": 1}})


def failure(work):
    """The error that some work ends with."""
    with pytest.raises(VaultError) as caught:
        work()
    return caught.value


def close(connected):
    """Close the connection without a word."""
    connected.close()


def reset(connected):
    """Break the connection."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connected.close()


def test_a_request_is_what_vault_expects(odd_kv):
    """Path, token, the header against forged requests, and the namespace, all in one connection."""
    with odd_server(secret(1, a="b")) as server:
        secrets = odd_kv(server, namespace="team/a")
        secrets.read("path with blanks/ü?#%")
        secrets.read("other")
    first, second = server.asked
    assert first.line == "GET /v1/secret/data/path%20with%20blanks/%C3%BC%3F%23%25 HTTP/1.1"
    assert first.headers["x-vault-token"] == TOKEN
    assert first.headers["x-vault-request"] == "true"
    assert first.headers["x-vault-namespace"] == "team/a"
    assert (first.connection, second.connection) == (1, 1)


def test_the_address_may_have_a_path(odd_kv):
    """Behind a gateway, Vault may be at https://HOST/vault."""
    with odd_server(secret()) as server:
        odd_kv(server, address=f"{server.address}/vault").read("x")
    assert server.lines == ["GET /vault/v1/secret/data/x"]


def test_nothing_comes_from_the_environment(odd_kv, monkeypatch):
    """Variables that hvac, requests or Python would look at change nothing: settings are resolved once."""
    with odd_server(secret(1, a="b")) as server:
        for name in ("VAULT_ADDR", "HTTP_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        for name in ("VAULT_TOKEN", "VAULT_NAMESPACE", "REQUESTS_CA_BUNDLE", "VAULT_CACERT", "VAULT_CLIENT_CERT"):
            monkeypatch.setenv(name, "nonsense")
        assert odd_kv(server).read("x").data == {"a": "b"}
    assert server.asked[0].headers["x-vault-token"] == TOKEN
    assert "x-vault-namespace" not in server.asked[0].headers


@pytest.mark.parametrize("status", [412, 429, 500, 502, 503, 504])
def test_a_read_is_repeated(odd_kv, status):
    """A temporary failure is retried."""
    with odd_server(errors(status, "not now"), errors(status, "not now"), secret(3)) as server:
        assert odd_kv(server).read("x").version == 3
    assert len(server.asked) == 3


@pytest.mark.parametrize("broken", [close, reset])
def test_a_read_over_a_broken_connection_is_repeated(odd_kv, broken):
    """A connection that breaks in the middle is replaced."""
    with odd_server(broken, secret(3)) as server:
        assert odd_kv(server).read("x").version == 3


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_a_refusal_is_not_repeated(odd_kv, status):
    """An answer that will not change is taken as it is."""
    with odd_server(errors(status, "no")) as server:
        failure(lambda: odd_kv(server).read("x"))
    assert len(server.asked) == 1


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_repetitions_are_counted(odd_kv, retries):
    """VAULT_MAX_RETRIES is how often a request is repeated."""
    with odd_server(errors(503, "Vault is sealed")) as server:
        failure(lambda: odd_kv(server, max_retries=retries).read("x"))
    assert len(server.asked) == retries + 1


def test_pauses_grow(odd_kv):
    """Each pause is at least twice as long as the one before began; with 0.1 s: at least 0.1 + 0.2 s."""
    with odd_server(errors(503, "Vault is sealed")) as server:
        begin = time.monotonic()
        failure(lambda: odd_kv(server, pause=0.1).read("x"))
        assert 0.3 <= time.monotonic() - begin < 4


def test_the_server_may_say_how_long_to_wait(odd_kv):
    """Retry-After counts for the pause."""
    with odd_server(errors(429, "quota", Retry_After="1"), secret()) as server:
        begin = time.monotonic()
        odd_kv(server).read("x")
        assert 1 <= time.monotonic() - begin < 4


def test_there_is_no_waiting_for_what_would_come_too_late(odd_kv):
    """A pause beyond the time-out is not begun."""
    with odd_server(errors(429, "quota", Retry_After="600")) as server:
        begin = time.monotonic()
        assert failure(lambda: odd_kv(server, timeout=60).read("x")).kind is Fault.RATE_LIMITED
        assert time.monotonic() - begin < 30


def test_a_check_and_set_write_is_repeated(odd_kv):
    """A write that can happen only once may be sent again."""
    with odd_server(errors(503, "Vault is sealed"), close, WRITTEN) as server:
        assert odd_kv(server).write("x", {}, cas=0) == 1


@pytest.mark.parametrize(
    "lost", [close, errors(500, "no quorum"), errors(502), b"HTTP/1.1 503 Bad\r\nContent-Length: 5\r\n\r\nreset"]
)
def test_a_write_that_finds_itself_is_uncertain(odd_kv, lost):
    """A first answer was lost and a second says "changed meanwhile": perhaps by ourselves."""
    mismatch = errors(400, "check-and-set parameter did not match the current version")
    with odd_server(lost, mismatch) as server:
        with pytest.raises(UncertainWrite) as caught:
            odd_kv(server).write("x", {"private_key": Secret(b"the-private-key")}, cas=0)
        assert caught.value.kind is Fault.UNCERTAIN
        assert caught.value.message.startswith(f"cannot tell whether {server.address}/v1/secret/data/x was written: ")


def test_a_write_that_was_surely_refused_is_a_mismatch(odd_kv):
    """A sealed server, one without a leader, a quota or a state not yet reached have written nothing."""
    mismatch = errors(400, "check-and-set parameter did not match the current version")
    nobody = errors(500, "local node not active but active cluster node not found")
    with odd_server(errors(503, "Vault is sealed"), nobody, errors(429, "quota"), mismatch) as server:
        with pytest.raises(CasMismatch) as caught:
            odd_kv(server, max_retries=3).write("x", {}, cas=0)
        assert caught.value.message == "cannot write vault://secret/x: it has changed in the meantime"


def test_a_write_whose_answers_are_all_lost_is_uncertain(odd_kv):
    """It is unknown, so the store must look."""
    with odd_server(close) as server, pytest.raises(UncertainWrite):
        odd_kv(server).write("x", {}, cas=0)
    assert len(server.asked) == 3


def test_a_write_that_never_reached_anybody_is_not_uncertain(odd_kv):
    """Nothing listens: nothing was written."""
    with odd_server(WRITTEN) as server:
        secrets = odd_kv(server)
    error = failure(lambda: secrets.write("x", {}, cas=0))
    assert error.kind is Fault.CONNECTION
    assert error.message == f"cannot reach {server.address}: connection refused"


def test_a_dropped_connection_is_noticed_before_it_is_used(odd_kv):
    """A server that closed an idle connection gets its write over a new one, once."""
    with odd_server(secret(), WRITTEN) as server:
        server.replies[0] = lambda connected: connected.sendall(secret())  # and closes, without saying so
        secrets = odd_kv(server, max_retries=0)
        secrets.read("x")
        time.sleep(0.2)
        assert secrets.write("x", {}, cas=1) == 1
    assert [asked.connection for asked in server.asked] == [1, 2]


def test_what_comes_unasked_is_not_taken_for_an_answer(odd_kv):
    """Two answers to one request: the second is not that to the next request."""
    with odd_server(secret(1) + secret(666), secret(2)) as server:
        secrets = odd_kv(server)
        assert [secrets.read("x").version, secrets.read("x").version] == [1, 2]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_standby_s_redirect_is_followed(odd_kv, status):
    """Method, body and token go along to the leader."""
    with odd_server(WRITTEN) as leader:
        location = f"{leader.address}/v1/secret/data/x?a=b"
        with odd_server(reply(status, Location=location)) as standby:
            odd_kv(standby).write("x", {"a": "b"}, cas=0)
    asked = leader.asked[0]
    assert asked.line == "POST /v1/secret/data/x?a=b HTTP/1.1"
    assert asked.headers["x-vault-token"] == TOKEN
    assert asked.headers["host"] == leader.address.removeprefix("http://")
    assert asked.body == b'{"options": {"cas": 0}, "data": {"a": "b"}}'


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("{own}/v1/secret/data/x", "too many redirects"),
        ("ftp://leader/", "the URL begins with neither http:// nor https://"),
        ("http://user:word@leader/", "the URL contains a user name"),
        ("http://lea der/", "invalid host or port"),
        ("http://[leader/", "invalid host or port"),
        ("", "it has no location"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error(odd_kv, location, why):
    """The number of redirects is bounded, and where they lead is looked at."""
    with odd_server(b"") as server:
        server.replies[0] = reply(307, Location=location.format(own=server.address))
        error = failure(lambda: odd_kv(server).read("x"))
        assert error.message == f"cannot follow the redirect from {server.address}: {why}"
        assert error.kind is Fault.REDIRECT


def test_after_a_redirect_to_a_dead_leader_the_first_server_is_asked_again(odd_kv):
    """Its next answer may know a new leader."""
    with odd_server(secret()) as dead:
        pass
    with odd_server(reply(307, Location=f"{dead.address}/v1/secret/data/x"), secret(7)) as follower:
        assert odd_kv(follower).read("x").version == 7


MISMATCH = reply(400, {"errors": ["check-and-set parameter did not match the current version"]})


def towards(leader):
    """A redirect to the leader."""
    return reply(307, Location=f"{leader.address}/v1/secret/data/x")


def test_a_write_that_a_standby_redirects_may_have_been_done_already(odd_kv):
    """It may have handed it to the leader, which did it and died: that the next one finds it done proves nothing."""
    with odd_server(secret()) as dead:
        pass
    with odd_server(towards(dead), MISMATCH) as standby, pytest.raises(UncertainWrite) as caught:
        odd_kv(standby).write("x", {}, cas=0)
    assert caught.value.reason == "the server responded: check-and-set parameter did not match the current version"
    assert len(standby.asked) == 2


def test_a_standby_that_leads_to_a_dead_leader_is_named(odd_kv):
    """Both addresses stand in the error."""
    with odd_server(secret()) as dead:
        pass
    with odd_server(towards(dead)) as standby, pytest.raises(UncertainWrite) as caught:
        odd_kv(standby, max_retries=0).write("x", {}, cas=0)
    way = f"{dead.address}, to which {standby.address} redirects"
    assert caught.value.reason == f"cannot reach {way}: connection refused"


def test_a_leader_that_finds_a_redirected_write_done_may_have_done_it(odd_kv):
    """The standby may have handed it over before."""
    with odd_server(MISMATCH) as leader, odd_server(towards(leader)) as standby, pytest.raises(UncertainWrite):
        odd_kv(standby).write("x", {}, cas=0)


def test_what_a_leader_does_not_allow_was_not_done_by_way_of_a_standby(odd_kv):
    """An ACL policy is the same for both."""
    denied = reply(403, {"errors": ["1 error occurred:\n\t* permission denied"]})
    with odd_server(denied) as leader, odd_server(towards(leader)) as standby:
        assert failure(lambda: odd_kv(standby).write("x", {}, cas=0)).kind is Fault.DENIED


def test_what_follows_a_write_sees_it(odd_kv):
    """The state that a write reached goes along with every later request, so that no follower answers with less."""
    written = reply(200, {"data": {"version": 2}}, X_Vault_Index="abc=")
    with odd_server(secret(), written, secret(2), written) as server:
        secrets = odd_kv(server)
        secrets.read("x")
        secrets.write("x", {}, cas=1)
        secrets.read("x")
        secrets.write("x", {}, cas=2)
    before, *after = [asked.headers.get("x-vault-index") for asked in server.asked[1:]]
    assert before is None
    assert after == ["abc=", "abc="]
    assert server.asked[-1].headers["x-vault-inconsistent"] == "forward-active-node"


def test_a_proxy_gets_the_whole_url(odd_kv):
    """Plain HTTP goes through the proxy as it is, with the proxy's password in a header of its own."""
    with odd_server(secret(4)) as proxy:
        proxies = Proxies(always=proxy.address.replace("http://", "http://user:word@"))
        secrets = odd_kv(proxy, address="http://vault.example:8200", proxies=proxies)
        assert secrets.read("x").version == 4
    assert proxy.lines == ["GET http://vault.example:8200/v1/secret/data/x"]
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"


def test_a_proxy_that_demands_a_password_is_named(odd_kv):
    """Its 407 is not taken for an answer of Vault's."""
    with odd_server(reply(407)) as proxy:
        proxies = Proxies(always=proxy.address)
        error = failure(lambda: odd_kv(proxy, address="http://vault.example:8200", proxies=proxies).read("x"))
    why = f"the proxy {proxy.address} requires a user name and password (HTTP 407)"
    assert error.message == f"cannot reach http://vault.example:8200: {why}"


def test_with_tls_a_proxy_is_asked_for_a_tunnel(odd_kv):
    """A proxy that refuses is named; the token does not reach it."""
    with odd_server(reply(407)) as proxy:
        proxies = Proxies(always=proxy.address)
        error = failure(lambda: odd_kv(proxy, address="https://vault.example:8200", proxies=proxies).read("x"))
    why = f"the proxy {proxy.address} requires a user name and password (HTTP 407)"
    assert error.message == f"cannot reach https://vault.example:8200: {why}"
    assert proxy.lines[0] == "CONNECT vault.example:8200"
    assert not any(TOKEN in str(asked) for asked in proxy.asked)


def trickle(connected):
    """Send a byte now and then, for longer than anybody waits."""
    for byte in secret() * 2:
        connected.sendall(bytes([byte]))
        time.sleep(0.05)


def silence(connected):
    """Say nothing for longer than anybody waits."""
    time.sleep(5)


@pytest.mark.parametrize("slow", [trickle, silence])
def test_the_time_out_bounds_the_whole_request(odd_kv, slow):
    """A server that sends a byte now and then is as late as one that sends none."""
    with odd_server(slow) as server:
        begin = time.monotonic()
        error = failure(lambda: odd_kv(server, timeout=0.5).read("x"))
        assert time.monotonic() - begin < 4
        assert error.kind is Fault.TIMED_OUT
        assert error.message == f"cannot reach {server.address}: no answer within 0.5 seconds"


def test_a_host_without_an_address_is_said_to_be_none(connect):
    """The name is looked up within the time-out."""
    error = failure(lambda: connect(VaultSettings(address="http://no-such.invalid:1", token=Secret(b"x"))).token())
    assert error.kind in {Fault.HOST_NOT_FOUND, Fault.CONNECTION}  # without any network, it is unknown
    assert error.message.startswith("cannot reach http://no-such.invalid:1: ")


def test_a_lost_login_is_not_repeated(odd_vault):
    """A secret id may be for one use."""
    from certkit.vault.settings import Login

    login = Login("approle", "approle", {"role_id": Secret(b"the-role"), "secret_id": Secret(b"the-secret")})
    with odd_server(close) as server:
        error = failure(lambda: odd_vault(server, token=None, login=login))
    assert error.kind is Fault.LOGIN
    assert error.hint == "try again; a single-use secret id may have been used up"
    assert len(server.asked) == 1
    assert b"the-secret" in server.asked[0].body
