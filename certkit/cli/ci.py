"""Checks for other people's CI: `python -m certkit.cli.ci csr|expiry|private-keys [--OPTION=VALUE…] [WHAT…]`.

The GitHub action, the GitLab template and the hooks for pre-commit run it (docs/ci.md). Without WHAT, the lines of
`CHECK_CSR` or `CHECK_EXPIRY` are checked. Warnings fail the check only if `CHECK_FAIL_ON` is "warning".
"""

from __future__ import annotations

import glob
import os
import sys
from typing import TYPE_CHECKING

from certkit.cli import boundary
from certkit.errors import CertkitError
from certkit.files import reading
from certkit.printable import printable, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY_STORE = b"\xfe\xed\xfe\xed"  # Java's JKS


def main(arguments: Sequence[str]) -> int:
    """Return the worst exit code of the check's commands; 0 for a warning that does not count."""
    check, *rest = arguments
    # pre-commit appends the names of files, and a file may be called like an option, or `-`.
    options = [] if check == "private-keys" else [each for each in rest if each.startswith("--")]
    named = [each for each in rest if each not in options or os.path.lexists(each)]
    options = [each for each in options if "=" in each or each not in named]
    what = [os.path.join(".", each) if each == "-" else each for each in named]
    if not what:
        what = [line.strip() for line in os.environ.get(f"CHECK_{check.upper()}", "").splitlines() if line.strip()]
    match check:
        case "csr":
            # Without a file the command explains what is missing.
            files = [[path] for each in what for path in _matches(each)] or [[]]
            codes = [boundary.run(["csr", "check", *options, "--", *path]) for path in files]
        case "expiry":
            codes = [boundary.run(["expiry", *options, "--", *what])]
        case _:
            codes = [_refuse_private_keys(path) for path in what]
    worst = max(codes, default=0)
    return 0 if worst == 1 and os.environ.get("CHECK_FAIL_ON") != "warning" else worst


def _matches(pattern: str) -> list[str]:
    """Return the files of a pattern; an existing file of that name, or a pattern without files, is itself."""
    return [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True)) or [pattern]


def _refuse_private_keys(path: str) -> int:
    """Return 2 and print where, if a file holds a private key, encrypted or not, or a container made for one."""
    from certkit.x509 import objects, pem
    from certkit.x509.items import Item, Kind

    try:
        data = reading.read(path)
    except CertkitError as error:
        sys.stderr.write(f"certkit: error: {sentences(error.message, error.hint)}\n")
        return 3
    found = [f"line {block.line}: a private key" for block in pem.blocks(data) if block.is_private_key]
    if data.startswith(_KEY_STORE):
        found.append("a Java key store")
    elif data.startswith(b"\x30") and not found:
        kinds = {item.kind for item in objects.read(data) if isinstance(item, Item)}
        found = [kind.words for kind in (Kind.PRIVATE_KEY, Kind.PKCS12) if kind in kinds]
    for each in found:
        sys.stdout.write(f"{printable(path)}: {each}\n")
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
