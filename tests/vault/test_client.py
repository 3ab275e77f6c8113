"""A real OpenBao: logins, tokens, namespaces, mounts, capabilities, and servers that are sealed or gone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from base64 import urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from certkit.errors import InputError
from certkit.secret import Secret
from certkit.vault.client import Mount, Vault
from certkit.vault.errors import Fault, VaultError
from certkit.vault.settings import Login, VaultSettings
from tests import pki
from tests.openbao import development_server


def failure(work):
    """The error that some work ends with."""
    with pytest.raises(VaultError) as caught:
        work()
    return caught.value


@pytest.fixture(scope="session")
def approle(openbao):
    """Roles for AppRole: `many` takes a secret id any number of times, `once` one time."""
    openbao.api("POST", "sys/auth/approle", {"type": "approle"})
    for role, uses in (("many", 0), ("once", 1)):
        fields = {"secret_id_num_uses": uses, "token_policies": "default", "token_ttl": "1h"}
        openbao.api("POST", f"auth/approle/role/{role}", fields)

    def login(role):
        role_id = openbao.api("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
        secret_id = openbao.api("POST", f"auth/approle/role/{role}/secret-id")["data"]["secret_id"]
        fields = {"role_id": Secret(role_id.encode()), "secret_id": Secret(secret_id.encode())}
        return Login("approle", "approle", fields)

    return login


def test_without_hvac_there_is_one_sentence():
    """The extra that brings it is named."""
    program = (
        "import sys; sys.modules['hvac'] = None\n"
        "from certkit.vault.client import Vault\nfrom certkit.vault.settings import VaultSettings\n"
        "from certkit.secret import Secret\nfrom certkit.errors import InputError\n"
        "try: Vault.connect(VaultSettings(token=Secret(b'x')))\n"
        "except InputError as error: print(error.message, '/', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    hint = f"{sys.executable} -m pip install 'hvac>=2.3' 'urllib3>=2.2'"
    assert done.stdout == f"cannot use Vault: the Python package hvac is not installed / {hint}\n"


def test_settings_do_not_bring_hvac():
    """Start-up time is a feature: hvac costs as much as a whole command."""
    program = (
        "import sys, certkit.vault.settings, certkit.vault.errors; print({'hvac', 'ssl', 'socket'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"


def test_without_a_token_nothing_is_asked():
    """The error names the variables to set."""
    error = failure(lambda: Vault.connect(VaultSettings()))
    assert (error.kind, error.message) == (Fault.NO_TOKEN, "cannot use Vault at https://127.0.0.1:8200: no token")


def test_a_token_says_what_it_is(connect, openbao):
    """Its policies, its time to live and whether it can be renewed."""
    token = connect(openbao.settings(token=Secret(openbao.token_for("", ttl="1h").encode()))).token()
    assert (token.display_name, token.policies[0], token.is_renewable) == (
        "token",
        "acl-" + token.policies[0][4:],
        True,
    )
    assert 3590 <= token.ttl <= 3600


def test_an_unknown_token_is_told_from_a_missing_right(connect, openbao):
    """Both are a 403."""
    unknown = failure(lambda: connect(openbao.settings(token=Secret(b"s.unknown-token"))).token())
    assert unknown.kind is Fault.BAD_TOKEN
    assert unknown.hint == "log in again, and set VAULT_TOKEN; check VAULT_NAMESPACE"
    weak = openbao.token_for("", no_default_policy=True)
    denied = failure(lambda: connect(openbao.settings(token=Secret(weak.encode()))).token())
    assert denied.kind is Fault.DENIED
    assert denied.message == f"cannot look up the token at {openbao.address}: permission denied"
    rule = 'path "auth/token/lookup-self" { capabilities = ["read"] }'
    assert denied.hint == f"an ACL policy of the token must contain: {rule}"


def test_approle_logs_in(connect, openbao, approle):
    """By role id and secret id."""
    token = connect(openbao.settings(token=None, login=approle("many"))).token()
    assert (token.display_name, token.policies) == ("approle", ("default",))


def test_a_secret_id_for_one_use_is_used_once(connect, openbao, approle):
    """It serves for the whole connection, and for no second one."""
    settings = openbao.settings(token=None, login=approle("once"))
    vault = connect(settings)
    assert vault.token().policies == ("default",)
    assert vault.token().policies == ("default",)
    error = failure(lambda: connect(settings))
    assert error.kind is Fault.LOGIN
    assert error.message == f"cannot log in to {openbao.address} with approle: invalid role or secret ID"


def test_a_login_that_is_not_there_is_told_like_a_wrong_one(connect, openbao):
    """Vault does not say which; the hint names both."""
    login = Login("jwt", "nowhere", {"jwt": Secret(b"a.b.c"), "role": "ci"})
    error = failure(lambda: connect(openbao.settings(token=None, login=login)))
    assert (error.kind, error.message) == (
        Fault.LOGIN,
        f"cannot log in to {openbao.address} with jwt: permission denied",
    )
    assert "auth/nowhere" in error.hint


def json_web_token(key, claims):
    """A token signed with a P-256 key (RFC 7515, ES256)."""

    def encoded(part):
        return urlsafe_b64encode(part).rstrip(b"=")

    signed = b".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return signed + b"." + encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_a_json_web_token_logs_in(connect, openbao):
    """As of a CI job or a Kubernetes pod."""
    key = pki.new_key()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    openbao.api("POST", "sys/auth/ci", {"type": "jwt"})
    openbao.api("POST", "auth/ci/config", {"jwt_validation_pubkeys": [public.decode()]})
    role = {"role_type": "jwt", "bound_audiences": "certkit", "user_claim": "sub", "token_policies": "default"}
    openbao.api("POST", "auth/ci/role/deploy", role)
    claims = {"aud": "certkit", "sub": "job-1", "exp": int(time.time()) + 600, "iat": int(time.time())}
    login = Login("jwt", "ci", {"jwt": Secret(json_web_token(key, claims)), "role": "deploy"})
    assert connect(openbao.settings(token=None, login=login)).token().display_name == "ci-job-1"


def test_a_short_lived_token_is_renewed(connect, openbao, approle):
    """Once two thirds of its time are over, with the next request."""
    openbao.api("POST", "auth/approle/role/many", {"token_ttl": "2s", "token_max_ttl": "1h"})
    try:
        vault = connect(openbao.settings(token=None, login=approle("many")))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert vault.token().ttl <= 2
            time.sleep(0.25)
    finally:
        openbao.api("POST", "auth/approle/role/many", {"token_ttl": "1h", "token_max_ttl": "0"})


def test_where_a_token_cannot_be_renewed_there_is_a_new_login(connect, openbao, approle):
    """As long as the secret id serves."""
    openbao.api("POST", "auth/approle/role/many", {"token_ttl": "2s", "token_max_ttl": "2s"})
    try:
        vault = connect(openbao.settings(token=None, login=approle("many")))
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert vault.token().ttl <= 2
            time.sleep(0.25)
    finally:
        openbao.api("POST", "auth/approle/role/many", {"token_ttl": "1h", "token_max_ttl": "0"})


def test_capabilities_are_told_path_by_path(connect, openbao):
    """So a store can check its rights before it relies on them."""
    acl = 'path "secret/data/ours/*" { capabilities = ["create", "read"] }'
    vault = connect(openbao.settings(token=Secret(openbao.token_for(acl).encode())))
    assert vault.capabilities(["secret/data/ours/x", "secret/data/theirs"]) == {
        "secret/data/ours/x": ("create", "read"),
        "secret/data/theirs": ("deny",),
    }


def test_mounts_are_found_by_any_path_below_them(connect, openbao):
    """A mount may have slashes in its name."""
    openbao.mount("teams/payments/kv")
    openbao.mount("old-kv", version="1")
    vault = connect(openbao.settings())
    assert vault.mount("teams/payments/kv/wise/sandbox") == Mount("teams/payments/kv", "kv", 2)
    assert vault.mount("old-kv") == Mount("old-kv", "kv", 1)
    assert vault.mount("cubbyhole") == Mount("cubbyhole", "cubbyhole", None)


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("v1/x", Fault.NOT_KV_2, "cannot use vault://v1/x: the mount v1 is KV version 1, not KV version 2"),
        (
            "cubbyhole",
            Fault.NOT_KV_2,
            "cannot use vault://cubbyhole: the mount cubbyhole is of type cubbyhole, not KV version 2",
        ),
        (
            "nowhere/x",
            Fault.NO_MOUNT,
            "no secrets engine is mounted at nowhere (vault://nowhere/x)",
        ),
    ],
)
def test_what_is_no_kv_2_is_told(connect, openbao, path, kind, message):
    """Version 1 would take what is written for something else."""
    if path == "v1/x":
        openbao.mount("v1", version="1")
    error = failure(lambda: connect(openbao.settings()).kv(path))
    assert (error.kind, error.message) == (kind, message)


def test_a_mount_that_we_may_not_see_may_as_well_not_be_there(connect, openbao):
    """Vault does not tell a weak token which."""
    vault = connect(openbao.settings(token=Secret(openbao.token_for("").encode())))
    error = failure(lambda: vault.kv("secret/x"))
    assert error.kind is Fault.DENIED
    why = "no secrets engine is mounted there, or the token has no rights in it"
    assert error.message == f"cannot use vault://secret/x: {why}"


@pytest.mark.parametrize("path", ["", "a//b", "../secret", "a/./b", "a\nb"])
def test_a_path_that_vault_would_take_for_another_is_refused(connect, openbao, path):
    """Before anything is asked."""
    with pytest.raises(InputError):
        connect(openbao.settings()).kv(path)


def test_namespaces_hold_their_own_secrets(connect, openbao):
    """VAULT_NAMESPACE may be nested; another one does not see what is in it."""
    openbao.api("POST", "sys/namespaces/team", {})
    openbao.api("POST", "sys/namespaces/payments", {}, namespace="team")
    openbao.api("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, namespace="team/payments")
    ours = connect(openbao.settings(namespace="team/payments"))
    end = time.monotonic() + 10
    while True:
        try:
            ours.kv("kv/a").write("x", {"a": "b"})
            break
        except VaultError:  # the mount is not ready yet
            assert time.monotonic() < end
            time.sleep(0.1)
    assert ours.kv("kv/a").read("x").data == {"a": "b"}
    assert failure(lambda: connect(openbao.settings()).kv("kv/a")).kind is Fault.NO_MOUNT
    error = failure(lambda: connect(openbao.settings(namespace="nobody")).kv("kv/a"))
    assert (error.kind, error.hint) == (Fault.NO_NAMESPACE, "check VAULT_NAMESPACE")


def test_a_sealed_server_is_told_from_one_that_is_gone(connect, tmp_path):
    """The hints differ."""
    with development_server(tmp_path) as server:
        vault = connect(server.settings())
        secrets = vault.kv("secret")
        server.api("PUT", "sys/seal")
        error = failure(lambda: secrets.read("x"))
        assert (error.kind, error.hint) == (Fault.SEALED, "unseal the server: `bao operator unseal`")
        assert error.message == "cannot read vault://secret/x: Vault is sealed"
        server.process.kill()
        server.process.wait(20)
        error = failure(lambda: secrets.read("x"))
        assert (error.kind, error.hint) == (
            Fault.CONNECTION,
            "check VAULT_ADDR, and that the server is running",
        )
        assert error.message == f"cannot reach {server.address}: connection refused"
