"""Verifying a chain in this process."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from harness import CannotRunError, Goal, Result, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Bench, Work

REPEATS = 100


def verification(bench: Bench) -> Iterator[Result]:
    """A chain of three verified from its bytes, against an `openssl verify` process and two raw signature checks.

    Each time the leaf is another one with a key of its own; its CAs are always the same, as they are for a partner.
    """
    leaf, middle, root = (_chain_file(bench, name) for name in ("leaf", "middle", "root"))
    ours, raw = _verifier(leaf, middle, root)
    command = ("openssl", "verify", "-purpose", "sslclient", "-CAfile", root, "-untrusted", middle, leaf)
    runs = bench.effort.startup
    mine, theirs = alternate(ours, lambda: bench.peer(*command), runs=runs, average=statistics.median)
    goal = Goal("speed", 15)
    yield Result("verify a chain / openssl verify", mine / REPEATS, theirs, runs, "median", goal, "in process")
    mine, theirs = alternate(ours, raw, runs=runs, average=statistics.median)
    goal = Goal("time", 2.5)
    name = "verify a chain / two signature checks"
    yield Result(name, mine / REPEATS, theirs / REPEATS, runs, "median", goal, "in process")


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
    """Verifying a chain from DER to the verdict, and checking two raw signatures, each so many times over."""
    import itertools
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
    from cryptography.x509 import CertificateBuilder, load_pem_x509_certificate, random_serial_number

    from certkit.policy import catalogue
    from certkit.verify import Question, Verdict, verify
    from certkit.x509.certificate import Certificate

    first, second, last = (load_pem_x509_certificate(path.read_bytes()) for path in (leaf, middle, root))
    policy, now = catalogue.load("general"), datetime.now(UTC)
    signer = load_pem_private_key(middle.with_suffix(".key").read_bytes(), None)

    def another() -> bytes:
        """Return a certificate like the leaf, with a new key."""
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        builder = CertificateBuilder(second.subject, first.subject, key, random_serial_number())
        builder = builder.not_valid_before(first.not_valid_before_utc).not_valid_after(first.not_valid_after_utc)
        for each in first.extensions:
            builder = builder.add_extension(each.value, each.critical)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)

    leaves = itertools.cycle([another() for _ in range(5 * REPEATS)])
    cas = [each.public_bytes(Encoding.DER) for each in (second, last)]

    def judge() -> Verdict:
        own, above, anchor = map(Certificate.parse, (next(leaves), *cas))
        return verify(Question(leaf=own, untrusted=[above], anchors=[anchor], at=now, policy=policy))

    if judge().status != "ok":
        raise CannotRunError("the chain does not verify")
    checks = [(last.public_key(), second), (second.public_key(), first)]

    def ours() -> None:
        for _ in range(REPEATS):
            judge()

    def raw() -> None:
        for _ in range(REPEATS):
            for key, signed in checks:
                assert isinstance(key, ec.EllipticCurvePublicKey)
                key.verify(signed.signature, signed.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))

    return ours, raw
