"""Policies by name, which are built in, or by path."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from certkit.errors import InputError, PolicyError
from certkit.files import reading
from certkit.policy import format as policy_files

if TYPE_CHECKING:
    from certkit.policy.format import PolicyFile
    from certkit.policy.rules import Policy

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MAX_LINEAGE = 8


def names() -> list[str]:
    """Return the names of the shipped policies, sorted; bases for others are left out."""
    return sorted(file.name for file in map(_parse, _builtin().values()) if not file.is_abstract)


def is_name(text: str) -> bool:
    """Return whether a policy may have that name."""
    return _NAME.fullmatch(text) is not None


def is_shipped(name: str) -> bool:
    """Return whether a shipped policy has that name."""
    return name in _builtin()


def load(reference: str) -> Policy:
    """Return the policy of that name, or in the TOML file at that path.

    A reference with a path separator, or one that ends in `.toml`, is a path.

    Raises:
        PolicyError: if there is no such policy, or it breaks the format.
    """
    return load_file(reference) if _is_path(reference) else _shipped(reference)


@functools.cache
def _shipped(name: str) -> Policy:
    return policy_files.build(_lineage(_path(name)))


def absolute(reference: str) -> str:
    """Return the reference with an absolute path, so that it works from any directory."""
    return os.path.abspath(reference) if _is_path(reference) else reference


def load_file(path: str) -> Policy:
    """Return the policy in the TOML file at that path, whatever its name looks like.

    Raises:
        PolicyError: if it cannot be read, or breaks the format.
    """
    return policy_files.build(_lineage(Path(path)))


def _lineage(path: Path) -> list[PolicyFile]:
    lineage = [_parse(path)]
    while lineage[-1].extends:
        if len(lineage) == _MAX_LINEAGE:
            raise PolicyError(
                f"policy {path}: extends more than {_MAX_LINEAGE - 1} others, or itself",
                hint="shorten the chain of `extends`",
            )
        lineage.append(_parse(_path(lineage[-1].extends, beside=Path(lineage[-1].where).parent)))
    return lineage


def _is_path(reference: str) -> bool:
    return "/" in reference or "\\" in reference or reference.endswith(".toml")


def _path(reference: str, *, beside: Path | None = None) -> Path:
    """Return the path of a policy's file; a relative one is that from the policy that refers to it."""
    if _is_path(reference):
        return (beside or Path()) / reference
    known = _builtin()
    if reference not in known:
        import difflib

        near = difflib.get_close_matches(reference, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        hint += "`certkit policy list` shows the names; give your own by path, such as ./partner.toml"
        if os.path.isfile(reference):
            hint = f"to use the file of that name, give its path: ./{reference}"
        raise PolicyError(f"unknown policy {reference!r}", hint=hint)
    return known[reference]


def _parse(path: Path) -> PolicyFile:
    try:
        raw = reading.read(path, limit=policy_files.MAX_POLICY_BYTES, must_be_regular=True)
    except InputError as error:
        raise PolicyError(error.message, hint=error.hint) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError(f"policy {path}: not UTF-8 text", hint="a policy is a TOML file") from error
    return policy_files.parse_file(text, name=path.stem, where=str(path))


@functools.cache
def _builtin() -> dict[str, Path]:
    """Return the shipped policies' files by name: in the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "policies"
    directory = packaged if packaged.is_dir() else package.parent / "policies"
    return {path.stem: path for path in directory.glob("*.toml") if is_name(path.stem)}
