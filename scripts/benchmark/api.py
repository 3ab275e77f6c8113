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

    folder = bench.fresh()
    folder.mkdir()
    with rehearsing(folder) as wise:
        wise.identity()
        acme = certkit.identity("acme", store=wise.store, environment={})
        with certkit.store(wise.store) as store:
            store.export("acme", folder / "tls")

        def theirs() -> None:
            loaded = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            loaded.load_verify_locations(folder / "tls/ca.pem")
            loaded.load_cert_chain(folder / "tls/fullchain.pem", folder / "tls/key.pem")

        runs = 10 * bench.effort.startup
        mine, other = alternate(acme.ssl_context, theirs, runs=runs, average=statistics.median)
    yield Result("ssl_context() / load_cert_chain", mine, other, runs, "median", Goal("time", 2.0), "in process")
