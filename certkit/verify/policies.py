"""Certificate policies along a path (RFC 5280 section 6.1): whether one is there where a CA requires it.

Any policy is what the user wants, for no partner names one. Qualifiers do not matter then, and the tree of policies
shrinks to what is valid at a depth and what each of those expects below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.x509.certificate import Certificate

_ANY = "2.5.29.32.0"


@dataclass(slots=True)
class _State:
    """The state variables of RFC 5280 section 6.1.2: three counters, and each valid policy with what it expects."""

    explicit: int
    mapping: int
    inhibit_any: int
    valid: dict[str, set[str]] = field(default_factory=lambda: {_ANY: {_ANY}})


def hold(path: Sequence[Certificate]) -> bool:
    """Whether a valid policy is there at the end of a path, leaf first, or none is required."""
    below = list(reversed(path[:-1]))
    # Without one of these, nothing can require a policy.
    if all(each.policy_constraints is None and each.policy_mappings is None for each in below):
        return True
    if any(isinstance(value, Unreadable) for each in below for value in _values(each)):
        return False
    count = len(below) + 1
    state = _State(count, count, count)
    for certificate in below[:-1]:
        _apply_policies(state, certificate, is_last=False)
        if state.explicit == 0 and not state.valid:
            return False
        if not _apply_mappings(state, certificate):
            return False
        _count_down(state, certificate)
    for leaf in below[-1:]:
        _apply_policies(state, leaf, is_last=True)
        state.explicit = max(state.explicit - 1, 0)
        limits = leaf.policy_constraints
        if limits and limits.require_explicit_policy == 0:
            state.explicit = 0
    return bool(state.valid) or state.explicit > 0


def _values(certificate: Certificate) -> tuple[object, ...]:
    return (
        certificate.certificate_policies,
        certificate.policy_mappings,
        certificate.policy_constraints,
        certificate.inhibit_any_policy,
    )


def _apply_policies(state: _State, certificate: Certificate, *, is_last: bool) -> None:
    """Section 6.1.3, steps d and e: what a certificate's own policies leave valid."""
    own = certificate.certificate_policies
    if own is None:
        state.valid = {}
        return
    named = {policy.oid for policy in own or ()}
    expected = set().union(*state.valid.values()) if state.valid else set()
    kept = {policy: {policy} for policy in named - {_ANY} if policy in expected or _ANY in state.valid}
    if _ANY in named and (state.inhibit_any > 0 or (not is_last and _is_self_issued(certificate))):
        kept |= {policy: {policy} for policy in expected if policy not in kept}
    state.valid = kept


def _apply_mappings(state: _State, certificate: Certificate) -> bool:
    """Section 6.1.4, steps a and b: what a CA's policies are called below it; False for a mapping of any policy."""
    mapped: dict[str, set[str]] = {}
    for issuer, subject in certificate.policy_mappings or ():
        if _ANY in {issuer, subject}:
            return False
        mapped.setdefault(issuer, set()).add(subject)
    for issuer, subjects in mapped.items():
        if state.mapping == 0:
            state.valid.pop(issuer, None)
        elif issuer in state.valid or _ANY in state.valid:
            state.valid[issuer] = subjects
    return True


def _count_down(state: _State, certificate: Certificate) -> None:
    """Section 6.1.4, steps h to j."""
    if not _is_self_issued(certificate):
        state.explicit = max(state.explicit - 1, 0)
        state.mapping = max(state.mapping - 1, 0)
        state.inhibit_any = max(state.inhibit_any - 1, 0)
    limits = certificate.policy_constraints
    if limits and limits.require_explicit_policy is not None:
        state.explicit = min(state.explicit, limits.require_explicit_policy)
    if limits and limits.inhibit_policy_mapping is not None:
        state.mapping = min(state.mapping, limits.inhibit_policy_mapping)
    inhibit = certificate.inhibit_any_policy
    if inhibit is not None:
        state.inhibit_any = min(state.inhibit_any, inhibit or 0)


def _is_self_issued(certificate: Certificate) -> bool:
    return certificate.subject.key == certificate.issuer.key
