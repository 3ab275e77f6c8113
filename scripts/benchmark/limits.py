"""What must stay quick whatever the input: hostile certificates, large keys, stores with many identities."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from harness import Goal, Result, environment, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness import Bench

NAMES, KEYS, IDENTITIES = 2048, 50, 201


def constraints(bench: Bench) -> Iterator[Result]:
    """A certificate with many names below a CA with many constraints: refused by budget."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(f"t{number}.test") for number in range(NAMES)]
    ca, leaf = bench.folder / "constraints-ca.pem", bench.folder / "constraints.pem"
    within = x509.NameConstraints(
        permitted_subtrees=None, excluded_subtrees=[x509.DNSName(f"x{each.value}") for each in names]
    )
    ca.write_bytes(
        _certificate("CA", "CA", key, [(x509.BasicConstraints(ca=True, path_length=None), True), (within, True)])
    )
    leaf.write_bytes(_certificate("leaf", "CA", key, [(x509.SubjectAlternativeName(names), False)]))
    yield _timed(bench, f"{NAMES:,} names under {NAMES:,} constraints", 1, ("verify", leaf, "--ca", ca))


def large_keys(bench: Bench) -> Iterator[Result]:
    """A file with many large RSA keys, which cost much to validate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=8192)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = bench.folder / "large.pem"
    path.write_bytes(pem * KEYS)
    yield _timed(bench, f"inspect of {KEYS} RSA-8192 keys", 2, ("inspect", path, "--json"))


def store(bench: Bench) -> Iterator[Result]:
    """Commands on a directory with many identities."""
    from certkit.identity.enroll import enroll
    from certkit.policy import catalogue
    from certkit.stores.file.store import FileStore
    from certkit.stores.record import Settings
    from certkit.x509.names import SubjectOptions

    folder = bench.folder / "identities"
    policy, settings = (
        catalogue.load("general"),
        Settings(policy="general", subject=SubjectOptions(organization="Acme")),
    )
    for number in range(IDENTITIES):
        enroll(FileStore(folder), f"client-{number}", settings, policy, now=datetime.now(UTC))
    for goal, words in (
        (0.32, ("identity", "list")),
        (0.78, ("identity", "renew", "--all")),
        (0.57, ("store", "check")),
    ):
        yield _timed(bench, f"{IDENTITIES} identities: {' '.join(words)}", goal, (*words, "--store", f"file:{folder}"))


def _timed(bench: Bench, name: str, goal: float, words: Sequence[str | Path]) -> Result:
    """Time a command whose exit code is a verdict."""
    import subprocess

    def work() -> None:
        subprocess.run([bench.certkit, *words], env=environment(), check=False, capture_output=True)

    work()
    runs = bench.effort.bulk
    return Result(
        name, statistics.median(seconds(work) for _ in range(runs)), None, runs, "median", Goal("seconds", goal)
    )


def _certificate(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, extensions: Sequence[tuple[x509.ExtensionType, bool]]
) -> bytes:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(named(issuer), named(name), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=90))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
