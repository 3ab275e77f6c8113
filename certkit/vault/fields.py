"""Fields of Vault's responses, and the paths of requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from certkit.errors import InputError
from certkit.printable import printable
from certkit.vault.errors import Fault, VaultError

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
        raise unusable(where, f"it has no valid field {'.'.join(names)}")
    return value


def unusable(where: object, why: str) -> VaultError:
    """Return the error for a response that Vault would not send."""
    hint = "check VAULT_ADDR and any gateway in front of the server"
    return VaultError(f"cannot use the response for {where}: {why}", hint=hint, kind=Fault.NOT_VAULT, was_sent=True)


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
    """A path below a mount, in messages `vault://MOUNT/PATH`."""

    mount: str
    path: str

    def __str__(self) -> str:
        return f"vault://{joined(self.mount, self.path)}"

    def rule(self, view: str, capability: str) -> str:
        """Return the ACL rule for one of the API's views of it, such as `data` or `metadata`."""
        return acl_rule(capability, self.mount, view, self.path)


def acl_rule(capability: str, *parts: str) -> str:
    """Return the ACL rule for a path, as `path "secret/data/x" { capabilities = ["read"] }`."""
    end = "/" if capability == "list" else ""
    # Generations are numbered and log entries dated: a rule for one of them would be of no use for the next.
    path = re.sub(r"(?<=/generations)/[0-9]+(?=/|$)|(?<=/log)/[^/]+$", "/+", joined(*parts))
    return f'path "{path}{end}" {{ capabilities = ["{capability}"] }}'
