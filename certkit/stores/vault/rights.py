"""The rights of a token in a store in Vault, and the role in `policies/vault` that they amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.vault.fields import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES = ("operator", "provisioner", "consumer", "monitor")


@dataclass(frozen=True, slots=True)
class Thing:
    """An operation on a store: its paths, and the capabilities that each role has on them.

    `below` is the path below the prefix, with `{name}` and `{number}` in it; that of a folder ends with a slash.
    """

    what: str
    view: str
    below: str
    operator: tuple[str, ...]
    provisioner: tuple[str, ...] = ()
    consumer: tuple[str, ...] = ()
    monitor: tuple[str, ...] = ()


_LIST, _READ, _ADD, _CHANGE = ("list",), ("read",), ("create", "read"), ("create", "read", "update")
_CREATE, _DELETE = ("create",), ("delete",)

# The paths of `certkit.stores.vault.layout`; the roles as in `policies/vault`.
THINGS = (
    Thing("list the identities", "metadata", "", _LIST, _LIST, (), _LIST),
    Thing("look into an identity", "metadata", "{name}/", _LIST, _LIST, (), _LIST),
    Thing("list its generations", "metadata", "{name}/generations/", _LIST, _LIST, _LIST, _LIST),
    Thing("look into a generation", "metadata", "{name}/generations/{number}/", _LIST, _LIST, _LIST, _LIST),
    Thing("use records", "data", "{name}/pointer", _CHANGE, _CHANGE, _READ, _READ),
    Thing("use settings", "data", "{name}/settings", _CHANGE, _ADD, _READ, _READ),
    Thing("write the log", "data", "{name}/log/{number}", _ADD, _CREATE),
    Thing("use certificates", "data", "{name}/generations/{number}/certificate", _CHANGE, _CHANGE, _READ, _READ),
    Thing("keep refused answers", "data", "{name}/generations/{number}/answer-*", _ADD, _ADD),
    Thing("use private keys", "data", "{name}/generations/{number}/key", _ADD, _CREATE, _READ),
    Thing(
        "use the facts of certificates",
        "metadata",
        "{name}/generations/{number}/certificate",
        operator=("read", "update", "delete"),
        provisioner=("read", "update"),
        monitor=_READ,
    ),
    Thing("list tokens", "metadata", "{name}/tokens/", _LIST, (), _LIST),
    Thing("use tokens", "data", "{name}/tokens/{number}", _CHANGE, (), _CHANGE),
    Thing("remove tokens", "metadata", "{name}/tokens/{number}", _DELETE),
    Thing("remove private keys", "metadata", "{name}/generations/{number}/key", _DELETE),
    Thing("list the log", "metadata", "{name}/log/", _LIST),
    Thing("remove the log", "metadata", "{name}/log/{number}", _DELETE),
    Thing("remove settings", "metadata", "{name}/settings", _DELETE),
    Thing("remove records", "metadata", "{name}/pointer", _DELETE),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a store: the mount, and the prefix in it."""

    mount: str
    prefix: str

    def path(self, thing: Thing, *, name: str = "+", number: str = "+") -> str:
        """Return the API path of an operation, for all identities and generations unless some are named."""
        return f"{joined(self.mount, thing.view, self.prefix)}/{thing.below.format(name=name, number=number)}"

    def rule(self, thing: Thing) -> str:
        """Return the ACL rule that allows everything in the store."""
        listed = ", ".join(f'"{each}"' for each in thing.operator)
        return f'path "{self.path(thing)}" {{ capabilities = [{listed}] }}'


USE_SETTINGS = next(thing for thing in THINGS if thing.what == "use settings")


def missing(thing: Thing, granted: Sequence[str], *, role: str = ROLES[0]) -> tuple[str, ...]:
    """Return the capabilities that a role needs and a token lacks."""
    needed: tuple[str, ...] = getattr(thing, role)
    return () if "root" in granted else tuple(each for each in needed if each not in granted)


def role_of(granted: Mapping[Thing, Sequence[str]]) -> str | None:
    """Return the first role that a token can take; None if there is no such role."""
    able = (role for role in ROLES if not any(missing(thing, has, role=role) for thing, has in granted.items()))
    return next(able, None)
