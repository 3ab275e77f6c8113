"""The variables of Vault's command line, and OpenBao's own spelling of them, which wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import reading
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_SECRET_BYTES = 64 * 1024
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True)
class Variables:
    """An environment, asked for `NAME` and answering with BAO_NAME, else VAULT_NAME; an empty one is none."""

    environ: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """The value, or an empty text."""
        return self.environ.get(self.spelt(name), "")

    def plain(self, name: str) -> str:
        """The value of a variable that is not Vault's alone, in capitals or in small letters."""
        return self.environ.get(name) or self.environ.get(name.lower()) or ""

    def spelt(self, name: str) -> str:
        """The name of the variable that counts."""
        return f"BAO_{name}" if self.environ.get(f"BAO_{name}") else f"VAULT_{name}"

    def flag(self, name: str) -> bool:
        """A value that is true or false in Go's spellings.

        Raises:
            InputError: it is neither.
        """
        value = self.get(name)
        if value not in _TRUE | _FALSE:
            raise self.wrong(name, "it is neither true nor false", "set it to true or false")
        return value in _TRUE

    def secret(self, name: str) -> Secret | None:
        """The value of NAME, or what stands in the file that NAME_FILE names, without white space around it.

        Raises:
            InputError: the file cannot be read, or is empty.
        """
        for prefix in ("BAO", "VAULT"):
            if value := self.environ.get(f"{prefix}_{name}"):
                return Secret(value.strip().encode("utf-8", "surrogateescape"))
            if path := self.environ.get(f"{prefix}_{name}_FILE"):
                return secret_file(path, named_by=f"{prefix}_{name}_FILE")
        return None

    def wrong(self, name: str, why: str, hint: str) -> InputError:
        """The error for a value that makes no sense; the value itself is not shown."""
        return InputError(f"cannot use {self.spelt(name)}: {why}", hint=hint)


def secret_file(path: Path | str, *, named_by: str) -> Secret:
    """What stands in a file, without white space around it.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    try:
        value = reading.read(path, limit=_MAX_SECRET_BYTES).strip()
    except InputError as error:
        raise InputError(f"{error.message} ({named_by})", hint=error.hint) from error
    if not value:
        raise InputError(f"cannot use {path}: it is empty ({named_by})", hint="check the path")
    return Secret(value)
