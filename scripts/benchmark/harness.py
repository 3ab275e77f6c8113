"""What every measurement uses: both sides in turns, in one run, on the same machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Work = Callable[[], object]
    Average = Callable[[Sequence[float]], float]

PEAK = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
SUBJECT = "/C=GB/O=Acme Ltd/CN=client"


class CannotRunError(Exception):
    """Something that is to be measured does not run."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How many runs each measurement takes, and how many requests the peer's loop makes in one."""

    startup: int = 21
    key: int = 20
    batch: int = 5
    loop_size: int = 200
    bulk: int = 5
    bulk_size: int = 100_000

    @classmethod
    def quick(cls) -> Effort:
        """A look, not a claim: too few runs for keys, whose cost is random."""
        return cls(startup=5, key=3, batch=2, loop_size=50, bulk=3, bulk_size=20_000)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is aimed at: at most a share of the peer's time, at least so many times its speed, or so many seconds."""

    kind: Literal["time", "speed", "seconds"]
    limit: float

    def __str__(self) -> str:
        return {"time": "<= {:g}", "speed": ">= {:g} x", "seconds": "<= {:g} s"}[self.kind].format(self.limit)


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: seconds for the same work on both sides; no peer where the goal is a number of seconds."""

    name: str
    ours: float
    theirs: float | None
    runs: int
    average: str
    goal: Goal | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Our time by theirs; where the goal is a speed, how many times as fast we are; None without a peer."""
        if self.theirs is None:
            return None
        is_speed = self.goal is not None and self.goal.kind == "speed"
        return self.theirs / self.ours if is_speed else self.ours / self.theirs

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        if self.ratio is None:
            return self.ours <= self.goal.limit
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
        run([self.certkit, *arguments], environment())

    def peak_memory(self, *arguments: str | Path) -> float:
        """Run certkit; the most memory that it, or one of its processes, had at a time, in MB."""
        # A small process between, for a child is charged with what its parent held when it was started.
        command = [sys.executable, "-c", PEAK, self.certkit, *arguments]
        done = subprocess.run(command, capture_output=True, env=environment(), check=False)
        return int(done.stdout) / 1024

    def script(self, path: Path, *arguments: str | Path) -> None:
        """Run a Python script with this interpreter."""
        run([sys.executable, path, *arguments], environment())

    def peer(self, *command: str | Path) -> None:
        """Run a peer that is not Python."""
        run(command, environment() | {"SSL_CERT_FILE": "/nonexistent"})

    def write(self, name: str, text: str) -> Path:
        """A file for a measurement to read."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


def alternate(ours: Work, theirs: Work, *, runs: int, average: Average) -> tuple[float, float]:
    """The average seconds of both, taken in turns after a first run of each that compiles and fills caches."""
    ours()
    theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return average([pair[0] for pair in pairs]), average([pair[1] for pair in pairs])


def seconds(work: Work) -> float:
    """How long some work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def run(command: Sequence[str | Path], variables: dict[str, str]) -> None:
    """Run a program that must succeed.

    Raises:
        CannotRunError: it does not.
    """
    try:
        done = subprocess.run(
            command,
            env=variables,
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


def environment() -> dict[str, str]:
    """This environment, less what keeps Python from its compiled files and what changes certkit's work."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("CERTKIT_")
    }


def find_certkit() -> str:
    """The command certkit beside this interpreter."""
    found = shutil.which("certkit", path=str(Path(sys.executable).parent))
    if found is None:
        raise CannotRunError(f"no command certkit beside {sys.executable}: install certkit with its pip")
    return found
