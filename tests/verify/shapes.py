"""Material for tests of the verifier: chains, revocation lists, and certificates encoded by hand."""

from __future__ import annotations

import functools
import ipaddress
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from certkit.x509.csr import Csr
from tests import pki
from tests.pki import DAY, NOW, YEAR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

CA_USAGE = pki.key_usage(key_cert_sign=True, crl_sign=True)
SIGNS = pki.key_usage(digital_signature=True)
CLIENT_NAME = pki.name(O="Acme Ltd", CN="acme-client-id")


@dataclass(frozen=True)
class Made:
    """A certificate to judge, and what surrounds it."""

    leaf: x509.Certificate
    anchors: tuple[x509.Certificate, ...]
    untrusted: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    csr: Csr | None = None

    def given(self, **parts: Any) -> Made:
        """The same with other parts."""
        return replace(self, **parts)


@functools.cache
def rsa_key(bits: int, which: int = 0) -> rsa.RSAPrivateKey:
    """An RSA key of a size, made once."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def dsa_key(bits: int) -> dsa.DSAPrivateKey:
    """A DSA key of a size, made once."""
    return dsa.generate_private_key(bits)


@functools.cache
def root() -> pki.CA:
    """The root of most chains here, to the letter."""
    return letter_root()


def letter_root(**options: Any) -> pki.CA:
    """A root with a key identifier."""
    key = options.pop("key", None) or pki.new_key()
    return pki.root(key=key, extensions=[key_identifier(key), *options.pop("extensions", [])], **options)


@functools.cache
def issuing() -> pki.CA:
    """The intermediate of most chains here, as RFC 5280 asks to the letter."""
    return intermediate(root())


@functools.cache
def stranger() -> pki.CA:
    """Another organization's root."""
    return pki.root(pki.name(O="Stranger", CN="Stranger Root CA"))


def intermediate(above: pki.CA, *extensions: x509.ExtensionType, **options: Any) -> pki.CA:
    """A CA below another, to the letter: with key usage and both key identifiers."""
    key = options.pop("key", None) or pki.new_key()
    return above.intermediate(
        extensions=(CA_USAGE, key_identifier(key), authority(above), *extensions), key=key, **options
    )


def below(above: pki.CA, *extensions: x509.ExtensionType, **options: Any) -> Made:
    """A certificate below a CA, with what stands above as the untrusted part, and the last as the anchor."""
    key = options.pop("key", None) or pki.new_key()
    asked = {"subject": CLIENT_NAME, "begin": NOW - DAY, "end": NOW + YEAR - DAY, **options}
    leaf = pki.sign(
        issuer=above.certificate.subject,
        public_key=key.public_key(),
        signing_key=above.key,
        extensions=(*extensions, authority(above)),
        **asked,
    )
    *between, anchor = (above.certificate, *above.above)
    return Made(leaf, (anchor,), tuple(between))


def client(*extensions: x509.ExtensionType, **options: Any) -> Made:
    """A client certificate below the intermediate; for client authentication unless extensions say otherwise."""
    return below(issuing(), *(extensions or (pki.CLIENT,)), **options)


def server(*names: str, subject: x509.Name | None = None) -> Made:
    """A server certificate with alternative names: IP addresses as such with the prefix `ip:`, else DNS names."""
    subject = subject or x509.Name([])
    return below(issuing(), pki.SERVER, *([alternative(*names)] if names else []), subject=subject)


def alternative(*names: str) -> x509.SubjectAlternativeName:
    """Alternative names: `ip:192.0.2.1`, `email:a@b`, `uri:https://x`, else DNS."""
    return x509.SubjectAlternativeName([general(name) for name in names])


def general(text: str) -> x509.GeneralName:
    """A general name from text; for constraints `ip:` takes a network and `dir:` a common organization."""
    kind, found, value = text.partition(":")
    if not found:
        return x509.DNSName(text)
    if kind == "ip":
        return x509.IPAddress(ipaddress.ip_network(value) if "/" in value else ipaddress.ip_address(value))
    if kind == "dir":
        return x509.DirectoryName(pki.name(O=value))
    return {"email": x509.RFC822Name, "uri": x509.UniformResourceIdentifier}[kind](value)


def permitting(*names: str) -> x509.NameConstraints:
    """Name constraints that permit only some names."""
    return x509.NameConstraints([general(name) for name in names], None)


def excluding(*names: str) -> x509.NameConstraints:
    """Name constraints that exclude some names."""
    return x509.NameConstraints(None, [general(name) for name in names])


def usage_of(*oids: str) -> x509.ExtendedKeyUsage:
    """An extended key usage by the last part of its OIDs under id-kp, or whole OIDs."""
    return x509.ExtendedKeyUsage(
        [x509.ObjectIdentifier(oid if "." in oid else f"1.3.6.1.5.5.7.3.{oid}") for oid in oids]
    )


def key_identifier(key: Any) -> x509.SubjectKeyIdentifier:
    """The subject key identifier of a private key."""
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def authority(ca: pki.CA) -> x509.AuthorityKeyIdentifier:
    """The authority key identifier that names a CA's key."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())


def cross(ca: pki.CA, above: pki.CA, *extensions: x509.ExtensionType, **options: Any) -> x509.Certificate:
    """Another certificate for a CA's name and key, from another issuer."""
    return intermediate(above, *extensions, subject=ca.certificate.subject, key=ca.key, **options).certificate


def crl(
    ca: pki.CA,
    *revoked: x509.Certificate,
    reason: x509.ReasonFlags | None = None,
    since: datetime = NOW - 10 * DAY,
    begin: datetime = NOW - DAY,
    end: datetime = NOW + 6 * DAY,
    critical: Sequence[x509.ExtensionType] = (),
    number: int = 1,
    key: Any = None,
    identified: bool = True,
    issuers: Sequence[x509.Name] = (),
) -> x509.CertificateRevocationList:
    """A revocation list; `identified`: it names its key; `issuers`: those of the entries of an indirect list."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(begin).next_update(end).add_extension(x509.CRLNumber(number), critical=False)
    key = key or ca.key
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    if identified:
        builder = builder.add_extension(signer, critical=False)
    for extension in critical:
        builder = builder.add_extension(extension, critical=True)
    for position, certificate in enumerate(revoked):
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(since)
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        if issuers:
            named = x509.CertificateIssuer([x509.DirectoryName(issuers[position])])
            entry = entry.add_extension(named, critical=True)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def indirect_point(*, issuer: x509.Name | None = None, indirect: bool = True) -> x509.IssuingDistributionPoint:
    """The scope of a list, which may be one for other issuers' certificates."""
    name = [x509.UniformResourceIdentifier("http://crl.example/list")] if issuer is None else None
    return x509.IssuingDistributionPoint(
        full_name=name or [x509.DirectoryName(issuer)],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=indirect,
        only_contains_attribute_certs=False,
    )


def request(key: Any, **parts: str) -> Csr:
    """A CSR."""
    made = x509.CertificateSigningRequestBuilder().subject_name(pki.name(**parts)).sign(key, hashes.SHA256())
    return Csr.parse(made.public_bytes(Encoding.DER))


# Certificates cut by hand, for what the library refuses to make.


def elements(content: bytes) -> list[bytes]:
    """The DER elements that stand side by side."""
    found = []
    while content:
        size, start = content[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(content[2:start], "big")
        found.append(content[: start + size])
        content = content[start + size :]
    return found


def inside(element: bytes) -> bytes:
    """The content of a DER element."""
    return element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]


def wrap(tag: int, content: bytes) -> bytes:
    """A DER element."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def recut(
    certificate: x509.Certificate,
    key: Any,
    edit: Callable[[list[bytes]], list[bytes]],
    *,
    digest: hashes.HashAlgorithm | None = None,
    algorithm: bytes | None = None,
) -> x509.Certificate:
    """The certificate with its signed fields edited, signed again by its issuer's key.

    The fields are: version, serial, algorithm, issuer, validity, subject, key, (unique ids,) extensions.
    """
    fields = elements(inside(certificate.tbs_certificate_bytes))
    algorithm = algorithm or fields[2]
    fields[2] = algorithm
    signed = wrap(0x30, b"".join(edit(fields)))
    signature = wrap(0x03, b"\0" + _signature(key, signed, digest or hashes.SHA256()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of odd certificates, which are wanted here
        return x509.load_der_x509_certificate(wrap(0x30, signed + algorithm + signature))


def weakly(certificate: x509.Certificate, key: rsa.RSAPrivateKey, digest: str) -> x509.Certificate:
    """The certificate signed again with RSA and a weak digest (`sha1` or `md5`)."""
    last = {"md5": 4, "sha1": 5}[digest]
    algorithm = wrap(0x30, bytes.fromhex("06092a864886f70d0101") + bytes([last]) + b"\x05\x00")
    chosen = {"md5": hashes.MD5(), "sha1": hashes.SHA1()}[digest]
    return recut(certificate, key, lambda fields: fields, digest=chosen, algorithm=algorithm)


def version_1(certificate: x509.Certificate, key: Any) -> x509.Certificate:
    """The certificate as one of version 1: without version and extensions."""
    return recut(certificate, key, lambda fields: [each for each in fields if each[0] not in {0xA0, 0xA3}])


def with_extensions(
    certificate: x509.Certificate, key: Any, edit: Callable[[list[bytes]], list[bytes]]
) -> x509.Certificate:
    """The certificate with its list of extensions edited."""

    def edited(fields: list[bytes]) -> list[bytes]:
        extensions = elements(inside(inside(fields[-1])))
        return [*fields[:-1], wrap(0xA3, wrap(0x30, b"".join(edit(extensions))))]

    return recut(certificate, key, edited)


def extension(oid: str, content: bytes, *, critical: bool = False) -> bytes:
    """An extension as DER; `oid` is the hexadecimal content of the OID."""
    return wrap(
        0x30,
        wrap(0x06, bytes.fromhex(oid)) + (b"\x01\x01\xff" if critical else b"") + wrap(0x04, content),
    )


def uncritical(certificate: x509.Certificate, key: Any, oid: str) -> x509.Certificate:
    """The certificate with an extension (by its OID's content in hexadecimal) made not critical."""

    def edited(extensions: list[bytes]) -> list[bytes]:
        parts = [elements(inside(each)) for each in extensions]
        return [
            wrap(0x30, part[0] + part[-1]) if inside(part[0]).hex() == oid else wrap(0x30, b"".join(part))
            for part in parts
        ]

    return with_extensions(certificate, key, edited)


def _signature(key: Any, signed: bytes, digest: hashes.HashAlgorithm) -> bytes:
    match key:
        case rsa.RSAPrivateKey():
            return key.sign(signed, padding.PKCS1v15(), digest)
        case ec.EllipticCurvePrivateKey():
            return key.sign(signed, ec.ECDSA(digest))
        case _:
            return key.sign(signed)


def without_next_update(revocations: x509.CertificateRevocationList, key: Any) -> x509.CertificateRevocationList:
    """The list without the date of its next update, signed again."""
    fields = elements(inside(revocations.tbs_certlist_bytes))
    dates = [number for number, each in enumerate(fields) if each[0] in {0x17, 0x18}]
    del fields[dates[1]]
    signed = wrap(0x30, b"".join(fields))
    algorithm = elements(inside(revocations.public_bytes(Encoding.DER)))[1]
    signature = wrap(0x03, b"\0" + _signature(key, signed, hashes.SHA256()))
    return x509.load_der_x509_crl(wrap(0x30, signed + algorithm + signature))


def edwards(
    subject: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any, *extensions: x509.ExtensionType
) -> x509.Certificate:
    """A certificate signed with an Ed25519 key."""
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), 4711, NOW - DAY, NOW + YEAR - DAY)
    for each in extensions:
        builder = builder.add_extension(each, critical=isinstance(each, x509.BasicConstraints))
    return builder.sign(issuer_key, None)
