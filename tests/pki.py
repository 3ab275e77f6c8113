"""A small certification authority for tests: it issues any shape of certificate, good or bad."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certkit.x509.certificate import Certificate
from certkit.x509.crl import Crl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY

CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])

_NAMES = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}


def name(**parts: str) -> x509.Name:
    """A distinguished name from short names: `name(O="Acme Ltd", CN="client")`."""
    return x509.Name([x509.NameAttribute(_NAMES[short], value) for short, value in parts.items()])


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_usage(**allowed: bool) -> x509.KeyUsage:
    """A key usage extension that allows what is named."""
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: allowed.get(usage, False) for usage in every})


def value(found: x509.Certificate | Certificate) -> Certificate:
    """A certificate as certkit's own value."""
    if isinstance(found, Certificate):
        return found
    return Certificate.parse(found.public_bytes(serialization.Encoding.DER))


def crl_value(found: x509.CertificateRevocationList | Crl) -> Crl:
    """A revocation list as certkit's own value."""
    return found if isinstance(found, Crl) else Crl.parse(found.public_bytes(serialization.Encoding.DER))


@dataclass(frozen=True)
class Pair:
    """A certificate, its private key, and the certificates above it (nearest first)."""

    certificate: x509.Certificate
    key: Any
    above: tuple[x509.Certificate, ...] = field(default=())

    @property
    def value(self) -> Certificate:
        """The certificate as certkit's own value."""
        return value(self.certificate)

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write `STEM.pem` and `STEM.key` (mode 0600) into a folder; their paths."""
        certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        certificate.write_bytes(self.pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return certificate, key


@dataclass(frozen=True)
class CA(Pair):
    """A pair that issues certificates."""

    def issue(
        self,
        subject: x509.Name | None = None,
        *,
        extensions: Sequence[x509.ExtensionType] = (CLIENT,),
        begin: datetime = NOW - DAY,
        end: datetime = NOW + YEAR - DAY,
        key: Any = None,
        public_key: Any = None,
        serial: int | None = None,
        digest: Any = None,
    ) -> Pair:
        """A certificate for a subject, by default `O=Acme Ltd,CN=acme-client-id` for client authentication."""
        key = key or (None if public_key else new_key())
        certificate = sign(
            subject=subject or name(O="Acme Ltd", CN="acme-client-id"),
            issuer=self.certificate.subject,
            public_key=public_key or key.public_key(),
            signing_key=self.key,
            extensions=extensions,
            begin=begin,
            end=end,
            serial=serial,
            digest=digest,
        )
        return Pair(certificate, key, (self.certificate, *self.above))

    def intermediate(
        self,
        subject: x509.Name | None = None,
        *,
        extensions: Sequence[x509.ExtensionType] = (),
        path_length: int | None = None,
        is_ca: bool = True,
        begin: datetime = NOW - 2 * YEAR,
        end: datetime = NOW + 5 * YEAR,
        key: Any = None,
    ) -> CA:
        """A CA below this one."""
        key = key or new_key()
        certificate = sign(
            subject=subject or name(O="Partner", CN="Partner Issuing CA"),
            issuer=self.certificate.subject,
            public_key=key.public_key(),
            signing_key=self.key,
            extensions=(x509.BasicConstraints(ca=is_ca, path_length=path_length if is_ca else None), *extensions),
            begin=begin,
            end=end,
        )
        return CA(certificate, key, (self.certificate, *self.above))


def root(
    subject: x509.Name | None = None,
    *,
    key: Any = None,
    begin: datetime = NOW - 5 * YEAR,
    end: datetime = NOW + 10 * YEAR,
    extensions: Sequence[x509.ExtensionType] = (),
) -> CA:
    """A self-signed CA, by default `O=Partner,CN=Partner Root CA`."""
    key = key or new_key()
    subject = subject or name(O="Partner", CN="Partner Root CA")
    certificate = sign(
        subject=subject,
        issuer=subject,
        public_key=key.public_key(),
        signing_key=key,
        extensions=(
            x509.BasicConstraints(ca=True, path_length=None),
            key_usage(key_cert_sign=True, crl_sign=True),
            *extensions,
        ),
        begin=begin,
        end=end,
    )
    return CA(certificate, key)


def sign(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    public_key: Any,
    signing_key: Any,
    extensions: Sequence[x509.ExtensionType] = (),
    begin: datetime,
    end: datetime,
    serial: int | None = None,
    digest: Any = None,
) -> x509.Certificate:
    """A certificate, signed; constraints and usages are critical, as RFC 5280 asks."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial if serial is not None else x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage | x509.NameConstraints)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signing_key, digest or hashes.SHA256())
