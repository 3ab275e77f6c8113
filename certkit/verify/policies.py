"""Certificate policies along a path (RFC 5280 section 6.1): a valid one must exist if a CA requires it.

The user accepts any policy, because no partner names one. Qualifiers do not matter then, and the tree of policies
shrinks to what is valid at a depth and what each of those expects below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.x509 import oids
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.x509.certificate import Certificate

_ANY = "2.5.29.32.0"
_MAY_REQUIRE = {oids.POLICY_CONSTRAINTS, oids.POLICY_MAPPINGS}


def hold(path: Sequence[Certificate]) -> bool:
    """Return whether a path, leaf first, ends with a valid policy, or requires none."""
    below = path[-2::-1]
    # Without one of these, nothing can require a policy.
    if not any(_MAY_REQUIRE & each.values.keys() for each in below):
        return True
    for each in below:
        values = (each.certificate_policies, each.policy_mappings, each.policy_constraints, each.inhibit_any_policy)
        if any(isinstance(value, Unreadable) for value in values):
            return False
    count = len(below) + 1
    state = _State(count, count, count)
    for certificate in below[:-1]:
        state.apply_policies(certificate, is_last=False)
        if (state.explicit == 0 and not state.valid) or not state.apply_mappings(certificate):
            return False
        state.count_down(certificate)
    for leaf in below[-1:]:
        state.apply_policies(leaf, is_last=True)
        state.explicit = max(state.explicit - 1, 0)
        limits = leaf.policy_constraints
        if limits and limits.require_explicit_policy == 0:
            state.explicit = 0
    return bool(state.valid) or state.explicit > 0


@dataclass(slots=True)
class _State:
    """The state variables of RFC 5280 section 6.1.2: three counters, and each valid policy with what it expects."""

    explicit: int
    mapping: int
    inhibit_any: int
    valid: dict[str, set[str]] = field(default_factory=lambda: {_ANY: {_ANY}})

    def apply_policies(self, certificate: Certificate, *, is_last: bool) -> None:
        """Apply section 6.1.3, steps d and e: the policies that a certificate leaves valid."""
        own = certificate.certificate_policies
        if own is None:
            self.valid = {}
            return
        named = {policy.oid for policy in own or ()}
        expected = set().union(*self.valid.values()) if self.valid else set()
        kept = {policy: {policy} for policy in named - {_ANY} if policy in expected or _ANY in self.valid}
        if _ANY in named and (self.inhibit_any > 0 or (not is_last and certificate.is_self_issued)):
            kept |= {policy: {policy} for policy in expected if policy not in kept}
        self.valid = kept

    def apply_mappings(self, certificate: Certificate) -> bool:
        """Apply section 6.1.4, steps a and b: map a CA's policies for those below; False if anyPolicy is mapped."""
        mapped: dict[str, set[str]] = {}
        for issuer, subject in certificate.policy_mappings or ():
            if _ANY in {issuer, subject}:
                return False
            mapped.setdefault(issuer, set()).add(subject)
        for issuer, subjects in mapped.items():
            if self.mapping == 0:
                self.valid.pop(issuer, None)
            elif issuer in self.valid or _ANY in self.valid:
                self.valid[issuer] = subjects
        return True

    def count_down(self, certificate: Certificate) -> None:
        """Apply section 6.1.4, steps h to j."""
        if not certificate.is_self_issued:
            self.explicit = max(self.explicit - 1, 0)
            self.mapping = max(self.mapping - 1, 0)
            self.inhibit_any = max(self.inhibit_any - 1, 0)
        limits = certificate.policy_constraints
        if limits and limits.require_explicit_policy is not None:
            self.explicit = min(self.explicit, limits.require_explicit_policy)
        if limits and limits.inhibit_policy_mapping is not None:
            self.mapping = min(self.mapping, limits.inhibit_policy_mapping)
        inhibit = certificate.inhibit_any_policy
        if inhibit is not None:
            self.inhibit_any = min(self.inhibit_any, inhibit or 0)
