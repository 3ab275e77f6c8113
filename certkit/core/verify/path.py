"""Path building (RFC 5280 section 6): from a certificate to an anchor, or the first reason why not.

The search is that of `cryptography.x509.verification`, which backtracks over cross-signs and expired detours and
is bounded against hostile chains. Its extension policies are ours: it would refuse client certificates without a
SAN, which private CAs issue. OpenSSL is asked only where a certificate has something that the search does not
support; never for a second opinion on trust, dates or names.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

from certkit.core import describe, names
from certkit.core.verify import openssl, pool
from certkit.core.verify.explain import NoPath, first_cause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder

DEFAULT_MAX_DEPTH = 8
# So few strangers cost less than looking for them.
_FEW = 16

# certificatePolicies, policyMappings, policyConstraints, inhibitAnyPolicy: refused by the search where critical.
_POLICY_EXTENSIONS = frozenset({"2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"})


def build_path(
    leaf: x509.Certificate,
    *,
    anchors: Sequence[x509.Certificate],
    untrusted: Sequence[x509.Certificate],
    at: datetime,
    max_depth: int = DEFAULT_MAX_DEPTH,
) -> tuple[x509.Certificate, ...] | NoPath:
    """The path from the leaf to an anchor, both included, at a moment; or why there is none.

    `max_depth` counts the intermediates between them.
    """
    if len(anchors) + len(untrusted) <= _FEW:
        found = _search(leaf, anchors, untrusted, at, max_depth)
        if not isinstance(found, str):
            return found
    candidates = pool.relevant(leaf, (*anchors, *untrusted))
    trusted = _among(anchors, {leaf, *candidates})
    others = _among(candidates, set(candidates) - set(trusted))
    said = "no interior errors"
    if trusted:
        found = _search(leaf, trusted, others, at, max_depth)
        if not isinstance(found, str):
            return found
        said = found
        if _is_beyond(leaf, candidates, said):
            answer = openssl.validate(leaf, anchors=trusted, untrusted=others, at=at)
            if not isinstance(answer, openssl.Refusal):
                return require_sound_cas(answer, max_depth)
            if answer.code == openssl.NO_EXPLICIT_POLICY:
                return NoPath(
                    "a CA in the chain asks for certificate policies (RFC 5280 section 6.1.5), which cannot be judged",
                    "ask the partner whether the policy of this certificate is the one it wants",
                    is_undecided=True,
                )
            said = answer.words
    return first_cause(leaf, anchors=anchors, candidates=candidates, at=at, engine=said)


def _among(certificates: Sequence[x509.Certificate], wanted: set[x509.Certificate]) -> list[x509.Certificate]:
    return [each for each in certificates if each in wanted]


def require_sound_cas(path: tuple[x509.Certificate, ...], max_depth: int) -> tuple[x509.Certificate, ...] | NoPath:
    """A path that OpenSSL found, if its CAs say that they are CAs and it is not too deep; OpenSSL is lenient there."""
    if len(path) - 2 > max_depth:
        return NoPath("the chain has more intermediates than --max-depth allows", "raise it if that is meant")
    for ca in path[1:-1]:
        usage = describe.extension(ca, "KeyUsage")
        if not describe.is_ca(ca) or (usage is not None and not usage.key_cert_sign):
            return NoPath(
                f"{names.distinguished_name(ca.subject)} signed a certificate and may not (RFC 5280 section 4.2.1.9)",
                "do not trust this chain; ask the partner",
            )
    return path


def _search(
    leaf: x509.Certificate,
    anchors: Sequence[x509.Certificate],
    untrusted: Sequence[x509.Certificate],
    at: datetime,
    max_depth: int,
) -> tuple[x509.Certificate, ...] | str:
    """The path that cryptography finds, or what it says where it finds none."""
    from cryptography.x509.verification import Store

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            builder = _builder().store(Store(list(anchors))).time(at.replace(tzinfo=None)).max_chain_depth(max_depth)
            return tuple(builder.build_client_verifier().verify(leaf, list(untrusted)).chain)
        except Exception as error:  # noqa: BLE001  hostile certificates meet a parser: it has its own kinds of error
            return str(error)


@functools.cache
def _builder() -> PolicyBuilder:
    from cryptography import x509
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder

    cas = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _must_be_ca)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _must_sign)
    )
    # The leaf's purpose and names are judged by checks of our own, in every case.
    return PolicyBuilder().extension_policies(ca_policy=cas, ee_policy=ExtensionPolicy.permit_all())


def _must_be_ca(_: object, __: object, constraints: Any) -> None:
    if not constraints.ca:
        raise ValueError("not a CA certificate")


def _must_sign(_: object, __: object, usage: Any) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("its key usage does not allow signing certificates")


def _is_beyond(leaf: x509.Certificate, candidates: Sequence[x509.Certificate], said: str) -> bool:
    """Whether the certificates have something that cryptography's search does not support."""
    if "must be UtcTime" in said:
        return True
    try:
        return any(_has_unsupported(each) for each in (leaf, *candidates)) or _differ_in_spelling(leaf, candidates)
    except ValueError:
        return False


def _has_unsupported(certificate: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

    if isinstance(certificate.public_key(), ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return True
    is_self_issued = certificate.subject == certificate.issuer
    if is_self_issued and pool.signed_by(certificate, certificate) is False:
        return True  # it does not count for path lengths (RFC 5280 section 6.1.4 l)
    for extension in certificate.extensions:
        if extension.critical and extension.oid.dotted_string in _POLICY_EXTENSIONS:
            return True
        if isinstance(extension.value, x509.NameConstraints):
            trees = (*(extension.value.permitted_subtrees or ()), *(extension.value.excluded_subtrees or ()))
            if any(not isinstance(tree, x509.DNSName | x509.IPAddress) for tree in trees):
                return True
    return False


def _differ_in_spelling(leaf: x509.Certificate, candidates: Sequence[x509.Certificate]) -> bool:
    """Whether an issuer's name is the same only after folding, which the search does not do (RFC 5280 section 7.1)."""
    return any(
        issuer.subject.public_bytes() != each.issuer.public_bytes()
        for each in (leaf, *candidates)
        for issuer in pool.issuers_of(each, candidates)
    )
