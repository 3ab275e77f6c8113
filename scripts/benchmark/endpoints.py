"""`certkit expiry` of live endpoints: very many handshakes, and hosts that are dead."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from typing import TYPE_CHECKING

from harness import SUBJECT, CannotRunError, Goal, Result, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness import Bench

ENDPOINTS = 1000
DEAD_HOSTS = 200
DEAD_TIMEOUT_SECONDS = 2.0
S_TIME_SECONDS = 2

NGINX = """\
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl backlog=2048;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache off;
        ssl_session_tickets off;
    }}
}}
"""

# As in countless scripts; a day's seconds times the days of the default threshold.
CLIENT_LOOP = """\
number=0
while [ "$number" -lt "$2" ]; do
    openssl s_client -connect "$1" -servername "h$number" </dev/null 2>/dev/null |
        openssl x509 -noout -checkend 2419200 >/dev/null || exit 1
    number=$((number + 1))
done
"""


def endpoints(bench: Bench) -> Iterator[Result]:
    """Many handshakes with nginx: against a loop of openssl s_client, and against what the processors can do."""
    size = min(bench.effort.loop_size, 100)
    with _nginx(bench) as port:
        listed = bench.write("endpoints.txt", "".join(f"{text}\n" for text in _names(port, ENDPOINTS)))
        mine, loop = alternate(
            lambda: bench.ours("expiry", f"@{listed}", "-q"),
            lambda: bench.peer("sh", "-c", CLIENT_LOOP, "sh", f"127.0.0.1:{port}", str(size)),
            runs=bench.effort.bulk,
            average=statistics.median,
        )
        theirs = loop * ENDPOINTS / size
        name, note = f"expiry -q of {ENDPOINTS:,} endpoints", f"the loop asked {size}, scaled"
        yield Result(f"{name} / loop of s_client", mine, theirs, bench.effort.bulk, "median", None, note)
        rates = [(_rate(port), _ceiling(port)) for _ in range(bench.effort.bulk)]
        ours, most = (1 / statistics.median(rate) for rate in zip(*rates, strict=True))
        name, goal = "a handshake / openssl s_time on every processor", Goal("speed", 0.85)
        yield Result(name, ours, most, bench.effort.bulk, "median", goal, "in process")


def dead_hosts(bench: Bench) -> Iterator[Result]:
    """A list with hosts that take connections and say nothing, against one time-out."""
    del bench
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        port = silent.getsockname()[1]
        begin = time.perf_counter()
        _look(_names(port, DEAD_HOSTS), DEAD_TIMEOUT_SECONDS)
        took = time.perf_counter() - begin
    name, goal = f"{DEAD_HOSTS} dead hosts / one time-out", Goal("time", 1.3)
    yield Result(name, took, DEAD_TIMEOUT_SECONDS, 1, "one", goal, "in process")


def _names(port: int, count: int) -> list[str]:
    """The same server by many names, for nobody is asked twice."""
    return [f"tls://127.0.0.1:{port}?servername=h{number}" for number in range(count)]


def _look(names: Sequence[str], timeout: float) -> list[object]:
    from certkit.expiry.sources.endpoint import Endpoint, EndpointSource

    return list(EndpointSource(tuple(map(Endpoint.parse, names)), timeout).look())


def _rate(port: int) -> float:
    """How many handshakes a second we have."""
    begin = time.perf_counter()
    seen = _look(_names(port, ENDPOINTS), 60)
    if any(hasattr(each, "reason") for each in seen):
        raise CannotRunError("a handshake failed")
    return ENDPOINTS / (time.perf_counter() - begin)


def _ceiling(port: int) -> float:
    """How many handshakes a second as many processes as there are processors have, which do nothing else."""
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(S_TIME_SECONDS)]
    variables = os.environ | {"SSL_CERT_FILE": "/nonexistent"}
    begin = time.perf_counter()
    timers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=variables)
        for _ in range(os.cpu_count() or 1)
    ]
    said = [timer.communicate()[0].decode() for timer in timers]
    counts = [re.search(r"(\d+) connections in \d+ real", text) for text in said]
    if not all(counts):
        raise CannotRunError(f"openssl s_time said: {said}")
    return sum(int(count[1]) for count in counts if count) / (time.perf_counter() - begin)


@contextlib.contextmanager
def _nginx(bench: Bench) -> Iterator[int]:
    """An nginx on every processor; its port."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise CannotRunError("nginx is not installed")
    folder = bench.folder / "nginx"
    folder.mkdir()
    _certificate(bench, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, workers=os.cpu_count()), encoding="utf-8")
    command = [program, "-e", folder / "nginx.log", "-p", folder, "-c", configuration]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _certificate(bench: Bench, folder: Path) -> None:
    make = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    names = ("-keyout", folder / "server.key", "-out", folder / "server.pem")
    bench.peer(*make, "-subj", SUBJECT, "-days", "365", *names)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotRunError("nginx does not start")
