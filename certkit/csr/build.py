"""Certificate signing requests (PKCS#10, RFC 2986): their content, and building them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.policy.rules import CsrRules, Policy
from certkit.policy.values import Answer
from certkit.x509 import foreign, keys, names, pem, qualified
from certkit.x509.attributes import EXTENDED_KEY_USAGES, KEY_USAGES
from certkit.x509.oids import QC_STATEMENTS

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certkit.x509.csr import Csr
    from certkit.x509.names import SubjectOptions

# The library's names for the bits of a key usage, in the order of KEY_USAGES.
_KEY_USAGE_FIELDS = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def _wanted(
    options: SubjectOptions, policy: Policy | None
) -> tuple[tuple[names.Attribute, ...], list[tuple[x509.ExtensionType, bool]]]:
    """Return the subject and the extensions of a CSR, completed by what a policy demands, each with `critical`."""
    from cryptography import x509

    rules = policy.csr if policy else CsrRules()
    subject = options.attributes(policy.subject.order if policy else ())
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if rules.ca_false:
        extensions.append((x509.BasicConstraints(ca=False, path_length=None), False))
    if usages := options.key_usage or rules.key_usage.demanded:
        bits = {name: usage in usages for usage, name in zip(KEY_USAGES, _KEY_USAGE_FIELDS, strict=True)}
        try:
            # RFC 5280 section 4.2.1.3: critical, unless the policy says otherwise.
            extensions.append((x509.KeyUsage(**bits), rules.key_usage.critical is not Answer.NO))
        except ValueError as error:
            raise InputError(f"key usage {', '.join(usages)}: {error}", hint="add --key-usage keyAgreement") from error
    if purposes := options.extended_key_usage or rules.extended_key_usage.demanded:
        oids = dict.fromkeys(EXTENDED_KEY_USAGES.get(each, each) for each in purposes)
        extended = x509.ExtendedKeyUsage(map(x509.ObjectIdentifier, oids))
        extensions.append((extended, rules.extended_key_usage.critical is Answer.YES))
    common_names = names.values(subject, "CN") if rules.san_is_common_name else ()
    if listed := options.san or [f"DNS:{value}" for value in common_names]:
        # RFC 5280 section 4.2.1.6: critical where the subject is empty.
        alternatives = x509.SubjectAlternativeName(dict.fromkeys(map(names.parse_san, listed)))
        extensions.append((alternatives, not subject))
    types, roles = (tuple(dict.fromkeys(each)) for each in (options.qc_type or rules.qc_types, options.psd2_role))
    if types or roles:
        statements = qualified.Statements(types, roles, options.psd2_authority, options.psd2_authority_id)
        oid = x509.ObjectIdentifier(QC_STATEMENTS)
        extensions.append((x509.UnrecognizedExtension(oid, statements.encode()), False))
    return subject, extensions


def build(options: SubjectOptions, key: CertificateIssuerPrivateKeyTypes, policy: Policy | None = None) -> bytes:
    """Return a CSR as one PEM block and nothing else, signed with the digest that fits the key.

    Raises:
        InputError: if a value cannot be encoded, or the key cannot sign.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    subject, extensions = _wanted(options, policy)
    builder = x509.CertificateSigningRequestBuilder().subject_name(names.build_name(subject))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    try:
        request = builder.sign(key, _digest_for(key))
    except (ValueError, TypeError) as error:
        raise InputError(f"cannot sign the CSR: {error}", hint="use a key of one of the policy's types") from error
    return pem.encode(pem.CERTIFICATE_REQUEST, request.public_bytes(Encoding.DER))


def difference(request: Csr, options: SubjectOptions, policy: Policy) -> str | None:
    """Return how a CSR differs from what the options and the policy require; None if it does not."""
    from cryptography import x509

    subject, wanted = _wanted(options, policy)
    if names.attributes(request.subject) != subject:
        return f"its subject is {request.subject.text}"
    loaded = request.cryptography()
    extensions = loaded and foreign.attempt(lambda _: loaded.extensions, b"")
    held: dict[str, Any] = {each.oid.dotted_string: each for each in extensions or ()}
    for value, critical in wanted:
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


def _digest_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Return SHA-256, or the digest that fits the curve (RFC 5480 section 4); None for keys with a built-in digest."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    if keys.key_facts(key.public_key()).type.startswith(("ed25519", "ed448", "ml-dsa")):
        return None
    return hashes.SHA256()
