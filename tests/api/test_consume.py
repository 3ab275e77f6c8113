"""The programs of the page about other languages, run as they stand there, while the exported directory is renewed.

Each calls a server that demands certificates and answers with the serial that it saw.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import certkit
from tests.tls_servers import free_port

PAGE = Path(__file__).parents[2] / "docs/how-to/consume.md"
PROGRAMS = dict(re.findall(r"<!-- program: ([\w.]+) -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL))
HOST, PATH = "api-mtls.wise-sandbox.com", "/v1/authenticated/playground"
LANGUAGES = {
    "Partner.java": ["java", "Partner.java"],
    "partner.js": ["node", "partner.js"],
    "partner.go": ["go", "run", "partner.go"],
}
SECONDS = 60


def require(name):
    """The path of a program; the test is skipped where it is missing."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture
def exported(directory, tmp_path):
    """A function that exports the active pair again, to the same directory, which it returns."""

    def export():
        with certkit.store(directory.uri, environment=directory.environment) as store:
            assert store.export("acme", tmp_path / "tls").changed
        return tmp_path / "tls"

    export()
    return export


def of_page(name, folder, where):
    """A program of the page, with the addresses and files of a test."""
    text = PROGRAMS[name]
    for old, new in {"/etc/wise": str(folder / "tls"), **where}.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_program_follows_a_renewal(directory, exported, server, tmp_path, name):
    """Without a restart: the first call after the export presents the new certificate."""
    command = LANGUAGES[name]
    (tmp_path / name).write_text(of_page(name, tmp_path, {f"https://{HOST}{PATH}": server.url}))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GO111MODULE": "off"}
    with subprocess.Popen(
        [require(command[0]), *command[1:]],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:

        def called():
            running.stdin.write("\n")
            running.stdin.flush()
            return json.loads(running.stdout.readline())["serial"]

        try:
            assert called() == called() == directory.serial
            renewed = directory.renew()
            exported()
            assert called() == renewed
        finally:
            running.kill()


def through(port, path="/"):
    """The serial that the server saw in a request through a proxy on this port; None where it does not answer."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.loads(answer.read())["serial"]
    return None


def seen(port, serial, path="/"):
    """Return whether a new connection presents a serial before long."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if through(port, path) == serial:
            return True
        time.sleep(0.2)
    return False


def test_envoy_follows_a_renewal(directory, exported, server, tmp_path):
    """By watching the directory; and it refuses a server of another name."""
    envoy, port = require("envoy"), free_port()
    upstream = server.url.rpartition(":")[2]
    (tmp_path / "sds.yaml").write_text(of_page("sds.yaml", tmp_path, {}))
    where = {
        "port_value: 8080": f"port_value: {port}",
        f"address: {HOST}, port_value: 443": f"address: 127.0.0.1, port_value: {upstream}",
        "/etc/envoy/wise-sds.yaml": str(tmp_path / "sds.yaml"),
        f"san_type: DNS, matcher: {{ exact: {HOST} }}": "san_type: IP_ADDRESS, matcher: { exact: 127.0.0.1 }",
        # Each request over a connection of its own, to see what new connections present.
        "type: STRICT_DNS": "type: STRICT_DNS\n      max_requests_per_connection: 1",
    }
    configuration = tmp_path / "envoy.yaml"
    configuration.write_text(of_page("envoy.yaml", tmp_path, where))
    with running(envoy, "-c", configuration, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"):
        assert seen(port, directory.serial)
        renewed = directory.renew()
        exported()
        assert seen(port, renewed)
    text = configuration.read_text().replace("exact: 127.0.0.1", "exact: 127.0.0.2")
    configuration.write_text(text)
    count = len(server.serials)
    with running(envoy, "-c", configuration, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"):
        assert answers(port) == 503
    assert len(server.serials) == count


def answers(port):
    """The status of the first answer of a proxy that has started."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    return None


@contextlib.contextmanager
def running(*command):
    """A server that runs in the background."""
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_nginx_follows_a_renewal(directory, exported, server, tmp_path):
    """Once it is told to reload, as the deploy hook does."""
    nginx, port = require("nginx"), free_port()
    where = {f"https://{HOST}/": f"{server.url}/", f"proxy_ssl_name {HOST}": "proxy_ssl_name 127.0.0.1"}
    location = of_page("nginx.conf", tmp_path, where)
    paths = "".join(
        f"{each}_temp_path {tmp_path}/{each};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;\nevents {{}}\n"
        f"http {{ access_log off;\n{paths} server {{ listen 127.0.0.1:{port};\n{location} }} }}\n"
    )
    with running(nginx, "-c", configuration, "-e", tmp_path / "error.log"):
        assert seen(port, directory.serial, "/wise/")
        renewed = directory.renew()
        exported()
        subprocess.run([nginx, "-c", configuration, "-s", "reload"], check=True, capture_output=True)
        assert seen(port, renewed, "/wise/")
