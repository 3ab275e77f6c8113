"""Partners' rules: `certkit policy` for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.api import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.api.arguments import Data
    from certkit.findings import Finding, Status


@dataclass(frozen=True, slots=True)
class PolicyFit:
    """How a policy judges a CSR or certificate: `reasons` are the findings that are critical or undetermined."""

    policy: str
    status: Status
    reasons: tuple[Finding, ...]


def policies() -> Sequence[str]:
    """Return the names of the shipped policies."""
    from certkit.policy import catalogue

    return tuple(catalogue.names())


def show_policy(policy: str, *, now: datetime | None = None) -> dict[str, Any]:
    """Return a policy's rules with their sources, and remarks on them, as `certkit policy show --json` does.

    `policy` is a name or the path of a TOML file, so this validates a file of one's own.

    Raises:
        certkit.PolicyError: if there is no such policy, or it is invalid.
    """
    from certkit.policy import catalogue
    from certkit.policy import format as files

    found = catalogue.load(policy)
    return {**files.as_document(found), "remarks": files.notes(found, (now or arguments.now()).date())}


def new_policy(name: str, *, now: datetime | None = None) -> str:
    """Return a policy file (TOML) with every key of the format, commented out and explained."""
    from certkit.policy import skeleton

    return skeleton.text(name, (now or arguments.now()).date())


def which_policy(data: Data) -> Sequence[PolicyFit]:
    """Check a CSR or certificate against every shipped policy.

    Raises:
        certkit.InputError: if the data is neither.
    """
    from certkit.policy import catalogue
    from certkit.verify import partner

    content, name = arguments.content(data, "the data")
    found = partner.which(content, map(catalogue.load, catalogue.names()), name=name)
    return tuple(PolicyFit(each.policy.name, each.status, each.bad) for each in found)
