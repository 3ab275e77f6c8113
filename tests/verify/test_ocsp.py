"""OCSP responses at hand: which count, what they say together, and whether their responder is revoked itself."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as made
from cryptography.x509.oid import ExtendedKeyUsageOID

from certkit.verify import ocsp
from certkit.x509.certificate import Certificate
from certkit.x509.crl import Crl
from tests import pki
from tests.pki import DAY, NOW
from tests.verify import mutations, shapes
from tests.verify.shapes import stranger

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.findings import Finding

GOOD, REVOKED, UNKNOWN = made.OCSPCertStatus.GOOD, made.OCSPCertStatus.REVOKED, made.OCSPCertStatus.UNKNOWN
SIGNS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")


@functools.cache
def root() -> pki.CA:
    return shapes.root()


@functools.cache
def leaf() -> pki.Pair:
    return root().issue()


@functools.cache
def responder(*extensions: x509.ExtensionType, ca: Callable[[], pki.CA] = root, **options: Any) -> pki.Pair:
    """A responder that the CA named, unless its extensions say otherwise."""
    return ca().issue(pki.name(CN="responder"), extensions=extensions or (SIGNS,), **options)


def checked() -> pki.Pair:
    """A responder whose revocation need not be checked."""
    return responder(SIGNS, x509.OCSPNoCheck())


def response(
    status: made.OCSPCertStatus = GOOD,
    *,
    signer: pki.Pair | None = None,
    about: pki.Pair | None = None,
    begin: Any = NOW - DAY,
    end: Any = NOW + DAY,
    critical: x509.ExtensionType | None = None,
    named_by: made.OCSPResponderEncoding = made.OCSPResponderEncoding.HASH,
) -> bytes:
    """A response of the CA or of a responder that it named, in DER."""
    signer = signer or root()
    is_revoked = status is REVOKED
    builder = made.OCSPResponseBuilder().add_response(
        (about or leaf()).certificate,
        root().certificate,
        hashes.SHA1(),
        status,
        begin,
        end,
        NOW - 10 * DAY if is_revoked else None,
        x509.ReasonFlags.key_compromise if is_revoked else None,
    )
    builder = builder.responder_id(named_by, signer.certificate)
    if signer is not root():
        builder = builder.certificates([signer.certificate])
    if critical is not None:
        builder = builder.add_extension(critical, critical=True)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def judged(*responses: bytes, crls: tuple[x509.CertificateRevocationList, ...] = ()) -> Finding | None:
    certificate, anchor = (Certificate.parse(each.certificate.public_bytes(Encoding.DER)) for each in (leaf(), root()))
    lists = [Crl.parse(each.public_bytes(Encoding.DER)) for each in crls]
    return ocsp.judge([ocsp.Response(each) for each in responses], certificate, [anchor], at=NOW, crls=lists)


def weakly_signed() -> bytes:
    """A response that says it is signed with SHA-1."""
    tree = mutations.parse(response())
    sha256, sha1 = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d0401")
    named = next(at for at in mutations.places(tree) if mutations.at(tree, at).value == sha256)
    return mutations.replaced(tree, named, [mutations.Element(0x06, sha1)]).der


def altered() -> bytes:
    """A response whose signature, at its end, is not the one that was made."""
    whole = response()
    return whole[:-1] + bytes([whole[-1] ^ 1])


REFUSAL = made.OCSPResponseBuilder.build_unsuccessful(made.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)
STALE = functools.partial(response, begin=NOW - 5 * DAY, end=NOW - 3 * DAY)

# What is given, the status of the finding, and a part of its message.
CASES: dict[str, tuple[Callable[[], list[bytes]], str, str]] = {
    "good": (lambda: [response()], "ok", "not revoked: CN=acme-client-id,O=Acme Ltd, by OCSP until"),
    "the signer by its name": (lambda: [response(named_by=made.OCSPResponderEncoding.NAME)], "ok", "not revoked"),
    "revoked": (lambda: [response(REVOKED)], "critical", "has been revoked since 2026-11-13T12:00:00Z (keyCompromise)"),
    "not known": (lambda: [response(UNKNOWN)], "unknown", "the OCSP responder does not know"),
    "revoked wins over a newer good": (
        lambda: [response(REVOKED, begin=NOW - 2 * DAY), response()], "critical", "revoked since",
    ),
    "the newest counts": (lambda: [response(UNKNOWN, begin=NOW - 2 * DAY), response()], "ok", "not revoked"),
    "the newest counts, unknown": (
        lambda: [response(begin=NOW - 2 * DAY), response(UNKNOWN)], "unknown", "does not know",
    ),
    "a stale revocation does not count": (lambda: [STALE(REVOKED), response()], "ok", ("it has been stale"
" since 2026-11-20")),
    "stale": (lambda: [STALE()], "unknown", ": it has been stale since 2026-11-20T12:00:00Z"),
    "early": (lambda: [response(begin=NOW + DAY, end=NOW + 2 * DAY)], "unknown", "not valid before 2026-11-24"),
    "without an end, of today": (lambda: [response(begin=NOW - DAY / 2, end=None)], "ok", "not revoked"),
    "without an end, old": (lambda: [response(begin=NOW - 2 * DAY, end=None)], "unknown", "it has been stale since"),
    "signed with SHA-1": (lambda: [weakly_signed()], "unknown", "signed with SHA1, which is too weak"),
    "signed with another key": (lambda: [altered()], "unknown", "its signature does not verify"),
    "a critical extension that is not known": (
        lambda: [response(critical=UNHEARD_OF)], "unknown", "a critical extension that certkit does not know: 1.2.3.4",
    ),
    "refused": (lambda: [REFUSAL], "unknown", "the responder refused: tryLater"),
    "rubbish beside": (lambda: [b"0\0", response()], "ok", "unusable responses: it cannot be read"),
    "every reason is said": (
        lambda: [STALE(), REFUSAL, altered(), REFUSAL], "unknown",
        (": it has been stale since 2026-11-20T12:00:00Z; the responder refused: tryLater; "
         "its signature does not verify"),
    ),
    "not too many reasons": (
        lambda: [STALE(end=NOW - (3 + n) * DAY, begin=NOW - 20 * DAY) for n in range(9)], "unknown", "; and 4 more",
    ),
    "a responder that the CA named": (lambda: [response(signer=checked())], "ok", "by OCSP until"),
    "a responder for clients": (
        lambda: [response(signer=responder(pki.CLIENT, x509.OCSPNoCheck()))], "unknown", "not for signing OCSP",
    ),
    "a responder whose key usage forbids it": (
        lambda: [response(signer=responder(SIGNS, x509.OCSPNoCheck(), pki.key_usage(key_agreement=True)))], "unknown",
        "key usage does not allow digital signatures",
    ),
    "a responder that has expired": (
        lambda: [response(signer=responder(SIGNS, x509.OCSPNoCheck(), end=NOW - DAY / 2))], "unknown",
        "responder's certificate is not valid at that time",
    ),
    "a responder of another CA": (
        lambda: [response(signer=responder(SIGNS, x509.OCSPNoCheck(), ca=stranger))], "unknown", "signed neither by",
    ),
    "a responder that is not checked": (
        lambda: [response(signer=responder())], "warning",
        "whether the responder itself is revoked was not checked: CN=responder (RFC 6960 section 4.2.2.2.1)",
    ),
    "what an unchecked responder accuses counts": (
        lambda: [response(REVOKED, signer=responder())], "critical", "revoked since",
    ),
    "a responder of which the CA says good": (
        lambda: [response(signer=responder()), response(about=responder())], "ok", "by OCSP until",
    ),
    "a responder that vouches for itself": (
        lambda: [response(signer=responder()), response(signer=responder(), about=responder())], "warning",
        "was not checked",
    ),
    "a responder of which the CA says revoked": (
        lambda: [response(signer=responder()), response(REVOKED, about=responder())], "unknown",
        "its responder's certificate is revoked",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_responses(name: str) -> None:
    """Of all responses, the unusable are dropped with their reasons; then revoked wins, else the newest counts."""
    given, status, part = CASES[name]
    found = judged(*given())
    assert found is not None
    assert (found.status.value, part in found.message) == (status, True), found.message


def test_nothing_about_the_certificate() -> None:
    """Responses about others say nothing."""
    assert judged(response(about=responder())) is None


@pytest.mark.parametrize(
    ("revoked", "status"), [((), "ok"), ((responder,), "unknown")], ids=["a list without it", "a list with it"]
)
def test_a_list_covers_the_responder(revoked: tuple[Callable[[], pki.Pair], ...], status: str) -> None:
    """The CA's list tells whether a responder is revoked."""
    crls = (shapes.crl(root(), *(each().certificate for each in revoked)),)
    found = judged(response(signer=responder()), crls=crls)
    assert found is not None
    assert found.status.value == status
