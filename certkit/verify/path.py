"""Path building (RFC 5280 section 6): from a certificate to an anchor, or the first reason why not.

The judge is `cryptography.x509.verification`, with extension policies of our own: it would refuse client certificates
without a SAN, which private CAs issue. It also searches, and finds nearly every path at once. Where it finds none, each
way that names and signatures allow is put before it alone; and before OpenSSL where a certificate of that way has
something that the judge does not support, never for a second opinion on trust, dates or names.
"""

from __future__ import annotations

import functools
import ipaddress
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from certkit.verify import constraints, openssl, policies
from certkit.verify.explain import NoPath, first_cause, meaning_of
from certkit.verify.pool import Pool, differ_in_spelling
from certkit.verify.purpose import allows
from certkit.x509 import describe, keys, names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder

    Path = tuple[x509.Certificate, ...]

DEFAULT_MAX_DEPTH = 8
# So few certificates are searched at once; more are sorted first.
_FEW = 16

# certificatePolicies, policyMappings, policyConstraints, inhibitAnyPolicy: refused by the judge where critical.
_POLICY_EXTENSIONS = frozenset({"2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"})
# nameConstraints, policyMappings, policyConstraints: without one of these nothing is passed over.
_PASSED_OVER = frozenset({"2.5.29.30", "2.5.29.33", "2.5.29.36"})


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


def build_path(search: Search) -> Path | NoPath:
    """The path that is wanted, leaf first and anchor last; or why there is none.

    A path whose CAs may not issue for the purpose is the answer where there is no better one.
    """
    if len(search.anchors) + len(search.untrusted) <= _FEW:
        found = _found(search)
        if not isinstance(found, str) and _objection(found) is None:
            return found
    pool = Pool(search.leaf, anchors=search.anchors, untrusted=search.untrusted)
    second_best: Path | None = None
    objections: list[str] = []
    for way in pool.paths(search.max_depth):
        objection = _judged(way, replace(search, anchors=way[-1:], untrusted=way[1:-1], purpose="any"))
        if objection is not None:
            objections.append(objection)
        elif _serves(way, search.purpose):
            return way
        else:
            second_best = second_best or way
    return second_best or first_cause(pool, at=search.at, objections=objections, max_depth=search.max_depth)


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
            return meaning_of(str(error))
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


def _judged(way: Path, alone: Search) -> str | None:
    """What is wrong with one way from leaf to anchor, in the words of whoever judged it; None if nothing is."""
    found = _found(alone)
    if not isinstance(found, str):
        return _objection(found)
    if "must be UtcTime" not in found and not _is_beyond(way):
        return found
    answer = openssl.validate(alone.leaf, anchors=alone.anchors, untrusted=alone.untrusted, at=alone.at)
    if isinstance(answer, openssl.Refusal):
        return answer.words
    return _lenience(way, alone.max_depth) or _objection(way)


def _objection(path: Path) -> str | None:
    """What the judges pass over in a path that they found; None if all is well."""
    try:
        if not all(_is_exact(each) for each in path[:-1]):
            return "a certificate is not signed as it stands"
        if not any(extension.oid.dotted_string in _PASSED_OVER for each in path for extension in each.extensions):
            return None
        return constraints.violation(path) or (None if policies.hold(path) else "no explicit policy")
    except Exception as error:  # noqa: BLE001  as above
        return f"an extension cannot be read: {error}"


def _lenience(path: Path, max_depth: int) -> str | None:
    """What OpenSSL is lenient about: depth, weak digests and keys, and CAs that do not say that they are CAs."""
    if len(path) - 2 > max_depth:
        return "max depth"
    for each in path[:-1]:
        digest = each.signature_hash_algorithm
        if digest is not None and keys.is_weak_digest(digest.name):
            return "Forbidden signature algorithm"
    for ca in path[1:]:
        usage = describe.extension(ca, "KeyUsage")
        is_old_anchor = ca is path[-1] and not list(ca.extensions)
        if not is_old_anchor and (not describe.is_ca(ca) or (usage is not None and not usage.key_cert_sign)):
            return f"{names.distinguished_name(ca.subject)} is not a CA certificate"
    return None


def _is_exact(certificate: x509.Certificate) -> bool:
    """Whether the signature has no unused bits, which could be counted otherwise without breaking it."""
    signature = certificate.signature
    if signature[-1] & 1:
        return True  # unused bits are zero, and the last one is not
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)[: -len(signature)].endswith(b"\0")


def _serves(path: Path, purpose: str) -> bool:
    """Whether the CAs below the anchor may issue for a purpose."""
    usages = (describe.extension(ca, "ExtendedKeyUsage") for ca in path[1:-1])
    return all(usage is None or allows(usage, purpose) for usage in usages)


def _found(search: Search) -> Path | str:
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


def _is_beyond(path: Path) -> bool:
    """Whether a path has something that cryptography's verifier does not support; no if it cannot be read."""
    anchor = path[-1]
    try:
        return any(_has_unsupported(each, is_anchor=each is anchor) for each in path) or differ_in_spelling(path)
    except Exception:  # noqa: BLE001  as above
        return False


def _has_unsupported(certificate: x509.Certificate, *, is_anchor: bool) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

    if certificate.version is x509.Version.v1:
        return True  # a root that is older than extensions
    if isinstance(certificate.public_key(), ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return True
    if not is_anchor and certificate.subject == certificate.issuer:
        return True  # it does not count for path lengths (RFC 5280 section 6.1.4 l)
    return any(_is_unsupported(extension) for extension in certificate.extensions)


def _is_unsupported(extension: x509.Extension[Any]) -> bool:
    from cryptography import x509

    if extension.critical and extension.oid.dotted_string in _POLICY_EXTENSIONS:
        return True
    if not isinstance(extension.value, x509.NameConstraints):
        return False
    trees = (*(extension.value.permitted_subtrees or ()), *(extension.value.excluded_subtrees or ()))
    # An empty DNS tree, which means every name, is malformed to the judge.
    return any(not isinstance(tree, x509.DNSName | x509.IPAddress) or tree.value == "" for tree in trees)
