"""Where this host may have been told to run certkit again and again: crontabs and systemd units.

Only what lies here can be seen, and that a line is there does not say that it runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLACES = ("/etc/crontab", "/etc/cron.d", "/etc/cron.daily", "/etc/systemd/system", "~/.config/systemd/user")

_LINE = re.compile(rb"^(?!\s*#).*\bcertkit\b.*\b(expiry|renew)\b", re.MULTILINE)
_MOST_BYTES = 256 * 1024
_MOST_FILES = 2000
_SECONDS = 5


def reminding(places: Iterable[str] = PLACES) -> list[str]:
    """The places on this host that run `certkit expiry` or `certkit identity renew`: paths, and `crontab`."""
    found = [str(path) for place in places for path in _files(Path(place).expanduser()) if _names_us(path)]
    return [*found, *(["crontab"] if _LINE.search(_crontab()) else [])]


def _files(place: Path) -> Iterator[Path]:
    try:
        listed = sorted(place.iterdir())[:_MOST_FILES] if place.is_dir() else [place]
    except OSError:
        return
    yield from (each for each in listed if each.is_file())


def _names_us(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _LINE.search(file.read(_MOST_BYTES)) is not None
    except OSError:
        return False


def _crontab() -> bytes:
    """The user's own crontab; empty where there is none, or no cron."""
    program = shutil.which("crontab")
    if program is None:
        return b""
    try:
        ran = subprocess.run(
            [program, "-l"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return ran.stdout if ran.returncode == 0 else b""
