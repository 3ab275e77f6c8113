"""Fields of Vault's responses, and the paths of requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from certkit.errors import InputError
from certkit.printable import printable
from certkit.vault.errors import Kind, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_PATH = re.compile(r"(?:(?!\.{1,2}(?:/|$))[^/]+/)*(?!\.{1,2}$)[^/]+")


def pick(document: object, *names: str, of: type[T], where: object) -> T:
    """Return a field of nested objects, of the type that it must have.

    Raises:
        VaultError: if it is missing or of another type.
    """
    value = document
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    # To Python, True is a number.
    if not isinstance(value, of) or (of is int and isinstance(value, bool)):
        message = f"cannot use the response for {where}: it has no valid field {'.'.join(names)}"
        hint = "check VAULT_ADDR and any gateway in front of the server"
        raise VaultError(message, hint=hint, kind=Kind.NOT_VAULT, was_sent=True)
    return value


def texts(values: object) -> tuple[str, ...]:
    """Return the texts of a list; empty if there is no list."""
    return tuple(str(value) for value in values) if isinstance(values, list) else ()


def joined(*parts: str) -> str:
    """Join paths, without empty parts."""
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def checked_path(path: str) -> str:
    """Return a path unchanged, unless Vault would read it as another one.

    Raises:
        InputError: if it has an empty part, `.` or `..`, or invisible characters.
    """
    if _PATH.fullmatch(path) is None or not path.isprintable():
        raise InputError(f"invalid Vault path {printable(path)!r}", hint="give names separated by single slashes")
    return path


@dataclass(frozen=True, slots=True)
class VaultPath:
    """A path below a mount, for messages: `vault://MOUNT/PATH`; put together only when one is shown."""

    mount: str
    path: str

    def __str__(self) -> str:
        return f"vault://{joined(self.mount, self.path)}"

    def rule(self, kind: str, capability: str) -> AclRule:
        """Return the rule for one of the API's views of it, such as `data` or `metadata`."""
        return AclRule(capability, self.mount, kind, self.path)


class AclRule:
    """An ACL rule: `path "secret/data/x" { capabilities = ["read"] }`."""

    __slots__ = ("_capability", "_parts")

    def __init__(self, capability: str, *parts: str) -> None:
        self._capability = capability
        self._parts = parts

    def __str__(self) -> str:
        end = "/" if self._capability == "list" else ""
        # Generations are numbered and log entries dated: a rule for one of them would be of no use for the next.
        path = re.sub(r"(?<=/generations)/[0-9]+(?=/|$)|(?<=/log)/[^/]+$", "/+", joined(*self._parts))
        return f'path "{path}{end}" {{ capabilities = ["{self._capability}"] }}'


def warnings_of(document: object) -> tuple[str, ...]:
    """Return Vault's warnings, safe to be shown."""
    found: Iterable[str] = texts(document.get("warnings")) if isinstance(document, dict) else ()
    return tuple(printable(" ".join(warning.split()))[:300] for warning in found)
