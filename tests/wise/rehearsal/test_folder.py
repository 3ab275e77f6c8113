"""A rehearsal's directory: made, resumed, held by one process, and never anybody else's."""

from __future__ import annotations

import json
import stat

import pytest

from certkit.errors import InputError
from certkit.wise.rehearsal import rehearsal
from tests.conftest import openssl
from tests.pki import DAY, NOW
from tests.wise.rehearsal.stage import Stage, csr


def opened(path, now=NOW, **options):
    return rehearsal.opened(path, ("", "", ""), clock=lambda: now, **options)


@pytest.fixture
def made(tmp_path):
    """The directory of a rehearsal that has ended."""
    with opened(tmp_path / "rehearsal", client_id="acme-client-id"):
        pass
    return tmp_path / "rehearsal"


def test_what_is_secret_is_private_and_all_of_it_says_what_it_is(made):
    """Keys, client secret and state are 0600; the CA's name cannot be mistaken."""
    private = {path.name for path in made.iterdir() if stat.S_IMODE(path.stat().st_mode) == 0o600}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert private == {
        "lock",
        "rehearsal-ca.key",
        "rehearsal-client-secret",
        "rehearsal-server.key",
        "rehearsal-state.json",
        "rehearsal-webhook-client.key",
        "rehearsal-webhook-signer.key",
    }
    assert "a stand-in for Wise" in (made / "README").read_text()
    subject = openssl("x509", "-in", made / "rehearsal-ca.pem", "-noout", "-subject").stdout.decode()
    assert subject == 'subject=O = certkit rehearsal, CN = "certkit rehearsal CA, not Wise"\n'


def test_what_happened_is_there_again(made):
    """Everything: certificates, grants, codes, users, subscriptions, redirect URIs; and the same CA and secret."""
    stage = Stage()
    stage.tokens()
    stage.consent()
    stage.paste("first", csr())
    stage.control("add-user", email="user@example.com", registration_code="word")
    stage.control("revoke-certificate", stage.rehearsal.state.certificates[0].serial)
    with opened(made) as before:
        before.keep(stage.rehearsal.state)
    with opened(made, now=NOW + 300 * DAY) as after:
        assert after.state == stage.rehearsal.state
        assert after.ca.pem == before.ca.pem
        assert after.client_secret == before.client_secret


def test_redirect_uris_that_are_given_take_the_place_of_those_before(made):
    """Without any, those before stay."""
    with opened(made, redirect_uris=["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"]):
        pass
    with opened(made) as held:
        assert held.state.redirect_uris == ("http://127.0.0.1:1/a", "http://127.0.0.1:1/b")


def test_another_client_id_is_refused(made):
    """Certificates carry the first one."""
    with pytest.raises(InputError, match="its client id is acme-client-id"), opened(made, client_id="other"):
        pass


def test_one_process_holds_it(made):
    """A second one gets an error."""
    with opened(made), pytest.raises(InputError, match="another rehearsal runs there"), opened(made):
        pass


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    """An empty one is taken."""
    with opened(tmp_path):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").write_text("x")
    for path in (tmp_path / "other", tmp_path / "other" / "precious"):
        with pytest.raises(InputError, match="not a rehearsal's directory"), opened(path):
            pass
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["precious"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"certkit": "rehearsal, not Wise", "version": 2}',
        b'{"certkit": "rehearsal, not Wise", "version": 1}',
        b'{"certkit": "another", "version": 1}',
    ],
)
def test_a_damaged_state_is_told(made, content):
    """Not resumed, not replaced."""
    (made / "rehearsal-state.json").write_bytes(content)
    with pytest.raises(InputError, match="not the state of a rehearsal"), opened(made):
        pass
    assert (made / "rehearsal-state.json").read_bytes() == content


@pytest.mark.parametrize("changes", [{"codes": 1}, {"codes": [{}]}, {"certificates": [{"name": "x"}]}, {"more": 1}])
def test_a_state_with_other_fields_is_told(made, changes):
    """Of whatever kind."""
    document = json.loads((made / "rehearsal-state.json").read_bytes())
    (made / "rehearsal-state.json").write_text(json.dumps({**document, **changes}))
    with pytest.raises(InputError, match="not the state of a rehearsal"), opened(made):
        pass


@pytest.mark.parametrize(
    "name", ["rehearsal-ca.key", "rehearsal-ca.pem", "rehearsal-server.key", "rehearsal-server.pem"]
)
def test_damaged_keys_and_certificates_are_told(made, name):
    """Also those that do not belong together."""
    (made / name).write_bytes(b"nonsense")
    with pytest.raises(InputError, match="damaged"), opened(made):
        pass
    other = {"rehearsal-ca": "rehearsal-server", "rehearsal-server": "rehearsal-ca"}[name.rpartition(".")[0]]
    (made / name).write_bytes((made / f"{other}.{name.rpartition('.')[2]}").read_bytes())
    with pytest.raises(InputError, match="does not belong"), opened(made):
        pass
