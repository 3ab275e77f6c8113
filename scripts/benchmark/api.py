"""The Python API against what a program would do without it."""

from __future__ import annotations

import ssl
import statistics
import sys
from typing import TYPE_CHECKING

from harness import Goal, Result, alternate, environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench


def importing(bench: Bench) -> Iterator[Result]:
    """`import certkit` against `import ssl`, each in a process of its own."""
    ours, theirs = alternate(
        lambda: run([sys.executable, "-c", "import certkit"], environment()),
        lambda: run([sys.executable, "-c", "import ssl"], environment()),
        runs=bench.effort.startup,
        average=statistics.median,
    )
    yield Result("import certkit / import ssl", ours, theirs, bench.effort.startup, "median", Goal("time", 1.3))


def context(bench: Bench) -> Iterator[Result]:
    """`identity.ssl_context()` against an `ssl.SSLContext` that loads the same pair from files; in process."""
    import certkit
    from certkit.testing import rehearsing
    from certkit.x509 import keys

    folder = bench.fresh()
    folder.mkdir()
    with rehearsing(folder) as wise:
        made = wise.identity()
        acme = certkit.identity("acme", store=wise.store, environment={})
        pair, trusted = folder / "pair.pem", folder / "ca.pem"
        key = keys.to_pem(made._follower.current(may_wait=True).key).reveal()  # noqa: SLF001
        pair.touch(mode=0o600)
        pair.write_bytes(acme.chain + key)
        trusted.write_bytes(acme.trust_bundle)

        def theirs() -> None:
            loaded = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            loaded.load_verify_locations(trusted)
            loaded.load_cert_chain(pair)

        runs = 10 * bench.effort.startup
        mine, other = alternate(acme.ssl_context, theirs, runs=runs, average=statistics.median)
    yield Result("ssl_context() / load_cert_chain", mine, other, runs, "median", Goal("time", 2.0), "in process")
