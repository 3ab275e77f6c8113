"""The variables of Vault's command line, and OpenBao's own spelling of them, which takes precedence."""

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
    """An environment in which NAME means BAO_NAME, else VAULT_NAME; an empty value counts as unset."""

    environ: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """Return the value, or an empty text."""
        return self.environ.get(self.spelt(name), "")

    def plain(self, name: str) -> str:
        """Return the value of a variable that is not Vault's alone, in upper or lower case."""
        return self.environ.get(name) or self.environ.get(name.lower()) or ""

    def spelt(self, name: str) -> str:
        """Return the name of the variable that is in effect."""
        return f"BAO_{name}" if self.environ.get(f"BAO_{name}") else f"VAULT_{name}"

    def flag(self, name: str) -> bool:
        """Return a value that is true or false in Go's spellings.

        Raises:
            InputError: if it is neither.
        """
        value = self.get(name)
        if value not in _TRUE | _FALSE:
            raise self.wrong(name, "it is neither true nor false", "set it to true or false")
        return value in _TRUE

    def secret(self, name: str) -> Secret | None:
        """Return the value of NAME, or the content of the file that NAME_FILE names, without surrounding white space.

        Raises:
            InputError: if the file cannot be read, or is empty.
        """
        for prefix in ("BAO", "VAULT"):
            if value := self.environ.get(f"{prefix}_{name}"):
                return Secret(value.strip().encode("utf-8", "surrogateescape"))
            if path := self.environ.get(f"{prefix}_{name}_FILE"):
                return secret_file(path, named_by=f"{prefix}_{name}_FILE")
        return None

    def wrong(self, name: str, why: str, hint: str) -> InputError:
        """Return the error for an invalid value, which is not shown."""
        return InputError(f"cannot use {self.spelt(name)}: {why}", hint=hint)


def secret_file(path: Path | str, *, named_by: str) -> Secret:
    """Return the content of a file, without surrounding white space.

    Raises:
        InputError: if it cannot be read, or is empty.
    """
    try:
        value = reading.read(path, limit=_MAX_SECRET_BYTES).strip()
    except InputError as error:
        raise InputError(f"{error.message} ({named_by})", hint=error.hint) from error
    if not value:
        raise InputError(f"cannot use {path}: it is empty ({named_by})", hint="check the path")
    return Secret(value)
