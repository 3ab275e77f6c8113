"""Shapes of good and bad: each row is a chain of a private CA, what is asked, and what the verdict says."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from certkit.findings import roll_up
from certkit.policy import catalogue
from certkit.verify import Question, verify
from certkit.x509.keys import key_facts
from tests import pki
from tests.pki import CLIENT, DAY, NOW, SERVER, YEAR
from tests.verify import shapes
from tests.verify.shapes import (
    Made,
    alternative,
    below,
    client,
    crl,
    cross,
    excluding,
    intermediate,
    issuing,
    permitting,
    root,
    server,
    stranger,
    usage_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.verify import Verdict

SECOND = timedelta(seconds=1)
ANY_USAGE = "2.5.29.37.0"


@dataclass(frozen=True)
class Shape:
    """A row: how the chain is built, what is asked, the checks that must not be good (or the one that must), a text."""

    name: str
    build: Callable[[], Made]
    asked: dict[str, Any]
    expected: dict[str, str]
    says: str
    hint: str = field(default="")


def judge(made: Made, **asked: Any) -> Verdict:
    """The verdict on what was made, by the general policy at the tests' time unless something else is asked."""
    asked = {"policy": "general", "at": NOW, "crls": made.crls, "csr": made.csr, **asked}
    asked["policy"], asked["crls"] = catalogue.load(asked["policy"]), list(map(pki.crl_value, asked["crls"]))
    anchors = None if made.anchors is None else list(map(pki.value, made.anchors))
    untrusted = list(map(pki.value, made.untrusted))
    return verify(Question(leaf=pki.value(made.leaf), anchors=anchors, untrusted=untrusted, **asked))


def statuses(verdict: Verdict) -> dict[str, str]:
    """The worst status of each check."""
    ids = {finding.id for finding in verdict.findings}
    return {check: roll_up(each.status for each in verdict.findings if each.id == check).value for check in ids}


OK = {"chain": "ok"}


def server_asked(hostname: str, **others: Any) -> dict[str, Any]:
    return {"purpose": "server", "hostname": hostname, **others}


# --- what is built ------------------------------------------------------------------------------------------------


def nested(*usages: str, leaf: x509.ExtendedKeyUsage = CLIENT) -> Made:
    return below(intermediate(root(), usage_of(*usages)), leaf)


def two_deep() -> Made:
    return below(intermediate(issuing(), subject=pki.name(O="Partner", CN="Lower CA")), CLIENT)


def deep(count: int, **first: Any) -> Made:
    ca = root()
    for number in range(count):
        ca = intermediate(ca, subject=pki.name(O="Partner", CN=f"CA {number}"), **(first if number == 0 else {}))
    return below(ca, CLIENT)


def with_aia() -> Made:
    where = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                x509.AuthorityInformationAccessOID.CA_ISSUERS,
                x509.UniformResourceIdentifier("http://ca.partner.example/issuing.cer"),
            )
        ]
    )
    return client(CLIENT, where).given(untrusted=())


def expired_detour(*, first: bool) -> Made:
    """The intermediate has two certificates, of which one has expired."""
    ca = issuing()
    old = cross(ca, root(), begin=NOW - 3 * YEAR, end=NOW - DAY)
    made = client()
    both = (old, ca.certificate) if first else (ca.certificate, old)
    return made.given(untrusted=both)


def detour(*extensions: x509.ExtensionType, leaf: x509.ExtendedKeyUsage = CLIENT, **options: Any) -> Made:
    """The intermediate has two certificates, of which the first has something in it that is in the way."""
    ca = issuing()
    made = below(ca, leaf, alternative("api.acme.example"))
    return made.given(untrusted=(cross(ca, root(), *extensions, **options), ca.certificate))


def constrained(constraints: x509.NameConstraints, *names: str, **options: Any) -> Made:
    return below(intermediate(root(), constraints), CLIENT, *([alternative(*names)] if names else []), **options)


def usage_below(*extensions: x509.ExtensionType) -> Made:
    """An intermediate made without the usual extensions."""
    return below(root().intermediate(extensions=extensions), CLIENT)


def not_a_ca() -> Made:
    return below(root().intermediate(is_ca=False), CLIENT)


def other_ca_of_that_name() -> Made:
    return client().given(anchors=(pki.root().certificate,))


def wrong_intermediate() -> Made:
    return client().given(untrusted=(intermediate(root()).certificate,))


def self_signed(*, trusted: bool) -> Made:
    alone = pki.root(pki.name(O="Acme Ltd", CN="acme-client-id"), extensions=[])
    leaf = pki.sign(
        subject=alone.certificate.subject,
        issuer=alone.certificate.subject,
        public_key=alone.key.public_key(),
        signing_key=alone.key,
        extensions=[CLIENT],
        begin=NOW - DAY,
        end=NOW + YEAR - DAY,
    )
    return Made(leaf, (leaf,) if trusted else (root().certificate,))


def loop() -> Made:
    one = issuing()
    two = intermediate(one, subject=pki.name(O="Partner", CN="Loop CA"))
    return client().given(untrusted=(cross(one, two), two.certificate), anchors=(stranger().certificate,))


def respelt() -> Made:
    """The root's own certificate spells its name in other letters and with more space."""
    key = root().key
    ca = pki.root(pki.name(O="Partner", CN="PARTNER  root ca"), key=key, extensions=[shapes.key_identifier(key)])
    return client().given(anchors=(ca.certificate,))


def uncritically(tree: str, *names: str) -> Made:
    """Excluding name constraints that are not critical."""
    made = constrained(excluding(tree), *names)
    return made.given(untrusted=(shapes.uncritical(made.untrusted[0], root().key, "551d1e"),))


REQUIRED = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)


def policies(oid: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None)])


def edwards_leaf(ca: pki.CA, **options: Any) -> Made:
    """A client certificate with an Ed25519 key, for which OpenSSL is asked."""
    return below(ca, CLIENT, key=ed25519.Ed25519PrivateKey.generate(), **options)


def strange_key() -> x509.Certificate:
    """The intermediate with a public key of no known kind."""
    return shapes.recut(cross(issuing(), root()), root().key, replaced(6, STRANGE_KEY))


def strange_root() -> Made:
    ca = shapes.letter_root()
    return below(ca, CLIENT).given(
        anchors=(shapes.with_extensions(ca.certificate, ca.key, lambda found: [*found, UNKNOWN]),)
    )


# --- revocation ---------------------------------------------------------------------------------------------------


def listed(*lists: Callable[[Made], x509.CertificateRevocationList], made: Made | None = None) -> Made:
    """A client certificate with revocation lists; one of the root revokes nothing and is always there."""
    made = made or client()
    return made.given(crls=(crl(root()), *(each(made) for each in lists)))


def of_issuing(**options: Any) -> Callable[[Made], x509.CertificateRevocationList]:
    return lambda made: crl(issuing(), **options)


def revoking(**options: Any) -> Callable[[Made], x509.CertificateRevocationList]:
    return lambda made: crl(issuing(), made.leaf, **options)


def revoked_intermediate() -> Made:
    return client().given(
        crls=(
            crl(root(), issuing().certificate, reason=x509.ReasonFlags.ca_compromise, since=NOW - 3 * DAY),
            crl(issuing()),
        )
    )


def delta(number: int, **options: Any) -> dict[str, Any]:
    return {"number": number, "critical": [x509.DeltaCRLIndicator(1)], **options}


def with_list_signer(*, usage: x509.KeyUsage) -> Made:
    """A list that is signed with a second certificate of the CA's name, for lists only."""
    key = pki.new_key()
    signer = root().intermediate(
        subject=issuing().certificate.subject, extensions=[usage, shapes.key_identifier(key)], is_ca=False, key=key
    )
    made = client()
    return made.given(
        untrusted=(*made.untrusted, signer.certificate), crls=(crl(root()), crl(issuing(), key=signer.key))
    )


def cannot_sign_lists() -> Made:
    key = pki.new_key()
    ca = root().intermediate(extensions=[pki.key_usage(key_cert_sign=True), shapes.key_identifier(key)], key=key)
    return below(ca, CLIENT).given(crls=(crl(root()), crl(ca)))


def unreadable() -> x509.Certificate:
    """A certificate whose subject raises when it is read."""
    bad = shapes.wrap(0x30, bytes.fromhex("0603550403") + shapes.wrap(0x0C, b"a\xff"))
    return recut_leaf(replaced(5, shapes.wrap(0x30, shapes.wrap(0x31, bad)))).leaf


def revoked_sibling() -> Made:
    """The intermediate has two certificates, of which the first is revoked."""
    made = client()
    other = cross(issuing(), root())
    return made.given(untrusted=(other, *made.untrusted), crls=(crl(root(), other), crl(issuing())))


def indirect(*, revoked: bool) -> Made:
    """A list of another issuer, which the certificate names as the issuer of its list."""
    name = pki.name(O="Partner", CN="List Issuer")
    where = [x509.DirectoryName(name)]
    point = x509.DistributionPoint(full_name=where, relative_name=None, reasons=None, crl_issuer=where)
    ca = root()
    signer = intermediate(ca, subject=name)
    leaf = below(ca, CLIENT, x509.CRLDistributionPoints([point]))
    scope = shapes.indirect_point(issuer=name)
    entries = [leaf.leaf] if revoked else []
    made = crl(signer, *entries, critical=[scope], issuers=[ca.certificate.subject])
    return leaf.given(untrusted=(signer.certificate,), crls=(made,))


# --- strength -----------------------------------------------------------------------------------------------------


def with_key(key: Any) -> Made:
    return client(key=key)


def curve(which: type[ec.EllipticCurve]) -> Made:
    return with_key(ec.generate_private_key(which()))


def below_key(key: Any, *, anchor: bool = False) -> Made:
    """A certificate below a CA of that key."""
    return below(pki.root(key=key) if anchor else intermediate(root(), key=key), CLIENT)


@functools.cache
def rsa_root() -> pki.CA:
    return pki.root(pki.name(O="Partner", CN="RSA Root CA"), key=shapes.rsa_key(2048))


def weak_leaf(digest: str) -> Made:
    made = below(rsa_root(), CLIENT)
    return made.given(leaf=shapes.weakly(made.leaf, rsa_root().key, digest))


def weak_intermediate(digest: str) -> Made:
    made = below(intermediate(rsa_root()), CLIENT)
    return made.given(untrusted=(shapes.weakly(made.untrusted[0], rsa_root().key, digest),))


def weak_root() -> Made:
    made = below(rsa_root(), CLIENT)
    return made.given(anchors=(shapes.weakly(made.anchors[0], rsa_root().key, "sha1"),))


def edwards_ca(*, key: Any = None) -> Made:
    """A client certificate of a CA with an Ed25519 key."""
    ca, name = ed25519.Ed25519PrivateKey.generate(), pki.name(O="Partner", CN="Ed25519 Root CA")
    anchor = shapes.edwards(name, ca, name, ca, x509.BasicConstraints(ca=True, path_length=None), shapes.CA_USAGE)
    subject = pki.name(O="Acme Ltd", CN="acme-client-id")
    return Made(shapes.edwards(subject, key or pki.new_key(), name, ca, CLIENT), (anchor,))


# --- cut by hand --------------------------------------------------------------------------------------------------


def version_1_leaf() -> Made:
    made = client()
    return made.given(leaf=shapes.version_1(made.leaf, issuing().key))


def version_1_ca(*, anchor: bool) -> Made:
    if anchor:
        ca = pki.root(pki.name(O="Partner", CN="Old Root CA"))
        return below(ca, CLIENT).given(anchors=(shapes.version_1(ca.certificate, ca.key),))
    made = client()
    return made.given(untrusted=(shapes.version_1(made.untrusted[0], root().key),))


def edwards_below_version_1() -> Made:
    ca = pki.root(pki.name(O="Partner", CN="Old Root CA"))
    return edwards_leaf(ca).given(anchors=(shapes.version_1(ca.certificate, ca.key),))


def extended(edit: Callable[[list[bytes]], list[bytes]], *, ca: bool = False) -> Made:
    made = client()
    if ca:
        return made.given(untrusted=(shapes.with_extensions(made.untrusted[0], root().key, edit),))
    return made.given(leaf=shapes.with_extensions(made.leaf, issuing().key, edit))


UNKNOWN = shapes.extension("2b06010401868d1f01", b"\x05\x00", critical=True)
HARMLESS = shapes.extension("2b06010401868d1f01", b"\x05\x00")
BROKEN_SAN = shapes.extension("551d11", b"\x30\x03\x82\x05a")
STRANGE_KEY = shapes.wrap(
    0x30, shapes.wrap(0x30, bytes.fromhex("06092b06010401868d1f02")) + shapes.wrap(0x03, b"\0abc")
)
BROKEN_USAGE = shapes.extension("551d25", b"\x04\x00")


def recut_leaf(edit: Callable[[list[bytes]], list[bytes]]) -> Made:
    made = client()
    return made.given(leaf=shapes.recut(made.leaf, issuing().key, edit))


def replaced(position: int, element: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda fields: [*fields[:position], element, *fields[position + 1 :]]


def answering(*, subject: x509.Name = shapes.CLIENT_NAME, **asked: str) -> Made:
    """A certificate and the CSR that it answers."""
    key = pki.new_key()
    return client(key=key, subject=subject).given(csr=shapes.request(key, **asked))


# fmt: off
CLIENT_ROWS = [
    ("client: CN only, EKU clientAuth", lambda: client(CLIENT), {}, OK, "CN=acme-client-id,O=Acme Ltd <- "),
    ("client: no EKU at all", lambda: client(shapes.SIGNS), {}, {"purpose": "ok"}, "has no extended key usage"),
    ("client: EKU any", lambda: client(usage_of(ANY_USAGE)), {}, {"purpose": "warning"},
     "its extended key usage is anyExtendedKeyUsage without clientAuth, which OpenSSL and nginx reject"),
    ("client: EKU serverAuth only", lambda: client(SERVER), {}, {"purpose": "critical"},
     "not valid for client authentication: its extended key usage is serverAuth"),
    ("client: EKU codeSigning only", lambda: client(usage_of("3")), {}, {"purpose": "critical"},
     "its extended key usage is codeSigning"),
    ("client: EKU server and client", lambda: client(usage_of("1", "2")), {}, {"purpose": "ok"},
     "client authentication"),
    ("client: serverAuth only, any purpose asked", lambda: client(SERVER), {"purpose": "any"}, {"purpose": "ok"},
     "any purpose is allowed"),
    ("server certificate for purpose client of a pair", lambda: client(CLIENT), {"purpose": "server"},
     {"purpose": "critical", "extensions": "warning"},
     "not valid for server authentication: its extended key usage is clientAuth"),
    ("client: key usage digitalSignature", lambda: client(CLIENT, shapes.SIGNS), {}, {"purpose": "ok"},
     "client authentication"),
    ("client: key usage keyEncipherment only", lambda: client(CLIENT, pki.key_usage(key_encipherment=True)), {},
     {"purpose": "critical"}, "its key usage does not allow digital signatures"),
    ("client: key usage keyAgreement only", lambda: client(CLIENT, pki.key_usage(key_agreement=True)), {},
     {"purpose": "critical"}, "its key usage does not allow digital signatures"),
    ("nesting: CA with clientAuth", lambda: nested("2"), {}, {"purpose": "ok"}, "client authentication"),
    ("nesting: CA with any", lambda: nested(ANY_USAGE), {}, {"purpose": "warning"},
     ("the extended key usage of the CA CN=Partner Issuing CA,O=Partner is anyExtendedKeyUsage without clientAuth, "
      "which OpenSSL and nginx reject")),
    ("nesting: CA with serverAuth only", lambda: nested("1"), {}, {"purpose": "critical"},
     "the CA CN=Partner Issuing CA,O=Partner may not issue certificates for client authentication"),
    ("nesting: CA with codeSigning, leaf any", lambda: nested("3", leaf=usage_of(ANY_USAGE)), {},
     {"purpose": "critical"}, "may not issue certificates for client authentication"),
    ("client id is the CN", client, {"client_id": "acme-client-id"}, {"name": "ok"},
     "CN is the client id acme-client-id"),
    ("client id is not the CN", client, {"client_id": "other"}, {"name": "critical"},
     "CN is acme-client-id, not the client id other"),
    ("client id in another case", client, {"client_id": "ACME-client-id"}, {"name": "critical"},
     "not the client id ACME"),
    ("client id, no CN", lambda: client(subject=pki.name(O="Acme Ltd")), {"client_id": "x"}, {"name": "critical"},
     "CN is absent, not the client id x"),
    ("client id, two CNs", lambda: client(subject=x509.Name([*pki.name(CN="a"), *pki.name(CN="b")])),
     {"client_id": "a"}, {"name": "critical"}, "CN is a, b, not the client id a"),
    ("email in the SAN", lambda: client(CLIENT, alternative("email:Ops@Acme.example")), {"email": "Ops@acme.EXAMPLE"},
     {"name": "ok"}, "the certificate is valid for Ops@acme.EXAMPLE"),
    ("email differs in its local part's case", lambda: client(CLIENT, alternative("email:Ops@acme.example")),
     {"email": "ops@acme.example"}, {"name": "critical"},
     "not valid for ops@acme.example: its addresses are Ops@acme.example"),
    ("email, none there", client, {"email": "ops@acme.example"}, {"name": "critical"}, "it has no e-mail address"),
]
# fmt: on

# fmt: off
SERVER_ROWS = [
    ("server: DNS", lambda: server("api.acme.example"), server_asked("api.acme.example"), {"name": "ok"},
     "the certificate is valid for api.acme.example"),
    ("server: another DNS name", lambda: server("api.acme.example"), server_asked("web.acme.example"),
     {"name": "critical"}, "not valid for web.acme.example: its names are DNS:api.acme.example"),
    ("server: DNS in another case", lambda: server("API.acme.Example"), server_asked("api.ACME.example"),
     {"name": "ok"}, "the certificate is valid for"),
    ("server: trailing dot asked", lambda: server("api.acme.example"), server_asked("api.acme.example."),
     {"name": "ok"}, "the certificate is valid for"),
    ("server: wildcard", lambda: server("*.acme.example"), server_asked("api.acme.example"), {"name": "ok"},
     "the certificate is valid for"),
    ("server: wildcard and two labels", lambda: server("*.acme.example"), server_asked("a.b.acme.example"),
     {"name": "critical"}, "not valid for a.b.acme.example"),
    ("server: wildcard and the bare domain", lambda: server("*.acme.example"), server_asked("acme.example"),
     {"name": "critical"}, "not valid for acme.example"),
    ("server: wildcard and an empty label", lambda: server("*.acme.example"), server_asked(".acme.example"),
     {"name": "critical"}, "not valid for .acme.example"),
    ("server: wildcard of a top-level domain", lambda: server("*.example"), server_asked("acme.example"),
     {"name": "critical"}, "not valid for acme.example: its names are DNS:*.example"),
    ("server: bare wildcard", lambda: server("*"), server_asked("localhost"), {"name": "critical"},
     "not valid for localhost"),
    ("server: partial wildcard", lambda: server("foo*.acme.example"), server_asked("foobar.acme.example"),
     {"name": "critical"}, "not valid for foobar.acme.example"),
    ("server: wildcard in the second label", lambda: server("api.*.example"), server_asked("api.acme.example"),
     {"name": "critical"}, "not valid for api.acme.example"),
    ("server: two wildcards", lambda: server("*.*.example"), server_asked("a.b.example"), {"name": "critical"},
     "not valid for a.b.example"),
    ("server: suffix of another name", lambda: server("acme.example"), server_asked("evilacme.example"),
     {"name": "critical"}, "not valid for evilacme.example"),
    ("server: IPv4", lambda: server("ip:192.0.2.7"), server_asked("192.0.2.7"), {"name": "ok"},
     "is valid for 192.0.2.7"),
    ("server: another IPv4", lambda: server("ip:192.0.2.7"), server_asked("192.0.2.8"), {"name": "critical"},
     "not valid for 192.0.2.8: its names are IP:192.0.2.7"),
    ("server: IPv6, spelt otherwise", lambda: server("ip:2001:db8::1"), server_asked("2001:0DB8:0::0001"),
     {"name": "ok"}, "the certificate is valid for"),
    ("server: IP address as a DNS name", lambda: server("192.0.2.7"), server_asked("192.0.2.7"), {"name": "critical"},
     "its names are DNS:192.0.2.7"),
    ("server: wildcard and an IP address", lambda: server("*.0.2.7"), server_asked("192.0.2.7"), {"name": "critical"},
     "not valid for 192.0.2.7"),
    ("server: never the CN", lambda: server(subject=pki.name(CN="api.acme.example")), server_asked("api.acme.example"),
     {"name": "critical", "extensions": "warning"}, "not valid for api.acme.example: it has no alternative name"),
    ("server: not the CN beside a SAN", lambda: server("web.acme.example", subject=pki.name(CN="api.acme.example")),
     server_asked("api.acme.example"), {"name": "critical", "extensions": "warning"}, ("its names are"
" DNS:web.acme.example")),
    ("server: clientAuth only", lambda: below(issuing(), CLIENT, alternative("a.example"), subject=x509.Name([])),
     server_asked("a.example"), {"purpose": "critical"}, "not valid for server authentication"),
    ("server: no EKU", lambda: below(issuing(), alternative("a.example"), subject=x509.Name([])),
     server_asked("a.example"), {"extensions": "warning"}, "has no extended key usage"),
    ("server: many names, short message", lambda: server(*(f"h{n}.example" for n in range(50))),
     server_asked("x.example"), {"name": "critical"}, "DNS:h4.example and 45 more"),
    ("hostname: the e-mail address is none", lambda: server("email:a@acme.example"), server_asked("acme.example"),
     {"name": "critical"}, "not valid for acme.example"),
    ("hostname: escapes are shown, not sent", lambda: server("a.example"), server_asked("a\x1b[31m.example"),
     {"name": "critical"}, "not valid for a\\1B[31m.example"),
]
# fmt: on

# fmt: off
PATH_ROWS = [
    ("path: intermediates in order", two_deep, {}, OK,
     "CN=Lower CA,O=Partner <- CN=Partner Issuing CA,O=Partner <- CN=Partner Root CA"),
    ("path: intermediates reversed", lambda: (m := two_deep()).given(untrusted=m.untrusted[::-1]), {}, OK,
     "CN=Lower CA,O=Partner <- "),
    ("path: duplicates", lambda: (m := two_deep()).given(untrusted=m.untrusted * 3, anchors=m.anchors * 2), {}, OK,
     "<- CN=Partner Root CA"),
    ("path: the root and the leaf among the intermediates",
     lambda: (m := client()).given(untrusted=(m.leaf, *m.untrusted, *m.anchors)), {}, OK, "<- CN=Partner Root CA"),
    ("path: strangers in the bundle",
     lambda: (m := client()).given(
         untrusted=(
             stranger().certificate,
             shapes.intermediate(stranger(), subject=pki.name(O="S", CN="S")).certificate,
             *m.untrusted,
         )
     ), {}, OK, "<- CN=Partner Root CA"),
    ("path: strangers among the anchors", lambda: (m := client()).given(anchors=(stranger().certificate, *m.anchors)),
     {}, OK, "<- CN=Partner Root CA"),
    ("path: cross-sign to a trusted root",
     lambda: (m := client()).given(
         untrusted=(cross(issuing(), stranger()), *m.untrusted), anchors=(stranger().certificate,)
     ), {}, OK, "<- CN=Stranger Root CA,O=Stranger"),
    ("path: cross-sign to an untrusted root beside the way",
     lambda: (m := client()).given(untrusted=(cross(issuing(), stranger()), *m.untrusted)), {}, OK,
     "<- CN=Partner Root CA"),
    ("path: intermediate named as an anchor", lambda: client().given(anchors=(issuing().certificate,), untrusted=()),
     {}, OK, "trusted as named, although it is not a root CA"),
    ("path: the leaf named as an anchor", lambda: (m := client()).given(anchors=(m.leaf,), untrusted=()), {},
     {"chain": "critical"},
     "CN=acme-client-id,O=Acme Ltd is not a CA certificate, so --ca does not trust it"),
    ("path: intermediate missing, no address", lambda: client().given(untrusted=()), {}, {"chain": "critical"},
     ("the certificate of CN=Partner Issuing CA,O=Partner, which issued CN=acme-client-id,O=Acme Ltd, is "
     "missing (trusted: CN=Partner Root CA,O=Partner)")),
    ("path: intermediate missing, with its address", with_aia, {}, {"chain": "critical"},
     ("the certificate of CN=Partner Issuing CA,O=Partner, which issued CN=acme-client-id,O=Acme Ltd, is "
     "missing (trusted: CN=Partner Root CA,O=Partner)"), "http://ca.partner.example/issuing.cer"),
    ("path: the second intermediate missing", lambda: (m := two_deep()).given(untrusted=m.untrusted[:1]), {},
     {"chain": "critical"},
     ("the certificate of CN=Partner Issuing CA,O=Partner, which issued CN=Lower CA,O=Partner, is missing "
     "(trusted: CN=Partner Root CA,O=Partner)")),
    ("path: the root is not the trusted one", lambda: client().given(anchors=(stranger().certificate,)), {},
     {"chain": "critical"},
     ("the certificate of CN=Partner Root CA,O=Partner, which issued CN=Partner Issuing CA,O=Partner, is "
     "missing (trusted: CN=Stranger Root CA,O=Stranger)")),
    ("path: no anchors in the list", lambda: client().given(anchors=()), {}, {"chain": "critical"}, "(trusted: none)"),
    ("path: no CA given", lambda: client().given(anchors=None), {}, {"chain": "warning"},
     "no CA was given, so nothing is trusted"),
    ("path: no chain asked", lambda: client().given(anchors=None), {"needs_chain": False}, {"chain": "skipped"},
     "not requested"),
    ("path: another CA of the same name as anchor", other_ca_of_that_name, {}, {"chain": "critical"},
     ("the trusted CA CN=Partner Root CA,O=Partner did not sign CN=Partner Issuing CA,O=Partner: the "
     "signature does not verify (RFC 5280 section 6.1.3)")),
    ("path: another intermediate of the same name", wrong_intermediate, {}, {"chain": "critical"},
     ("the CA CN=Partner Issuing CA,O=Partner did not sign CN=acme-client-id,O=Acme Ltd: the signature "
     "does not verify (RFC 5280 section 6.1.3)")),
    ("path: the right one among others of the same name",
     lambda: (m := client()).given(
         untrusted=(intermediate(root()).certificate, *m.untrusted, intermediate(root()).certificate)
     ), {}, OK, "<- CN=Partner Root CA"),
    ("path: self-signed leaf", lambda: self_signed(trusted=False), {}, {"chain": "critical"},
     ("CN=acme-client-id,O=Acme Ltd is self-signed and not one of the trusted CAs (trusted: CN=Partner "
     "Root CA,O=Partner)")),
    ("path: self-signed leaf, trusted itself", lambda: self_signed(trusted=True), {}, {"chain": "critical"},
     "CN=acme-client-id,O=Acme Ltd"),
    ("path: expired detour first", lambda: expired_detour(first=True), {}, OK, "<- CN=Partner Root CA"),
    ("path: expired detour last", lambda: expired_detour(first=False), {}, OK, "<- CN=Partner Root CA"),
    ("path: detour not valid yet", lambda: detour(begin=NOW + DAY), {}, OK, "<- CN=Partner Root CA"),
    ("path: detour with the wrong extended key usage", lambda: detour(usage_of("1")), {}, OK, "<- CN=Partner Root CA"),
    ("path: detour with a name constraint in the way", lambda: detour(excluding("acme.example")), {}, OK,
     "<- CN=Partner Root CA"),
    ("path: detour with an unknown critical extension",
     lambda: (m := detour()).given(
         untrusted=(
             shapes.with_extensions(m.untrusted[0], root().key, lambda found: [*found, UNKNOWN]),
             m.untrusted[1],
         )
     ), {}, OK, "<- CN=Partner Root CA"),
    ("path: detour with an extension twice",
     lambda: (m := detour()).given(
         untrusted=(
             shapes.with_extensions(m.untrusted[0], root().key, lambda found: [*found, found[-1]]),
             m.untrusted[1],
         )
     ), {}, OK, "<- CN=Partner Root CA"),
    ("path: only an intermediate that cannot be read", lambda: extended(lambda found: [*found, BROKEN_SAN], ca=True),
     {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner has an extension (2.5.29.17) that cannot be read: an element is cut "
     "off (RFC 5280 section 4.2)")),
    ("path: detour signed with SHA-1",
     lambda: (m := below(c := intermediate(rsa_root()), CLIENT)).given(
         untrusted=(shapes.weakly(cross(c, rsa_root()), rsa_root().key, "sha1"), *m.untrusted)
     ), {}, OK, "<- CN=RSA Root CA"),
    ("path: expired intermediate", lambda: below(intermediate(root(), end=NOW - DAY), CLIENT), {},
     {"chain": "critical"}, "the CA CN=Partner Issuing CA,O=Partner expired on 2026-11-22T12:00:00Z"),
    ("path: intermediate not valid yet", lambda: below(intermediate(root(), begin=NOW + DAY), CLIENT), {},
     {"chain": "critical"}, "the CA CN=Partner Issuing CA,O=Partner is not valid before 2026-11-24T12:00:00Z"),
    ("path: expired root", lambda: below(pki.root(end=NOW - DAY), CLIENT), {}, {"chain": "critical"},
     "the CA CN=Partner Root CA,O=Partner expired on"),
    ("path: length kept", lambda: deep(2, path_length=1), {}, OK, "<- CN=Partner Root CA"),
    ("path: length exceeded", lambda: deep(3, path_length=1), {}, {"chain": "critical"},
     ("the CA CN=CA 0,O=Partner has a path length limit of 1, but the number"
" of CAs below it is 2 (RFC 5280 section 4.2.1.9)")),
    ("path: length 0 kept", lambda: deep(1, path_length=0), {}, OK, "<- CN=Partner Root CA"),
    ("path: length 0 exceeded", lambda: deep(2, path_length=0), {}, {"chain": "critical"},
     ("the CA CN=CA 0,O=Partner has a path length limit of 0, but the number"
" of CAs below it is 1 (RFC 5280 section 4.2.1.9)")),
    ("path: intermediate is no CA", not_a_ca, {}, {"chain": "critical"},
     "CN=Partner Issuing CA,O=Partner signed a certificate, but is not a CA"),
    ("path: intermediate without keyCertSign", lambda: usage_below(shapes.SIGNS), {}, {"chain": "critical"},
     "does not allow it to sign certificates"),
    ("path: intermediate without key usage", usage_below, {}, OK, "<- CN=Partner Root CA"),
    ("depth: at the limit", lambda: deep(3), {"max_depth": 3}, OK, "<- CN=Partner Root CA"),
    ("depth: over the limit", lambda: deep(3), {"max_depth": 2}, {"chain": "critical"},
     "more intermediates than --max-depth allows"),
    ("depth: none allowed, none there", lambda: below(root(), CLIENT), {"max_depth": 0}, OK, "<- CN=Partner Root CA"),
    ("depth: none allowed, one there", client, {"max_depth": 0}, {"chain": "critical"},
     "more intermediates than --max-depth allows"),
    ("depth: eight by default", lambda: deep(8), {}, OK, "<- CN=Partner Root CA"),
    ("depth: nine by default", lambda: deep(9), {}, {"chain": "critical"},
     "more intermediates than --max-depth allows"),
    ("depth: more than eight when asked", lambda: deep(9), {"max_depth": 20}, OK, "<- CN=Partner Root CA"),
    ("constraints: DNS permitted", lambda: constrained(permitting("acme.example"), "api.acme.example"), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: DNS outside", lambda: constrained(permitting("acme.example"), "api.other.example"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for DNS:api.other.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: DNS suffix of another label", lambda: constrained(permitting("acme.example"), "evilacme.example"),
     {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for DNS:evilacme.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: DNS excluded", lambda: constrained(excluding("acme.example"), "api.acme.example"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for DNS:api.acme.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: DNS not excluded", lambda: constrained(excluding("acme.example"), "api.other.example"), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: CN only under permitted DNS", lambda: constrained(permitting("acme.example")), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: IP permitted", lambda: constrained(permitting("ip:192.0.2.0/24"), "ip:192.0.2.7"), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: IP outside", lambda: constrained(permitting("ip:192.0.2.0/24"), "ip:198.51.100.7"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for IP:198.51.100.7 because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: IPv6 excluded", lambda: constrained(excluding("ip:2001:db8::/32"), "ip:2001:db8::1"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for IP:2001:db8::1 because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: e-mail permitted", lambda: constrained(permitting("email:acme.example"), "email:ops@acme.example"),
     {}, OK, "<- CN=Partner Root CA"),
    ("constraints: e-mail outside", lambda: constrained(permitting("email:acme.example"), "email:ops@other.example"),
     {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for email:ops@other.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: e-mail excluded", lambda: constrained(excluding("email:acme.example"), "email:ops@acme.example"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for email:ops@acme.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: e-mail in the subject outside, beside one in the SAN that is permitted",
     lambda: constrained(permitting("email:acme.example"), "email:ops@acme.example",
                         subject=x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "ops@other.example")])),
     {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for email:ops@other.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: URI permitted",
     lambda: constrained(permitting("uri:.acme.example"), "uri:https://api.acme.example/x"), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: URI outside",
     lambda: constrained(permitting("uri:.acme.example"), "uri:https://api.other.example/x"), {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for URI:https://api.other.example/x because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: URI excluded", lambda: constrained(excluding("uri:.acme.example"), "uri:https://api.acme.example/x"),
     {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for URI:https://api.acme.example/x because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: directory name permitted", lambda: constrained(permitting("dir:Acme Ltd")), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: directory name outside", lambda: constrained(permitting("dir:Other Ltd")), {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for CN=acme-client-id,O=Acme Ltd because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: directory name excluded", lambda: constrained(excluding("dir:Acme Ltd")), {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for CN=acme-client-id,O=Acme Ltd because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: directory name not excluded", lambda: constrained(excluding("dir:Other Ltd")), {}, OK,
     "<- CN=Partner Root CA"),
    ("constraints: of the root count too",
     lambda: below(pki.root(extensions=[excluding("acme.example")]), CLIENT, alternative("api.acme.example")), {},
     {"chain": "critical"},
     ("CN=Partner Root CA,O=Partner may not issue certificates for DNS:api.acme.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: directory name of the root counts too",
     lambda: below(pki.root(extensions=[excluding("dir:Acme Ltd")]), CLIENT), {}, {"chain": "critical"},
     ("CN=Partner Root CA,O=Partner may not issue certificates for CN=acme-client-id,O=Acme Ltd because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("spelling: the issuer's name in another case", respelt, {}, OK, "<- CN=PARTNER  root ca"),
    ("constraints: DNS excluded, not critical", lambda: uncritically("acme.example", "api.acme.example"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for DNS:api.acme.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("constraints: e-mail excluded, not critical", lambda: uncritically("email:acme.example", "email:a@acme.example"),
     {}, {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for email:a@acme.example because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("policies: one is required, and there",
     lambda: below(intermediate(root(), REQUIRED, policies("1.2.3.4")), CLIENT, policies("1.2.3.4")), {}, OK,
     "<- CN=Partner Root CA"),
    ("policies: none is required",
     lambda: below(intermediate(root(), policies("1.2.3.4")), CLIENT, policies("1.2.3.5")), {}, OK,
     "<- CN=Partner Root CA"),
    ("Ed25519: path length exceeded",
     lambda: edwards_leaf(intermediate(intermediate(root(), path_length=0), subject=pki.name(CN="Low"))), {},
     {"chain": "critical"},
     ("the CA CN=Partner Issuing CA,O=Partner has a path length limit of 0, but the number of CAs below it is 1"
     " (RFC 5280 section 4.2.1.9)")),
    ("Ed25519: intermediate is no CA", lambda: edwards_leaf(root().intermediate(is_ca=False)), {},
     {"chain": "critical"}, "CN=Partner Issuing CA,O=Partner signed a certificate, but is not a CA"),
    ("Ed25519: over the depth", lambda: edwards_leaf(issuing()), {"max_depth": 0}, {"chain": "critical"},
     "more intermediates than --max-depth allows"),
    ("Ed25519: wrong extended key usage above", lambda: edwards_leaf(intermediate(root(), usage_of("1"))), {},
     {"purpose": "critical"}, "may not issue certificates for client authentication"),
    ("Ed25519: expired detour",
     lambda: (m := edwards_leaf(issuing())).given(
         untrusted=(cross(issuing(), root(), begin=NOW - 3 * YEAR, end=NOW - DAY), *m.untrusted)
     ), {}, OK, "<- CN=Partner Root CA"),
    ("Ed25519: expired leaf, its chain when it was valid",
     lambda: edwards_leaf(root(), begin=NOW - YEAR, end=NOW - DAY), {}, {"validity": "critical", "chain": "ok"},
     "expired on"),
    ("path: an unreadable stranger among the anchors",
     lambda: (m := client()).given(anchors=(unreadable(), *m.anchors)), {}, OK, "<- CN=Partner Root CA"),
    ("path: detour with a key of no known kind", lambda: (m := client()).given(untrusted=(strange_key(), *m.untrusted)),
     {}, OK, "<- CN=Partner Root CA"),
    ("path: unknown critical extension in the root", strange_root, {}, {"chain": "critical"},
     ("CN=Partner Root CA,O=Partner has a critical extension that certkit does not know: "
     "1.3.6.1.4.1.99999.1 (RFC 5280 section 4.2)")),
    ("path: a named anchor that is no CA",
     lambda: below(c := root().intermediate(is_ca=False), CLIENT).given(anchors=(c.certificate,), untrusted=()), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner issued CN=acme-client-id,O=Acme Ltd and is not a CA certificate, so "
     "--ca does not trust it (RFC 5280 section 4.2.1.9)")),
]
# fmt: on

# fmt: off
REVOCATION_ROWS = [
    ("revocation: not asked for", client, {}, {"revocation": "skipped"}, "no CRL was given",
     "add --crl FILE"),
    ("revocation: not revoked", lambda: listed(of_issuing()), {}, {"revocation": "ok"},
     "not revoked: every certificate below the anchor; the first CRL expires on 2026-11-29T12:00:00Z"),
    ("revocation: leaf revoked", lambda: listed(revoking(reason=x509.ReasonFlags.key_compromise)), {},
     {"revocation": "critical"}, ("CN=acme-client-id,O=Acme Ltd has been revoked since"
" 2026-11-13T12:00:00Z (keyCompromise)")),
    ("revocation: leaf revoked without a reason", lambda: listed(revoking()), {}, {"revocation": "critical"},
     "has been revoked since 2026-11-13T12:00:00Z"),
    ("revocation: intermediate revoked", revoked_intermediate, {}, {"revocation": "critical"},
     "CN=Partner Issuing CA,O=Partner has been revoked since 2026-11-20T12:00:00Z (cACompromise)"),
    ("revocation: intermediate revoked, only the leaf asked", revoked_intermediate, {"revocation_of_chain": False},
     {"revocation": "ok"}, "not revoked: the leaf (--revocation leaf)"),
    ("revocation: leaf only, list of the CA alone", lambda: client().given(crls=(crl(issuing()),)),
     {"revocation_of_chain": False}, {"revocation": "ok"}, "the leaf (--revocation leaf)"),
    ("revocation: list of the root missing", lambda: client().given(crls=(crl(issuing()),)), {},
     {"revocation": "unknown"},
     "there is no CRL for CN=Partner Issuing CA,O=Partner, issued by CN=Partner Root CA,O=Partner"),
    ("revocation: list of the CA missing", listed, {}, {"revocation": "unknown"},
     "there is no CRL for CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Issuing CA,O=Partner"),
    ("revocation: stale", lambda: listed(of_issuing(begin=NOW - 9 * DAY, end=NOW - 2 * DAY)), {},
     {"revocation": "unknown"}, "the CRL has been stale"),
    ("revocation: stale, and names the leaf", lambda: listed(revoking(begin=NOW - 9 * DAY, end=NOW - 2 * DAY)), {},
     {"revocation": "critical"}, "has been revoked since"),
    ("revocation: not valid yet", lambda: listed(of_issuing(begin=NOW + DAY)), {}, {"revocation": "unknown"},
     "the CRL is not valid before"),
    ("revocation: wrong signer", lambda: listed(of_issuing(key=pki.new_key(), identified=False)), {},
     {"revocation": "unknown"}, "is not signed by the CA"),
    ("revocation: wrong signer names the leaf", lambda: listed(revoking(key=pki.new_key(), identified=False)), {},
     {"revocation": "unknown"}, "is not signed by the CA"),
    ("revocation: right signer beside a wrong one", lambda: listed(of_issuing(key=pki.new_key()), of_issuing()), {},
     {"revocation": "ok"}, "not revoked"),
    ("revocation: the CA may not sign CRLs", cannot_sign_lists, {}, {"revocation": "unknown"}, "may not sign CRLs"),
    ("revocation: list of a stranger only", lambda: client().given(crls=(crl(stranger()),)), {},
     {"revocation": "unknown"}, "there is no CRL for"),
    ("revocation: on hold", lambda: listed(revoking(reason=x509.ReasonFlags.certificate_hold)), {},
     {"revocation": "critical"}, "(certificateHold)"),
    ("revocation: delta list adds nothing", lambda: listed(of_issuing(), of_issuing(**delta(2))), {},
     {"revocation": "ok"}, "not revoked"),
    ("revocation: delta list revokes", lambda: listed(of_issuing(), revoking(**delta(2))), {},
     {"revocation": "critical"}, "has been revoked since"),
    ("revocation: delta list without its base", lambda: listed(of_issuing(**delta(2))), {}, {"revocation": "unknown"},
     "delta"),
    ("revocation: unknown critical extension",
     lambda: listed(
         of_issuing(critical=[x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")])
     ), {}, {"revocation": "unknown"}, "critical extension that certkit does not know"),
    ("revocation: unknown critical extension, names the leaf",
     lambda: listed(
         revoking(critical=[x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")])
     ), {}, {"revocation": "critical"}, "revoked since"),
    ("revocation: signer of lists", lambda: with_list_signer(usage=pki.key_usage(crl_sign=True)), {},
     {"revocation": "ok"}, "not revoked"),
    ("revocation: signer may not sign CRLs", lambda: with_list_signer(usage=shapes.SIGNS), {},
     {"revocation": "unknown"}, "the signer of the CRL"),
    ("revocation: no chain", lambda: listed(of_issuing()).given(anchors=(stranger().certificate,)), {},
     {"chain": "critical", "revocation": "unknown"}, ""),
]
# fmt: on

# fmt: off
STRENGTH_ROWS = [
    ("key: RSA-1024 leaf", lambda: with_key(shapes.rsa_key(1024)), {}, {"key-type": "critical"},
     "rsa-1024 is too small"),
    ("key: RSA-2048 leaf", lambda: with_key(shapes.rsa_key(2048)), {}, {"key-type": "ok"}, "rsa-2048"),
    ("key: RSA-2050 leaf", lambda: with_key(shapes.rsa_key(2050)), {}, {"key-type": "ok"}, "rsa-2050"),
    ("key: RSA-2050 leaf for wise", lambda: with_key(shapes.rsa_key(2050)), {"policy": "wise-sandbox"},
     {"key-type": "critical"}, "rsa-2050 is not accepted for Wise Platform (sandbox)"),
    ("key: DSA leaf", lambda: with_key(shapes.dsa_key(2048)), {}, {"key-type": "critical"}, "dsa-2048 is not accepted"),
    ("key: secp256k1 leaf", lambda: curve(ec.SECP256K1), {}, {"key-type": "critical"}, "secp256k1 is not accepted"),
    ("key: brainpool leaf", lambda: curve(ec.BrainpoolP256R1), {}, {"key-type": "critical"},
     "ec-brainpoolp256r1 is not accepted"),
    ("key: P-192 leaf", lambda: curve(ec.SECP192R1), {}, {"key-type": "critical"}, "ec-p192 is too small"),
    ("key: P-521 leaf", lambda: curve(ec.SECP521R1), {}, {"key-type": "ok"}, "ec-p521"),
    ("key: P-521 leaf for wise", lambda: curve(ec.SECP521R1), {"policy": "wise-sandbox"}, {"key-type": "critical"},
     "ec-p521 is not accepted for Wise Platform (sandbox)"),
    ("key: Ed25519 leaf", lambda: with_key(ed25519.Ed25519PrivateKey.generate()), {}, {"key-type": "ok"}, "ed25519"),
    ("key: Ed25519 leaf for wise", lambda: with_key(ed25519.Ed25519PrivateKey.generate()), {"policy": "wise-sandbox"},
     {"key-type": "critical"}, "ed25519 is not accepted"),
    ("key: Ed25519 CA", edwards_ca, {}, OK, "<- CN=Ed25519 Root CA,O=Partner"),
    ("key: RSA-1024 intermediate", lambda: below_key(shapes.rsa_key(1024)), {}, {"chain": "critical"},
     "the CA CN=Partner Issuing CA,O=Partner has a key that is too weak: rsa-1024"),
    ("key: RSA-1024 root", lambda: below_key(shapes.rsa_key(1024), anchor=True), {}, {"chain": "critical"},
     "the CA CN=Partner Root CA,O=Partner has a key that is too weak: rsa-1024"),
    ("key: RSA-1024 intermediate above Ed25519",
     lambda: below(intermediate(root(), key=shapes.rsa_key(1024)), CLIENT, key=ed25519.Ed25519PrivateKey.generate()),
     {}, {"chain": "critical"}, "the CA CN=Partner Issuing CA,O=Partner has a key that is too weak: rsa-1024"),
    ("key: DSA root", lambda: below_key(shapes.dsa_key(2048), anchor=True), {}, {"chain": "critical"},
     "the CA CN=Partner Root CA,O=Partner has a key that is of a kind that is not accepted: dsa-2048"),
    ("key: DSA root above Ed25519",
     lambda: below(pki.root(key=shapes.dsa_key(2048)), CLIENT, key=ed25519.Ed25519PrivateKey.generate()), {},
     {"chain": "critical"}, "dsa-2048"),
    ("key: secp256k1 intermediate", lambda: below_key(ec.generate_private_key(ec.SECP256K1())), {},
     {"chain": "critical"},
     "the CA CN=Partner Issuing CA,O=Partner has a key that is of a kind that is not accepted: ec-secp256k1"),
    ("key: P-384 CA", lambda: below_key(ec.generate_private_key(ec.SECP384R1())), {}, OK, "<- CN=Partner Root CA"),
    ("key: RSA-4096 CA", lambda: below_key(shapes.rsa_key(4096)), {}, OK, "<- CN=Partner Root CA"),
    ("key: RSA-2050 CA", lambda: below_key(shapes.rsa_key(2050)), {}, OK, "<- CN=Partner Root CA"),
    ("digest: leaf with SHA-1", lambda: weak_leaf("sha1"), {}, {"chain": "critical", "signature-algorithm": "critical"},
     "is signed with SHA1, which is too weak"),
    ("digest: leaf with MD5", lambda: weak_leaf("md5"), {}, {"signature-algorithm": "critical", "chain": "critical"},
     "signed with MD5"),
    ("digest: leaf with SHA-1, finding", lambda: weak_leaf("sha1"), {},
     {"signature-algorithm": "critical", "chain": "critical"}, "CN=acme-client-id,O=Acme Ltd is signed with SHA1"),
    ("digest: leaf with SHA-1, no chain", lambda: weak_leaf("sha1"), {"needs_chain": False},
     {"signature-algorithm": "critical"}, "signed with SHA1"),
    ("digest: root with SHA-1", weak_root, {}, {"signature-algorithm": "ok"}, "SHA256"),
]
# fmt: on

# fmt: off
POLICY_ROWS = [
    ("policy: a year for wise", client, {"policy": "wise-sandbox"}, {"policy": "ok"},
     "valid for 365 days, within the 366 of Wise Platform (sandbox)"),
    ("policy: two years for wise", lambda: client(end=NOW + 2 * YEAR), {"policy": "wise-sandbox"},
     {"policy": "critical"}, "valid for 731 days; Wise Platform (sandbox) allows at most 366"),
    ("policy: two years for nobody", lambda: client(end=NOW + 2 * YEAR), {}, {"policy": "skipped"}, "sets no limits"),
    ("policy: 367 days for wise", lambda: client(begin=NOW - DAY, end=NOW + 366 * DAY), {"policy": "wise-sandbox"},
     {"policy": "ok"}, "valid for 367 days"),
    ("policy: a second more", lambda: client(begin=NOW - DAY, end=NOW + 366 * DAY + SECOND), {"policy": "wise-sandbox"},
     {"policy": "critical"}, "valid for 367 days"),
    ("csr: its key and organization", lambda: answering(O="Acme Ltd"), {}, {"subject": "ok"},
     "the organization matches the CSR"),
    ("csr: another key", lambda: client().given(csr=shapes.request(pki.new_key(), O="Acme Ltd")), {},
     {"key-match": "critical"}, "the certificate's key is not the CSR's key: "),
    ("csr: another organization", lambda: answering(O="Acme Limited"), {}, {"subject": "critical"},
     "O is Acme Ltd, but Acme Limited in the CSR"),
    ("csr: organization lost", lambda: answering(subject=pki.name(CN="x"), O="Acme Ltd"), {}, {"subject": "critical"},
     "O is absent, but Acme Ltd in the CSR"),
    ("key: another key", client, {"key": key_facts(pki.new_key().public_key())}, {"key-match": "critical"},
     "the private key does not belong to the certificate: SPKI SHA-256 of the key "),
]
# fmt: on

# fmt: off
DATE_ROWS = [
    ("dates: the first second", client, {"at": NOW - DAY}, {"validity": "ok"},
     "valid from 2026-11-22T12:00:00Z until 2027-11-22T12:00:00Z"),
    ("dates: a second before", client, {"at": NOW - DAY - SECOND}, {"validity": "critical"},
     "not valid before 2026-11-22T12:00:00Z"),
    ("dates: the last second", client, {"at": NOW + YEAR - DAY}, {"validity": "ok"}, "valid from"),
    ("dates: a second after", client, {"at": NOW + YEAR - DAY + SECOND}, {"validity": "critical"},
     "expired on 2027-11-22T12:00:00Z"),
    ("dates: the chain of an expired certificate is judged when it was valid", client, {"at": NOW + 3 * YEAR},
     {"validity": "critical", "chain": "ok"}, "expired on"),
    ("dates: the intermediate's last second", lambda: below(intermediate(root(), end=NOW), CLIENT), {}, OK,
     "<- CN=Partner Root CA"),
    ("dates: a second after the intermediate", lambda: below(intermediate(root(), end=NOW - SECOND), CLIENT), {},
     {"chain": "critical"}, "expired on 2026-11-23T11:59:59Z"),
    ("dates: the intermediate's first second", lambda: below(intermediate(root(), begin=NOW), CLIENT), {}, OK,
     "<- CN=Partner Root CA"),
    ("dates: the list's last second", lambda: listed(of_issuing(end=NOW)), {}, {"revocation": "ok"}, "not revoked"),
    ("dates: a second after the list", lambda: listed(of_issuing(end=NOW - SECOND)), {}, {"revocation": "unknown"},
     "the CRL has been stale"),
    ("dates: year 2055", lambda: below(pki.root(end=NOW + 40 * YEAR), CLIENT, end=NOW + 30 * YEAR),
     {"at": NOW + 29 * YEAR}, OK, "<- CN=Partner Root CA"),
]
# fmt: on


def to_the_letter(*extensions: x509.ExtensionType, ca: pki.CA | None = None, **options: Any) -> Made:
    return below(ca or intermediate(shapes.letter_root()), *(extensions or (CLIENT,)), **options)


def no_authority_identifier() -> Made:
    ca = intermediate(shapes.letter_root())
    return Made(ca.issue().certificate, (ca.above[0],), (ca.certificate,))


def ca_without(kind: type[x509.ExtensionType]) -> Made:
    above, key = shapes.letter_root(), pki.new_key()
    usual = (shapes.CA_USAGE, shapes.key_identifier(key), shapes.authority(above))
    ca = above.intermediate(extensions=[each for each in usual if not isinstance(each, kind)], key=key)
    return below(ca, CLIENT)


def uncritical_constraints() -> Made:
    above = shapes.letter_root()
    made = to_the_letter(ca=intermediate(above))
    plain = shapes.extension("551d13", b"\x30\x03\x01\x01\xff")
    cut = shapes.with_extensions(made.untrusted[0], above.key, lambda found: [plain, *found[1:]])
    return made.given(untrusted=(cut,))


def namesake(*, is_told_apart: bool) -> Made:
    """A certificate with the name of its CA."""
    key = pki.new_key()
    extensions = (CLIENT, shapes.key_identifier(key)) if is_told_apart else (CLIENT,)
    return below(issuing(), *extensions, key=key, subject=issuing().certificate.subject)


# fmt: off
STRICT_ROWS = [
    ("its CA's name, and another key identifier", lambda: namesake(is_told_apart=True), {}, {"extensions": "ok"}, ""),
    ("its CA's name, and no key identifier", lambda: namesake(is_told_apart=False), {}, {"extensions": "warning"},
     "has the name of its issuer, and no key identifiers that tell their keys apart; OpenSSL takes it for self-signed"),
    ("strict: nothing wrong", to_the_letter, {"strict": True}, {"extensions": "ok"}, "as RFC 5280 requires"),
    ("strict: no authority key identifier", no_authority_identifier, {"strict": True}, {"extensions": "critical"},
     "CN=acme-client-id,O=Acme Ltd has no authority key identifier (section 4.2.1.1)"),
    ("not strict: no authority key identifier", no_authority_identifier, {}, {"extensions": "ok"},
     "CN=acme-client-id,O=Acme Ltd has no authority key identifier"),
    ("strict: CA without key identifier", lambda: ca_without(x509.SubjectKeyIdentifier), {"strict": True},
     {"extensions": "critical"}, "has no subject key identifier"),
    ("strict: CA without key usage", lambda: ca_without(x509.KeyUsage), {"strict": True}, {"extensions": "critical"},
     "is a CA without key usage"),
    ("strict: CA without authority key identifier", lambda: ca_without(x509.AuthorityKeyIdentifier), {"strict": True},
     {"extensions": "critical"}, "has no authority key identifier"),
    ("strict: basic constraints not critical", uncritical_constraints, {"strict": True}, {"extensions": "critical"},
     "has basic constraints that are not critical"),
    ("not strict: basic constraints not critical", uncritical_constraints, {}, OK, "<- CN=Partner Root CA"),
    ("strict: serial number of 21 bytes", lambda: recut_leaf(replaced(1, shapes.wrap(0x02, b"\x01" + bytes(20)))),
     {"strict": True}, {"extensions": "critical"}, "has a serial number out of bounds"),
    ("server, strict: CN not among the SANs",
     lambda: to_the_letter(SERVER, alternative("a.example"), subject=pki.name(CN="b.example")),
     server_asked("a.example", strict=True), {"extensions": "critical"}, "is not among its alternative names"),
    ("server: CN not among the SANs",
     lambda: to_the_letter(SERVER, alternative("a.example"), subject=pki.name(CN="b.example")),
     server_asked("a.example"), {"extensions": "warning"}, "is not among its alternative names"),
    ("server, strict: no EKU", lambda: to_the_letter(alternative("a.example"), subject=pki.name(CN="a.example")),
     server_asked("a.example", strict=True), {"extensions": "critical"}, "has no extended key usage"),
]
# fmt: on

# fmt: off
ODD_ROWS = [
    ("version 1 leaf", version_1_leaf, {}, OK, " <- "),
    ("version 1 intermediate", lambda: version_1_ca(anchor=False), {}, {"chain": "critical"}, "is not a CA"),
    ("version 1 root above Ed25519", edwards_below_version_1, {}, OK, " <- "),
    ("version 1 root", lambda: version_1_ca(anchor=True), {}, OK, " <- "),
    ("unknown critical extension in the leaf", lambda: extended(lambda found: [*found, UNKNOWN]), {},
     {"chain": "critical"},
     ("CN=acme-client-id,O=Acme Ltd has a critical extension that certkit does not know: "
     "1.3.6.1.4.1.99999.1 (RFC 5280 section 4.2)")),
    ("unknown critical extension in the intermediate", lambda: extended(lambda found: [*found, UNKNOWN], ca=True), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner has a critical extension that certkit does not know: "
     "1.3.6.1.4.1.99999.1 (RFC 5280 section 4.2)")),
    ("unknown extension, not critical", lambda: extended(lambda found: [*found, HARMLESS]), {}, OK,
     "<- CN=Partner Root CA"),
    ("empty subject", lambda: client(subject=x509.Name([])), {}, OK, "<- CN=Partner Root CA"),
    ("empty subject, client id asked", lambda: client(subject=x509.Name([])), {"client_id": "x"}, {"name": "critical"},
     "CN is absent"),
    ("leaf is a CA", lambda: client(x509.BasicConstraints(ca=True, path_length=None), CLIENT), {}, OK,
     "<- CN=Partner Root CA"),
    ("leaf is the intermediate", lambda: Made(issuing().certificate, (root().certificate,)), {},
     {"purpose": "critical"}, "does not allow digital signatures"),
    ("leaf is the root itself", lambda: Made(root().certificate, (root().certificate,)), {}, {"purpose": "critical"},
     "does not allow digital signatures"),
    ("an alternative name that raises when read", lambda: extended(lambda found: [*found, BROKEN_SAN]), {},
     {"chain": "critical"}, "cannot be read"),
    ("an extension twice", lambda: extended(lambda found: [*found, found[0]]), {},
     {"chain": "critical", "purpose": "unknown"},
     "CN=acme-client-id,O=Acme Ltd: an extension appears more than once: 2.5.29.37 (RFC 5280 section 4.2)"),
    ("a key usage that raises when read", lambda: extended(lambda found: [BROKEN_USAGE]), {},
     {"chain": "critical", "purpose": "unknown"}, "cannot be read"),
    ("a subject that raises when read", lambda: client().given(leaf=unreadable()), {"client_id": "a"},
     {"name": "critical"}, "CN is aÿ, not the client id a"),
    ("a public key of no known kind", lambda: recut_leaf(replaced(6, STRANGE_KEY)), {}, {"key-type": "critical"},
     "unknown (1.3.6.1.4.1.99999.2) is not accepted for general use"),
    ("signature of another certificate", lambda: client().given(leaf=below(intermediate(root()), CLIENT).leaf), {},
     {"chain": "critical"},
     ("the CA CN=Partner Issuing CA,O=Partner did not sign CN=acme-client-id,O=Acme Ltd: the signature "
     "does not verify (RFC 5280 section 6.1.3)")),
]
# fmt: on

# fmt: off
FURTHER_ROWS = [
    ("hostname: letters of another script", lambda: server("xn--bcher-kva.example"), server_asked("bücher.example"),
     {"name": "ok"}, "the certificate is valid for"),
    ("hostname: IPv6 in brackets", lambda: server("ip:2001:db8::1"), server_asked("[2001:db8::1]"), {"name": "ok"},
     "the certificate is valid for"),
    ("hostname: a wildcard is none", lambda: server("*.acme.example"), server_asked("*.acme.example"),
     {"name": "critical"}, "not valid for"),
    ("path: the root only untrusted",
     lambda: (m := client()).given(untrusted=(*m.untrusted, *m.anchors), anchors=(stranger().certificate,)), {},
     {"chain": "critical"},
     ("the chain ends at CN=Partner Root CA,O=Partner, which is not one of the trusted CAs (trusted: "
     "CN=Stranger Root CA,O=Stranger)")),
    ("path: a loop of cross-signs", loop, {}, {"chain": "critical"}, "the CAs of the chain only sign each other"),
    ("path: detour with a directory name in the way", lambda: detour(excluding("dir:Acme Ltd")), {}, OK,
     "<- CN=Partner Root CA"),
    ("path: detour that cannot be read",
     lambda: (m := detour()).given(
         untrusted=(
             shapes.with_extensions(m.untrusted[0], root().key, lambda found: [*found, BROKEN_SAN]),
             m.untrusted[1],
         )
     ), {}, OK, "<- CN=Partner Root CA"),
    ("path: only an intermediate with an extension twice", lambda: extended(lambda found: [*found, found[-1]], ca=True),
     {}, {"chain": "critical"},
     "CN=Partner Issuing CA,O=Partner: an extension appears more than once: 2.5.29.35 (RFC 5280 section 4.2)"),
    ("constraints: directory name excluded, not critical", lambda: uncritically("dir:Acme Ltd"), {},
     {"chain": "critical"},
     ("CN=Partner Issuing CA,O=Partner may not issue certificates for CN=acme-client-id,O=Acme Ltd because of its"
     " name constraints (RFC 5280 section 4.2.1.10)")),
    ("policies: one is required, none is there", lambda: below(intermediate(root(), REQUIRED), CLIENT), {},
     {"chain": "critical"}, "certificate policy"),
    ("policies: one is required, and the certificates differ",
     lambda: below(intermediate(root(), REQUIRED, policies("1.2.3.4")), CLIENT, policies("1.2.3.5")), {},
     {"chain": "critical"}, "certificate policy"),
    ("Ed25519: detour with a constraint in the way",
     lambda: (m := edwards_leaf(issuing())).given(
         untrusted=(cross(issuing(), root(), excluding("dir:Acme Ltd")), *m.untrusted)
     ), {}, OK, "<- CN=Partner Root CA"),
    ("path: an unreadable stranger in the bundle",
     lambda: (m := client()).given(untrusted=(unreadable(), *m.untrusted)), {}, OK, "<- CN=Partner Root CA"),
    ("path: only an intermediate with a key of no known kind", lambda: client().given(untrusted=(strange_key(),)), {},
     {"chain": "critical"},
     ("the signature of CN=acme-client-id,O=Acme Ltd cannot be checked: keys of type unknown "
     "(1.3.6.1.4.1.99999.2) are not supported")),
    ("key: RSA-2050 leaf, strict", lambda: with_key(shapes.rsa_key(2050)), {"strict": True}, {"extensions": "critical"},
     "8"),
    ("key: secp256k1 intermediate above Ed25519",
     lambda: below(
         intermediate(root(), key=ec.generate_private_key(ec.SECP256K1())),
         CLIENT,
         key=ed25519.Ed25519PrivateKey.generate(),
     ), {}, {"chain": "critical"}, "secp256k1"),
    ("key: P-192 intermediate above Ed25519",
     lambda: below(
         intermediate(root(), key=ec.generate_private_key(ec.SECP192R1())),
         CLIENT,
         key=ed25519.Ed25519PrivateKey.generate(),
     ), {}, {"chain": "critical"}, "192"),
    ("digest: intermediate with SHA-1", lambda: weak_intermediate("sha1"), {}, {"chain": "critical"},
     "CN=Partner Issuing CA,O=Partner is signed with SHA1"),
    ("digest: intermediate with MD5", lambda: weak_intermediate("md5"), {}, {"chain": "critical"},
     "CN=Partner Issuing CA,O=Partner is signed with MD5"),
    ("server, strict: valid for two years",
     lambda: to_the_letter(SERVER, alternative("a.example"), subject=pki.name(CN="a.example"), end=NOW + 2 * YEAR),
     server_asked("a.example", strict=True), {"extensions": "critical"}, "398"),
    ("strict: leaf is a CA", lambda: to_the_letter(x509.BasicConstraints(ca=True, path_length=None), CLIENT),
     {"strict": True}, {"extensions": "critical"}, "CA"),
    ("strict: empty subject, SAN not critical",
     lambda: to_the_letter(CLIENT, alternative("a.example"), subject=x509.Name([])), {"strict": True},
     {"extensions": "critical"}, "subject"),
    ("a negative serial number", lambda: recut_leaf(replaced(1, b"\x02\x01\xff")), {}, {"chain": "ok"},
     "CN=acme-client-id,O=Acme Ltd <- CN=Partner Issuing CA,O=Partner <- CN=Partner Root CA,O=Partner"),
    ("a serial number of zero", lambda: recut_leaf(replaced(1, b"\x02\x01\x00")), {}, OK, "<- "),
]
# fmt: on

# fmt: off
LIST_ROWS = [
    ("revocation: stale beside a current one",
     lambda: listed(of_issuing(begin=NOW - 9 * DAY, end=NOW - 2 * DAY), of_issuing(number=2)), {}, {"revocation": "ok"},
     "the first CRL expires on 2026-11-29T12:00:00Z"),
    ("revocation: wrong signer, who names another key", lambda: listed(of_issuing(key=pki.new_key())), {},
     {"revocation": "unknown"}, "is not signed by the CA"),
    ("revocation: an unreadable stranger in the bundle",
     lambda: (m := listed(of_issuing())).given(untrusted=(unreadable(), *m.untrusted)), {}, {"revocation": "ok"},
     "not revoked"),
    ("revocation: revoked later than the moment", lambda: listed(revoking(since=NOW + DAY)), {}, {"revocation": "ok"},
     "not revoked"),
    ("revocation: without a next update",
     lambda: client().given(crls=(crl(root()), shapes.without_next_update(crl(issuing()), issuing().key))), {},
     {"revocation": "unknown"}, "has no nextUpdate"),
    ("revocation: hold ended on a newer list",
     lambda: listed(revoking(reason=x509.ReasonFlags.certificate_hold, begin=NOW - 5 * DAY), of_issuing(number=2)), {},
     {"revocation": "ok"}, "not revoked"),
    ("revocation: delta list takes back",
     lambda: listed(
         revoking(reason=x509.ReasonFlags.certificate_hold),
         revoking(**delta(2, reason=x509.ReasonFlags.remove_from_crl)),
     ), {}, {"revocation": "ok"}, "not revoked"),
    ("revocation: expired leaf, not revoked",
     lambda: listed(lambda made: crl(issuing()), made=client(begin=NOW - YEAR, end=NOW - DAY)), {},
     {"validity": "critical"}, "expired on 2026-11-22T12:00:00Z"),
]
# fmt: on

_ROWS = [
    *FURTHER_ROWS,
    *LIST_ROWS,
    *CLIENT_ROWS,
    *SERVER_ROWS,
    *PATH_ROWS,
    *REVOCATION_ROWS,
    *STRENGTH_ROWS,
    *POLICY_ROWS,
    *DATE_ROWS,
    *STRICT_ROWS,
    *ODD_ROWS,
]
SHAPES = [Shape(*row) for row in _ROWS]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shape(shape: Shape) -> None:
    """A shape has its findings, no other finding is bad, and the first one says why."""
    verdict = judge(shape.build(), **shape.asked)
    found = statuses(verdict)
    bad = {check: status for check, status in found.items() if status not in {"ok", "skipped"}}
    first, *_ = shape.expected
    assert bad == {check: status for check, status in shape.expected.items() if status not in {"ok", "skipped"}}, (
        verdict.findings
    )
    assert any(
        each.id == first
        and each.status == shape.expected[first]
        and shape.says in each.message
        and shape.hint in each.hint
        for each in verdict.findings
    ), verdict.findings
