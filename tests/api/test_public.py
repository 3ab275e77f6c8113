"""The public names of `import certkit`, and the cost of importing it."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import subprocess
import sys
import traceback

import pytest

import certkit


def test_every_public_name_is_there():
    """All names of `__all__` can be imported, are documented, and are listed by `dir`."""
    for name in certkit.__all__:
        value = getattr(certkit, name)
        assert value.__doc__, name
    assert dir(certkit) == sorted(certkit.__all__)


def test_other_names_are_not():
    """A name that is not public is an AttributeError, as for any module."""
    with pytest.raises(AttributeError, match="no attribute 'Store'"):
        _ = certkit.Store


def test_functions_stay_functions():
    """`certkit.verify` and `certkit.identity` are functions also after subpackages of these names were imported."""
    for module in ("certkit.verify", "certkit.probe", "certkit.identity", "certkit.identity.renew"):
        importlib.import_module(module)
    assert callable(certkit.verify)
    assert callable(certkit.identity)
    assert callable(certkit.probe)
    from certkit.verify import Question

    assert Question.__module__ == "certkit.verify"


def test_no_public_function_hides_a_module_that_code_imports_from_certkit():
    """Names of functions and subpackages that coincide are known, so that `from certkit import NAME` is never wrong."""
    packages = {each.name for each in pkgutil.iter_modules(certkit.__path__)}
    assert packages & set(certkit.__all__) == {"identity", "probe", "verify"}


def test_errors_are_a_tree():
    """Every error is a `certkit.Error` with a hint."""
    for name in certkit.__all__:
        value = getattr(certkit, name)
        if name.endswith("Error"):
            assert issubclass(value, certkit.Error)
            assert value("it failed", hint="try again").hint == "try again"


def test_a_traceback_ends_with_the_hint(tmp_path):
    """A program without an identity stops with two lines: what is missing, and what to do."""
    script = "import certkit; certkit.identity('acme', store='file:store')"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    message, hint = done.stderr.splitlines()[-2:]
    assert message.endswith("there is no store at file:store")
    assert hint == "hint: check `store`, CERTKIT_STORE and HOME; `certkit identity enroll` creates a store"


def test_errors_name_arguments(tmp_path, root):
    """A program cannot give an option; a command to paste stays as it is."""
    key, locked, csr = tmp_path / "a.key", tmp_path / "locked.key", certkit.create_csr(organization="A").csr
    certkit.write_key(key)
    certkit.write_key(locked, passphrase="secret")
    with certkit.store(f"file:{tmp_path}/sealed", passphrase="secret") as store:
        pair = root.issue()
        store.import_("acme", pair.pem, key=pair.key_pem, policy="general", ca=root.pem)
    sealed = certkit.store(f"file:{tmp_path}/sealed")
    for ask, message, hint in (
        (lambda: certkit.write_key(key), "it already exists", "choose another name, or use `force`"),
        (lambda: certkit.check_csr(csr, key=locked), "is encrypted", "give its passphrase with `passphrase`"),
        (
            lambda: certkit.write_csr(tmp_path / "a.csr", key=key, key_path=key, organization="A"),
            "`key` and `key_path` exclude each other",
            "`key_path` creates a new key, `key` uses an existing one",
        ),
        (
            lambda: certkit.authorize_url(client_id="a", redirect_uri="https://a.example/"),
            "give either `environment` or `policy`",
            "`environment` sandbox, for example",
        ),
        (
            lambda: certkit.scan([str(key)], warn="1d", critical="7d"),
            "critical (7d) is above warn (1d)",
            "set `warn` to at least `critical`",
        ),
        (lambda: sealed.update("acme", replace_ca=True), "`replace_ca` needs `ca`", "give the CAs: `ca`"),
        (
            lambda: certkit.identity("acme", store=f"file:{tmp_path}/sealed"),
            "is encrypted",
            "give its passphrase with `passphrase`",
        ),
        (
            certkit.check_csr(certkit.create_csr(common_name="A").csr, policy="wise-sandbox").require,
            "O is missing",
            "`organization`",
        ),
    ):
        with pytest.raises(certkit.Error) as caught:
            ask()
        assert message in str(caught.value), caught.value
        assert hint in caught.value.hint


def test_a_traceback_has_the_latest_hint():
    """A hint that was replaced is not printed, also after the error was sent to another process."""
    error = certkit.Error("it failed", hint="try again")
    error.hint = "try later"
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert traceback.format_exception_only(each)[1:] == ["hint: try later\n"]
    assert len(traceback.format_exception_only(certkit.Error("it failed", hint=""))) == 1


def test_the_import_is_light():
    """Importing certkit imports nothing of cryptography, ssl or click."""
    script = (
        "import sys, certkit; print({'cryptography', 'ssl', 'click', 'hvac'} & {m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
