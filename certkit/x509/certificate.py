"""The value of a certificate (RFC 5280 section 4.1): its bytes as they stand, and each field read by itself.

A certificate is made once, where its bytes come in. A field that cannot be read is `Unreadable` and spoils none of the
others. What breaks a rule and is read all the same is listed in `deviations`; everything else has to be DER.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.x509 import der as tlv
from certkit.x509 import extensions as kinds
from certkit.x509 import foreign, moments
from certkit.x509.directory_name import Name
from certkit.x509.extensions import Extension, Unreadable
from certkit.x509.spki import Algorithm, PublicKeyInfo

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from certkit.x509.general_names import GeneralName

_BOOLEAN, _INTEGER, _BIT_STRING, _OCTET_STRING, _OID, _SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3
_MAX_SERIAL_BYTES = 20

# Signature algorithms without parameters (RFC 5758 section 3), which older software writes with NULL.
ECDSA_AND_DSA = {
    "1.2.840.10045.4.1",
    *(f"1.2.840.10045.4.3.{number}" for number in range(1, 5)),
    "1.2.840.10040.4.3",
    *(f"2.16.840.1.101.3.4.3.{number}" for number in range(1, 5)),
}


@dataclass(frozen=True, slots=True)
class Deviation:
    """A rule that a certificate, CSR, CRL or OCSP answer breaks although it can be read: one of `DEVIATIONS`.

    One that is not `tolerated` is shown, and never accepted by a verifier; the others are notes, and refused only if
    every rule is applied. `section` is that of RFC 5280 unless it names another document.
    """

    id: str
    message: str
    section: str
    is_tolerated: bool = True


# Every deviation that is read, with what it means. `is_tolerated` is decided here and nowhere else.
DEVIATIONS = {
    "serial-negative": ("the serial number is negative", "4.1.2.2", True),
    "serial-zero": ("the serial number is zero", "4.1.2.2", True),
    "serial-long": ("the serial number has more than 20 bytes", "4.1.2.2", True),
    "name-encoding": ("a name holds characters that its string type does not have", "4.1.2.4", True),
    "rdn-order": ("a part of a name is not sorted", "X.690 section 11.6", True),
    "name-structure": ("a name is no sequence of attributes", "4.1.2.4", False),
    "time-form": ("a date has a form that is not allowed", "4.1.2.5", True),
    "path-length": ("basic constraints have a path length without cA", "4.2.1.9", True),
    "default-encoded": ("a default value is written out", "X.690 section 11.5", True),
    "address-bits": ("an address in name constraints has bits beyond its mask", "4.2.1.10", True),
    "general-name": ("an alternative name breaks the rules of its type", "4.2.1.6", True),
    "extension-value": ("an extension has an unusual value", "4.2", True),
    "extension-unreadable": ("an extension cannot be read", "4.2", True),
    "extension-duplicate": ("an extension appears more than once", "4.2", False),
    "extensions-empty": ("the list of extensions is empty", "4.1.2.9", False),
    "version-extensions": ("a certificate before version 3 has extensions", "4.1.2.9", True),
    "version-unique-id": ("a version 1 certificate has unique identifiers", "4.1.2.8", False),
    "version-default": ("version 1 is written out", "X.690 section 11.5", False),
    "version-unknown": ("the version is unknown", "4.1.2.1", False),
    "algorithm-parameters": ("a signature algorithm that takes no parameters has NULL", "RFC 5758 section 3.2", True),
    "signature-bits": ("the signature's last byte is not whole", "4.1.1.3", False),
    "key": ("the public key cannot be read", "4.1.2.7", False),
    "encoding": ("the encoding breaks a rule of DER", "4.1", False),
}


def deviation(identifier: str, detail: str = "") -> Deviation:
    """Return a deviation by its id, with what is special about this one."""
    message, section, is_tolerated = DEVIATIONS[identifier]
    return Deviation(identifier, f"{message}: {detail}" if detail else message, section, is_tolerated)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where the fields of a certificate lie in its bytes."""

    tbs: tlv.Node
    version: int
    serial: int
    serial_length: int
    tbs_algorithm: tlv.Node
    issuer: tlv.Node
    validity: tuple[tlv.Node, tlv.Node]
    subject: tlv.Node
    spki: tlv.Node
    extensions: tlv.Node | None
    algorithm: tlv.Node
    signature: tlv.Node
    deviations: tuple[Deviation, ...]


class Certificate:
    """A certificate; two are equal if their bytes are.

    Make one with `parse`. Every attribute is computed on first use.
    """

    def __init__(self, der: bytes, loaded: x509.Certificate | None) -> None:
        """Keep the bytes, and what `cryptography` made of them; `parse` is the way to make one."""
        self.der = der
        self._loaded = loaded

    @classmethod
    def parse(cls, der: bytes) -> Certificate:
        """Return the certificate that the bytes are.

        Raises:
            InputError: if they are no certificate: cut off, followed by other bytes, or not in DER.
        """
        from cryptography.x509 import load_der_x509_certificate

        found = cls(der, foreign.attempt(load_der_x509_certificate, der))
        if found._loaded is None:
            found._extensions  # noqa: B018  raises if the fields cannot be told apart
        return found

    def __eq__(self, other: object) -> bool:
        """Return whether the other certificate has the same bytes."""
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        """Return a hash of the bytes."""
        return hash(self.der)

    def __repr__(self) -> str:
        """Return the subject and the serial number."""
        return f"<Certificate {self.subject.text!r} {self.serial}>"

    def cryptography(self) -> x509.Certificate | None:
        """Return the certificate as `cryptography` has it, or None if that library refuses it."""
        return self._loaded

    @functools.cached_property
    def _parts(self) -> _Parts:
        try:
            return _cut(self.der)
        except tlv.DerError as error:
            raise unreadable("certificate", error) from error

    def _bytes(self, node: tlv.Node) -> bytes:
        return self.der[node[1] : node[3]]

    @functools.cached_property
    def tbs(self) -> bytes:
        """The signed part, byte for byte."""
        return self._bytes(self._parts.tbs)

    @property
    def version(self) -> int:
        """The version as it is spoken of: 1, 2 or 3."""
        return self._parts.version

    @property
    def serial(self) -> int:
        """The serial number, which may be negative or zero."""
        return self._parts.serial

    @functools.cached_property
    def issuer(self) -> Name:
        """The name of the issuer."""
        return Name(self._bytes(self._parts.issuer))

    @functools.cached_property
    def subject(self) -> Name:
        """The name of the subject."""
        return Name(self._bytes(self._parts.subject))

    @functools.cached_property
    def not_before(self) -> datetime | Unreadable:
        """The moment from which the certificate is valid."""
        if self._loaded is not None:
            with contextlib.suppress(ValueError):  # the year 0
                return self._loaded.not_valid_before_utc
        return self._validity[0][0]

    @functools.cached_property
    def not_after(self) -> datetime | Unreadable:
        """The last moment at which the certificate is valid."""
        if self._loaded is not None:
            with contextlib.suppress(ValueError):  # the year 0
                return self._loaded.not_valid_after_utc
        return self._validity[1][0]

    @functools.cached_property
    def _validity(self) -> tuple[tuple[datetime | Unreadable, tuple[str, ...]], ...]:
        return tuple(moments.read(node[0], self.der[node[2] : node[3]]) for node in self._parts.validity)

    @functools.cached_property
    def validity_problems(self) -> tuple[str, ...]:
        """The rules that the form of the dates breaks (section 4.1.2.5)."""
        found = []
        for field, node, (moment, problems) in zip(
            ("notBefore", "notAfter"), self._parts.validity, self._validity, strict=True
        ):
            found += [f"{field}: {problem}" for problem in problems]
            if isinstance(moment, Unreadable):
                found += [] if problems else [f"{field}: {moment.reason}"]
            elif node[0] == moments.GENERALIZED_TIME and moment.year < 2050:
                found.append(f"{field}: GeneralizedTime before the year 2050 (RFC 5280 section 4.1.2.5)")
        return tuple(found)

    @functools.cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, byte for byte."""
        return self._bytes(self._parts.spki)

    @property
    def spki_sha256(self) -> str:
        """The SHA-256 of the SubjectPublicKeyInfo as lower-case hex."""
        return hashlib.sha256(self.spki).hexdigest()

    @functools.cached_property
    def key(self) -> PublicKeyInfo | Unreadable:
        """The facts of the public key."""
        return PublicKeyInfo.parse(self.spki)

    @functools.cached_property
    def _public_key(self) -> PublicKeyTypes:
        if isinstance(self.key, Unreadable):
            raise InputError(f"the public key cannot be read: {self.key.reason}", hint="create the key again")
        return self.key.load()

    def public_key(self) -> PublicKeyTypes:
        """Return the public key for `cryptography`.

        Raises:
            InputError: if it is damaged, too costly, of a kind that is not supported, or on a written-out curve.
        """
        return self._public_key

    @functools.cached_property
    def signature_algorithm(self) -> Algorithm:
        """The algorithm that is named beside the signature."""
        return Algorithm.parse(self._bytes(self._parts.algorithm))

    @functools.cached_property
    def tbs_signature_algorithm(self) -> Algorithm:
        """The algorithm that is named in the signed part; the two must be the same (section 4.1.1.2)."""
        return Algorithm.parse(self._bytes(self._parts.tbs_algorithm))

    @property
    def signature(self) -> bytes:
        """The signature."""
        node = self._parts.signature
        return self.der[node[2] + 1 : node[3]]

    @functools.cached_property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions in the order of the encoding; an identifier that appears twice is listed twice."""
        return self._extensions[0]

    @functools.cached_property
    def _extensions(self) -> tuple[tuple[Extension, ...], tuple[Deviation, ...]]:
        node = self._parts.extensions
        try:
            return ((), ()) if node is None else read_extensions(self.der, node)
        except tlv.DerError as error:
            raise unreadable("certificate", error) from error

    def extension(self, oid: str) -> Extension | None:
        """Return the first extension with an identifier, or None."""
        return next((each for each in self.extensions if each.oid == oid), None)

    def _value(self, oid: str) -> Any:
        found = [each.value for each in self.extensions if each.oid == oid]
        if len(found) > 1:
            return Unreadable("the extension appears more than once (RFC 5280 section 4.2)")
        return found[0] if found else None

    @property
    def basic_constraints(self) -> kinds.BasicConstraints | Unreadable | None:
        """Whether the certificate is a CA's (section 4.2.1.9); None without the extension."""
        value: kinds.BasicConstraints | Unreadable | None = self._value(kinds.BASIC_CONSTRAINTS)
        return value

    @property
    def is_ca(self) -> bool:
        """Whether the certificate says that it is a CA's."""
        constraints = self.basic_constraints
        return isinstance(constraints, kinds.BasicConstraints) and constraints.ca

    @property
    def key_usage(self) -> frozenset[str] | Unreadable | None:
        """The key usages by their names in section 4.2.1.3."""
        value: frozenset[str] | Unreadable | None = self._value(kinds.KEY_USAGE)
        return value

    @property
    def extended_key_usage(self) -> tuple[str, ...] | Unreadable | None:
        """The extended key usages as dotted identifiers (section 4.2.1.12)."""
        value: tuple[str, ...] | Unreadable | None = self._value(kinds.EXTENDED_KEY_USAGE)
        return value

    @property
    def subject_alt_name(self) -> tuple[GeneralName, ...] | Unreadable | None:
        """The alternative names (section 4.2.1.6), malformed ones with their problem."""
        value: tuple[GeneralName, ...] | Unreadable | None = self._value(kinds.SUBJECT_ALT_NAME)
        return value

    @property
    def name_constraints(self) -> kinds.NameConstraints | Unreadable | None:
        """The names that a CA may give (section 4.2.1.10)."""
        value: kinds.NameConstraints | Unreadable | None = self._value(kinds.NAME_CONSTRAINTS)
        return value

    @property
    def certificate_policies(self) -> tuple[kinds.PolicyInformation, ...] | Unreadable | None:
        """The certificate policies (section 4.2.1.4)."""
        value: tuple[kinds.PolicyInformation, ...] | Unreadable | None = self._value(kinds.CERTIFICATE_POLICIES)
        return value

    @property
    def policy_constraints(self) -> kinds.PolicyConstraints | Unreadable | None:
        """The policy constraints (section 4.2.1.11)."""
        value: kinds.PolicyConstraints | Unreadable | None = self._value(kinds.POLICY_CONSTRAINTS)
        return value

    @property
    def policy_mappings(self) -> tuple[tuple[str, str], ...] | Unreadable | None:
        """The policy mappings as pairs of the issuer's and the subject's policy (section 4.2.1.5)."""
        value: tuple[tuple[str, str], ...] | Unreadable | None = self._value(kinds.POLICY_MAPPINGS)
        return value

    @property
    def inhibit_any_policy(self) -> int | Unreadable | None:
        """After how many certificates anyPolicy ends (section 4.2.1.14)."""
        value: int | Unreadable | None = self._value(kinds.INHIBIT_ANY_POLICY)
        return value

    @property
    def authority_key_identifier(self) -> kinds.AuthorityKeyIdentifier | Unreadable | None:
        """Which key of the issuer signed (section 4.2.1.1)."""
        value: kinds.AuthorityKeyIdentifier | Unreadable | None = self._value(kinds.AUTHORITY_KEY_IDENTIFIER)
        return value

    @property
    def subject_key_identifier(self) -> bytes | Unreadable | None:
        """The identifier of the certificate's own key (section 4.2.1.2)."""
        value: bytes | Unreadable | None = self._value(kinds.SUBJECT_KEY_IDENTIFIER)
        return value

    @property
    def crl_distribution_points(self) -> tuple[kinds.DistributionPoint, ...] | Unreadable | None:
        """Where the CRLs are (section 4.2.1.13)."""
        value: tuple[kinds.DistributionPoint, ...] | Unreadable | None = self._value(kinds.CRL_DISTRIBUTION_POINTS)
        return value

    @property
    def authority_information_access(self) -> tuple[kinds.AccessDescription, ...] | Unreadable | None:
        """Where OCSP and the issuer's certificate are (section 4.2.2.1)."""
        value: tuple[kinds.AccessDescription, ...] | Unreadable | None
        value = self._value(kinds.AUTHORITY_INFORMATION_ACCESS)
        return value

    @property
    def tls_features(self) -> tuple[int, ...] | Unreadable | None:
        """The TLS extensions that a server with this certificate must support (RFC 7633)."""
        value: tuple[int, ...] | Unreadable | None = self._value(kinds.TLS_FEATURES)
        return value

    @property
    def qc_statements(self) -> tuple[tuple[str, bytes | None], ...] | Unreadable | None:
        """The statements of a qualified certificate as pairs of an identifier and DER (RFC 3739 section 3.2.6)."""
        value: tuple[tuple[str, bytes | None], ...] | Unreadable | None = self._value(kinds.QC_STATEMENTS)
        return value

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the whole certificate."""
        return hashlib.sha256(self.der).digest()

    @property
    def fingerprint_sha256(self) -> str:
        """The SHA-256 of the whole certificate as lower-case hex."""
        return self.fingerprint.hex()

    @functools.cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The rules that the certificate breaks although it can be read, in the order of its fields.

        What `cryptography` refuses for a reason that is not among `DEVIATIONS` is one of encoding, never tolerated.
        """
        parts = self._parts
        found = [*parts.deviations, *serial_deviations(parts.serial, parts.serial_length)]
        for holder, name in (("issuer", self.issuer), ("subject", self.subject)):
            found += [deviation(each.id, f"{holder}: {each.message}") for each in name.problems]
        found += [deviation("time-form", problem) for problem in self.validity_problems]
        if self.signature_algorithm.oid in ECDSA_AND_DSA and self.signature_algorithm.parameters == tlv.NULL:
            found.append(deviation("algorithm-parameters"))
        if isinstance(self.key, Unreadable):
            found.append(deviation("key", self.key.reason))
        if self.extensions and parts.version < 3:
            found.append(deviation("version-extensions"))
        found += self._extensions[1]
        if self._loaded is None and not found:
            found.append(deviation("encoding"))
        return tuple(found)


def serial_deviations(serial: int, length: int) -> list[Deviation]:
    """Return the rules that a serial number breaks (section 4.1.2.2)."""
    found = []
    if serial < 0:
        found.append(deviation("serial-negative"))
    if serial == 0:
        found.append(deviation("serial-zero"))
    # A positive number of 20 bytes may need a 21st for its sign.
    if length > _MAX_SERIAL_BYTES + (serial > 0 and serial.bit_length() == 8 * _MAX_SERIAL_BYTES):
        found.append(deviation("serial-long"))
    return found


def read_extensions(data: bytes, node: tlv.Node) -> tuple[tuple[Extension, ...], tuple[Deviation, ...]]:
    """Read a list of extensions, and what is wrong with it and them.

    Raises:
        DerError: if the extensions cannot be told apart.
    """
    if node[0] != _SEQUENCE:
        raise tlv.DerError("extensions that are no sequence")
    found: list[Extension] = []
    wrong: list[Deviation] = []
    for each in tlv.children(data, node[2], node[3]):
        parts = tlv.children(data, each[2], each[3])
        tags = [part[0] for part in parts]
        if each[0] != _SEQUENCE or tags not in ([_OID, _OCTET_STRING], [_OID, _BOOLEAN, _OCTET_STRING]):
            raise tlv.DerError("an extension that is not an identifier, a flag and a value")
        oid = tlv.oid(data, parts[0])
        is_critical = len(parts) == 3 and tlv.boolean(data, parts[1])
        if len(parts) == 3 and not is_critical:
            wrong.append(deviation("default-encoded", f"critical FALSE of extension {oid}"))
        extension = kinds.read(oid, is_critical, data[parts[-1][2] : parts[-1][3]])
        if isinstance(extension.value, Unreadable):
            wrong.append(deviation("extension-unreadable", f"{oid}: {extension.value.reason}"))
        wrong += [deviation(_VALUE_DEVIATIONS.get(oid, "extension-value"), each) for each in extension.problems]
        if any(oid == other.oid for other in found):
            wrong.append(deviation("extension-duplicate", oid))
        found.append(extension)
    return tuple(found), tuple(wrong) if found else (deviation("extensions-empty"),)


_VALUE_DEVIATIONS = {
    kinds.BASIC_CONSTRAINTS: "path-length",
    kinds.SUBJECT_ALT_NAME: "general-name",
    kinds.ISSUER_ALT_NAME: "general-name",
    kinds.NAME_CONSTRAINTS: "address-bits",
}


def unreadable(what: str, error: tlv.DerError) -> InputError:
    """Return the error for bytes that are no such object, which tells what is cut off from what breaks a rule."""
    if error.is_cut_off:
        return InputError(f"the {what} is cut off or damaged: {error}", hint="get it again from where it was made")
    return InputError(
        f"the {what} breaks a rule of its encoding: {error}", hint=f"ask whoever made the {what} for one in DER"
    )


def take(nodes: list[tlv.Node], tag: int, what: str) -> tlv.Node:
    """Take the first of the elements, which must have a tag.

    Raises:
        DerError: if there is none, or it has another tag.
    """
    if not nodes or nodes[0][0] != tag:
        raise tlv.DerError(f"{what} is missing")
    return nodes.pop(0)


def signed(data: bytes) -> tuple[tlv.Node, tlv.Node, tlv.Node]:
    """Tell apart the signed part, the algorithm and the signature that the bytes consist of.

    Raises:
        DerError: if they consist of anything else.
    """
    nodes = tlv.children(data, *tlv.only(data, _SEQUENCE))
    found = (
        take(nodes, _SEQUENCE, "the signed part"),
        take(nodes, _SEQUENCE, "the signature algorithm"),
        take(nodes, _BIT_STRING, "the signature"),
    )
    if nodes:
        raise tlv.DerError("something follows the signature")
    return found


def take_explicit(data: bytes, nodes: list[tlv.Node], tag: int, inner: int, what: str) -> tlv.Node | None:
    """Take the element that an explicit tag wraps, if that tag comes next.

    Raises:
        DerError: if the tag wraps anything else.
    """
    if not nodes or nodes[0][0] != tag:
        return None
    outer = nodes.pop(0)
    wrapped = tlv.children(data, outer[2], outer[3])
    node = take(wrapped, inner, what)
    if wrapped:
        raise tlv.DerError(f"something follows {what}")
    return node


def _cut(data: bytes) -> _Parts:
    tbs, algorithm, signature = signed(data)
    wrong: list[Deviation] = []
    nodes = tlv.children(data, tbs[2], tbs[3])
    version = 1
    if (written := take_explicit(data, nodes, _VERSION, _INTEGER, "the version")) is not None:
        version = tlv.integer(data, written) + 1
        if version == 1:
            wrong.append(deviation("version-default"))
        elif not 1 <= version <= 3:
            wrong.append(deviation("version-unknown", str(version)))
    serial = take(nodes, _INTEGER, "the serial number")
    tbs_algorithm = take(nodes, _SEQUENCE, "the signature algorithm")
    issuer = take(nodes, _SEQUENCE, "the issuer")
    validity = take(nodes, _SEQUENCE, "the validity")
    dates = tlv.children(data, validity[2], validity[3])
    if len(dates) != 2:
        raise tlv.DerError("a validity that is not two dates")
    subject = take(nodes, _SEQUENCE, "the subject")
    spki = take(nodes, _SEQUENCE, "the public key")
    for tag in (_ISSUER_ID, _SUBJECT_ID):
        if nodes and nodes[0][0] == tag:
            tlv.bits(data, nodes.pop(0))
            wrong += [deviation("version-unique-id")] if version == 1 else []
    extensions = take_explicit(data, nodes, _EXTENSIONS, _SEQUENCE, "the list of extensions")
    if nodes:
        raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
    if tlv.bits(data, signature)[1]:
        wrong.append(deviation("signature-bits"))
    for node in (algorithm, tbs_algorithm):
        Algorithm.parse(data[node[1] : node[3]])
    return _Parts(
        tbs=tbs,
        version=version,
        serial=tlv.integer(data, serial),
        serial_length=serial[3] - serial[2],
        tbs_algorithm=tbs_algorithm,
        issuer=issuer,
        validity=(dates[0], dates[1]),
        subject=subject,
        spki=spki,
        extensions=extensions,
        algorithm=algorithm,
        signature=signature,
        deviations=tuple(wrong),
    )
