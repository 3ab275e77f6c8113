"""Path building (RFC 5280 section 6): from a certificate to an anchor, or the first reason why not.

The search itself is that of `cryptography.x509.verification`, which backtracks over cross-signs and expired
detours and is bounded against hostile chains. Its extension policies are ours: it would refuse client
certificates without a SAN, which private CAs issue.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.core import names
from certkit.core.printable import printable
from certkit.core.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from cryptography import x509

DEFAULT_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class NoPath:
    """Why no path leads from a certificate to an anchor: the first cause in plain words, and what to do."""

    reason: str
    hint: str


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
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            verifier = (
                PolicyBuilder()
                .store(Store(list(anchors)))
                .time(at.replace(tzinfo=None))
                .max_chain_depth(max_depth)
                .extension_policies(ca_policy=_ca_policy(), ee_policy=_leaf_policy())
                .build_client_verifier()
            )
            return tuple(verifier.verify(leaf, list(untrusted)).chain)
        except VerificationError as error:
            return _explain(leaf, anchors, untrusted, at, str(error))
        except Exception as error:  # noqa: BLE001  hostile certificates meet a parser
            return NoPath(f"the chain cannot be examined: {error}", "look at each certificate with certkit inspect")


def issued_by(child: x509.Certificate, parent: x509.Certificate) -> bool:
    """Whether one certificate is signed with the key of another and names it as its issuer."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child.verify_directly_issued_by(parent)
    except Exception:  # noqa: BLE001  as above
        return False
    return True


def _ca_policy() -> x509.verification.ExtensionPolicy:
    from cryptography import x509
    from cryptography.x509.verification import Criticality, ExtensionPolicy

    def must_be_ca(_: object, __: object, constraints: x509.BasicConstraints) -> None:
        if not constraints.ca:
            raise ValueError("not a CA certificate")

    def must_sign(_: object, __: object, usage: x509.KeyUsage | None) -> None:
        if usage is not None and not usage.key_cert_sign:
            raise ValueError("its key usage does not allow signing certificates")

    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, must_be_ca)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, must_sign)
    )


def _leaf_policy() -> x509.verification.ExtensionPolicy:
    from cryptography.x509.verification import ExtensionPolicy

    # Purpose and names are judged by checks of our own, in every case.
    return ExtensionPolicy.permit_all()


def _explain(
    leaf: x509.Certificate,
    anchors: Sequence[x509.Certificate],
    untrusted: Sequence[x509.Certificate],
    at: datetime,
    library: str,
) -> NoPath:
    """The first cause, found by walking up from the leaf by names and signatures."""
    current, seen = leaf, {leaf}
    while True:
        named = [each for each in (*anchors, *untrusted) if each.subject == current.issuer]
        if not named:
            return _missing(current, anchors)
        issuers = [each for each in named if issued_by(current, each)]
        if not issuers:
            who = names.distinguished_name(current.subject)
            return NoPath(
                f"a CA named {names.distinguished_name(current.issuer)} is there, but {who} is not signed with its key",
                "the CA may have been renewed, or belong to another environment; get the right CA certificate",
            )
        problem = _first_defect(issuers, at)
        if problem is not None:
            return problem
        unseen = [each for each in issuers if each not in seen]
        if not unseen or any(each in anchors for each in issuers):
            return NoPath(f"no trusted path: {printable(library)}", "look at each certificate with certkit inspect")
        current = unseen[0]
        seen.add(current)


def _missing(current: x509.Certificate, anchors: Sequence[x509.Certificate]) -> NoPath:
    issuer = names.distinguished_name(current.issuer)
    if current.subject == current.issuer:
        return NoPath(
            f"{issuer} is self-signed and not among the trusted CAs",
            "trust it with --ca only if it is the partner's CA",
        )
    where = _ca_issuers(current)
    fetch = f"; it says where: {printable(where)}" if where else ""
    trusted = ", ".join(names.distinguished_name(anchor.subject) for anchor in list(anchors)[:3]) or "none"
    return NoPath(
        f"the issuer {issuer} is missing (trusted: {trusted})",
        f"add its certificate with --untrusted, or with --ca if it is the root{fetch}",
    )


def _first_defect(issuers: Iterable[x509.Certificate], at: datetime) -> NoPath | None:
    """What rules out every one of these issuers, in the words of the last; None if one of them is sound."""
    problem = None
    for issuer in issuers:
        name = names.distinguished_name(issuer.subject)
        if at > issuer.not_valid_after_utc:
            problem = NoPath(
                f"the CA {name} expired on {rfc3339(issuer.not_valid_after_utc)}", "get the CA's new certificate"
            )
        elif at < issuer.not_valid_before_utc:
            problem = NoPath(
                f"the CA {name} is not valid before {rfc3339(issuer.not_valid_before_utc)}", "check the clock"
            )
        elif not _is_ca(issuer):
            problem = NoPath(f"{name} signed a certificate and is no CA", "do not trust this chain; ask the partner")
        else:
            return None
    return problem


def _is_ca(certificate: x509.Certificate) -> bool:
    from certkit.core.describe import is_ca

    try:
        return is_ca(certificate)
    except ValueError:
        return False


def _ca_issuers(certificate: x509.Certificate) -> str:
    """The address of the issuer's certificate, if the certificate tells one (RFC 5280 section 4.2.2.1)."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    wanted = AuthorityInformationAccessOID.CA_ISSUERS
    return next((names.san_parts(entry.access_location)[1] for entry in access if entry.access_method == wanted), "")
