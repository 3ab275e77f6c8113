"""What the public functions say to arguments of a wrong type: an error of certkit that names the argument."""

from __future__ import annotations

import inspect
import pickle
from datetime import datetime
from pathlib import Path

import pytest

import certkit
from certkit.api.signatures import _TESTS

# These take objects of other packages, and say themselves what they cannot use.
UNCHECKED = {"Any", "Progress", "Callable[[str], T]"}


def functions():
    """Every public function and method that has arguments, by its name."""
    for name in certkit.__all__:
        value = getattr(certkit, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and name in {"Identity", "IdentityStore", "WiseTokens", "WiseWebhooks"}:
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function


PUBLIC = dict(functions())


@pytest.mark.parametrize("name", PUBLIC)
def test_every_annotation_is_checked(name):
    """A new kind of argument needs a test, or a reason."""
    given = {text for argument, text in PUBLIC[name].__annotations__.items() if argument != "return"}
    assert {text.removesuffix(" | None") for text in given} <= set(_TESTS) | UNCHECKED
    assert not given or hasattr(PUBLIC[name], "__wrapped__")


WRONG = {
    "a path as text": (lambda: certkit.check_csr("acme.csr"), "data must be bytes or a pathlib.Path, not str"),
    "one CA": (lambda: certkit.verify(b"", ca=Path("ca.pem")), "ca must be a list of bytes or paths, not PosixPath"),
    "one CA in bytes": (lambda: certkit.verify(b"", ca=b"x"), "ca must be a list of bytes or paths, not bytes"),
    "one source": (lambda: certkit.scan("/etc/ssl"), "sources must be a list of texts, not str"),
    "sources that are paths": (lambda: certkit.scan([Path("x")]), "sources must be a list of texts, not list"),
    "a time without a zone": (
        lambda: certkit.verify(b"", now=datetime(2026, 1, 1)),  # noqa: DTZ001
        "now must be a datetime with a time zone, not datetime",
    ),
    "days as a number": (lambda: certkit.scan(["x"], warn=28), "warn must be text, not int"),
    "a policy as a path": (lambda: certkit.check_csr(b"", policy=Path("x.toml")), "policy must be text or a list"),
    "a store as a path": (lambda: certkit.identity("acme", store=Path("x")), "store must be text, not PosixPath"),
    "an interval as text": (lambda: certkit.identity("acme", interval="60"), "interval must be a number of seconds"),
    "no number": (lambda: certkit.identity("acme", interval=float("nan")), "interval must be a number of seconds"),
    "no name": (lambda: certkit.store("file:x").show(None), "show(): name must be text, not None"),
    "another store": (lambda: certkit.store("file:x").copy("acme", "file:y"), "to must be a store, not str"),
    "NUL in a path": (lambda: certkit.write_csr("a\0b"), "csr_path must be a path"),
    "half a character": (lambda: certkit.generate_key(passphrase="\ud800"), "passphrase must be text or bytes"),
    "a key as text": (lambda: certkit.create_csr(key="acme.key"), "not a private key: a value of type str"),
    "an option that is not known": (lambda: certkit.create_csr(organisation="Acme"), "unknown option 'organisation'"),
    "a number as a name": (lambda: certkit.create_csr(san=[5]), "san must be a list of texts"),
    "a list as a name": (lambda: certkit.create_csr(organization=["Acme"]), "organization must be text"),
    "a policy with a long name": (lambda: certkit.show_policy("x" * 5000), "unknown policy"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_type_is_named(what):
    """By the function, the argument, what it must be, and what it is."""
    call, words = WRONG[what]
    with pytest.raises(certkit.Error) as caught:
        call()
    assert words in caught.value.message
    assert caught.value.hint


def test_what_is_none_or_one_text_is_no_error():
    """An option that is None is not given, and a list may be one text."""
    made = certkit.create_csr(organization="Acme Ltd", country=None, san="acme.example")
    assert made.report.subject == "O=Acme Ltd"
    assert certkit.inspect(made.csr)[0]["san"] == ["DNS:acme.example"]


def test_a_request_without_a_signature_is_refused():
    """A header that is missing is None in most frameworks."""
    report = certkit.verify_webhook(b"{}", None, environment="sandbox")
    assert (report.status, report.is_ok) == ("critical", False)


def test_a_function_that_returns_no_secret(directory):
    """Is named, before anything is asked with what it returned."""
    tokens = certkit.store(directory.uri).tokens("acme", client_id="acme", client_secret=lambda: 5)
    with pytest.raises(certkit.InputError, match="returned int"):
        tokens.client_credentials()


def test_an_export_in_an_unknown_format(directory, tmp_path):
    """Is refused before anything is written."""
    with certkit.store(directory.uri) as store, pytest.raises(certkit.InputError, match="unknown format 'jks'"):
        store.export("acme", tmp_path / "out", format="jks")
    assert not (tmp_path / "out").exists()


def test_what_holds_a_key_is_not_serialised(directory):
    """Nor is what only reaches it."""
    acme = directory.identity()
    for value in (acme.tokens, acme.requests_adapter(), certkit.store(directory.uri)):
        with pytest.raises(TypeError, match="not serialised"):
            pickle.dumps(value)
    assert repr(acme.ssl_context()) == f"<certkit.IdentityContext of acme in {directory.uri}>"
