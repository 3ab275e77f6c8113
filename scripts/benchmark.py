"""Measure certkit against what does the same work without it, side by side.

Run it with the interpreter of a virtual environment in which certkit is installed as a wheel (not editable):

    python -m venv venv && venv/bin/pip install . && venv/bin/python scripts/benchmark.py

Absolute times wander with the machine, so what counts is the ratio: both sides take turns within one run. Every time
is that of a whole process, except where it says "in process". The peers are told to leave the CA bundle alone
(SSL_CERT_FILE), which some images load at each start of `openssl`. The exit code says whether everything ran, never
how fast it was.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Work = Callable[[], None]
    Average = Callable[[Sequence[float]], float]

BATCH_SIZE = 1000
REPEATS = 100
SUBJECT = "/C=GB/O=Acme Ltd/CN=client"

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


class CannotRunError(Exception):
    """Something that is to be measured does not run."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How many runs each measurement takes, and how many requests the peer's loop makes in one."""

    startup: int = 21
    key: int = 20
    batch: int = 5
    loop_size: int = 200

    @classmethod
    def quick(cls) -> Effort:
        """A look, not a claim: too few runs for keys, whose cost is random."""
        return cls(startup=5, key=3, batch=2, loop_size=50)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is aimed at: at most a share of the peer's time, or at least so many times its speed."""

    kind: Literal["time", "speed"]
    limit: float

    def __str__(self) -> str:
        return f"<= {self.limit:g}" if self.kind == "time" else f">= {self.limit:g} x"


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: seconds for the same work on both sides."""

    name: str
    ours: float
    theirs: float
    runs: int
    average: str
    goal: Goal | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Our time by theirs; where the goal is a speed, how many times as fast we are."""
        is_speed = self.goal is not None and self.goal.kind == "speed"
        return self.theirs / self.ours if is_speed else self.ours / self.theirs

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        return self.ratio <= self.goal.limit if self.goal.kind == "time" else self.ratio >= self.goal.limit


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to work, what to run, and how often."""

    folder: Path
    certkit: str
    effort: Effort

    def fresh(self, suffix: str = "") -> Path:
        """A path of its own, with nothing there."""
        return self.folder / f"{time.perf_counter_ns()}{suffix}"

    def ours(self, *arguments: str | Path) -> None:
        """Run certkit."""
        _run([self.certkit, *arguments], _environment())

    def script(self, path: Path, *arguments: str | Path) -> None:
        """Run a Python script with this interpreter."""
        _run([sys.executable, path, *arguments], _environment())

    def peer(self, *command: str | Path) -> None:
        """Run a peer that is not Python."""
        _run(command, _environment() | {"SSL_CERT_FILE": "/nonexistent"})

    def write(self, name: str, text: str) -> Path:
        """A file for a measurement to read."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


def help_page(bench: Bench) -> Iterator[Result]:
    """`certkit --help` against the help of a minimal click command."""
    hello = bench.write("hello.py", HELLO)
    ours, theirs = _alternate(
        lambda: bench.ours("--help"),
        lambda: bench.script(hello, "--help"),
        runs=bench.effort.startup,
        average=statistics.median,
    )
    yield Result("--help / click hello", ours, theirs, bench.effort.startup, "median", Goal("time", 1.25))


def expiry(bench: Bench) -> Iterator[Result]:
    """`certkit expiry` of one file against a minimal click command that loads it and prints its end."""
    script = bench.write("not_after.py", NOT_AFTER)
    certificate = _certificate(bench)
    ours, theirs = _alternate(
        lambda: bench.ours("expiry", certificate),
        lambda: bench.script(script, certificate),
        runs=bench.effort.startup,
        average=statistics.median,
    )
    yield Result("expiry of one file / click + x509", ours, theirs, bench.effort.startup, "median", Goal("time", 1.2))


def keys(bench: Bench) -> Iterator[Result]:
    """`certkit key generate` against `openssl genpkey`, by the mean, for the search for primes is random."""
    for name in KEY_OPTIONS:
        ours, theirs = _alternate(
            _our_key(bench, name), _their_key(bench, name), runs=bench.effort.key, average=statistics.fmean
        )
        goal = Goal("time", KEY_GOALS[name]) if name in KEY_GOALS else None
        yield Result(f"key {name} / openssl genpkey", ours, theirs, bench.effort.key, "mean", goal)


def batch(bench: Bench) -> Iterator[Result]:
    """`certkit csr create --batch` against a loop of `openssl req`, which may be shorter and is scaled."""
    size = bench.effort.loop_size
    scale = BATCH_SIZE / size
    ours, theirs = _alternate(
        _our_batch(bench), _their_batch(bench, size), runs=bench.effort.batch, average=statistics.median
    )
    yield Result(
        f"{BATCH_SIZE:,} keys and CSRs / openssl req",
        ours,
        theirs * scale,
        bench.effort.batch,
        "median",
        Goal("speed", 20),
        f"the loop made {size:,}, times {scale:g}" if size != BATCH_SIZE else "",
    )


def verification(bench: Bench) -> Iterator[Result]:
    """A chain of three verified in this process, against an `openssl verify` process and two raw signature checks."""
    leaf, middle, root = (_chain_file(bench, name) for name in ("leaf", "middle", "root"))
    ours, raw = _verifier(leaf, middle, root)
    command = ("openssl", "verify", "-purpose", "sslclient", "-CAfile", root, "-untrusted", middle, leaf)
    runs = bench.effort.startup
    mine, theirs = _alternate(ours, lambda: bench.peer(*command), runs=runs, average=statistics.median)
    goal = Goal("speed", 18)
    yield Result("verify a chain / openssl verify", mine / REPEATS, theirs, runs, "median", goal, "in process")
    mine, theirs = _alternate(ours, raw, runs=runs, average=statistics.median)
    goal = Goal("time", 2)
    name = "verify a chain / two signature checks"
    yield Result(name, mine / REPEATS, theirs / REPEATS, runs, "median", goal, "in process")


MEASUREMENTS = (help_page, expiry, keys, batch, verification)


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


def _chain_file(bench: Bench, name: str) -> Path:
    """A certificate of a chain of P-256 certificates, made by openssl when it is first asked for."""
    path, issuer = bench.folder / f"{name}.pem", {"leaf": "middle", "middle": "root"}.get(name)
    if path.exists():
        return path
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90"]
    make += ["-subj", f"/O=Acme Ltd/CN={name}", "-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    make += ["-addext", f"basicConstraints=critical,CA:{'FALSE' if name == 'leaf' else 'TRUE'}"]
    if issuer:
        above = _chain_file(bench, issuer)
        make += ["-CA", str(above), "-CAkey", str(above.with_suffix(".key"))]
    bench.peer(*make)
    return path


def _verifier(leaf: Path, middle: Path, root: Path) -> tuple[Work, Work]:
    """Verifying a chain, and checking two raw signatures, each so many times over."""
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import load_pem_x509_certificate

    from certkit import policy_files
    from certkit.core.verify import Question, verify

    first, second, last = (load_pem_x509_certificate(path.read_bytes()) for path in (leaf, middle, root))
    policy = policy_files.load("general")
    question = Question(leaf=first, untrusted=[second], anchors=[last], at=datetime.now(UTC), policy=policy)
    if verify(question).status != "ok":
        raise CannotRunError("the chain does not verify")
    checks = [(last.public_key(), second), (second.public_key(), first)]

    def ours() -> None:
        for _ in range(REPEATS):
            verify(question)

    def raw() -> None:
        for _ in range(REPEATS):
            for key, signed in checks:
                assert isinstance(key, ec.EllipticCurvePublicKey)
                key.verify(signed.signature, signed.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))

    return ours, raw


def _alternate(ours: Work, theirs: Work, *, runs: int, average: Average) -> tuple[float, float]:
    """The average seconds of both, taken in turns after a first run of each that compiles and fills caches."""
    ours()
    theirs()
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(runs)]
    return average([pair[0] for pair in pairs]), average([pair[1] for pair in pairs])


def _seconds(work: Work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _run(command: Sequence[str | Path], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise CannotRunError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "it said nothing"
        raise CannotRunError(f"{' '.join(map(str, command[:4]))} ended with {done.returncode}: {said[-500:]}")


def _environment() -> dict[str, str]:
    """This environment, less what keeps Python from its compiled files and what changes certkit's work."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("CERTKIT_")
    }


def _certkit() -> str:
    """The command certkit beside this interpreter."""
    found = shutil.which("certkit", path=str(Path(sys.executable).parent))
    if found is None:
        raise CannotRunError(f"no command certkit beside {sys.executable}: install certkit with its pip")
    return found


def _measure(effort: Effort) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="certkit-benchmark-") as folder:
        bench = Bench(Path(folder), _certkit(), effort)
        results = []
        for measurement in MEASUREMENTS:
            for result in measurement(bench):
                print(f"measured: {result.name}", file=sys.stderr)
                results.append(result)
        return results


def _table(results: Sequence[Result]) -> str:
    rows = [("name", "ours", "theirs", "ratio", "goal", "met?", "of"), *map(_row, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if 1 <= at <= 3 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.{0 if seconds > 0.01 else 2}f} ms"


def _row(result: Result) -> tuple[str, ...]:
    unit = " x" if result.goal is not None and result.goal.kind == "speed" else ""
    note = f"; {result.note}" if result.note else ""
    return (
        result.name,
        _milliseconds(result.ours),
        _milliseconds(result.theirs),
        f"{result.ratio:.2f}{unit}",
        str(result.goal or "-"),
        {True: "yes", False: "no", None: "-"}[result.is_met],
        f"{result.average} of {result.runs}{note}",
    )


def _document(results: Sequence[Result]) -> dict[str, object]:
    return {
        "environment": _versions(),
        "results": [{**asdict(result), "ratio": result.ratio, "met": result.is_met} for result in results],
    }


def _versions() -> dict[str, str]:
    openssl = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True).stdout.strip()
    packages = {name: importlib.metadata.version(name) for name in ("certkit", "click", "cryptography")}
    return {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "openssl": openssl,
        **packages,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure certkit against its peers, side by side.")
    parser.add_argument("--quick", action="store_true", help="fewer runs: a look, not a claim")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results to this file too")
    return parser.parse_args()


def main() -> int:
    """Measure everything and print the table; 1 if something does not run."""
    arguments = _arguments()
    try:
        results = _measure(Effort.quick() if arguments.quick else Effort())
    except CannotRunError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{name} {version}" for name, version in _versions().items()))
    print(_table(results))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_document(results), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
