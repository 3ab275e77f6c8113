"""What a token may do in a store in Vault, and which of the roles in `policies/vault` that makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.stores import vault_layout as layout
from certkit.vault.fields import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EVERYTHING = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A kind of path: which, what it is good for, and the capabilities on it that each role has.

    The roles are those of `policies/vault`: operator, provisioner, consumer, monitor.
    """

    path: str
    what: str
    operator: tuple[str, ...]
    provisioner: tuple[str, ...] = ()
    consumer: tuple[str, ...] = ()
    monitor: tuple[str, ...] = ()

    def rule(self, capabilities: Sequence[str]) -> str:
        """The ACL rule that allows this."""
        listed = ", ".join(f'"{each}"' for each in capabilities)
        return f'path "{self.path}" {{ capabilities = [{listed}] }}'


ROLES = ("operator", "provisioner", "consumer", "monitor")


def things(mount: str, location: str, *, name: str) -> list[Thing]:
    """All that a store asks of Vault, for one identity and a generation of it."""
    prefix = location.removeprefix(mount)
    number = "0001"

    def folder(path: str) -> str:
        return f"{joined(mount, 'metadata', prefix, path)}/"

    def view(kind: str, path: str) -> str:
        return joined(mount, kind, prefix, path)

    listing, reading = ("list",), ("read",)
    changing, creating = ("create", "read", "update"), ("create",)
    certificate, key = layout.certificate(name, number), layout.key(name, number)
    everywhere = {"operator": listing, "provisioner": listing, "monitor": listing}
    return [
        Thing(path=folder(""), what="list the identities", **everywhere),
        Thing(path=folder(name), what="list an identity", **everywhere),
        Thing(path=folder(layout.generations(name)), what="list generations", **everywhere, consumer=listing),
        Thing(path=folder(layout.generation(name, number)), what="see a generation", **everywhere, consumer=listing),
        Thing(
            path=view("data", layout.pointer(name)),
            what="use the record of an identity",
            operator=changing,
            provisioner=changing,
            consumer=reading,
            monitor=reading,
        ),
        Thing(
            path=view("data", certificate),
            what="use certificates",
            operator=changing,
            provisioner=changing,
            consumer=reading,
        ),
        Thing(
            path=view("data", key),
            what="use private keys",
            operator=("create", "read"),
            provisioner=creating,
            consumer=reading,
        ),
        Thing(
            path=view("metadata", certificate),
            what="use the facts of certificates",
            operator=("read", "update", "delete"),
            provisioner=("read", "update"),
            monitor=reading,
        ),
        Thing(path=view("metadata", key), what="remove private keys", operator=("delete",)),
        Thing(path=view("metadata", layout.pointer(name)), what="remove an identity", operator=("delete",)),
    ]


def missing(thing: Thing, granted: Sequence[str], *, role: str = ROLES[0]) -> tuple[str, ...]:
    """The capabilities that a role needs and a token does not have."""
    needed: tuple[str, ...] = getattr(thing, role)
    return () if _EVERYTHING in granted else tuple(each for each in needed if each not in granted)


def role(things: Sequence[Thing], granted: Mapping[str, Sequence[str]]) -> str | None:
    """The first role that a token can take; None where it can take none."""
    able = (role for role in ROLES if not any(missing(each, granted[each.path], role=role) for each in things))
    return next(able, None)
