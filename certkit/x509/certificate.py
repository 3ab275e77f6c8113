"""A certificate as a value (RFC 5280 section 4.1): its exact bytes, and each field parsed by itself.

A certificate is made once, where its bytes come in. A field that cannot be read is `Unreadable` and spoils none of the
others. What breaks a rule and is read all the same is listed in `deviations`; everything else has to be DER.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from certkit.errors import InputError
from certkit.once import once
from certkit.printable import brief, decimal
from certkit.x509 import der as tlv
from certkit.x509 import foreign, moments, oids, pem
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.directory_name import Name
from certkit.x509.signed import (
    INTEGER,
    SEQUENCE,
    SignedKey,
    name_deviations,
    take,
    take_explicit,
    time_deviations,
    unreadable,
)
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from cryptography import x509

    from certkit.x509 import extensions as kinds
    from certkit.x509.signed import ExtensionValue
    from certkit.x509.spki import Algorithm


_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3
_VERSION_3 = bytes.fromhex("a003020102")
_FIELDS = (
    (INTEGER, "the serial number"),
    (SEQUENCE, "the signature algorithm"),
    (SEQUENCE, "the issuer"),
    (SEQUENCE, "the validity"),
    (SEQUENCE, "the subject"),
    (SEQUENCE, "the public key"),
)
_DATES = ("notBefore", "notAfter")
_MAX_SERIAL_BYTES = 20

Judged = TypeVar("Judged")


class _Parts(NamedTuple):
    """The positions of a certificate's fields in its bytes."""

    version: int
    serial: int
    fields: list[tlv.Node]
    validity: tuple[tlv.Node, tlv.Node]
    extensions: tlv.Node | None
    deviations: tuple[Deviation, ...]


class Certificate(SignedKey["x509.Certificate"]):
    """A certificate; make one with `parse`."""

    what = "certificate"

    @classmethod
    def parse(cls, der: bytes) -> Certificate:
        """Return the certificate that the bytes are.

        Raises:
            InputError: if they are no certificate: cut off, followed by other bytes, or not in DER.
        """
        return _parse_short(der) if len(der) <= _SHORT else _parse(der)

    def loaded(self) -> x509.Certificate:
        """Return the certificate as `cryptography` has it.

        Raises:
            InputError: if that library refuses it, with the rules that it breaks.
        """
        if self._loaded is None:
            reason = "; ".join(each.message for each in self.deviations)
            hint = "ask the issuer of the certificate for a correct one"
            raise InputError(f"cannot use {self.brief_name}: the certificate breaks the standard: {reason}", hint=hint)
        return self._loaded

    def __repr__(self) -> str:
        """Return the subject and the serial number."""
        return f"<Certificate {self.subject.text!r} {decimal(self.serial)}>"

    @once
    def _parts(self) -> _Parts:
        try:
            return self._cut()
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    def _extensions_at(self) -> tlv.Node | None:
        return self._parts.extensions

    def _cut(self) -> _Parts:
        data, (_, _, start, end), version = self.der, self._frame[0], 1
        wrong: list[Deviation] = []
        nodes = tlv.children(data, start, end)
        if nodes and data[nodes[0][1] : nodes[0][3]] == _VERSION_3:
            version = 3
            del nodes[0]
        elif (written := take_explicit(data, nodes, _VERSION, INTEGER, "the version")) is not None:
            version = tlv.integer(data, written) + 1
            if version == 1:
                wrong.append(deviation("version-default"))
            elif version == 2:
                wrong.append(deviation("version-2"))
            elif not 1 <= version <= 3:
                wrong.append(deviation("version-unknown", decimal(version)))
        fields = take(nodes, *_FIELDS)
        serial = tlv.integer(data, fields[0])
        dates = tlv.children(data, fields[3][2], fields[3][3])
        if len(dates) != 2:
            raise tlv.DerError("a validity that is not two dates")
        for tag in (_ISSUER_ID, _SUBJECT_ID):
            if nodes and nodes[0][0] == tag:
                tlv.bits(data, nodes.pop(0))
                wrong += [deviation("version-unique-id")] if version == 1 else []
        extensions = take_explicit(data, nodes, _EXTENSIONS, SEQUENCE, "the list of extensions")
        if nodes:
            raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
        return _Parts(version, serial, fields, (dates[0], dates[1]), extensions, tuple(wrong))

    @once
    def _fields(self) -> list[tlv.Node]:
        """Serial number, algorithm, issuer, validity, subject and key; found faster in what the library has read."""
        if self._loaded is None or "_parts" in self.__dict__:
            return self._parts.fields
        return tlv.certificate_fields(self.der)

    @property
    def version(self) -> int:
        """The version as people count it: 1, 2 or 3."""
        return self._parts.version

    @property
    def serial(self) -> int:
        """The serial number, which may be negative or zero."""
        _, _, start, end = self._fields[0]
        return int.from_bytes(self.der[start:end], signed=True)

    @once
    def issuer(self) -> Name:
        """The name of the issuer."""
        return Name.of(self.bytes_of(self._fields[2]))

    @once
    def subject(self) -> Name:
        """The name of the subject."""
        return Name.of(self.bytes_of(self._fields[4]))

    @once
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name (section 6.1)."""
        return self.subject == self.issuer or self.subject.key == self.issuer.key

    @property
    def display_name(self) -> str:
        """The subject, or the alternative names where there is none (section 4.1.2.6 allows that), safe to show."""
        if not self.subject.is_empty:
            return self.subject.text
        names = self.subject_alt_name
        return "" if names is None or isinstance(names, Unreadable) else ", ".join(map(str, names))

    @once
    def brief_name(self) -> str:
        """A short name for messages, available even if the certificate is broken."""
        try:
            return brief(self.display_name) or "the certificate"
        except InputError:
            return "a certificate that cannot be read"

    @property
    def not_before(self) -> datetime | Unreadable:
        """The moment from which the certificate is valid."""
        return self._moment("not_valid_before_utc", 0)

    @property
    def not_after(self) -> datetime | Unreadable:
        """The last moment at which the certificate is valid."""
        return self._moment("not_valid_after_utc", 1)

    def _moment(self, name: str, number: int) -> datetime | Unreadable:
        if self._loaded is not None:
            try:
                moment: datetime = getattr(self._loaded, name)
            except ValueError:  # the year 0
                pass
            else:
                return moment
        return self._validity[number][0]

    def dates(self) -> tuple[datetime, datetime]:
        """Return the moments from which and until which the certificate is valid.

        Raises:
            InputError: if one of them cannot be read.
        """
        begin, end = self.not_before, self.not_after
        if isinstance(begin, Unreadable) or isinstance(end, Unreadable):
            hint = "ask the issuer for a correct certificate"
            raise InputError(f"a date of the certificate of {self.brief_name} cannot be read", hint=hint)
        return begin, end

    @once
    def _validity(self) -> tuple[tuple[datetime | Unreadable, tuple[str, ...]], ...]:
        return tuple(moments.read(self.der, node) for node in self._parts.validity)

    def _key_at(self) -> tlv.Node:
        return self._fields[5]

    @property
    def key_bits(self) -> bytes:
        """The bits of the public key without their wrapping, which OCSP hashes."""
        *_, bits = tlv.parts(self.spki, SEQUENCE)
        return self.spki[bits[2] + 1 : bits[3]]

    @once
    def tbs_signature_algorithm(self) -> Algorithm:
        """The algorithm that is named in the signed part; the two must be the same (section 4.1.1.2)."""
        from certkit.x509.spki import Algorithm

        try:
            return Algorithm.parse(self.bytes_of(self._parts.fields[1]))
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    basic_constraints: ExtensionValue[kinds.BasicConstraints] = once(
        lambda self: self.values.get(oids.BASIC_CONSTRAINTS)
    )
    """Whether the certificate is a CA's (section 4.2.1.9); None without the extension."""

    @property
    def is_ca(self) -> bool:
        """Whether the certificate says that it is a CA's."""
        constraints = self.basic_constraints
        return bool(constraints and constraints.ca)

    key_usage: ExtensionValue[frozenset[str]] = once(lambda self: self.values.get(oids.KEY_USAGE))
    """The key usages by their names in section 4.2.1.3."""
    extended_key_usage: ExtensionValue[tuple[str, ...]] = once(lambda self: self.values.get(oids.EXTENDED_KEY_USAGE))
    """The extended key usages as dotted identifiers (section 4.2.1.12)."""
    name_constraints: ExtensionValue[kinds.NameConstraints] = once(lambda self: self.values.get(oids.NAME_CONSTRAINTS))
    """The names that a CA may give (section 4.2.1.10)."""
    certificate_policies: ExtensionValue[tuple[kinds.PolicyInformation, ...]] = once(
        lambda self: self.values.get(oids.CERTIFICATE_POLICIES)
    )
    """The certificate policies (section 4.2.1.4)."""
    policy_constraints: ExtensionValue[kinds.PolicyConstraints] = once(
        lambda self: self.values.get(oids.POLICY_CONSTRAINTS)
    )
    """The policy constraints (section 4.2.1.11)."""
    policy_mappings: ExtensionValue[tuple[tuple[str, str], ...]] = once(
        lambda self: self.values.get(oids.POLICY_MAPPINGS)
    )
    """The policy mappings as pairs of the issuer's and the subject's policy (section 4.2.1.5)."""
    inhibit_any_policy: ExtensionValue[int] = once(lambda self: self.values.get(oids.INHIBIT_ANY_POLICY))
    """After how many certificates anyPolicy ends (section 4.2.1.14)."""
    authority_key_identifier: ExtensionValue[kinds.AuthorityKeyIdentifier] = once(
        lambda self: self.values.get(oids.AUTHORITY_KEY_IDENTIFIER)
    )
    """Which key of the issuer signed (section 4.2.1.1)."""
    subject_key_identifier: ExtensionValue[bytes] = once(lambda self: self.values.get(oids.SUBJECT_KEY_IDENTIFIER))
    """The identifier of the certificate's own key (section 4.2.1.2)."""
    crl_distribution_points: ExtensionValue[tuple[kinds.DistributionPoint, ...]] = once(
        lambda self: self.values.get(oids.CRL_DISTRIBUTION_POINTS)
    )
    """Where the CRLs are (section 4.2.1.13)."""
    authority_information_access: ExtensionValue[tuple[kinds.AccessDescription, ...]] = once(
        lambda self: self.values.get(oids.AUTHORITY_INFORMATION_ACCESS)
    )
    """Where OCSP and the issuer's certificate are (section 4.2.2.1)."""
    tls_features: ExtensionValue[tuple[int, ...]] = once(lambda self: self.values.get(oids.TLS_FEATURES))
    """The TLS extensions that a server with this certificate must support (RFC 7633)."""

    def _own_deviations(self) -> list[Deviation]:
        parts = self._parts
        serial = parts.serial
        length = parts.fields[0][3] - parts.fields[0][2]
        found = list(parts.deviations)
        if serial <= 0:
            found.append(deviation("serial-negative" if serial < 0 else "serial-zero"))
        # A positive number of 20 bytes may need a 21st for its sign.
        if length > _MAX_SERIAL_BYTES and not (serial > 0 and serial.bit_length() == 8 * _MAX_SERIAL_BYTES):
            found.append(deviation("serial-long"))
        found += name_deviations("issuer", self.issuer) + name_deviations("subject", self.subject)
        for field, node, (moment, problems) in zip(_DATES, parts.validity, self._validity, strict=True):
            found += time_deviations(field, moment, problems)
            if node[0] == moments.GENERALIZED_TIME and moment and moment.year < 2050:
                early = "GeneralizedTime before the year 2050 (RFC 5280 section 4.1.2.5)"
                found.append(deviation("time-form", f"{field}: {early}"))
        if isinstance(self.key, Unreadable):
            found.append(deviation("key", self.key.reason))
        if self.extensions and parts.version < 3:
            found.append(deviation("version-extensions"))
        return found


def to_pem(certificates: Iterable[Certificate]) -> bytes:
    """Return certificates as PEM, one block after the other."""
    return b"".join(pem.encode("CERTIFICATE", each.der) for each in certificates)


def _parse(der: bytes) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    found = Certificate(der, foreign.try_or_error(load_der_x509_certificate, der)[0])
    if found.cryptography() is None:
        found.extensions  # noqa: B018  raises
    return found


# Chains share their CAs, so recent values are cached; a certificate never changes.
_SHORT = 4096
_parse_short = functools.lru_cache(maxsize=256)(_parse)


def kept(judge: Callable[..., Judged]) -> Callable[..., Judged]:
    """Cache a function's results about recurring certificates such as CAs; large certificates are not cached.

    The result must depend only on the bytes of the certificate and the other arguments.
    """
    lately = functools.lru_cache(maxsize=256)(judge)

    @functools.wraps(judge)
    def judged(certificate: Certificate, *args: Any) -> Judged:
        return (lately if len(certificate.der) <= _SHORT else judge)(certificate, *args)

    return judged
