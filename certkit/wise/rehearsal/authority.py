"""The rehearsal's certification authority and its certificates; its name says that it is not Wise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.net.address import ip
from certkit.x509 import keys, names
from certkit.x509.names import Attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.secret import Secret

CA_NAME = "certkit rehearsal CA, not Wise"
CLIENT_DAYS = 365
# The rehearsal's clock can be moved while the clients' clocks stay, so its certificates are valid for long.
_BEFORE, _AFTER = timedelta(days=5 * 365), timedelta(days=20 * 365)
_HOSTS = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A private key and its certificate."""

    key: Any
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return to_pem(self.certificate)

    @property
    def key_pem(self) -> Secret:
        """The private key as PEM."""
        return keys.to_pem(self.key)


def load(key: Secret, certificate: bytes, *, name: str) -> CertifiedKey:
    """Return the pair that was stored.

    Raises:
        InputError: if key or certificate cannot be read, or they do not belong together.
    """
    from cryptography import x509

    hint = "give another directory with --dir, or remove this one"
    try:
        found = CertifiedKey(keys.load_private_key(key.reveal()), x509.load_pem_x509_certificate(certificate))
        fits = found.key.public_key() == found.certificate.public_key()
    except (ValueError, InputError) as error:
        raise InputError(f"cannot resume {name}: its keys or certificates are damaged", hint=hint) from error
    if not fits:
        raise InputError(f"cannot resume {name}: a key does not belong to its certificate", hint=hint)
    return found


def new(*, now: datetime) -> CertifiedKey:
    """Create a CA."""
    key = _new_key()
    name = names.build_name([Attribute("O", "certkit rehearsal"), Attribute("CN", CA_NAME)])
    end = now + _AFTER
    return CertifiedKey(key, _issue(key, name, name, key.public_key(), [], is_ca=True, begin=now - _BEFORE, end=end))


def server(ca: CertifiedKey, *, hosts: Sequence[str] = _HOSTS, now: datetime) -> CertifiedKey:
    """Create a pair for a server with these host names and IP addresses."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = _new_key()
    subject = names.build_name([Attribute("O", "certkit rehearsal"), Attribute("CN", "certkit rehearsal, not Wise")])
    extensions = [
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectAlternativeName(
            [x509.IPAddress(found) if (found := ip(host)) else x509.DNSName(host) for host in hosts]
        ),
    ]
    issuer, end = ca.certificate.subject, now + _AFTER
    certificate = _issue(ca.key, issuer, subject, key.public_key(), extensions, begin=now - _BEFORE, end=end)
    return CertifiedKey(key, certificate)


def signing_key_pem() -> Secret:
    """Return a new RSA key of 2048 bits as PEM, like those with which Wise signs deliveries to webhooks."""
    return keys.to_pem(keys.KeySpec("rsa-2048").generate())


def public_key_pem(key: Any) -> str:
    """Return the public half of a private key as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def notifier(ca: CertifiedKey, *, now: datetime) -> CertifiedKey:
    """Create a pair with which the rehearsal calls webhooks."""
    key = _new_key()
    subject = [Attribute("O", "certkit rehearsal"), Attribute("CN", "webhooks, not Wise")]
    return CertifiedKey(key, client(ca, key.public_key(), subject, begin=now - _BEFORE, end=now + _AFTER))


def client(
    ca: CertifiedKey, public_key: Any, subject: Iterable[Attribute], *, begin: datetime, end: datetime | None = None
) -> x509.Certificate:
    """Issue a client certificate, by default for a year."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    end = end or begin + timedelta(days=CLIENT_DAYS)
    name = names.build_name(subject)
    return _issue(ca.key, ca.certificate.subject, name, public_key, [usage], begin=begin, end=end)


def revocation_list(
    ca: CertifiedKey, revoked: Iterable[tuple[int, datetime]], *, now: datetime
) -> x509.CertificateRevocationList:
    """Issue a CRL; its entries are serial numbers with the times of their revocation."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    day = timedelta(days=1)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(now - day).next_update(now + day)
    for serial, moment in revoked:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        builder = builder.add_revoked_certificate(one.build())
    return builder.sign(ca.key, hashes.SHA256())


def to_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _issue(
    key: Any,
    issuer: x509.Name,
    subject: x509.Name,
    public_key: Any,
    extensions: Sequence[x509.ExtensionType],
    *,
    is_ca: bool = False,
    begin: datetime,
    end: datetime,
) -> x509.Certificate:
    """Issue a certificate, signed with the issuer's key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    usage = x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    if not is_ca:
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())
