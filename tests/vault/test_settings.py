"""The variables of Vault's command line."""

from __future__ import annotations

import pytest

from certkit.errors import InputError
from certkit.secret import Secret
from certkit.vault.settings import VaultSettings


@pytest.fixture
def read(tmp_path):
    """Settings from variables, with an empty home directory."""

    def read(**variables):
        return VaultSettings.from_environment(variables, tmp_path)

    return read


def test_without_variables_the_defaults_are_those_of_the_vault_command(read):
    """https://127.0.0.1:8200, a minute, two repetitions, no token."""
    settings = read()
    assert (settings.address, settings.timeout, settings.max_retries) == ("https://127.0.0.1:8200", 60.0, 2)
    assert (settings.token, settings.login, settings.namespace) == (None, None, "")


def test_every_variable_arrives(read):
    """Each variable of the contract sets its own thing."""
    settings = read(
        VAULT_ADDR="https://vault.example:8201/",
        VAULT_TOKEN="s.token",
        VAULT_NAMESPACE="/team/payments/",
        VAULT_CACERT="ca.pem",
        VAULT_CLIENT_CERT="client.pem",
        VAULT_CLIENT_KEY="client.key",
        VAULT_TLS_SERVER_NAME="vault.internal",
        VAULT_CLIENT_TIMEOUT="1m30s",
        VAULT_MAX_RETRIES="5",
    )
    assert (settings.address, settings.namespace) == ("https://vault.example:8201", "team/payments")
    assert settings.token == Secret(b"s.token")
    assert (settings.timeout, settings.max_retries) == (90.0, 5)
    tls = settings.tls
    assert (tls.ca_file, tls.certificate, tls.key, tls.server_name) == (
        "ca.pem", "client.pem", "client.key", "vault.internal",
    )  # fmt: skip


def test_openbao_s_spelling_wins(read):
    """BAO_ADDR counts, and VAULT_ADDR does not."""
    assert read(VAULT_ADDR="https://vault:1", BAO_ADDR="https://bao:2").address == "https://bao:2"


def test_an_empty_variable_is_none(read):
    """BAO_ADDR= leaves VAULT_ADDR in force, and VAULT_TOKEN= is no token."""
    settings = read(BAO_ADDR="", VAULT_ADDR="https://vault:1", VAULT_TOKEN="")
    assert (settings.address, settings.token) == ("https://vault:1", None)


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("https://vault:8200/", "https://vault:8200"),
        ("https://vault:8200/v1", "https://vault:8200"),
        ("https://vault:8200/v1/", "https://vault:8200"),
        ("https://gateway/vault/v1", "https://gateway/vault"),
    ],
)
def test_an_address_may_end_with_v1(read, address, meant):
    """Some guides write it so; every path begins with it anyway."""
    assert read(VAULT_ADDR=address).address == meant


def test_a_ca_file_wins_over_a_ca_folder(read):
    """VAULT_CACERT and VAULT_CAPATH together: the file."""
    assert read(VAULT_CACERT="ca.pem", VAULT_CAPATH="cas").tls.ca_folder == ""
    assert read(VAULT_CAPATH="cas").tls.ca_folder == "cas"


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60.0), ("90s", 90.0), ("1h1m1s", 3661.0), ("1.5m", 90.0), ("500ms", 0.5), ("0", 60.0)]
)
def test_time_outs_are_go_s_durations(read, text, seconds):
    """A number is seconds, units add up, and zero is the default, as Vault has it."""
    assert read(VAULT_CLIENT_TIMEOUT=text).timeout == seconds


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VAULT_ADDR": "vault:8200"}, "cannot use VAULT_ADDR: the URL begins with neither http:// nor https://"),
        ({"BAO_ADDR": "https://"}, "cannot use BAO_ADDR: invalid host or port"),
        ({"VAULT_ADDR": "https://user:word@vault"}, "cannot use VAULT_ADDR: the URL contains a user name"),
        ({"VAULT_ADDR": "https://vault:99999"}, "cannot use VAULT_ADDR: invalid host or port"),
        ({"VAULT_ADDR": "https://vault/?x"}, "cannot use VAULT_ADDR: it has a query or a fragment"),
        ({"VAULT_ADDR": "https://va\r\nult"}, "cannot use VAULT_ADDR: invalid host or port"),
        (
            {"VAULT_NAMESPACE": "a\nb"},
            "cannot use VAULT_NAMESPACE: it contains characters that are not allowed in headers",
        ),
        ({"VAULT_TOKEN": "a b"}, "cannot use VAULT_TOKEN: it contains characters that are not allowed in a token"),
        ({"VAULT_SKIP_VERIFY": "yes"}, "cannot use VAULT_SKIP_VERIFY: it is neither true nor false"),
        ({"VAULT_CLIENT_TIMEOUT": "soon"}, "cannot use VAULT_CLIENT_TIMEOUT: it is not a duration of at most a day"),
        ({"BAO_CLIENT_TIMEOUT": "-1"}, "cannot use BAO_CLIENT_TIMEOUT: it is not a duration of at most a day"),
        ({"VAULT_CLIENT_TIMEOUT": "25h"}, "cannot use VAULT_CLIENT_TIMEOUT: it is not a duration of at most a day"),
        ({"VAULT_MAX_RETRIES": "many"}, "cannot use VAULT_MAX_RETRIES: it is not a number from 0 to 99"),
        ({"VAULT_CLIENT_CERT": "a"}, "cannot use VAULT_CLIENT_CERT: VAULT_CLIENT_KEY is not set"),
        ({"VAULT_CLIENT_KEY": "a"}, "cannot use VAULT_CLIENT_KEY: VAULT_CLIENT_CERT is not set"),
        ({"VAULT_AUTH_METHOD": "ldap"}, "cannot use VAULT_AUTH_METHOD: unknown method"),
        ({"VAULT_AUTH_METHOD": "approle"}, "cannot use VAULT_AUTH_METHOD: approle needs a role id"),
        ({"VAULT_AUTH_METHOD": "jwt"}, "cannot use VAULT_AUTH_METHOD: jwt needs a JSON web token"),
        ({"VAULT_AUTH_METHOD": "kubernetes"}, "cannot use VAULT_AUTH_METHOD: kubernetes needs a role"),
        ({"VAULT_AUTH_METHOD": "cert"}, "cannot use VAULT_AUTH_METHOD: cert needs a client certificate"),
        (
            {"VAULT_HTTP_PROXY": "socks5://user:word@proxy:1080"},
            "cannot use the proxy: the URL begins with neither http:// nor https:// (for https://127.0.0.1:8200)",
        ),
        (
            {"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID_FILE": "/nowhere"},
            "cannot read /nowhere: no such file or directory (VAULT_SECRET_ID_FILE)",
        ),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable_and_not_the_value(read, variables, message):
    """The error names the variable, never a password."""
    with pytest.raises(InputError) as caught:
        read(**variables)
    assert caught.value.message == message
    assert "word" not in caught.value.message + caught.value.hint


def test_the_token_of_the_home_directory_comes_last(tmp_path):
    """The token that `bao login` left in ~/.vault-token is used if no variable sets one."""
    (tmp_path / ".vault-token").write_text("s.remembered\n")
    assert VaultSettings.from_environment({}, tmp_path).token == Secret(b"s.remembered")
    assert VaultSettings.from_environment({"VAULT_TOKEN": "s.given"}, tmp_path).token == Secret(b"s.given")
    settings = VaultSettings.from_environment({"VAULT_ROLE_ID": "role"}, tmp_path)
    assert (settings.token, settings.login.method) == (None, "approle")


def test_a_login_that_is_asked_for_wins_over_a_token(read, tmp_path):
    """VAULT_AUTH_METHOD counts before VAULT_TOKEN."""
    (tmp_path / "jwt").write_text("a.b.c\n")
    variables = {"VAULT_AUTH_ROLE": "ci", "VAULT_AUTH_JWT_FILE": str(tmp_path / "jwt")}
    settings = read(VAULT_TOKEN="s.token", VAULT_AUTH_METHOD="jwt", **variables)
    assert settings.token is None
    assert settings.login.mount == "jwt"
    assert settings.login.fields == {"jwt": Secret(b"a.b.c"), "role": "ci"}


def test_a_login_can_be_mounted_elsewhere(read):
    """VAULT_AUTH_PATH is the path that `bao login -path` takes."""
    assert read(VAULT_ROLE_ID="r", VAULT_AUTH_PATH="/machines/").login.mount == "machines"


def test_role_and_secret_id_may_stand_in_files(read, tmp_path):
    """..._FILE names a file, whose line end is not part of the value."""
    (tmp_path / "role").write_text("the-role\n")
    (tmp_path / "secret").write_text("the-secret\n")
    login = read(VAULT_ROLE_ID_FILE=str(tmp_path / "role"), VAULT_SECRET_ID_FILE=str(tmp_path / "secret")).login
    assert login.fields == {"role_id": Secret(b"the-role"), "secret_id": Secret(b"the-secret")}


def test_skipped_verification_is_a_warning(read):
    """It is said on every run; over plain HTTP there is nothing to skip."""
    assert read(VAULT_SKIP_VERIFY="true").warnings == (
        (
            "VAULT_SKIP_VERIFY is set: any server that responds at https://127.0.0.1:8200"
            " is trusted and receives the token"
        ),
    )
    assert read(VAULT_SKIP_VERIFY="0").warnings == ()
    assert read(VAULT_SKIP_VERIFY="true", VAULT_ADDR="http://127.0.0.1:8200").warnings == ()


def test_settings_do_not_show_their_secrets(read):
    """Neither the token nor the password of a proxy stands in their repr."""
    shown = repr(read(VAULT_TOKEN="s.token", VAULT_HTTP_PROXY="http://user:word@proxy:3128", VAULT_ROLE_ID="r"))
    assert "s.token" not in shown
    assert "word" not in shown
