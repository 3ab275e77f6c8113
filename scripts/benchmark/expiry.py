"""`certkit expiry` of very many certificates."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness import Goal, Result, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Bench, Work

FILES_IN_A_FOLDER = 1000

# As in countless scripts; a day's seconds times the days of the default threshold.
CHECK_LOOP = """\
for file in "$@"; do
    openssl x509 -in "$file" -noout -checkend 2419200 >/dev/null || echo "$file"
done
"""


def directory(bench: Bench) -> Iterator[Result]:
    """A directory of many files: against reading the bytes, and against a loop of openssl over some of them."""
    folder, files = bench.folder / "many", _files(bench)
    runs = bench.effort.bulk
    peak = f"peak {bench.peak_memory('expiry', folder, '-q'):.0f} MB"
    mine, floor = alternate(
        lambda: bench.ours("expiry", folder, "-q"), _reading(files), runs=runs, average=statistics.median
    )
    size = f"{len(files):,} files"
    yield Result(f"expiry -q of {size} / reading them", mine, floor, runs, "median", Goal("time", 1.6), peak)
    sample = files[:: len(files) // bench.effort.loop_size]
    mine, loop = alternate(
        lambda: bench.ours("expiry", folder, "-q"), _openssl_loop(bench, sample), runs=3, average=statistics.median
    )
    theirs = loop * len(files) / len(sample)
    note = f"the loop looked at {len(sample):,}, scaled"
    yield Result(f"expiry -q of {size} / loop of openssl", mine, theirs, 3, "median", Goal("speed", 400), note)
    peak = f"peak {bench.peak_memory('expiry', folder, '--json'):.0f} MB"
    mine, floor = alternate(
        lambda: bench.ours("expiry", folder, "--json"), _reading(files), runs=runs, average=statistics.median
    )
    yield Result(f"expiry --json of {size} / reading them", mine, floor, runs, "median", Goal("time", 6), peak)


def one_file(bench: Bench) -> Iterator[Result]:
    """One file with many certificates, against `openssl storeutl`."""
    bundle = bench.folder / "bundle.pem"
    bundle.write_bytes(b"".join(path.read_bytes() for path in _files(bench)))
    runs = bench.effort.bulk
    peak = f"peak {bench.peak_memory('expiry', bundle, '-q'):.0f} MB"
    mine, theirs = alternate(
        lambda: bench.ours("expiry", bundle, "-q"),
        lambda: bench.peer("openssl", "storeutl", "-noout", "-certs", bundle),
        runs=runs,
        average=statistics.median,
    )
    name = f"expiry -q of a file of {bench.effort.bulk_size:,} / openssl storeutl"
    yield Result(name, mine, theirs, runs, "median", Goal("speed", 20), peak)


def _files(bench: Bench) -> list[Path]:
    """Many certificates, a file each, some thousand in a folder; made when they are first asked for."""
    folder = bench.folder / "many"
    if not folder.exists():
        _make(folder, bench.effort.bulk_size)
    return sorted(folder.rglob("*.pem"))


def _make(folder: Path, count: int) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name.from_rfc4514_string("CN=Issuing CA,O=Partner,C=GB")
    begin = datetime.now(UTC) - timedelta(days=30)
    for number in range(count):
        builder = x509.CertificateBuilder(
            issuer_name=issuer,
            subject_name=x509.Name.from_rfc4514_string(f"CN=client {number},O=Acme Ltd,C=GB"),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=begin,
            not_valid_after=begin + timedelta(days=365 + number % 30),
        )
        purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = builder.add_extension(purpose, critical=False).sign(key, hashes.SHA256())
        below = folder / f"{number // FILES_IN_A_FOLDER:04}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number:06}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _reading(files: list[Path]) -> Work:
    paths = [str(path) for path in files]

    def work() -> None:
        for path in paths:
            with open(path, "rb") as stream:
                stream.read()

    return work


def _openssl_loop(bench: Bench, sample: list[Path]) -> Work:
    return lambda: bench.peer("bash", "-c", CHECK_LOOP, "bash", *sample)
