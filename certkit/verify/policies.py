"""Certificate policies along a path (RFC 5280 section 6.1): whether one is there where a CA requires it.

Any policy is what the user wants, for no partner names one. Qualifiers do not matter then, and the tree of policies
shrinks to what is valid at a depth and what each of those expects below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.x509 import der as tlv
from certkit.x509 import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

_ANY = "2.5.29.32.0"
_POLICY_MAPPINGS = "2.5.29.33"


@dataclass(slots=True)
class _State:
    """The state variables of RFC 5280 section 6.1.2: three counters, and each valid policy with what it expects."""

    explicit: int
    mapping: int
    inhibit_any: int
    valid: dict[str, set[str]] = field(default_factory=lambda: {_ANY: {_ANY}})


def hold(path: Sequence[x509.Certificate]) -> bool:
    """Whether a valid policy is there at the end of a path, leaf first, or none is required.

    Raises:
        ValueError: an extension cannot be read.
    """
    below = list(reversed(path[:-1]))
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
        constraints = describe.extension(leaf, "PolicyConstraints")
        if constraints is not None and constraints.require_explicit_policy == 0:
            state.explicit = 0
    return bool(state.valid) or state.explicit > 0


def _apply_policies(state: _State, certificate: x509.Certificate, *, is_last: bool) -> None:
    """Section 6.1.3, steps d and e: what a certificate's own policies leave valid."""
    own = describe.extension(certificate, "CertificatePolicies")
    if own is None:
        state.valid = {}
        return
    named = {policy.policy_identifier.dotted_string for policy in own}
    expected = set().union(*state.valid.values()) if state.valid else set()
    kept = {policy: {policy} for policy in named - {_ANY} if policy in expected or _ANY in state.valid}
    is_self_issued = certificate.subject == certificate.issuer
    if _ANY in named and (state.inhibit_any > 0 or (not is_last and is_self_issued)):
        kept |= {policy: {policy} for policy in expected if policy not in kept}
    state.valid = kept


def _apply_mappings(state: _State, certificate: x509.Certificate) -> bool:
    """Section 6.1.4, steps a and b: what a CA's policies are called below it; False for a mapping of any policy."""
    mapped: dict[str, set[str]] = {}
    for issuer, subject in _mappings(certificate):
        if _ANY in {issuer, subject}:
            return False
        mapped.setdefault(issuer, set()).add(subject)
    for issuer, subjects in mapped.items():
        if state.mapping == 0:
            state.valid.pop(issuer, None)
        elif issuer in state.valid or _ANY in state.valid:
            state.valid[issuer] = subjects
    return True


def _count_down(state: _State, certificate: x509.Certificate) -> None:
    """Section 6.1.4, steps h to j."""
    if certificate.subject != certificate.issuer:
        state.explicit = max(state.explicit - 1, 0)
        state.mapping = max(state.mapping - 1, 0)
        state.inhibit_any = max(state.inhibit_any - 1, 0)
    constraints = describe.extension(certificate, "PolicyConstraints")
    if constraints is not None and constraints.require_explicit_policy is not None:
        state.explicit = min(state.explicit, constraints.require_explicit_policy)
    if constraints is not None and constraints.inhibit_policy_mapping is not None:
        state.mapping = min(state.mapping, constraints.inhibit_policy_mapping)
    inhibit = describe.extension(certificate, "InhibitAnyPolicy")
    if inhibit is not None:
        state.inhibit_any = min(state.inhibit_any, inhibit.skip_certs)


def _mappings(certificate: x509.Certificate) -> list[tuple[str, str]]:
    """The pairs of issuer and subject domain policies (section 4.2.1.5), which the library leaves as bytes."""
    raw = [each.value for each in certificate.extensions if each.oid.dotted_string == _POLICY_MAPPINGS]
    if not raw:
        return []
    data: bytes = raw[0].value
    [outer] = tlv.elements(data)
    return [_pair(data, pair) for pair in tlv.elements(data, outer.start, outer.end)]


def _pair(data: bytes, pair: Any) -> tuple[str, str]:
    issuer, subject = tlv.elements(data, pair.start, pair.end)
    return tlv.object_identifier(data[issuer.start : issuer.end]), tlv.object_identifier(
        data[subject.start : subject.end]
    )
