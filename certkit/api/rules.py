"""Partners' rules: `certkit policy` for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.signatures import public

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.api.arguments import Data
    from certkit.csr.check import PolicyFit


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """A policy: its name and title, and what it is for.

    `validate_policy` adds remarks on it, such as a source that was read long ago.
    """

    name: str
    title: str
    summary: str
    remarks: tuple[str, ...] = ()


def policies() -> Sequence[PolicyInfo]:
    """Return the shipped policies."""
    from certkit.policy import catalogue

    found = (catalogue.load(name) for name in catalogue.names())
    return tuple(PolicyInfo(each.name, each.title, each.summary) for each in found)


@public
def show_policy(policy: str, *, now: datetime | None = None) -> dict[str, Any]:
    """Return a policy's rules with their sources, and remarks on them, as `certkit policy show --json` does.

    `policy` is a name or the path of a TOML file.

    Raises:
        certkit.PolicyError: if there is no such policy, or it is invalid.
    """
    from certkit.policy import catalogue
    from certkit.policy import format as policy_files

    found = catalogue.load(policy)
    return {**policy_files.as_document(found), "remarks": policy_files.notes(found, (now or arguments.now()).date())}


@public
def validate_policy(path: str | Path, *, now: datetime | None = None) -> PolicyInfo:
    """Validate a policy file of one's own, as `certkit policy validate` does.

    Raises:
        certkit.PolicyError: if it is invalid; with the line of the mistake.
    """
    from certkit.policy import catalogue
    from certkit.policy import format as policy_files

    found = catalogue.load_file(str(path))
    remarks = policy_files.notes(found, (now or arguments.now()).date())
    return PolicyInfo(found.name, found.title, found.summary, tuple(remarks))


@public
def new_policy(name: str, *, now: datetime | None = None) -> str:
    """Return a policy file (TOML) with every key of the format, commented out and explained.

    Raises:
        certkit.InputError: if the name is not one that a policy can have.
    """
    from certkit.errors import InputError
    from certkit.policy import catalogue
    from certkit.policy import format as policy_files
    from certkit.printable import printable

    if not catalogue.is_name(name):
        hint = "use up to 64 letters, digits, dots, underscores or hyphens, starting with a letter or digit"
        raise InputError(f"not a valid policy name: {printable(name)!r}", hint=hint)
    return policy_files.skeleton(name, (now or arguments.now()).date())


@public
def which_policy(data: Data) -> Sequence[PolicyFit]:
    """Check a CSR or certificate against every shipped policy.

    Raises:
        certkit.InputError: if the data is neither.
    """
    from certkit.policy import catalogue
    from certkit.verify import partner

    content, name = arguments.content(data, "the data")
    return tuple(partner.which(content, map(catalogue.load, catalogue.names()), name=name))
