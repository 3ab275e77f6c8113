"""The examples of scripts/examples, against the stand-in for Wise."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from certkit.testing import CA, rehearsing

EXAMPLES = Path(__file__).parents[2] / "scripts" / "examples"


def environment(wise):
    """Return the environment in which a program finds the identity."""
    return {**os.environ, "CERTKIT_STORE": wise.store, "CERTKIT_CLIENT_SECRET": wise.client_secret}


def test_a_script(tmp_path):
    """The script makes one call, which is answered 200."""
    with rehearsing(tmp_path) as wise:
        wise.identity()
        command = [sys.executable, EXAMPLES / "call.py", "acme", wise.api_mtls]
        done = subprocess.run(command, env=environment(wise), capture_output=True, check=True, timeout=60)
    assert done.stdout == b"200\n"


def test_a_service_that_is_renewed_under_load(tmp_path):
    """It calls Wise for its users while its certificate is renewed three times, and takes signed deliveries only."""
    ca = CA()
    pair = tmp_path / "server.pem"
    pair.write_bytes(b"".join(ca.server()))
    trusted = ssl.create_default_context(cadata=ca.pem.decode())
    with rehearsing(tmp_path) as wise:
        wise.identity()
        command = [sys.executable, EXAMPLES / "service.py", "acme", "--certificate", pair, "--port", "0"]
        command += ["--base-url", wise.api_mtls, "--policy", wise.policy, "--interval", "0.1"]
        with subprocess.Popen(command, env=environment(wise), stdout=subprocess.PIPE, text=True) as service:
            try:
                url = service.stdout.readline().strip()

                def get(path):
                    with urllib.request.urlopen(url + path, context=trusted, timeout=30) as answer:
                        return json.load(answer)

                answers, over = [], threading.Event()

                def use():
                    while not over.is_set():
                        answers.append(get("/call"))

                users = [threading.Thread(target=use) for _ in range(4)]
                for user in users:
                    user.start()
                for _ in range(3):
                    time.sleep(0.3)
                    wise.renew()
                assert "answered 200" in wise.deliver(f"{url}/webhook")
                time.sleep(0.3)
                over.set()
                for user in users:
                    user.join()
                assert answers
                assert {each["wise"] for each in answers} == {200}
                forged = urllib.request.Request(f"{url}/webhook", b"{}", {"X-Signature-SHA256": "Zm9yZ2Vk"})
                try:
                    urllib.request.urlopen(forged, context=trusted, timeout=30)
                    status = 200
                except urllib.error.HTTPError as error:
                    with error:
                        status = error.code
                assert status == 403
                assert [each["event_type"] for each in get("/deliveries")] == ["transfers#state-change"]
            finally:
                service.terminate()
