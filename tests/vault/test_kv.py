"""Secrets in a real OpenBao: read, written by check-and-set, listed, destroyed, and kept apart by ACL policies."""

from __future__ import annotations

import threading
import time

import pytest

from certkit.errors import InputError
from certkit.secret import Secret
from certkit.vault.errors import CasMismatch, Fault, VaultError
from certkit.vault.fields import VaultPath
from certkit.vault.kv import Kv
from tests.odd_http import errors, odd_server, reply, secret


@pytest.fixture
def prefix(request):
    """A prefix of its own for each test."""
    return f"secret/{request.node.originalname}-{time.monotonic_ns()}"


@pytest.fixture
def secrets(connect, openbao, prefix):
    """Return what root sees below the prefix."""
    return connect(openbao.settings()).kv(prefix)


@pytest.fixture
def allowed(connect, openbao, prefix):
    """What a token sees to which an ACL policy gives some rules; in them, PREFIX/VIEW is that view of the prefix."""

    def allowed(*rules):
        mount, _, below = prefix.partition("/")
        lines = [f'path "{mount}/{view}/{below}/{path}" {{ {what} }}' for view, path, what in rules]
        token = openbao.token_for("\n".join(lines))
        return connect(openbao.settings(token=Secret(token.encode()))).kv(prefix)

    return allowed


def failure(work):
    """The error that some work ends with."""
    with pytest.raises(VaultError) as caught:
        work()
    return caught.value


def test_what_was_created_is_read(secrets):
    """Data, version and custom metadata; a Secret is written as its text."""
    assert secrets.write("a/b", {"private_key": Secret(b"PEM\n"), "note": "ü"}) == 1
    stored = secrets.read("a/b")
    assert stored.data == {"private_key": "PEM\n", "note": "ü"}
    assert (stored.version, stored.custom_metadata) == (1, {})


def test_names_may_be_anything_that_can_be_seen(secrets):
    """Blanks, percent signs and letters of any script reach Vault as they are."""
    for name in ("a b", "100%", "ключ", "a?b#c", "%2e%2e"):
        secrets.write(name, {"name": name})
        assert secrets.read(name).data == {"name": name}
    assert sorted(secrets.list()) == ["%2e%2e", "100%", "a b", "a?b#c", "ключ"]


def test_what_was_never_there_is_nothing(secrets):
    """No secret, no metadata, no names; destroying it does nothing."""
    assert secrets.read("x") is None
    assert secrets.read_metadata("x") is None
    assert secrets.list("x") == ()
    secrets.delete_all_versions("x")


def test_a_deleted_secret_is_an_error_and_has_metadata(secrets, openbao, prefix):
    """A new version can only be written over the deleted one."""
    secrets.write("x", {"a": "b"})
    openbao.api("DELETE", prefix.replace("secret/", "secret/data/") + "/x")
    error = failure(lambda: secrets.read("x"))
    assert (error.kind, error.message.endswith("/x: it was deleted")) == (Fault.DELETED, True)
    assert "`bao kv undelete -versions=1`" in error.hint
    metadata = secrets.read_metadata("x")
    assert (metadata.version, metadata.is_deleted) == (1, True)
    assert failure(lambda: secrets.write("x", {})).kind is Fault.CAS_MISMATCH
    assert secrets.write("x", {"a": "c"}, cas=1) == 2


def test_destroyed_versions_count_as_deleted(secrets, openbao, prefix):
    """Destroyed is not the same as deleted to Vault."""
    secrets.write("x", {"a": "b"})
    openbao.api("POST", prefix.replace("secret/", "secret/destroy/") + "/x", {"versions": [1]})
    assert failure(lambda: secrets.read("x")).kind is Fault.DELETED
    assert secrets.read_metadata("x").is_deleted


def test_a_write_follows_the_version_that_it_names(secrets):
    """Anything else is a mismatch, and nothing is written."""
    secrets.write("x", {"a": "1"})
    assert secrets.write("x", {"a": "2"}, cas=1) == 2
    for stale in (lambda: secrets.write("x", {"a": "3"}, cas=1), lambda: secrets.write("x", {"a": "3"})):
        with pytest.raises(CasMismatch) as caught:
            stale()
        assert caught.value.message.endswith("/x: it has changed in the meantime")
    assert secrets.read("x").data == {"a": "2"}


def test_of_eight_that_write_at_once_one_wins(secrets):
    """And what it wrote is there."""
    start, results = threading.Barrier(8), []

    def write(number):
        start.wait(10)
        try:
            results.append((secrets.write("raced", {"winner": str(number)}), number))
        except CasMismatch:
            results.append((0, number))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(version for version, _ in results) == [0] * 7 + [1]
    assert secrets.read("raced").data == {"winner": str(next(number for version, number in results if version))}


def test_custom_metadata_is_replaced_as_a_whole(secrets):
    """It is read without the secret."""
    secrets.write("x", {"a": "b"})
    secrets.write_metadata("x", {"not_after": "2027-11-23T00:00:00Z", "serial": "0a"})
    secrets.write_metadata("x", {"not_after": "2028-11-23T00:00:00Z"})
    metadata = secrets.read_metadata("x")
    assert metadata.custom_metadata == {"not_after": "2028-11-23T00:00:00Z"}
    assert (metadata.version, metadata.is_deleted) == (1, False)
    assert secrets.read("x").custom_metadata == {"not_after": "2028-11-23T00:00:00Z"}


def test_too_much_custom_metadata_is_refused(secrets):
    """Vault's limit, in Vault's words."""
    secrets.write("x", {"a": "b"})
    error = failure(lambda: secrets.write_metadata("x", {f"name-{number}": "" for number in range(65)}))
    assert error.kind is Fault.BAD_REQUEST
    assert "payload must contain at most 64 keys, provided 65" in error.message


def test_names_are_listed_and_folders_end_with_a_slash(secrets):
    """One level at a time, or all of them."""
    for path in ("wise/pointer", "wise/generations/1/certificate", "adyen/pointer"):
        secrets.write(path, {})
    assert secrets.list() == ("adyen/", "wise/")
    assert secrets.list("wise/") == ("generations/", "pointer")
    assert list(secrets.walk()) == [
        ("adyen/pointer", None),
        ("wise/pointer", None),
        ("wise/generations/1/certificate", None),
    ]
    assert list(secrets.walk("wise/generations")) == [("wise/generations/1/certificate", None)]


def test_all_versions_are_destroyed(secrets):
    """Nothing is left, not even a version to follow."""
    secrets.write("x", {"a": "1"})
    secrets.write("x", {"a": "2"}, cas=1)
    secrets.delete_all_versions("x")
    assert (secrets.read("x"), secrets.read_metadata("x")) == (None, None)
    assert secrets.write("x", {"a": "3"}) == 1


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a//b", "./x", "a\nb", "a\u202eb"])
def test_a_path_that_vault_would_take_for_another_is_refused(secrets, path):
    """Before anything is asked."""
    with pytest.raises(InputError):
        secrets.read(path)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("x/log/2026-12-01T042439Z-000002-3137ff27", "x/log/+"),
        ("x/generations/0001/key", "x/generations/+/key"),
        ("0001/x", "0001/x"),
    ],
)
def test_a_rule_for_a_numbered_or_dated_secret_is_for_all_of_them(path, pattern):
    """One for a single log entry would be of no use for the next."""
    rule = VaultPath("secret", path).rule("data", "create")
    assert str(rule) == f'path "secret/data/{pattern}" {{ capabilities = ["create"] }}'


def test_keys_and_certificates_can_be_kept_apart(secrets, allowed):
    """A cron job may read certificates and metadata, and no key."""
    secrets.write("wise/certificate", {"certificate": "PEM"})
    secrets.write("wise/key", {"private_key": "PEM"})
    cron = allowed(
        ("data", "+/certificate", 'capabilities = ["read"]'), ("metadata", "*", 'capabilities = ["read", "list"]')
    )
    assert cron.read("wise/certificate").data == {"certificate": "PEM"}
    assert cron.list("wise") == ("certificate", "key")
    assert cron.read_metadata("wise/key").version == 1
    error = failure(lambda: cron.read("wise/key"))
    assert error.kind is Fault.DENIED


@pytest.mark.parametrize(
    ("ask", "what", "rule"),
    [
        (lambda kv: kv.read("x"), "read", ("data", "/x", "read")),
        (lambda kv: kv.write("x", {}), "write", ("data", "/x", "create")),
        (lambda kv: kv.write("x", {}, cas=1), "write", ("data", "/x", "update")),
        (lambda kv: kv.read_metadata("x"), "read the metadata of", ("metadata", "/x", "read")),
        (lambda kv: kv.write_metadata("x", {}), "write the metadata of", ("metadata", "/x", "update")),
        (lambda kv: kv.list("x"), "list", ("metadata", "/x/", "list")),
        (lambda kv: kv.delete_all_versions("x"), "delete", ("metadata", "/x", "delete")),
    ],
)
def test_the_rule_that_is_missing_is_named_and_would_help(secrets, allowed, prefix, ask, what, rule):
    """A refusal says what to put in the ACL policy; with just that, the same request is no longer refused."""
    view, path, capability = rule
    secrets.write("x", {"a": "b"})
    if capability == "create":
        secrets.delete_all_versions("x")
    error = failure(lambda: ask(allowed(("data", "other", 'capabilities = ["read"]'))))
    assert error.message == f"cannot {what} vault://{prefix}/x: permission denied"
    line = f'path "{prefix.replace("secret/", f"secret/{view}/")}{path}" {{ capabilities = ["{capability}"] }}'
    assert error.hint.startswith(f"an ACL policy of the token must contain: {line}")
    ask(allowed((view, path.strip("/") + ("/" if capability == "list" else ""), f'capabilities = ["{capability}"]')))


def test_a_token_that_may_only_create_learns_no_more(secrets, allowed):
    """Vault answers "permission denied" where the secret exists, and it stays as it is."""
    creator = allowed(("data", "*", 'capabilities = ["create"]'))
    assert creator.write("x", {"a": "b"}) == 1
    assert failure(lambda: creator.write("x", {"a": "c"})).kind is Fault.DENIED
    assert secrets.read("x").data == {"a": "b"}


def test_a_rule_for_custom_metadata_alone_is_enough(secrets, allowed):
    """Nothing else is sent along."""
    secrets.write("x", {"a": "b"})
    narrow = 'capabilities = ["update"], allowed_parameters = {"custom_metadata" = []}'
    allowed(("metadata", "*", narrow)).write_metadata("x", {"serial": "0a"})
    assert secrets.read_metadata("x").custom_metadata == {"serial": "0a"}


def test_many_are_read_in_their_order_and_failures_take_their_places(secrets, allowed):
    """One that is missing or forbidden does not stop the others."""
    for number in range(300):
        secrets.write(f"open/{number}", {"number": str(number)})
    secrets.write("closed/1", {})
    paths = [*(f"open/{number}" for number in range(300)), "closed/1", "open/none", "../x"]
    reader = allowed(("data", "open/*", 'capabilities = ["read"]'), ("metadata", "open/*", 'capabilities = ["read"]'))
    for many in (reader.read_many, reader.metadata_many):
        found = list(many(paths))
        assert [path for path, _ in found] == paths
        assert all(answer.version == 1 for _, answer in found[:300])
        denied, missing, bad = (answer for _, answer in found[300:])
        assert (denied.kind, missing, type(bad)) == (Fault.DENIED, None, InputError)
    assert [answer.data["number"] for _, answer in reader.read_many(paths[:300])] == [str(n) for n in range(300)]


@pytest.mark.parametrize(
    ("many", "target", "answer"),
    [
        (Kv.read_many, "data/a%20b/{}", secret(1)),
        (Kv.list_many, "metadata/a%20b/{}?list=true", reply(200, {"data": {"keys": []}})),
        (Kv.metadata_many, "metadata/a%20b/{}", errors(404)),
    ],
)
def test_many_are_asked_for_once_each_and_ahead(odd_vault, many, target, answer):
    """The further it goes, the more questions are on their way at once, each over a connection of its own."""
    with odd_server(answer) as server:
        secrets = Kv(odd_vault(server, address=f"{server.address}/vault").transport, "teams/kv", "a b")
        found = list(many(secrets, [f"ü{number}" for number in range(400)]))
    assert [path for path, _ in found] == [f"ü{number}" for number in range(400)]
    asked = [line.removeprefix("GET /vault/v1/teams/kv/") for line in server.lines]
    assert sorted(asked) == sorted(target.format(f"%C3%BC{number}") for number in range(400))
    assert {asked.connection for asked in server.asked} == set(range(1, 17))


def test_what_was_asked_ahead_in_vain_is_given_up(odd_vault):
    """A read that stops half-way leaves no response that a later request could take for its own."""
    with odd_server(secret(1)) as server:
        secrets = Kv(odd_vault(server).transport, "secret")
        found = secrets.read_many(f"x{number}" for number in range(1000))
        for _, _ in zip(range(200), found, strict=False):
            pass
        found.close()
        server.replies.append(secret(2))
        server.replies.pop(0)
        assert secrets.read("other").version == 2
        assert len(server.asked) < 230


def test_an_answer_that_is_lost_ahead_is_asked_for_again(odd_vault):
    """As it would be without asking ahead."""
    replies = [secret(1)] * 50 + [lambda connected: connected.close(), errors(503, "not now")] + [secret(1)]
    with odd_server(*replies) as server:
        secrets = Kv(odd_vault(server).transport, "secret")
        found = dict(secrets.read_many(f"x{number}" for number in range(200)))
    assert [stored.version for stored in found.values()] == [1] * 200


def test_a_server_that_goes_away_is_not_asked_about_the_rest(odd_vault):
    """A thousand paths do not cost a thousand time-outs."""
    with odd_server(secret(1), secret(1), errors(503, "Vault is sealed")) as server:
        secrets = Kv(odd_vault(server, pause=0.05).transport, "secret")
        begin = time.monotonic()
        found = list(secrets.read_many(f"x{number}" for number in range(1000)))
        assert time.monotonic() - begin < 30
    assert len(found) == 1000
    assert {answer.kind for _, answer in found[-900:]} == {Fault.SEALED}
    assert len(server.asked) < 20


def test_a_folder_that_cannot_be_listed_does_not_stop_the_walk(secrets, allowed):
    """It comes with its error, among the secrets of the others."""
    for path in ("a/x", "b/y"):
        secrets.write(path, {})
    walker = allowed(("metadata", "", 'capabilities = ["list"]'), ("metadata", "b/", 'capabilities = ["list"]'))
    (folder, error), found = walker.walk()
    assert (folder, error.kind, found) == ("a", Fault.DENIED, ("b/y", None))


def test_results_do_not_show_what_they_hold(secrets):
    """Neither in a log nor in a traceback."""
    secrets.write("x", {"private_key": Secret(b"the-private-key")})
    assert "the-private-key" not in repr(secrets.read("x"))
