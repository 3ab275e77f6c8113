"""The Python examples of the documentation, run as they are written."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import certkit
from certkit.testing import rehearsing

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```python\n(.*?)```", re.DOTALL)


def examples(page):
    """The marked examples of a page, by name."""
    return dict(EXAMPLE.findall((DOCS / page).read_text()))


def test_the_client(tmp_path, monkeypatch):
    """From an enrolled identity to an authenticated call in five lines."""
    source = examples("how-to/python.md")["client"]
    assert len([line for line in source.splitlines() if line]) <= 5
    with rehearsing(tmp_path) as wise:
        wise.identity()
        monkeypatch.setenv("CERTKIT_STORE", wise.store)
        monkeypatch.setenv("CERTKIT_CLIENT_SECRET", wise.client_secret)
        source = source.replace("https://api-mtls.wise-sandbox.com", wise.api_mtls)
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"200\n"


def test_the_test(tmp_path):
    """The example of a test passes in a project of its own."""
    (tmp_path / "test_call.py").write_text(examples("how-to/python.md")["test"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_call.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout.decode()
    assert b"1 passed" in done.stdout


def test_the_checks(capsys):
    """The example of the checks runs."""
    exec(compile(examples("reference/python.md")["checks"], "python.md", "exec"), {})
    assert "key-type ok" in capsys.readouterr().out


def test_csrs(tmp_path, monkeypatch, capsys):
    """The example of CSRs in files runs, and repeated changes nothing."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        exec(compile(examples("reference/python.md")["csrs"], "python.md", "exec"), {})
    assert capsys.readouterr().out == "O=Acme Ltd True\nO=Acme Ltd False\n"


def test_the_life_of_identities(tmp_path, monkeypatch, capsys):
    """The example of the store runs."""
    monkeypatch.chdir(tmp_path)
    exec(compile(examples("reference/python.md")["life"], "python.md", "exec"), {})
    assert "BEGIN CERTIFICATE REQUEST" in capsys.readouterr().out


def test_the_webhook_applications(tmp_path, monkeypatch):
    """The WSGI and the ASGI example take a signed delivery, and refuse another."""
    body, signature = delivery()
    found = {name: examples("how-to/python.md")[name] for name in ("wsgi", "asgi")}
    wsgi, asgi = ({}, {})
    exec(compile(found["wsgi"], "wsgi", "exec"), wsgi)
    exec(compile(found["asgi"], "asgi", "exec"), asgi)
    assert called(wsgi["application"], body, signature) == "200 OK"
    assert called(wsgi["application"], body + b"\n", signature) == "403 Forbidden"
    assert asyncio.run(awaited(asgi["application"], body, signature)) == 200
    assert asyncio.run(awaited(asgi["application"], body + b"\n", signature)) == 403


def delivery():
    """The delivery that Wise publishes as an example, with its signature."""
    from tests.wise.test_deliveries import BODY, SIGNATURE

    return BODY, SIGNATURE


def called(application, body, signature):
    """The status of a WSGI application."""
    seen = []
    environ = {
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_SIGNATURE_SHA256": signature,
        "wsgi.input": io.BytesIO(body),
    }
    list(application(environ, lambda status, headers: seen.append(status)))
    return seen[0]


async def awaited(application, body, signature):
    """The status of an ASGI application."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(b"x-signature-sha256", signature.encode())]}
    await application(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize("name", sorted(set(certkit.__all__) - {"__version__", "Error"}))
def test_every_public_name_is_in_the_reference(name):
    """The reference documents each name, and no other Identity method exists without it."""
    assert name in (DOCS / "reference/python.md").read_text()


@pytest.mark.parametrize("kind", [certkit.Identity, certkit.IdentityStore, certkit.WiseTokens, certkit.WiseWebhooks])
def test_every_method_is_in_the_reference(kind):
    """Each public attribute."""
    text = (DOCS / "reference/python.md").read_text()
    public = [name for name in vars(kind) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"[.`]{name}\b", text)] == []


VALUES = [value for name in certkit.__all__ if dataclasses.is_dataclass(value := getattr(certkit, name))]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_results_are_frozen_and_their_fields_are_in_the_reference(value):
    """Every value that a function returns."""
    assert value.__dataclass_params__.frozen
    text = (DOCS / "reference/python.md").read_text()
    public = [each.name for each in dataclasses.fields(value) if not each.name.startswith("_")]
    assert [name for name in public if f"`{name}`" not in text] == []


def test_every_argument_is_in_the_reference():
    """Each keyword that a public function or a method of a store takes."""
    text = (DOCS / "reference/python.md").read_text()
    functions = [value for name in certkit.__all__ if inspect.isfunction(value := getattr(certkit, name))]
    functions += [value for name, value in vars(certkit.IdentityStore).items() if not name.startswith("_")]
    taken = {
        each.name
        for function in functions
        if inspect.isfunction(function)
        for each in inspect.signature(function).parameters.values()
        if each.kind is each.KEYWORD_ONLY
    }
    assert [name for name in sorted(taken) if not re.search(rf"\b{name}\b", text)] == []
