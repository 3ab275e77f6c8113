"""Certificate signing requests (PKCS#10, RFC 2986): their content, and building them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.policy.rules import CsrRules, Policy
from certkit.policy.values import Answer
from certkit.x509 import foreign, keys, names, pem, qualified
from certkit.x509.attributes import EXTENDED_KEY_USAGES, KEY_USAGES
from certkit.x509.oids import QC_STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certkit.x509.csr import Csr
    from certkit.x509.names import SubjectOptions

# The library's names for the bits of a key usage, in the order of KEY_USAGES.
KEY_USAGE_FIELDS = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True, slots=True)
class WantedCsr:
    """The content of a CSR: its subject and extensions, completed by what a policy demands."""

    subject: tuple[names.Attribute, ...]
    san: tuple[str, ...]
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    statements: qualified.Statements
    rules: CsrRules

    @classmethod
    def by(cls, options: SubjectOptions, policy: Policy | None) -> WantedCsr:
        """Return the requested contents, completed by what the policy requires."""
        rules = policy.csr if policy else CsrRules()
        subject = options.attributes(policy.subject.order if policy else ())
        common_names = names.values(subject, "CN") if rules.san_is_common_name else ()
        return cls(
            subject,
            options.san or tuple(f"DNS:{value}" for value in common_names),
            options.key_usage or rules.key_usage.demanded,
            options.extended_key_usage or rules.extended_key_usage.demanded,
            qualified.Statements(
                options.qc_type or rules.qc_types, options.psd2_role, options.psd2_authority, options.psd2_authority_id
            ),
            rules,
        )

    def extensions(self) -> Iterator[tuple[x509.ExtensionType, bool]]:
        """Yield the extensions, each with whether it is critical.

        Raises:
            InputError: if an alternative name or a usage cannot be encoded.
        """
        from cryptography import x509

        if self.rules.ca_false:
            yield x509.BasicConstraints(ca=False, path_length=None), False
        if self.key_usage:
            bits = dict.fromkeys(KEY_USAGE_FIELDS, False)
            bits |= {KEY_USAGE_FIELDS[KEY_USAGES.index(usage)]: True for usage in self.key_usage}
            try:
                # RFC 5280 section 4.2.1.3: critical, unless the policy says otherwise.
                yield x509.KeyUsage(**bits), self.rules.key_usage.critical is not Answer.NO
            except ValueError as error:
                raise InputError(
                    f"key usage {', '.join(self.key_usage)}: {error}", hint="add --key-usage keyAgreement"
                ) from error
        if self.extended_key_usage:
            oids = [EXTENDED_KEY_USAGES.get(usage, usage) for usage in self.extended_key_usage]
            extended = x509.ExtendedKeyUsage(map(x509.ObjectIdentifier, oids))
            yield extended, self.rules.extended_key_usage.critical is Answer.YES
        if self.san:
            # RFC 5280 section 4.2.1.6: critical where the subject is empty.
            listed = dict.fromkeys(map(names.parse_san, self.san))
            yield x509.SubjectAlternativeName(listed), not self.subject
        if self.statements.types or self.statements.roles:
            oid = x509.ObjectIdentifier(QC_STATEMENTS)
            yield x509.UnrecognizedExtension(oid, self.statements.encode()), False


def build(options: SubjectOptions, key: CertificateIssuerPrivateKeyTypes, policy: Policy | None = None) -> bytes:
    """Return a CSR as one PEM block and nothing else, signed with the digest that fits the key.

    Raises:
        InputError: if a value cannot be encoded, or the key cannot sign.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    wanted = WantedCsr.by(options, policy)
    builder = x509.CertificateSigningRequestBuilder().subject_name(names.build_name(wanted.subject))
    for extension, critical in wanted.extensions():
        builder = builder.add_extension(extension, critical=critical)
    try:
        request = builder.sign(key, digest_for(key))
    except (ValueError, TypeError) as error:
        raise InputError(f"cannot sign the CSR: {error}", hint="use a key of one of the policy's types") from error
    return pem.encode(pem.CERTIFICATE_REQUEST, request.public_bytes(Encoding.DER))


def difference(request: Csr, options: SubjectOptions, policy: Policy) -> str | None:
    """Return how a CSR differs from what the options and the policy require; None if it does not."""
    from cryptography import x509

    wanted = WantedCsr.by(options, policy)
    if names.attributes(request.subject) != wanted.subject:
        return f"its subject is {request.subject.text}"
    loaded = request.cryptography()
    extensions = loaded and foreign.attempt(lambda _: loaded.extensions, b"")
    held: dict[str, Any] = {each.oid.dotted_string: each for each in extensions or ()}
    for value, critical in wanted.extensions():
        found = held.pop(value.oid.dotted_string, None)
        if found is None:
            return f"its {type(value).__name__} is absent"
        # The order of alternative names means nothing.
        is_same = (
            set(found.value) == set(value) if isinstance(value, x509.SubjectAlternativeName) else found.value == value
        )
        if not is_same or found.critical != critical:
            return f"its {type(value).__name__} is another"
    return f"it asks for {', '.join(type(each.value).__name__ for each in held.values())}" if held else None


def digest_name(request: x509.CertificateSigningRequest) -> str | None:
    """Return the digest that a CSR is signed with; None for a signature without one (Ed25519, Ed448).

    Raises:
        cryptography.exceptions.UnsupportedAlgorithm: if the library does not know the algorithm.
    """
    algorithm = request.signature_hash_algorithm
    return algorithm.name if algorithm else None


def digest_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Return SHA-256, or the digest that fits the curve (RFC 5480 section 4); None for keys with a built-in digest."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) or keys.ml_dsa_name(key.public_key()):
        return None
    return hashes.SHA256()
