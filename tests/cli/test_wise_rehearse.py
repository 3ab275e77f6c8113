"""`certkit wise rehearse`: the whole way through the migration, from the command line, by HTTP, and in a browser."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import signal
import ssl
import stat
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests import browser, tls_servers
from tests.conftest import command, environment
from tests.report import page


@dataclass
class Running:
    """A rehearsal that runs: its process, and the addresses that it printed."""

    process: subprocess.Popen[bytes]
    facts: dict[str, Any]

    def __getattr__(self, name):
        return self.facts[name]

    @property
    def secret(self):
        """The client secret, from its file."""
        return Path(self.client_secret_file).read_text().strip()

    def authorize(self, **changes):
        """The address of the authorization page."""
        asked = {"client_id": self.client_id, "redirect_uri": self.redirect_uris[0], "state": "a state", **changes}
        return f"{self.web}/oauth/authorize/?{urlencode(asked)}"

    def token(self, base=None, **form):
        """Ask the token endpoint."""
        given = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        return ask(f"{base or self.api}/oauth/token", form, {"Authorization": f"Basic {given}"})

    def end(self, number=signal.SIGTERM):
        """End it; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def playground(self, folder, token):
        """Call the playground with acme.pem and acme.key of a folder."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(folder / "acme.pem", folder / "acme.key")
        connection = http.client.HTTPSConnection(urlsplit(self.api_mtls).netloc, context=context, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/authenticated/playground", headers={"Authorization": f"Bearer {token}"})
            return connection.getresponse().status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(url, form=None, headers=None):
    """The status, the body and the headers of an answer; redirects are not followed."""
    data = urlencode(form).encode() if form is not None else None
    request = urllib.request.Request(url, data, headers or {})
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


@contextlib.contextmanager
def rehearsing(folder, *options, before=()):
    """A rehearsal at free ports in a folder's `rehearsal`, once it listens."""
    line = [*before, *command(), "wise", "rehearse", "--dir", "rehearsal", "--port", "0", "--json", *options]
    with (folder / "err").open("wb") as err:
        process = subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, stderr=err, env=environment())
    with tls_servers.ending(process):
        said = process.stdout.readline()
        assert said, (folder / "err").read_text()
        yield Running(process, json.loads(said))
    assert "Traceback" not in (folder / "err").read_text()


def test_the_whole_way_by_forms_and_commands(certkit, tmp_path):
    """Consent, tokens, CSR, certificate, playground, refresh, revocation: as with Wise, with certkit's own commands."""
    with rehearsing(tmp_path) as wise:
        asked = page.read(ask(wise.authorize())[1]).one("form")
        form = {each.attributes["name"]: each.attributes["value"] for each in asked.all("input", type="hidden")}
        status, _, headers = ask(
            wise.web + asked.attributes["action"], {**form, "profile": "10000001", "decision": "grant"}
        )
        found = parse_qs(urlsplit(headers["Location"]).query)
        assert (status, found["state"], found["profileId"]) == (303, ["a state"], ["10000001"])
        code = {"client_id": wise.client_id, "code": found["code"][0], "redirect_uri": wise.redirect_uris[0]}
        tokens = json.loads(wise.token(grant_type="authorization_code", **code)[1])

        subject = ("--organization", "Acme Ltd", "--country", "GB")
        made = certkit(
            *("csr", "create", "--policy", wise.policy, *subject, "--key-out", "acme.key", "--out", "acme.csr")
        )
        assert f"Open {wise.web}/developer-hub, which is a rehearsal and not Wise." in made.out
        pasted = {"name": "first", "csr": (tmp_path / "acme.csr").read_text()}
        status, body, _ = ask(f"{wise.web}/developer-hub", pasted)
        (tmp_path / "acme.pem").write_text(str(page.read(body).one("textarea").inner[0]).lstrip())
        verified = certkit(
            *("verify", "acme.pem", "--ca", wise.ca_file, "--key", "acme.key", "--csr", "acme.csr"),
            *("--policy", wise.policy, "--client-id", wise.client_id, "--strict"),
        )
        assert (status, verified.code) == (201, 0), verified.out

        assert wise.playground(tmp_path, tokens["access_token"]) == 200
        renewed = json.loads(wise.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])[1])
        assert wise.playground(tmp_path, tokens["access_token"]) == 401
        assert wise.playground(tmp_path, renewed["access_token"]) == 200
        controls = page.read(ask(f"{wise.web}/controls")[1])
        [revoke] = [each for each in controls.all("form") if each.one("button").text == "Revoke first"]
        ask(
            f"{wise.web}/controls",
            {each.attributes["name"]: each.attributes["value"] for each in revoke.all("input")},
        )
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REVOKED"):
            wise.playground(tmp_path, renewed["access_token"])


def test_the_token_commands_work_with_it(certkit, tmp_path):
    """`certkit wise token` gets, keeps and renews the rehearsal's tokens, as it does Wise's."""
    with rehearsing(tmp_path) as wise:
        form = {"client_id": wise.client_id, "redirect_uri": wise.redirect_uris[0], "state": "word"}
        granted = ask(f"{wise.web}/oauth/authorize/", {**form, "profile": "10000002", "decision": "grant"})
        client = ("--client-id", wise.client_id, "--client-secret-file", wise.client_secret_file)
        common = ("--identity", "acme", *client, "--base-url", wise.api, "--store", "file:identities", "--json")
        pasted = ("--redirect-uri", wise.redirect_uris[0], "--redirect-url", granted[2]["Location"], "--state", "word")
        got = certkit("wise", "token", "exchange", *pasted, *common)
        assert (got.code, got.json["profile_id"], got.json["scope"]) == (0, "10000002", "transfers"), got.err
        assert certkit("wise", "token", "refresh", "--force", *common).code == 0
        assert certkit("wise", "token", "client-credentials", *common).code == 0
        grants = [(each.text) for each in page.read(ask(f"{wise.web}/controls")[1]).all("tbody")[0].all("tr")]
        assert [each.split()[0] for each in grants] == ["client_credentials", "authorization_code"]


def test_an_identity_goes_through_it(certkit, tmp_path):
    """Enrolled with the policy that the rehearsal writes, its request is pasted and its certificate installed."""
    with rehearsing(tmp_path) as wise:
        store = ("--store", "file:identities")
        policy = ("--policy", wise.policy, "--client-id", wise.client_id, "--ca", wise.ca_file)
        certkit("identity", "enroll", "acme", *store, *policy, "--organization", "Acme Ltd")
        pending = certkit("identity", "show", "acme", *store, "--json").json["pending"]
        ask(f"{wise.web}/developer-hub", {"name": pending["certificate_name"], "csr": pending["csr"]})
        listed = page.read(ask(f"{wise.web}/developer-hub")[1]).one("tbody").one("a")
        (tmp_path / "acme.pem").write_text(ask(f"{wise.web}{listed.attributes['href']}.pem")[1])
        installed = certkit("identity", "install", "acme", "acme.pem", *store, "--json")
        assert (installed.code, installed.json["status"]) == (0, "ok"), installed.err


def test_what_is_printed_is_where_to_go_and_no_secret(certkit, tmp_path):
    """Addresses, client id and paths; the secret lies in a file of mode 0600."""
    with rehearsing(tmp_path, "--client-id", "acme", "--redirect-uri", "http://127.0.0.1:9000/a") as wise:
        assert sorted(wise.facts) == [
            *("api", "api_mtls", "ca_file", "client_id", "client_secret_file", "directory", "pid", "policy"),
            *("redirect_uris", "rehearsal", "web"),
        ]
        assert (wise.client_id, wise.redirect_uris) == ("acme", ["http://127.0.0.1:9000/a"])
        assert (wise.rehearsal, wise.pid) == ("not Wise", wise.process.pid)
        assert stat.S_IMODE(Path(wise.client_secret_file).stat().st_mode) == 0o600
        assert wise.secret not in json.dumps(wise.facts)
        assert certkit("policy", "validate", wise.policy).code == 0


@pytest.mark.parametrize(("words", "code"), [([], 129), (["nohup"], 0)])
def test_it_ends_with_its_terminal(tmp_path, words, code):
    """As other commands do when the terminal is closed, and without leaving a file; but not under nohup."""
    with rehearsing(tmp_path, "--ready-file", "ready", before=words) as wise:
        wise.process.send_signal(signal.SIGHUP)
        if words:
            assert ask(f"{wise.web}/developer-hub")[0] == 200
            wise.process.terminate()
        assert wise.process.wait(30) == code
    assert not (tmp_path / "ready").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_well_when_told_and_goes_on_where_it_was(certkit, tmp_path, number):
    """Exit 0; the next run has the same secret, the tokens and the certificates."""
    with rehearsing(tmp_path, "--client-id", "acme") as first:
        token = json.loads(first.token(grant_type="client_credentials")[1])["access_token"]
        subject = ("--organization", "Acme Ltd", "--key-out", "acme.key", "--out", "acme.csr")
        certkit("csr", "create", "--policy", "wise-sandbox", *subject)
        ask(f"{first.web}/developer-hub", {"name": "first", "csr": (tmp_path / "acme.csr").read_text()})
        assert first.end(number) == 0
    assert (tmp_path / "err").read_text() == ""
    with rehearsing(tmp_path) as second:
        assert (second.client_id, second.secret) == ("acme", first.secret)
        [link] = page.read(ask(f"{second.web}/developer-hub")[1]).one("tbody").all("a")
        (tmp_path / "acme.pem").write_text(ask(f"{second.web}{link.attributes['href']}.pem")[1])
        assert second.playground(tmp_path, token) == 200


def test_a_clock_that_is_ahead_lets_everything_expire(certkit, tmp_path):
    """A certificate of last year is refused; tokens too."""
    with rehearsing(tmp_path, "--clock-offset", "-340d") as past:
        token = json.loads(past.token(grant_type="client_credentials")[1])["access_token"]
        subject = ("--organization", "Acme Ltd", "--key-out", "acme.key", "--out", "acme.csr")
        certkit("csr", "create", "--policy", "wise-sandbox", *subject)
        ask(f"{past.web}/developer-hub", {"name": "first", "csr": (tmp_path / "acme.csr").read_text()})
        [link] = page.read(ask(f"{past.web}/developer-hub")[1]).one("tbody").all("a")
        (tmp_path / "acme.pem").write_text(ask(f"{past.web}{link.attributes['href']}.pem")[1])
        assert past.playground(tmp_path, token) == 200
        past.end()
    assert certkit("expiry", "acme.pem").code == 1
    with rehearsing(tmp_path) as now:
        assert now.playground(tmp_path, token) == 401
        now.end()
    with (
        rehearsing(tmp_path, "--clock-offset", "26d") as future,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_EXPIRED"),
    ):
        future.playground(tmp_path, token)


def test_the_ready_file_is_there_while_it_listens(tmp_path):
    """With what --json prints; it goes with the rehearsal."""
    with rehearsing(tmp_path, "--ready-file", "ready") as wise:
        assert json.loads((tmp_path / "ready").read_text()) == wise.facts
        assert wise.end() == 0
        assert not (tmp_path / "ready").exists()


def test_a_person_is_told_in_words(tmp_path):
    """Without --json: where to begin, and how it ends."""
    line = [*command(), "wise", "rehearse", "--dir", "rehearsal", "--port", "0", "--ready-file", "ready", "-v"]
    process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    with tls_servers.ending(process):
        tls_servers.wait_for((tmp_path / "ready").exists, process)
        facts = json.loads((tmp_path / "ready").read_text())
        ask(f"{facts['web']}/settings?secret=word")
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert re.fullmatch(r"certkit: GET /settings 200\ncertkit: finished in \d+\.\d\d s\n", err.decode())
    first, _, *rows = out.decode().splitlines()
    assert first == "A rehearsal on this machine, not Wise. Start with its web pages; Ctrl-C ends it."
    assert rows[0] == f"  Web pages       {facts['web']}"
    assert (tmp_path / "rehearsal/rehearsal-client-secret").read_text().strip() not in out.decode()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--client-id", "a:b"], "--client-id is not a valid client id"),
        (["--client-id", ""], "--client-id is not a valid client id"),
        (["--redirect-uri", "callback"], "--redirect-uri cannot be used"),
        (["--redirect-uri", "https://example.com/?x"], "--redirect-uri cannot be used"),
        (["--clock-offset", "soon"], "not a duration"),
        (["--clock-offset", "10%"], "not '10%'"),
        (["--clock-offset", "-5000d"], "more than 4 years back"),
        (["--clock-offset", "999999w"], "more than 4 years back or 15 years ahead"),
        (["--port", "65534"], "65534 is not in the range"),
        (["--dir", "."], "it is not a rehearsal's directory"),
        (["--dir", "/etc/passwd/x"], "/etc/passwd: not a directory"),
        (["--ready-file", "acme.key"], "it holds keys or certificates"),
        (["--ready-file", "no/such/place"], "cannot write"),
    ],
)
def test_what_cannot_be_rehearsed_is_told_at_once(certkit, tmp_path, options, said):
    """Exit 3 in one line, and nothing is left running."""
    (tmp_path / "acme.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    ran = certkit("wise", "rehearse", "--port", "0", "--dir", "new", *options)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert said in ran.err


def test_a_port_that_is_taken_is_told(certkit, tmp_path):
    """With the way out."""
    with tls_servers.serving(lambda _: None) as other:
        ran = certkit("wise", "rehearse", "--dir", "new", "--port", min(other.port, 65533))
    assert ran.code == 3
    assert "address already in use. Give another --port, or 0 for any free ports" in ran.err


def test_in_a_browser_without_scripts_of_its_own(certkit, tmp_path):
    """Chromium: access is given, the address is shown, a CSR is refused, another becomes a certificate."""
    subject = ("--organization", "Acme Ltd", "--key-out", "acme.key", "--out", "acme.csr")
    certkit("csr", "create", "--policy", "wise-sandbox", *subject)
    with browser.chromium(tmp_path) as tab, rehearsing(tmp_path) as wise:
        tab.open(wise.authorize())
        assert tab.heading == "Give access to your account"
        tab.press("Give access")
        assert tab.address.startswith(f"{wise.web}/callback/?code=")
        assert tab.run("document.querySelector('textarea').value") == tab.address

        tab.press("Developer Hub")
        tab.type("Certificate name", "first")
        tab.type("Certificate signing request (CSR)", "# mine\n" + (tmp_path / "acme.csr").read_text())
        tab.press("Generate certificate")
        assert "encoding" in tab.run("document.querySelector('[role=alert]').textContent")
        tab.run("document.querySelector('#csr').value = ''")
        tab.type("Certificate signing request (CSR)", (tmp_path / "acme.csr").read_text())
        tab.press("Generate certificate")
        assert tab.heading == "Certificate first"
        (tmp_path / "acme.pem").write_text(tab.run("document.querySelector('textarea').value"))
        assert certkit("verify", "acme.pem", "--ca", wise.ca_file, "--key", "acme.key").code == 0

        tab.press("Controls")
        tab.press("Revoke first")
        assert tab.heading == "Controls of the rehearsal"
        tab.press("Developer Hub")
        assert tab.run("document.querySelector('.revoked').textContent") == "revoked"
        # Nothing is cut off in a narrow window.
        tab.look(tmp_path / "narrow.png", width=360)
        assert tab.run("document.documentElement.scrollWidth") <= 360
