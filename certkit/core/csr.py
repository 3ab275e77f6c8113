"""Certificate signing requests (PKCS#10, RFC 2986): building them, and checking the bytes that will be pasted."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from certkit.core import der as tlv
from certkit.core import keys, names, objects, pem
from certkit.core.policy import Answer
from certkit.core.printable import printable
from certkit.errors import InputError
from certkit.findings import Finding, critical, ok, skipped, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certkit.core.keys import KeyFacts
    from certkit.core.names import Attribute, SubjectOptions
    from certkit.core.policy import CsrRules, KeyRules, Policy, SubjectRules

_CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"  # noqa: S105  the name of an attribute (RFC 2985 section 5.4.1)
_RSASSA_PSS = "1.2.840.113549.1.1.10"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# RFC 7468 writes 64; older encoders wrote 76, which is read everywhere.
_MAX_PEM_LINE = 76
_WEAK_DIGESTS = {"md2", "md4", "md5", "sha1"}


def build(options: SubjectOptions, key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """A CSR as one PEM block and nothing else, signed with the digest that fits the key.

    Raises:
        InputError: a value cannot be encoded, or the key cannot sign.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(names.build_name(options.attributes()))
    if options.san:
        # RFC 5280 section 4.2.1.6: critical where the subject is empty.
        san = x509.SubjectAlternativeName(_unique(map(names.parse_san, options.san)))
        builder = builder.add_extension(san, critical=not options.attributes())
    try:
        request = builder.sign(key, _digest_for(key))
    except (ValueError, TypeError) as error:
        raise InputError(f"the CSR cannot be signed: {error}", hint="use a key of one of the policy's types") from error
    return pem.encode(pem.CERTIFICATE_REQUEST, request.public_bytes(Encoding.DER))


def subject_findings(found: Sequence[Attribute], rules: SubjectRules, *, partner: str) -> list[Finding]:
    """Whether a subject follows the rules: one finding a broken rule, or one that all hold."""
    problems = list(_subject_problems(found, rules, partner))
    if problems:
        return problems
    shown = ", ".join(f"{item.name}={printable(item.value)}" for item in found) or "empty"
    overridden = [name for name in rules.overridden if names.values(found, name)]
    note = f"; {partner} replaces {', '.join(overridden)} in the certificate" if overridden else ""
    return [ok("subject", f"{shown}{note}")]


def key_finding(type_name: str, bits: int, rules: KeyRules, *, partner: str) -> Finding:
    """Whether the partner takes keys of that type (spelt as `--type` does) and size."""
    if rules.accepts(type_name, bits):
        return ok("key-type", type_name)
    size = " is too small" if _is_too_small(type_name, bits) else " is not accepted"
    return critical("key-type", f"{type_name}{size} for {partner}", f"use one of: {rules.describe()}")


def key_match(facts: KeyFacts, key: KeyFacts, *, what: str) -> Finding:
    """Whether a private key and a CSR or certificate belong together: the same public key (SPKI)."""
    if facts.spki_sha256 == key.spki_sha256:
        return ok("key-match", f"the private key belongs to the {what} (SPKI SHA-256 {key.spki_sha256})")
    return critical(
        "key-match",
        f"the private key does not belong to the {what}: SPKI SHA-256 of the key {key.spki_sha256},"
        f" of the {what} {facts.spki_sha256}",
        f"find the key that the {what} was made with, or make a new pair",
    )


def check(data: bytes, policy: Policy, *, key: KeyFacts | None = None, name: str = "CSR") -> list[Finding]:
    """Every rule of a policy, applied to the exact bytes that will be handed to the partner.

    Raises:
        InputError: no CSR can be read in the bytes.
    """
    return check_request(objects.csr(data, name=name).value, data, policy, key=key)


def check_request(
    request: x509.CertificateSigningRequest, data: bytes, policy: Policy, *, key: KeyFacts | None = None
) -> list[Finding]:
    """Every rule of a policy, applied to a CSR and the exact bytes that it was read from."""
    facts = public_key_facts(request)
    findings = list(_encoding(data, policy.csr, policy.title))
    findings += _signature(request)
    findings.append(_signature_algorithm(request, policy.csr, policy.title))
    findings.append(_unusual_key(request, policy.title) or _key_type(facts, policy))
    findings += _subject(request, policy)
    findings += _extensions(request, policy.csr, policy.title)
    findings.append(_match(facts, key))
    return findings


def public_key_facts(request: x509.CertificateSigningRequest) -> KeyFacts | str:
    """The facts of a CSR's public key, or why it cannot be used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keys.key_facts(request.public_key())
    except Exception as error:  # noqa: BLE001  a foreign key meets a parser
        return objects.short_reason(error)


def requested_extensions(request: x509.CertificateSigningRequest) -> x509.Extensions | str:
    """The extensions that a CSR asks for, or why they cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return request.extensions
    except Exception as error:  # noqa: BLE001  as above
        return objects.short_reason(error)


def is_signature_valid(request: x509.CertificateSigningRequest) -> bool | None:
    """Whether the CSR is signed with its own key, however weak the digest; None where the library cannot tell."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return keys.is_signature(
            request.public_key(),
            request.signature,
            request.tbs_certrequest_bytes,
            request.signature_algorithm_parameters,
            request.signature_hash_algorithm,
        )
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return None


def digest_name(request: x509.CertificateSigningRequest) -> str | None:
    """The name of the digest that a CSR is signed with; None for a signature without one (Ed25519, Ed448).

    Raises:
        cryptography.exceptions.UnsupportedAlgorithm: the library does not know the algorithm.
    """
    algorithm = request.signature_hash_algorithm
    return algorithm.name if algorithm else None


def _digest_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """SHA-256, or the digest that fits the curve (RFC 5480 section 4); EdDSA brings its own."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return None
    return hashes.SHA256()


def _unique(sans: Iterable[x509.GeneralName]) -> list[x509.GeneralName]:
    return list(dict.fromkeys(sans))


def _is_too_small(type_name: str, bits: int) -> bool:
    is_curve = type_name.startswith("ec-")
    return bits < (224 if is_curve else 2048) and (is_curve or type_name.startswith(("rsa-", "dsa-")))


# --- subject


def _subject(request: x509.CertificateSigningRequest, policy: Policy) -> list[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = names.attributes(request.subject)
    except Exception as error:  # noqa: BLE001  as above
        reason = objects.short_reason(error)
        return [critical("subject", f"the subject cannot be read: {reason}", "make a new CSR with certkit csr create")]
    return subject_findings(found, policy.subject, partner=policy.title)


def _subject_problems(found: Sequence[Attribute], rules: SubjectRules, partner: str) -> Iterator[Finding]:
    for required in rules.required:
        if not any(value.strip() for value in names.values(found, required)):
            yield critical(
                "subject",
                f"{required} is missing; {partner} requires it",
                f"set it with {_OPTIONS.get(required, required)}",
            )
    for item in found:
        yield from _attribute_problems(item, rules, partner)
    for single in ("C", "O", "CN"):
        if len(names.values(found, single)) > 1:
            yield warning("subject", f"{single} is there more than once", f"make a CSR with one {single}")
    if rules.common_name_pattern:
        for value in names.values(found, "CN"):
            if not re.fullmatch(rules.common_name_pattern, value):
                form = rules.common_name_form or rules.common_name_pattern
                yield critical(
                    "subject", f"CN={printable(value)} does not have the form {form}", "correct --common-name"
                )


def _attribute_problems(item: Attribute, rules: SubjectRules, partner: str) -> Iterator[Finding]:
    name, value = item.name, item.value
    option = _OPTIONS.get(name, name)
    if rules.allowed and name not in rules.allowed:
        yield critical(
            "subject", f"{name} is not allowed by {partner}", f"leave it out; allowed: {', '.join(rules.allowed)}"
        )
    if name == "C":
        # X.520 allows any two PrintableString letters; not only ISO 3166 codes, for partners ask for EU.
        if not re.fullmatch(r"[A-Za-z]{2}", value):
            yield critical(
                "subject",
                f"C={printable(value)} is not a country code of two letters",
                f"set {option} to a code such as GB or EU",
            )
        return
    bound = rules.upper_bound(name)
    if not value.strip() and name not in rules.required:
        yield critical("subject", f"{name} is empty", f"leave {option} out, or give it a value")
    elif bound is not None and len(value) > bound:
        yield critical(
            "subject",
            f"{name} has {len(value)} characters, more than {bound} (RFC 5280 appendix A.1)",
            f"shorten {option}",
        )
    if not value.isprintable() and printable(value) != value and _has_control(value):
        yield critical("subject", f"{name}={printable(value)} holds control characters", f"correct {option}")


def _has_control(value: str) -> bool:
    return any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in value)


_OPTIONS = {
    "C": "--country",
    "ST": "--state",
    "L": "--locality",
    "O": "--organization",
    "OU": "--unit",
    "CN": "--common-name",
    "emailAddress": "--email",
}


# --- encoding: the bytes around the request


def _encoding(data: bytes, rules: CsrRules, partner: str) -> Iterator[Finding]:
    blocks = list(pem.blocks(data))
    problems = list(_der_problems(rules, partner) if not blocks else _pem_problems(data, blocks, rules, partner))
    yield from problems
    if not problems:
        yield ok("encoding", "one PEM block, nothing else" if _is_bare(data, blocks) else _accepted_form(blocks))


def _accepted_form(blocks: list[pem.Block]) -> str:
    return "DER" if not blocks else "PEM; the partner accepts text around it and further objects"


def _is_bare(data: bytes, blocks: list[pem.Block]) -> bool:
    return len(blocks) == 1 and not (data[: blocks[0].start] + data[blocks[0].end :]).strip()


def _der_problems(rules: CsrRules, partner: str) -> Iterator[Finding]:
    if "der" not in rules.forms:
        yield critical(
            "encoding",
            f"the CSR is DER; {partner} takes PEM",
            "convert it: openssl req -inform DER -in CSR -out CSR.pem",
        )


def _pem_problems(data: bytes, blocks: list[pem.Block], rules: CsrRules, partner: str) -> Iterator[Finding]:
    private = [block for block in blocks if block.is_private_key]
    if private:
        yield critical(
            "encoding",
            f"the file holds a private key (line {private[0].line}), which never leaves your side",
            "keep key and CSR in two files; if this file was sent to anyone, make a new key",
        )
    others = len(blocks) - len(private)
    if others > 1:
        yield from _asked(
            rules.further_objects, f"the file holds {others} PEM objects", partner, "keep the CSR alone in its file"
        )
    line = _text_line(data, blocks)
    if line:
        yield from _asked(
            rules.surrounding_text,
            f"there is {_what_text(data)} outside the PEM block (line {line})",
            partner,
            "remove it: openssl req -in CSR -out CLEAN (without -text)",
        )
    request = next((block for block in blocks if objects.kind_of(block) is objects.Kind.CSR), blocks[0])
    if request.label == pem.NEW_CERTIFICATE_REQUEST:
        yield from _asked(
            rules.new_label,
            "the label is NEW CERTIFICATE REQUEST",
            partner,
            "write it anew with today's label: openssl req -in CSR -out CLEAN",
        )
    if request.has_headers:
        yield critical(
            "encoding", "there are header lines inside the PEM block", "write it anew: openssl req -in CSR -out CLEAN"
        )
    if b"\r\n" in data[request.start : request.end]:
        yield from _asked(rules.crlf, "the lines end with CR LF", partner, "convert them: sed -i 's/\\r$//' CSR")
    layout = _bad_layout(data, request)
    if layout and not request.has_headers:
        yield critical(
            "encoding", f"{layout}, which openssl and others cannot read", "make it anew: certkit csr create"
        )


def _bad_layout(data: bytes, block: pem.Block) -> str:
    """What keeps strict readers from a PEM block that lenient ones read (RFC 7468 section 3); empty if nothing."""
    text = data[block.start : block.end].replace(b"\r\n", b"\n")
    if b"\r" in text:
        return "the lines end with CR alone"
    before, after = data[: block.start], data[block.end :]
    if before and before[-1:] not in b"\r\n" and before != _BYTE_ORDER_MARK:
        return "the BEGIN line does not begin at the start of a line"
    first, *body, last = [*text.split(b"\n"), b""] if b"\n" not in text else text.split(b"\n")
    if not first.endswith(b"-----") or not last.startswith(b"-----") or after[:1].strip():
        return "the BEGIN and END lines do not stand alone"
    if any(not line or b" " in line or b"\t" in line for line in body):
        return "there are blanks inside the PEM block"
    if any(len(line) > _MAX_PEM_LINE for line in body):
        return f"there are lines of more than {_MAX_PEM_LINE} characters"
    return ""


def _asked(answer: Answer, fact: str, partner: str, hint: str) -> Iterator[Finding]:
    """What a partner's answer makes of a fact: nothing, a refusal, or a warning that the partner does not say."""
    if answer is Answer.NO:
        yield critical("encoding", f"{fact}; {partner} refuses that", hint)
    elif answer is Answer.UNKNOWN:
        yield warning("encoding", f"{fact}; whether {partner} accepts that is not known", hint)


def _what_text(data: bytes) -> str:
    return "a byte order mark" if data.startswith(_BYTE_ORDER_MARK) else "text"


def _text_line(data: bytes, blocks: list[pem.Block]) -> int | None:
    """The first line on which text stands outside of the PEM blocks; white space does not count."""
    at = 0
    for start, end in [*((block.start, block.end) for block in blocks), (len(data), len(data))]:
        between = data[at:start]
        rest = between.lstrip()
        if rest:
            return pem.line_number(data, start - len(rest))
        at = end
    return None


# --- signature, key, extensions


def _signature(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    valid = is_signature_valid(request)
    if valid:
        yield ok("signature", "the CSR is signed with its own key")
    elif valid is None:
        yield unknown(
            "signature",
            "the signature cannot be verified: key or algorithm are not supported",
            "make a new CSR with certkit csr create",
        )
    else:
        yield critical(
            "signature",
            "the signature does not fit the CSR: it was changed, or signed with another key",
            "make a new CSR",
        )


def _signature_algorithm(request: x509.CertificateSigningRequest, rules: CsrRules, partner: str) -> Finding:
    from cryptography.exceptions import UnsupportedAlgorithm

    hint = "sign it with SHA-256: openssl req -new -sha256, or certkit csr create"
    try:
        digest = digest_name(request)
    except UnsupportedAlgorithm:
        oid = request.signature_algorithm_oid.dotted_string
        return critical("signature-algorithm", f"the signature algorithm {oid} is not supported", hint)
    if digest is None:
        return ok("signature-algorithm", "EdDSA")
    if digest in _WEAK_DIGESTS:
        return critical("signature-algorithm", f"{digest.upper()} is too weak for a signature", hint)
    if digest not in rules.digests:
        return critical("signature-algorithm", f"{digest.upper()} is not accepted by {partner}", hint)
    return ok("signature-algorithm", digest.upper())


def _key_type(facts: KeyFacts | str, policy: Policy) -> Finding:
    if isinstance(facts, str):
        return critical("key-type", f"the public key cannot be used: {facts}", f"use one of: {policy.key.describe()}")
    return key_finding(facts.type, facts.bits, policy.key, partner=policy.title)


def _unusual_key(request: x509.CertificateSigningRequest, partner: str) -> Finding | None:
    """A public key that libraries read and few accept: a curve that is written out, or RSA for PSS only; or None."""
    from cryptography.hazmat.primitives.serialization import Encoding

    der = request.public_bytes(Encoding.DER)
    try:
        [outer] = tlv.elements(der)
        info = next(tlv.elements(der, outer.start, outer.end))
        _, _, spki, *_ = tlv.elements(der, info.start, info.end)
        algorithm, _ = tlv.elements(der, spki.start, spki.end)
        oid, *parameters = tlv.elements(der, algorithm.start, algorithm.end)
    except ValueError:
        return None
    name = tlv.object_identifier(der[oid.start : oid.end])
    if name == _RSASSA_PSS:
        said = f"the key is an RSA key for PSS only; whether {partner} accepts that is not known"
        return warning("key-type", said, "make a plain RSA key: certkit key generate --type rsa-3072")
    if name == _EC_PUBLIC_KEY and parameters and parameters[0].tag == tlv.SEQUENCE:
        said = "the curve of the key is written out and not named (RFC 5480 section 2.1.1)"
        return critical("key-type", said, "make a key of a named curve: certkit key generate --type ec-p256")
    return None


def _match(facts: KeyFacts | str, key: KeyFacts | None) -> Finding:
    if key is None:
        return skipped("key-match", "no private key was given", "add --key KEY")
    if isinstance(facts, str):
        return unknown("key-match", "the CSR's public key cannot be read", "make a new CSR")
    return key_match(facts, key, what="CSR")


def _extensions(request: x509.CertificateSigningRequest, rules: CsrRules, partner: str) -> list[Finding]:
    problems = [*_attribute_findings(request), *_extension_findings(request, rules, partner)]
    return problems or [ok("extensions", _extension_summary(request))]


def _attribute_findings(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    try:
        present = {attribute.oid.dotted_string for attribute in request.attributes}
    except Exception:  # noqa: BLE001  as above
        yield critical("extensions", "the CSR's attributes cannot be read", "make a new CSR with certkit csr create")
        return
    if _CHALLENGE_PASSWORD in present:
        yield warning(
            "extensions",
            "the CSR carries a challenge password, which anyone who sees the CSR can read",
            "make the CSR without one; if it is used elsewhere, change it there",
        )


def _extension_findings(request: x509.CertificateSigningRequest, rules: CsrRules, partner: str) -> Iterator[Finding]:
    from cryptography import x509

    extensions = requested_extensions(request)
    if isinstance(extensions, str):
        yield critical("extensions", f"the requested extensions cannot be read: {extensions}", "make a new CSR")
        return
    listed = ", ".join(_extension_name(extension) for extension in extensions)
    if listed and rules.extensions is not Answer.YES:
        refused = rules.extensions is Answer.NO
        make = critical if refused else warning
        said = f"{partner} refuses that" if refused else f"whether {partner} accepts or keeps that is not known"
        yield make(
            "extensions", f"the CSR asks for extensions ({listed}); {said}", "leave --san out if it is not needed"
        )
    for extension in extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            yield critical("extensions", "the CSR asks for a CA certificate", "ask for a client certificate")
        if isinstance(extension.value, x509.SubjectAlternativeName):
            for kind in dict.fromkeys(names.san_parts(san)[0] for san in extension.value):
                if kind not in rules.san_types:
                    yield critical(
                        "extensions",
                        f"{partner} does not take names of type {kind}",
                        f"use one of: {', '.join(rules.san_types)}",
                    )


def _extension_name(extension: x509.Extension[x509.ExtensionType]) -> str:
    name = extension.oid._name  # noqa: SLF001  the library's only name for it
    return name if name != "Unknown OID" else extension.oid.dotted_string


def _extension_summary(request: x509.CertificateSigningRequest) -> str:
    extensions = requested_extensions(request)
    listed = [_extension_name(extension) for extension in extensions] if not isinstance(extensions, str) else []
    return f"asks for {', '.join(listed)}" if listed else "none asked for"
