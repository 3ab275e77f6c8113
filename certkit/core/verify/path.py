"""Path building (RFC 5280 section 6): from a certificate to an anchor, or the first reason why not.

The search is that of `cryptography.x509.verification`, which backtracks over cross-signs and expired detours and
is bounded against hostile chains. Its extension policies are ours: it would refuse client certificates without a
SAN, which private CAs issue. OpenSSL is asked only where a certificate has something that the search does not
support; never for a second opinion on trust, dates or names.
"""

from __future__ import annotations

import functools
import ipaddress
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from certkit.core import describe, names
from certkit.core.verify import openssl, pool
from certkit.core.verify.explain import NoPath, first_cause
from certkit.core.verify.purpose import allows

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What path is wanted: from a leaf to one of the anchors, at a moment, for a purpose (client, server, any).

    `max_depth` counts the intermediates between leaf and anchor.
    """

    leaf: x509.Certificate
    anchors: Sequence[x509.Certificate]
    untrusted: Sequence[x509.Certificate]
    at: datetime
    purpose: str = "any"
    max_depth: int = DEFAULT_MAX_DEPTH


def build_path(search: Search) -> tuple[x509.Certificate, ...] | NoPath:
    """The path that is wanted, leaf first and anchor last; or why there is none.

    A path whose CAs may not issue for the purpose is the answer where there is no better one.
    """
    if len(search.anchors) + len(search.untrusted) <= _FEW:
        found = _found(search)
        if not isinstance(found, str):
            return found
    candidates = pool.relevant(search.leaf, (*search.anchors, *search.untrusted))
    trusted = _among(search.anchors, {search.leaf, *candidates})
    relevant = replace(search, anchors=trusted, untrusted=_among(candidates, set(candidates) - set(trusted)))
    said = "no interior errors"
    for wanted in (relevant, replace(relevant, purpose="any")) if trusted else ():
        found = _found(wanted)
        if not isinstance(found, str):
            return found
        said = found
    if trusted and _is_beyond(search.leaf, candidates, said):
        answer = _ask_openssl(relevant)
        if not isinstance(answer, str):
            return answer
        said = answer
    return first_cause(search.leaf, anchors=search.anchors, candidates=candidates, at=search.at, engine=said)


def web_pki_problem(search: Search, hostname: str | None) -> str | None:
    """What the Web PKI's rules for servers (CA/Browser Forum) find wrong with a path; None if nothing.

    Without a host name the certificate's own first name stands for it.
    """
    from cryptography.x509.verification import PolicyBuilder, Store

    subject = _web_subject(search.leaf, hostname)
    if subject is None:
        return "it has no host name among its alternative names"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            builder = PolicyBuilder().store(Store(list(search.anchors))).time(search.at.replace(tzinfo=None))
            verifier = builder.max_chain_depth(search.max_depth).build_server_verifier(subject)
            verifier.verify(search.leaf, list(search.untrusted))
        except Exception as error:  # noqa: BLE001  hostile certificates meet a parser: it has its own kinds of error
            return " ".join(str(error).removeprefix("validation failed: ").split())[:200]
    return None


def _web_subject(leaf: x509.Certificate, hostname: str | None) -> Any:
    from cryptography.x509 import DNSName, IPAddress

    if hostname is not None:
        try:
            return IPAddress(ipaddress.ip_address(hostname))
        except ValueError:
            return DNSName(hostname)
    san = describe.extension(leaf, "SubjectAlternativeName") or ()
    return next((DNSName(name.value.replace("*", "x", 1)) for name in san if isinstance(name, DNSName)), None)


def _among(certificates: Sequence[x509.Certificate], wanted: set[x509.Certificate]) -> list[x509.Certificate]:
    return [each for each in certificates if each in wanted]


def _ask_openssl(search: Search) -> tuple[x509.Certificate, ...] | NoPath | str:
    """OpenSSL's path, if its CAs are sound; what is wrong with them; or what OpenSSL says where it finds none."""
    answer = openssl.validate(search.leaf, anchors=search.anchors, untrusted=search.untrusted, at=search.at)
    if not isinstance(answer, openssl.Refusal):
        return _unsound(answer, search.max_depth) or answer
    if answer.code != openssl.NO_EXPLICIT_POLICY:
        return answer.words
    return NoPath(
        "a CA in the chain asks for certificate policies (RFC 5280 section 6.1.5), which cannot be judged",
        "ask the partner whether the policy of this certificate is the one it wants",
        is_undecided=True,
    )


def _unsound(path: tuple[x509.Certificate, ...], max_depth: int) -> NoPath | None:
    """What OpenSSL is lenient about: depth, and CAs that do not say that they are CAs."""
    if len(path) - 2 > max_depth:
        return NoPath("the chain has more intermediates than --max-depth allows", "raise it if that is meant")
    for ca in path[1:-1]:
        usage = describe.extension(ca, "KeyUsage")
        if not describe.is_ca(ca) or (usage is not None and not usage.key_cert_sign):
            return NoPath(
                f"{names.distinguished_name(ca.subject)} signed a certificate and may not (RFC 5280 section 4.2.1.9)",
                "do not trust this chain; ask the partner",
            )
    return None


def _found(search: Search) -> tuple[x509.Certificate, ...] | str:
    """The path that cryptography finds, or what it says where it finds none."""
    from cryptography.x509.verification import Store

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            builder = _builder(search.purpose).store(Store(list(search.anchors)))
            builder = builder.time(search.at.replace(tzinfo=None)).max_chain_depth(search.max_depth)
            return tuple(builder.build_client_verifier().verify(search.leaf, list(search.untrusted)).chain)
        except Exception as error:  # noqa: BLE001  as above
            return str(error)


@functools.cache
def _builder(purpose: str) -> PolicyBuilder:
    from cryptography import x509
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder

    def must_serve(_: object, __: object, usage: Any) -> None:
        if usage is not None and not allows(usage, purpose):
            raise ValueError("its extended key usage does not allow the purpose")

    cas = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _must_be_ca)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _must_sign)
        .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, must_serve)
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

    if certificate.version is x509.Version.v1:
        return True  # a root that is older than extensions; the engine wants version 3
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
