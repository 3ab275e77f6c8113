"""Whole commands against the programs that people would use instead."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING

from harness import SUBJECT, Goal, Result, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Bench, Work

BATCH_SIZE = 1000

HELLO = """\
import click


@click.command()
@click.option("--name", default="world", help="Who is greeted.")
def hello(name):
    \"\"\"Greet somebody.\"\"\"
    click.echo(f"Hello, {name}!")


hello()
"""

NOT_AFTER = """\
import click
from cryptography import x509


@click.command()
@click.argument("file", type=click.File("rb"))
def not_after(file):
    \"\"\"Print when a certificate ends.\"\"\"
    click.echo(x509.load_pem_x509_certificate(file.read()).not_valid_after_utc.isoformat())


not_after()
"""

# In the shell, as a person would write it: a start from Python costs more than one from sh.
REQUEST_LOOP = """\
number=0
while [ "$number" -lt "$2" ]; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3 $number" \
        -keyout "$1/$number.key" -out "$1/$number.csr" || exit 1
    number=$((number + 1))
done
"""

KEY_OPTIONS = {
    "rsa-2048": ("RSA", "rsa_keygen_bits:2048"),
    "rsa-3072": ("RSA", "rsa_keygen_bits:3072"),
    "rsa-4096": ("RSA", "rsa_keygen_bits:4096"),
    "ec-p256": ("EC", "ec_paramgen_curve:P-256"),
    "ec-p384": ("EC", "ec_paramgen_curve:P-384"),
}
KEY_GOALS = {"rsa-2048": 0.9, "rsa-3072": 0.5, "rsa-4096": 0.5}


def help_page(bench: Bench) -> Iterator[Result]:
    """`certkit --help` against the help of a minimal click command."""
    hello = bench.write("hello.py", HELLO)
    ours, theirs = alternate(
        lambda: bench.ours("--help"),
        lambda: bench.script(hello, "--help"),
        runs=bench.effort.startup,
        average=statistics.median,
    )
    yield Result("--help / click hello", ours, theirs, bench.effort.startup, "median", Goal("time", 1.0))


def expiry(bench: Bench) -> Iterator[Result]:
    """`certkit expiry` of one file against a minimal click command that loads it and prints its end."""
    script = bench.write("not_after.py", NOT_AFTER)
    certificate = _certificate(bench)
    ours, theirs = alternate(
        lambda: bench.ours("expiry", certificate),
        lambda: bench.script(script, certificate),
        runs=bench.effort.startup,
        average=statistics.median,
    )
    yield Result("expiry of one file / click + x509", ours, theirs, bench.effort.startup, "median", Goal("time", 1.2))


def keys(bench: Bench) -> Iterator[Result]:
    """`certkit key generate` against `openssl genpkey`, by the mean, for the search for primes is random."""
    for name in KEY_OPTIONS:
        ours, theirs = alternate(
            _our_key(bench, name), _their_key(bench, name), runs=bench.effort.key, average=statistics.fmean
        )
        goal = Goal("time", KEY_GOALS[name]) if name in KEY_GOALS else None
        yield Result(f"key {name} / openssl genpkey", ours, theirs, bench.effort.key, "mean", goal)


def batch(bench: Bench) -> Iterator[Result]:
    """`certkit csr create --batch` against a loop of `openssl req`, which may be shorter and is scaled."""
    size = bench.effort.loop_size
    scale = BATCH_SIZE / size
    ours, theirs = alternate(
        _our_batch(bench), _their_batch(bench, size), runs=bench.effort.batch, average=statistics.median
    )
    yield Result(
        f"{BATCH_SIZE:,} keys and CSRs / openssl req",
        ours,
        theirs * scale,
        bench.effort.batch,
        "median",
        Goal("speed", 10),
        f"the loop made {size:,}, times {scale:g}" if size != BATCH_SIZE else "",
    )


def _our_key(bench: Bench, name: str) -> Work:
    return lambda: bench.ours("key", "generate", "--type", name, "--out", bench.fresh(".key"), "--quiet")


def _their_key(bench: Bench, name: str) -> Work:
    algorithm, option = KEY_OPTIONS[name]
    command = ("openssl", "genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out")
    return lambda: bench.peer(*command, bench.fresh(".key"))


def _our_batch(bench: Bench) -> Work:
    entries = (
        {"name": f"client-{number}", "organization": "Acme Ltd", "country": "GB", "common_name": f"client {number}"}
        for number in range(BATCH_SIZE)
    )
    clients = bench.write("clients.jsonl", "".join(f"{json.dumps(entry)}\n" for entry in entries))
    command = ("csr", "create", "--policy", "wise-sandbox", "--type", "ec-p256", "--batch", clients, "--quiet")
    return lambda: bench.ours(*command, "--out-dir", bench.fresh())


def _their_batch(bench: Bench, size: int) -> Work:
    def work() -> None:
        target = bench.fresh()
        target.mkdir()
        bench.peer("sh", "-c", REQUEST_LOOP, "sh", target, str(size), SUBJECT)

    return work


def _certificate(bench: Bench) -> Path:
    path = bench.folder / "one.pem"
    make = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    bench.peer(*make, "-subj", SUBJECT, "-days", "365", "-keyout", bench.fresh(".key"), "-out", path)
    return path
