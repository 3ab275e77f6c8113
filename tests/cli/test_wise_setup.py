"""`certkit wise setup`: every step against a rehearsal, what goes wrong on the way, and a person at a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import pki
from tests.cli.test_wise_rehearse import ask, rehearsing
from tests.conftest import command, environment
from tests.report import page

URI = "https://acme.example/wise"
SECRET = ("--client-secret-file", "rehearsal/rehearsal-client-secret")
POLICY = ("--policy", "rehearsal/wise-rehearsal.toml")
CLIENT = (*POLICY, "--client-id", "acme", "--redirect-uri", URI)
SUBJECT = ("--organization", "Acme Ltd", "--country", "GB")
REHEARSAL = ("--client-id", "acme", "--redirect-uri", URI)
STORE = {"CERTKIT_STORE": "file:identities"}


@pytest.fixture
def setup(certkit):
    """`certkit wise setup acme --json`, with a store of the test's own."""
    return lambda *options: certkit("wise", "setup", "acme", "--json", *options, env=STORE)


@pytest.fixture
def acme(certkit):
    """Any other command with that store."""
    return lambda *words: certkit(*words, env=STORE)


def granted(url):
    """Where a browser ends when a user grants access there."""
    form = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    form |= {"profile": "10000001", "decision": "grant"}
    return ask(url.partition("?")[0], form)[2]["Location"]


def issued(wise, csr, folder, name="first"):
    """Paste a CSR in the Developer Hub; the file of the certificate."""
    status, body, _ = ask(f"{wise.web}/developer-hub", {"name": name, "csr": csr})
    assert status == 201, body
    (folder / "acme.pem").write_text(str(page.read(body).one("textarea").inner[0]).lstrip())
    return "acme.pem"


def through(wise, setup, acme, folder):
    """All steps; the last answer."""
    url = setup(*CLIENT).json["next"]["url"]
    setup("--redirect-url", granted(url), *SECRET, *SUBJECT)
    csr = acme("identity", "show", "acme", "--json").json["pending"]["csr"]
    return setup("--ca", wise.ca_file, "--cert", issued(wise, csr, folder))


def told(ran, code, *said):
    """It ended with that code, in one line that says so."""
    assert (ran.code, len(ran.err.splitlines())) == (code, 1), ran.err
    assert ran.err.startswith("certkit: error: ")
    for each in said:
        assert each in ran.err


def test_step_by_step_until_a_call_is_answered(setup, acme, tmp_path):
    """Each run does what it is given, and says what is done and what comes next."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        begun = setup(*POLICY)
        assert (begun.code, begun.json["done"], begun.json["changed"], begun.json["status"]) == (0, [], True, "unknown")
        assert begun.json["next"]["command"] == "certkit wise setup acme --client-id ID --redirect-uri URI"
        assert begun.json["environment"] == "rehearsal"
        asked = setup(*CLIENT).json
        assert (asked["done"], asked["next"]["step"]) == (["client"], "authorize")
        assert asked["next"]["command"] == ("certkit wise setup acme --client-secret-file FILE --redirect-url 'PASTED'")
        again = setup().json["next"]["url"]
        assert again != asked["next"]["url"]

        got = setup("--redirect-url", granted(again), *SECRET).json
        assert (got["done"], got["next"]["step"]) == (["client", "authorize", "token"], "enroll")
        made = setup(*SUBJECT).json
        assert (made["done"][-1], made["next"]["step"]) == ("enroll", "request")
        assert re.search(r"under the name acme-\d{4}-\d\d-a,", made["next"]["message"])
        assert made["next"]["command"] == "certkit wise setup acme --ca CA.pem --cert CERT.pem"
        trusting = setup("--ca", wise.ca_file).json
        assert trusting["next"]["command"] == "certkit wise setup acme --cert CERT.pem"
        assert (trusting["done"][-1], trusting["next"]["step"], trusting["changed"]) == ("trust", "request", True)

        csr = acme("identity", "show", "acme", "--json").json["pending"]["csr"]
        done = setup("--cert", issued(wise, csr, tmp_path)).json
        assert done["done"] == [*("client", "authorize", "token", "enroll", "request", "trust", "certificate", "call")]
        assert (done["status"], done["changed"], done["next"]["step"]) == ("ok", True, "reminders")
        assert done["next"]["command"] == "certkit expiry -q identity:acme --remind 28d,14d,7d,3d,1d,0d"
        assert (setup().json["status"], setup().json["changed"]) == ("ok", False)


def test_the_same_options_once_more_change_nothing(setup, acme, tmp_path):
    """As after a run that was killed: a redirect that a token came of is passed over."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        pasted = granted(setup(*CLIENT).json["next"]["url"])
        options = (*CLIENT, "--redirect-url", pasted, *SECRET, *SUBJECT, "--ca", wise.ca_file)
        assert setup(*options).json["changed"] is True
        assert setup(*options).json["changed"] is False
        csr = acme("identity", "show", "acme", "--json").json["pending"]["csr"]
        certificate = issued(wise, csr, tmp_path)
        assert acme("identity", "install", "acme", certificate, "--no-activate").code == 0
        ended = setup(*options, "--cert", certificate)
        assert (ended.json["status"], ended.json["changed"]) == ("ok", True)
        assert setup(*options, "--cert", certificate).json["changed"] is False


def test_partners_with_tokens_begin_with_the_key(setup, acme, tmp_path):
    """`--skip-oauth`: no client, no token; the call takes a token of their own."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        made = setup(*POLICY, "--skip-oauth", *SUBJECT).json
        assert (made["done"], made["next"]["step"]) == (["enroll"], "request")
        assert made["next"]["command"].startswith("certkit wise setup acme --skip-oauth ")
        csr = acme("identity", "show", "acme", "--json").json["pending"]["csr"]
        done = setup("--skip-oauth", "--ca", wise.ca_file, "--cert", issued(wise, csr, tmp_path)).json
        assert (done["next"]["step"], done["next"]["command"]) == (
            *("call", "certkit wise setup acme --skip-oauth --token-file FILE"),
        )
        (tmp_path / "token").write_text(json_token(wise))
        (tmp_path / "token").chmod(0o600)
        assert setup("--skip-oauth", "--token-file", "token").json["status"] == "ok"
        (tmp_path / "token").write_text("another\n")
        refused = setup("--skip-oauth", "--token-file", "token")
        assert (refused.code, refused.json["checks"][0]["id"]) == (2, "http")


def json_token(wise):
    """An access token, got without certkit."""
    return re.search(r'"access_token": ?"([^"]+)"', wise.token(grant_type="client_credentials")[1])[1] + "\n"


def test_for_people_it_is_a_list(certkit, tmp_path):
    """Steps that are done, next and later; a given store is repeated in the next command."""
    with rehearsing(tmp_path, *REHEARSAL):
        said = certkit("wise", "setup", "acme", *CLIENT, "--store", "file:identities").out.splitlines()
    assert said[:4] == [
        "acme for Rehearsal of the Wise Platform, not Wise",
        "  done   client       client id acme",
        "  next   authorize",
        "  later  token",
    ]
    assert said[-1] == (
        "Then: certkit wise setup acme --store file:identities --client-secret-file FILE --redirect-url 'PASTED'"
    )


def test_nothing_waits_without_a_terminal(setup, tmp_path):
    """A step that needs an answer names the option."""
    told(setup(), 3, "identity 'acme' does not exist yet; say which environment", "sandbox|sandbox-legacy|production")
    with rehearsing(tmp_path, *REHEARSAL):
        pasted = granted(setup(*CLIENT).json["next"]["url"])
        told(setup("--redirect-url", pasted), 3, "no client secret given", "Give --client-secret-file FILE")
        told(setup("--environment", "sandbox", *POLICY), 3, "--environment and --policy exclude each other")
        told(setup("--environment", "production"), 3, "the identity is enrolled for")


def test_a_wrong_redirect_uri(setup, tmp_path):
    """Wise refuses it at the authorization page; an address that leads elsewhere is refused here."""
    with rehearsing(tmp_path, *REHEARSAL):
        other = setup(*POLICY, "--client-id", "acme", "--redirect-uri", "https://other.example").json["next"]["url"]
        status, body, _ = ask(other)
        assert (status, "Wrong redirect_uri: it is not configured for this client" in body) == (400, True)
        pasted = granted(setup("--redirect-uri", URI).json["next"]["url"])
        elsewhere = setup("--redirect-uri", "https://other.example", "--redirect-url", pasted, *SECRET)
        told(elsewhere, 3, "is not a redirect to https://other.example. Check --redirect-uri")
        code = parse_qs(urlsplit(pasted).query)["code"][0]
        state = parse_qs(urlsplit(pasted).query)["state"][0]
        forged = f"https://other.example/?code={code}&state={state}"
        told(setup("--redirect-uri", "https://other.example", "--redirect-url", forged, *SECRET), 3, "--redirect-uri")


def test_a_reused_code(setup, acme, tmp_path):
    """The state of its redirect was used; and Wise refuses the code itself."""
    with rehearsing(tmp_path, *REHEARSAL):
        pasted = granted(setup(*CLIENT).json["next"]["url"])
        setup("--redirect-url", pasted, *SECRET)
        acme("wise", "token", "revoke-local", "--identity", "acme")
        told(setup("--redirect-url", pasted, *SECRET), 2, "the state of this redirect was already used")
        code = parse_qs(urlsplit(pasted).query)["code"][0]
        bare = ("--identity", "b", *POLICY, "--client-id", "acme", "--redirect-uri", URI, "--code", code, *SECRET)
        told(acme("wise", "token", "exchange", *bare), 2, "invalid_grant", "A code works once, within 30 minutes")


def test_an_expired_code(setup, tmp_path):
    """30 minutes are over."""
    with rehearsing(tmp_path, *REHEARSAL, "--clock-offset", "-31d") as wise:
        pasted = granted(setup(*CLIENT).json["next"]["url"])
        wise.end()
    with rehearsing(tmp_path):
        told(setup("--redirect-url", pasted, *SECRET), 2, "invalid_grant", "A code works once, within 30 minutes")


def test_a_wrong_secret(setup, tmp_path):
    """It is refused, and not repeated; the same redirect works with the right one."""
    (tmp_path / "wrong").write_text("not the secret\n")
    with rehearsing(tmp_path, *REHEARSAL):
        pasted = granted(setup(*CLIENT).json["next"]["url"])
        ran = setup("--redirect-url", pasted, "--client-secret-file", "wrong")
        told(ran, 2, "invalid_client", "Check the client id and secret")
        assert "not the secret" not in ran.err
        assert setup("--redirect-url", pasted, *SECRET).json["done"][-1] == "token"


def test_a_csr_with_comments(acme, tmp_path):
    """Refused by certkit before it is pasted, and by the Developer Hub."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        acme("csr", "create", *POLICY, *SUBJECT, "--key-out", "acme.key", "--out", "acme.csr")
        (tmp_path / "acme.csr").write_text("# ours\n" + (tmp_path / "acme.csr").read_text())
        checked = acme("csr", "check", "acme.csr", *POLICY, "--json")
        assert checked.code == 2
        assert [each["id"] for each in checked.json["checks"] if each["status"] == "critical"] == ["encoding"]
        status, body, _ = ask(f"{wise.web}/developer-hub", {"name": "a", "csr": (tmp_path / "acme.csr").read_text()})
        assert (status, "The CSR was rejected" in body) == (400, True)


def test_an_eleventh_certificate(setup, acme, tmp_path):
    """The Developer Hub refuses it, and certkit does not even ask for it."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        for number in range(10):
            made = acme("identity", "enroll", f"acme-{number}", *POLICY, *SUBJECT, "--json")
            issued(wise, made.json["pending"]["csr"], tmp_path, name=f"acme-{number}")
        told(setup(*POLICY, "--skip-oauth", *SUBJECT), 2, "allows 10 live certificates, and there are already 10")
        pasted = {"name": "eleventh", "csr": made.json["pending"]["csr"]}
        status, body, _ = ask(f"{wise.web}/developer-hub", pasted)
        assert (status, "10 certificates are live, and at most 10 are allowed" in body) == (400, True)


def test_an_expired_certificate(setup, acme, tmp_path):
    """The call is refused with a hint, before the token is checked."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        assert through(wise, setup, acme, tmp_path).json["status"] == "ok"
        wise.end()
    with rehearsing(tmp_path, "--clock-offset", "400d"):
        told(setup(), 2, "certificate expired", "It may have expired, be revoked")


def test_a_revoked_certificate(setup, acme, tmp_path):
    """The call is refused, with what to do."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        through(wise, setup, acme, tmp_path)
        control(wise, "Revoke first")
        told(setup(), 2, "certificate revoked", "certkit identity renew --force")
        for what in (("client-credentials", "--client-id", "acme"), ("refresh", "--force")):
            asked = acme("wise", "token", *what, "--identity", "acme", *SECRET)
            told(asked, 2, "the client certificate as revoked (TLS alert certificate revoked)", "identity renew")


def test_once_mtls_is_enforced(setup, acme, tmp_path):
    """The plain host refuses the client, and it is said why it may."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        through(wise, setup, acme, tmp_path)
        control(wise, "Enforce mTLS")
        plain = acme("wise", "token", "refresh", "--force", "--plain", "--identity", "acme", *SECRET)
        told(plain, 2, "This client must use mTLS", "once Wise enforces mTLS, the plain host does not serve the client")


def test_the_wrong_file_as_ca(setup, acme, tmp_path):
    """Is refused where it is no CA's; one of another CA can be replaced until there is a certificate."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        csr = (
            setup(*POLICY, "--skip-oauth", *SUBJECT)
            and acme("identity", "show", "acme", "--json").json["pending"]["csr"]
        )
        leaf = issued(wise, csr, tmp_path)
        told(setup("--skip-oauth", "--ca", leaf), 3, f"cannot trust {leaf}: it contains no CA certificate")
        (tmp_path / "other.pem").write_bytes(pki.root().pem)
        assert setup("--skip-oauth", "--ca", "other.pem").json["changed"] is True
        told(setup("--skip-oauth", "--cert", leaf), 2, "chain: ", "add it to the file of --cert")
        assert "certificate" in setup("--skip-oauth", "--ca", wise.ca_file, "--cert", leaf).json["done"]
        told(setup("--skip-oauth", "--ca", "other.pem"), 3, "with a different --ca")


def test_what_is_given_of_the_client_is_kept(setup, tmp_path):
    """The client id in one run, the redirect URI in the next."""
    with rehearsing(tmp_path, *REHEARSAL):
        assert setup(*POLICY, "--client-id", "acme").json["next"]["command"].endswith(" --redirect-uri URI")
        assert setup("--client-id", "acme").json["changed"] is False
        asked = setup("--redirect-uri", URI).json
        assert (asked["done"], asked["next"]["step"]) == (["client"], "authorize")
        assert parse_qs(urlsplit(asked["next"]["url"]).query)["client_id"] == ["acme"]


def test_a_revoked_refresh_token(setup, acme, tmp_path):
    """It is refused, and the user has to be asked again."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        through(wise, setup, acme, tmp_path)
        control(wise, "Revoke the refresh token")
        refresh = acme("wise", "token", "refresh", "--identity", "acme", "--force", *SECRET)
        told(refresh, 2, "invalid_grant", "The refresh token was revoked or has expired; start again")


def control(wise, label):
    """Press a button of the rehearsal's controls."""
    controls = page.read(ask(f"{wise.web}/controls")[1])
    [form] = [each for each in controls.all("form") if each.one("button").text == label]
    ask(f"{wise.web}/controls", {each.attributes["name"]: each.attributes["value"] for each in form.all("input")})


@contextlib.contextmanager
def terminal(folder, *words):
    """A command on a terminal: `expect(text)` waits for it and gives all that was shown, `type(text)` enters a line."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*command(), *words],
        cwd=folder,
        stdin=side,
        stdout=side,
        stderr=side,
        env={**environment(), **STORE, "TERM": "dumb", "NO_COLOR": "1"},
        start_new_session=True,
    )
    os.close(side)
    shown = bytearray()

    def read_more():
        with contextlib.suppress(OSError):  # the other end is closed
            shown.extend(chunk := os.read(main, 4096))
            return bool(chunk)
        return False

    def expect(text):
        end = time.monotonic() + 30
        while text.encode() not in shown:
            assert read_more() or time.monotonic() > end, shown.decode()
        before, _, rest = bytes(shown).partition(text.encode())
        shown[:] = rest
        return before.decode()

    def enter(text):
        for line in text.split("\n"):
            os.write(main, line.encode() + b"\n")

    try:
        yield expect, enter, process
        while read_more():
            pass
        process.wait(30)
    finally:
        process.kill()
        process.wait(30)
        os.close(main)


def test_on_a_terminal_it_asks_for_what_is_missing(acme, tmp_path):
    """From nothing to an answered call in one go; the secret is not shown."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        with terminal(tmp_path, "wise", "setup", "acme", *POLICY) as (expect, enter, process):
            expect("Client id: ")
            enter("acme")
            expect("Redirect URI: ")
            enter("acme.example")
            expect("not a redirect URI: 'acme.example'. Give ")
            expect("Redirect URI: ")
            enter(URI)
            expect("grant access: ")
            url = expect("\r\n")
            expect("later): ")
            enter("https://elsewhere.example/?code=a")
            expect("the pasted URL is not a redirect to ")
            expect("later): ")
            enter(granted(url))
            expect("Client secret: ")
            enter(wise.secret)
            shown = expect("later): ")
            assert wise.secret not in shown
            enter("Acme Ltd")
            expect("none): ")
            enter("GB")
            csr = re.search(r"-----BEGIN.*-----END CERTIFICATE REQUEST-----", expect("later):"), re.DOTALL)[0]
            enter(Path(wise.ca_file).read_text().strip())
            expect("later):")
            enter((tmp_path / issued(wise, csr.replace("\r", "") + "\n", tmp_path)).read_text().strip())
            expect("done   call         answered 200")
        assert process.returncode == 0
        assert acme("wise", "setup", "acme", "--json").json["status"] == "ok"


def test_enter_alone_leaves_it_for_later(tmp_path):
    """Each question can be left open."""
    with rehearsing(tmp_path, *REHEARSAL):
        with terminal(tmp_path, "wise", "setup", "acme", *CLIENT) as (expect, enter, process):
            expect("later): ")
            enter("")
            expect("next   authorize")
        assert process.returncode == 0
