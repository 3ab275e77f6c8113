"""Responses as HTTP defines them, and malformed ones."""

from __future__ import annotations

import contextlib
import json
import re
import time

import pytest

from certkit.secret import Secret
from certkit.vault.client import Vault
from certkit.vault.errors import Fault, VaultError
from certkit.vault.kv import Kv
from certkit.vault.settings import Login, VaultSettings
from tests.odd_http import errors, odd_server, reply, secret

BODY = secret(9, a="b").partition(b"\r\n\r\n")[2]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def then_close(data):
    """A reply that ends with the connection."""
    return lambda connected: connected.sendall(data)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        b"HTTP/1.1 200 \r\ncontent-length:%d\r\n\r\n" % len(BODY) + BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n",
        CHUNKED + b"5;name=value\r\n" + BODY[:5] + b"\r\n%X\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\nA: b\r\n\r\n",
    ],
)
def test_an_answer_is_read_in_all_its_forms(odd_kv, answer):
    """With a length or in chunks, after an interim answer, with trailers; the connection serves again."""
    with odd_server(answer) as server:
        secrets = odd_kv(server)
        assert [secrets.read("x").version, secrets.read("x").version] == [9, 9]
    assert [asked.connection for asked in server.asked] == [1, 1]


@pytest.mark.parametrize("head", [OK, b"HTTP/1.0 200 OK\r\n", OK + b"Connection: close\r\n"])
def test_an_answer_may_end_with_the_connection(odd_kv, head):
    """Without a length, in HTTP/1.0, or announced: the next request takes a new connection."""
    length = b"" if head == OK else b"Content-Length: %d\r\n" % len(BODY)
    with odd_server(then_close(head + length + b"\r\n" + BODY)) as server:
        secrets = odd_kv(server)
        assert [secrets.read("x").version, secrets.read("x").version] == [9, 9]
    assert [asked.connection for asked in server.asked] == [1, 2]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 100\r\n\r\n" + BODY[:50],
        OK + b"Content-Le",
        CHUNKED + b"%x\r\n" % len(BODY) + BODY[:50],
        CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n",
        CHUNKED,
        CHUNKED + b"-1\r\n",
        CHUNKED + b"2\r\nabcdef",
    ],
)
def test_an_answer_that_was_cut_short_is_noticed(odd_kv, answer):
    """It is never taken for the whole, and a read is repeated."""
    with odd_server(then_close(answer)) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server).read("x")
        assert caught.value.message == f"cannot reach {server.address}: the response was truncated"
        assert caught.value.kind is Fault.CONNECTION
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the response is not valid HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the response is not valid HTTP"),
        (b"HTTP/2 200\r\n\r\n", "the response is not valid HTTP"),
        (b"A" * 100_000, "the response is not valid HTTP"),
        (OK + b"no colon\r\n\r\n", "the response is not valid HTTP"),
        (OK + b"A: " + b"b" * 100_000, "the response is not valid HTTP"),
        (OK + b"A: b\r\n" * 20_000, "the response is not valid HTTP"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "the response is not valid HTTP"),
        (OK + b"Content-Length: -1\r\n\r\n", "the response is not valid HTTP"),
        (OK + b"Content-Length: 0x10\r\n\r\n", "the response is not valid HTTP"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "the response is not valid HTTP"),
        (CHUNKED + b"x\r\n", "the response is not valid HTTP"),
    ],
)
def test_what_is_not_http_is_an_error(odd_kv, answer, why):
    """Plain words, and no second try."""
    with odd_server(then_close(answer)) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server).read("x")
        assert caught.value.message == f"cannot reach {server.address}: {why}"
        assert caught.value.kind is Fault.NOT_VAULT
    assert len(server.asked) == 1


def endless(connected):
    """Send one chunk after the other until the client disconnects."""
    connected.sendall(CHUNKED)
    while True:
        connected.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        lambda: endless,
        lambda: OK + b"Content-Length: 99999999\r\n\r\n",
        lambda: then_close(CHUNKED + b"ffffffff\r\n" + b" " * 2**25),
        lambda: then_close(b"HTTP/1.1 100 Continue\r\n\r\n" * 2**20),
        lambda: then_close(OK + b"\r\n" + b" " * 2**25),
    ],
)
def test_an_answer_is_bounded_in_size(odd_kv, answer):
    """More than 16 MiB is nothing that Vault would send."""
    with odd_server(answer()) as server:
        begin = time.monotonic()
        with pytest.raises(VaultError) as caught:
            odd_kv(server, timeout=60).read("x")
        assert caught.value.kind is Fault.TOO_LARGE
        assert caught.value.message == f"cannot reach {server.address}: the response is larger than 16,777,216 bytes"
        assert time.monotonic() - begin < 50


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"<html>", "cannot use {}: its response (status 200) is not from Vault"),
        (b"[1]", "cannot use {}: its response (status 200) is not from Vault"),
        (b"[" * 100_000, "cannot use {}: its response (status 200) is not from Vault"),
        (b"{}", "cannot use the response for vault://secret/x: it has no valid field data"),
        (b"", "cannot use the response for vault://secret/x: it has no valid field data.data"),
        (b'{"data": []}', "cannot use the response for vault://secret/x: it has no valid field data.data"),
        (
            b'{"data": {"data": {}, "metadata": {"version": true}}}',
            "cannot use the response for vault://secret/x: it has no valid field data.metadata.version",
        ),
    ],
)
def test_what_is_not_vault_is_an_error(odd_kv, answer, message):
    """Another web server at the address, or a document of another shape."""
    with odd_server(OK + b"Content-Length: %d\r\n\r\n" % len(answer) + answer) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server).read("x")
        assert caught.value.message.startswith(message.format(server.address)[:-5])
        assert caught.value.kind is Fault.NOT_VAULT


@pytest.mark.parametrize("body", [b"<html>Not Found</html>", b'{"message": "not found"}', b'{"errors": "none"}', b""])
def test_a_not_found_of_others_is_no_absent_secret(odd_kv, body):
    """Only Vault can say that there is no such secret."""
    with odd_server(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server).read("x")
        assert caught.value.kind is Fault.NOT_VAULT


@pytest.mark.parametrize(
    ("status", "texts", "kind"),
    [
        (503, ["Vault is sealed"], Fault.SEALED),
        (503, ["something else"], Fault.UNAVAILABLE),
        (502, [], Fault.UNAVAILABLE),
        (504, [], Fault.UNAVAILABLE),
        (500, ["local node not active but active cluster node not found"], Fault.UNAVAILABLE),
        (500, ["boom"], Fault.SERVER),
        (429, ['request path "x": rate limit quota exceeded'], Fault.RATE_LIMITED),
        (404, ["namespace not found"], Fault.NO_NAMESPACE),
        (404, ['no handler for route "secret/data/x". route entry not found.'], Fault.NO_MOUNT),
        (404, ["something else"], Fault.NOT_FOUND),
        (403, ["1 error occurred:\n\t* permission denied\n\n"], Fault.DENIED),
        (403, ["permission denied"], Fault.BAD_TOKEN),
        (403, ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"], Fault.BAD_TOKEN),
        (400, ["what?"], Fault.BAD_REQUEST),
        (418, ["teapot"], Fault.SERVER),
    ],
)
def test_refusals_are_told_apart(odd_kv, status, texts, kind):
    """By status and, where Vault uses one for several things, by its words."""
    with odd_server(errors(status, *texts)) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server, max_retries=0).read("x")
        assert caught.value.kind is kind


def test_what_a_server_says_is_shown_safely_and_in_one_line(odd_kv):
    """Control characters are escaped, and a novel is cut."""
    with odd_server(errors(400, "1 error occurred:\n\t* \x1b[31mred\u202e\n\n", "x" * 1000)) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server).read("x")
        begin = r"cannot read vault://secret/x: \1B[31mred\E2\80\AE; xxx"
        assert caught.value.message.startswith(begin)
        assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    "shape", [{"errors": [1, None, {"a": []}]}, {"errors": [], "data": None}, {"data": {"metadata": []}}]
)
def test_errors_of_any_shape_are_survived(odd_kv, shape):
    """The package hvac takes such answers apart, too, and trusts their shape."""
    with odd_server(reply(404, shape)) as server:
        secrets = odd_kv(server)
        for ask in (secrets.read, secrets.read_metadata, secrets.list):
            with contextlib.suppress(VaultError):
                ask("x")


def test_plain_http_to_a_tls_server_is_recognised(odd_kv):
    """Go's servers say so in plain text."""
    body = b"Client sent an HTTP request to an HTTPS server.\n"
    with odd_server(then_close(b"HTTP/1.0 400 Bad Request\r\n\r\n" + body)) as server:
        with pytest.raises(VaultError) as caught:
            odd_kv(server).read("x")
        assert (caught.value.kind, caught.value.hint) == (Fault.TLS, "set VAULT_ADDR to https://...")


def test_an_answer_may_hold_any_json(odd_kv):
    """Secrets written by others hold what they like."""
    data = {"n": 1.5, "deep": {"list": [None, True]}, "text": "\ud800"}
    body = json.loads(BODY)
    body["data"]["data"] = data
    with odd_server(reply(200, body)) as server:
        assert odd_kv(server).read("x").data == data


# Every request of certkit's, by the name of its method.
REQUESTS = {
    Vault: {
        "log_in": lambda vault: vault.log_in(),
        "token": lambda vault: vault.token(),
        "capabilities": lambda vault: vault.capabilities(["secret/data/x"]),
        "mount": lambda vault: vault.mount("secret"),
        "call": lambda vault: vault.call("pki", "sign", "client", {"csr": "..."}, may_repeat=False),
        "kv": lambda vault: vault.kv("secret/x"),
    },
    Kv: {
        "read": lambda kv: kv.read("x"),
        "write": lambda kv: kv.write("x", {"a": "b"}),
        "read_metadata": lambda kv: kv.read_metadata("x"),
        "write_metadata": lambda kv: kv.write_metadata("x", {"a": "b"}),
        "list": lambda kv: kv.list("x"),
        "delete_all_versions": lambda kv: kv.delete_all_versions("x"),
        "read_many": lambda kv: expected(kv.read_many(["x", "y"])),
        "metadata_many": lambda kv: expected(kv.metadata_many(["x", "y"])),
        "list_many": lambda kv: expected(kv.list_many(["x", "y"])),
        "walk": lambda kv: expected(kv.walk("x")),
    },
}


def expected(answers):
    """Raise the failure of the last of many requests."""
    raise [error for _, error in answers][-1]


def test_every_request_is_among_these():
    """So that the next test asks everything, except for the health, which a refusal leaves unknown."""
    quiet = {Vault: {"address", "connect", "keep_token", "close", "health"}, Kv: set()}
    for kind, requests in REQUESTS.items():
        assert {name for name in vars(kind) if not name.startswith("_")} - quiet[kind] == set(requests)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, requests in REQUESTS.items() for name in requests])
@pytest.mark.parametrize("status", [400, 403, 404, 418, 429, 500, 501, 503])
def test_a_refusal_of_any_request_says_what_was_refused(kind, name, status):
    """In one line with a hint, whatever the status."""
    login = Login("approle", "approle", {"role_id": "x"})
    with odd_server(errors(status, "not today")) as server:
        settings = VaultSettings(address=server.address, token=Secret(b"s.token"), login=login, max_retries=0)
        with Vault(settings) as vault, pytest.raises(VaultError) as caught:
            REQUESTS[kind][name](vault if kind is Vault else Kv(vault.transport, "secret"))
    assert re.match(r"cannot [a-z]", caught.value.message)
    assert caught.value.hint
