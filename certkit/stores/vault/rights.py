"""The rights of a token in a store in Vault, and the role in `policies/vault` that they amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.stores.vault import layout
from certkit.vault.fields import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES = ("operator", "provisioner", "consumer", "monitor")

_EVERYTHING = "root"
_ANY = "+"


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def needed(self, role: str) -> tuple[str, ...]:
        """Return the capabilities that a role has."""
        found: tuple[str, ...] = getattr(self, role)
        return found


_NAME, _NUMBER = "{name}", "{number}"
_LIST, _READ, _CHANGE = ("list",), ("read",), ("create", "read", "update")

THINGS = (
    Thing(
        what="list the identities",
        view="metadata",
        below="",
        operator=_LIST,
        provisioner=_LIST,
        monitor=_LIST,
    ),
    Thing(
        what="look into an identity",
        view="metadata",
        below=f"{_NAME}/",
        operator=_LIST,
        provisioner=_LIST,
        monitor=_LIST,
    ),
    Thing(
        what="list its generations",
        view="metadata",
        below=f"{layout.generations(_NAME)}/",
        operator=_LIST,
        provisioner=_LIST,
        consumer=_LIST,
        monitor=_LIST,
    ),
    Thing(
        what="look into a generation",
        view="metadata",
        below=f"{layout.generation(_NAME, _NUMBER)}/",
        operator=_LIST,
        provisioner=_LIST,
        consumer=_LIST,
        monitor=_LIST,
    ),
    Thing(
        what="use records",
        view="data",
        below=layout.pointer(_NAME),
        operator=_CHANGE,
        provisioner=_CHANGE,
        consumer=_READ,
        monitor=_READ,
    ),
    Thing(
        what="use settings",
        view="data",
        below=layout.settings(_NAME),
        operator=_CHANGE,
        provisioner=("create", "read"),
        consumer=_READ,
        monitor=_READ,
    ),
    Thing(
        what="write the log",
        view="data",
        below=f"{layout.log(_NAME)}/{_NUMBER}",
        operator=("create", "read"),
        provisioner=("create",),
    ),
    Thing(
        what="use certificates",
        view="data",
        below=layout.certificate(_NAME, _NUMBER),
        operator=_CHANGE,
        provisioner=_CHANGE,
        consumer=_READ,
        monitor=_READ,
    ),
    Thing(
        what="keep refused answers",
        view="data",
        below=f"{layout.generation(_NAME, _NUMBER)}/{layout.ANSWER}*",
        operator=("create", "read"),
        provisioner=("create", "read"),
    ),
    Thing(
        what="use private keys",
        view="data",
        below=layout.key(_NAME, _NUMBER),
        operator=("create", "read"),
        provisioner=("create",),
        consumer=_READ,
    ),
    Thing(
        what="use the facts of certificates",
        view="metadata",
        below=layout.certificate(_NAME, _NUMBER),
        operator=("read", "update", "delete"),
        provisioner=("read", "update"),
        monitor=_READ,
    ),
    Thing(
        what="list tokens",
        view="metadata",
        below=f"{layout.documents(_NAME)}/",
        operator=_LIST,
        consumer=_LIST,
    ),
    Thing(
        what="use tokens",
        view="data",
        below=layout.document(_NAME, _NUMBER),
        operator=_CHANGE,
        consumer=_CHANGE,
    ),
    Thing(what="remove tokens", view="metadata", below=layout.document(_NAME, _NUMBER), operator=("delete",)),
    Thing(what="remove private keys", view="metadata", below=layout.key(_NAME, _NUMBER), operator=("delete",)),
    Thing(what="list the log", view="metadata", below=f"{layout.log(_NAME)}/", operator=_LIST),
    Thing(what="remove the log", view="metadata", below=f"{layout.log(_NAME)}/{_NUMBER}", operator=("delete",)),
    Thing(what="remove settings", view="metadata", below=layout.settings(_NAME), operator=("delete",)),
    Thing(what="remove records", view="metadata", below=layout.pointer(_NAME), operator=("delete",)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a store: the mount, and the prefix in it."""

    mount: str
    prefix: str

    def path(self, thing: Thing, *, name: str = _ANY, number: str = _ANY) -> str:
        """Return the API path of an operation, for all identities and generations unless some are named."""
        return f"{joined(self.mount, thing.view, self.prefix)}/{thing.below.format(name=name, number=number)}"

    def rule(self, thing: Thing) -> str:
        """Return the ACL rule that allows everything in the store."""
        listed = ", ".join(f'"{each}"' for each in thing.operator)
        return f'path "{self.path(thing)}" {{ capabilities = [{listed}] }}'


USE_SETTINGS = next(thing for thing in THINGS if thing.what == "use settings")


def missing(thing: Thing, granted: Sequence[str], *, role: str = ROLES[0]) -> tuple[str, ...]:
    """Return the capabilities that a role needs and a token lacks."""
    return () if _EVERYTHING in granted else tuple(each for each in thing.needed(role) if each not in granted)


def role_of(granted: Mapping[Thing, Sequence[str]]) -> str | None:
    """Return the first role that a token can take; None if there is no such role."""
    able = (role for role in ROLES if not any(missing(thing, has, role=role) for thing, has in granted.items()))
    return next(able, None)
