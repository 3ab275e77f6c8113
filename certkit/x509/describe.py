"""Facts of keys, CSRs, certificates and CRLs as JSON-ready data (the contract of `inspect`).

Each field is read by itself: one that cannot be read is None and is named in `problems`. Rules that an object breaks
although it can be read are its `deviations`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.printable import printable
from certkit.times import rfc3339
from certkit.x509 import attributes, names, oids, qualified
from certkit.x509 import extensions as kinds
from certkit.x509.items import Item, Kind
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl
    from certkit.x509.csr import Csr
    from certkit.x509.deviations import Deviation
    from certkit.x509.spki import KeyFacts, PublicKeyInfo


class _Facts:
    """The facts of one object as they are gathered, and the fields that cannot be read."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._problems: list[str] = []

    def add(self, name: str, value: Any, show: Callable[[Any], Any] = lambda value: value) -> None:
        """Add a field; one that is `Unreadable` becomes None and a problem."""
        if isinstance(value, Unreadable):
            self._problems.append(f"{name}: {printable(value.reason)}")
            self.fields[name] = None
        else:
            self.fields[name] = None if value is None else show(value)

    def add_key(self, info: PublicKeyInfo | Unreadable) -> None:
        """Add a key, and its weaknesses."""
        self.add("key", info, lambda info: shown_key(info.facts))
        if not isinstance(info, Unreadable) and (warnings := _warnings(info)):
            self.fields["warnings"] = warnings

    def add_qualified(self, found: Certificate | Csr) -> None:
        """Add organizationIdentifier, the qualified type and the PSD2 roles, where there are any."""
        extension = found.extension(oids.QC_STATEMENTS)
        try:
            statements = extension.raw if extension is not None else None
            listed = qualified.facts(found.subject.values("organizationIdentifier"), statements)
        except ValueError as error:
            self._problems.append(f"qcStatements: {printable(str(error))}")
        else:
            self.fields |= listed

    def problem(self, text: str) -> None:
        """Add a problem that concerns the whole object."""
        self._problems.append(printable(text))

    def done(self, deviations: Iterable[Deviation] = ()) -> dict[str, Any]:
        """Return all facts; `problems` and `deviations` only if there are any."""
        if self._problems:
            self.fields["problems"] = self._problems
        listed = [f"{printable(each.message)} ({each.source})" for each in deviations]
        if listed:
            self.fields["deviations"] = listed
        return self.fields


def describe(item: Item) -> dict[str, Any]:
    """Return the facts of one object, beginning with its `kind`."""
    return {"kind": item.kind.value, **_DESCRIBERS[item.kind](item)}


def certificate(found: Certificate) -> dict[str, Any]:
    """Return the facts of a certificate."""
    facts = _Facts()
    facts.add("subject", found.subject.text)
    facts.add("issuer", found.issuer.text)
    facts.add("serial", names.serial_hex(found.serial))
    facts.add("not_before", found.not_before, rfc3339)
    facts.add("not_after", found.not_after, rfc3339)
    facts.add_key(found.key)
    san = found.subject_alt_name
    facts.add("san", () if san is None else san, _texts)
    facts.add("fingerprint_sha256", found.fingerprint_sha256)
    constraints = found.basic_constraints
    facts.add("is_ca", constraints if isinstance(constraints, Unreadable) else found.is_ca)
    usage = found.key_usage
    facts.add("key_usage", usage, lambda value: [each for each in attributes.KEY_USAGES if each in value])
    facts.add("extended_key_usage", found.extended_key_usage, lambda value: [purpose(each) for each in value])
    facts.add("subject_key_identifier", found.subject_key_identifier, bytes.hex)
    facts.add("authority_key_identifier", found.authority_key_identifier, _authority)
    facts.add("signature_algorithm", algorithm_name(found.signature_algorithm.oid))
    facts.add_qualified(found)
    return facts.done(each for each in found.deviations if each.id != "extension-unreadable")


def purpose(oid: str) -> str:
    """Return the name of an extended key usage, or its identifier."""
    return kinds.PURPOSES.get(oid, oid)


_ALGORITHMS = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.2.840.10040.4.3": "dsa-with-SHA1",
    "2.16.840.1.101.3.4.3.2": "dsa-with-SHA256",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
    "1.2.156.10197.1.501": "SM2-with-SM3",
}


def algorithm_name(oid: str) -> str:
    """Return the name of a signature algorithm as its standard has it, or its identifier."""
    return _ALGORITHMS.get(oid, oid)


def facts(found: Certificate) -> dict[str, str]:
    """Return what identifies a certificate, spelt as in JSON: dates, fingerprint, serial, and the names.

    Raises:
        InputError: if a date cannot be read.
    """
    begin, end = found.dates()
    return {
        "not_before": rfc3339(begin),
        "not_after": rfc3339(end),
        "fingerprint_sha256": found.fingerprint_sha256,
        "serial": names.serial_hex(found.serial),
        "subject": found.subject.text,
        "issuer": found.issuer.text,
    }


def leaf_of(found: Sequence[Certificate]) -> Certificate:
    """Return the leaf of a bundle: the first certificate that is not a CA's, else the first one."""
    return next((each for each in found if not each.is_ca), found[0])


def shown_key(facts: KeyFacts) -> dict[str, Any]:
    """Return the facts of a key; its size is None where certkit does not know its type."""
    return {**asdict(facts), "bits": facts.bits or None}


def _key(info: PublicKeyInfo | None) -> dict[str, Any]:
    facts = _Facts()
    if info is None:
        facts.add("key", None)
    else:
        facts.add_key(info)
    return facts.done()


def _warnings(info: PublicKeyInfo) -> list[str]:
    """Return what is weak or unusual about a key."""
    found = [info.excess, info.weakness or info.concern]
    if info.is_pss:
        found.append("the RSA key is for RSASSA-PSS only")
    found.append(info.curve_problem)
    if not any(found):
        try:
            info.load()
        except InputError as error:
            found.append(error.message)
    return [each for each in found if each]


def _texts(found: Iterable[object]) -> list[str]:
    return [str(each) for each in found]


def _authority(found: kinds.AuthorityKeyIdentifier) -> str | None:
    """Return the key identifier, or the issuer and serial number where there is none."""
    if found.key_identifier is not None:
        return found.key_identifier.hex()
    if found.issuer is None or found.serial is None:
        return None
    return f"{', '.join(map(str, found.issuer))} serial {names.serial_hex(found.serial)}"


def _csr(found: Csr) -> dict[str, Any]:
    facts = _Facts()
    facts.add("subject", found.subject.text)
    facts.add_key(found.key)
    san = found.subject_alt_name
    facts.add("san", () if san is None else san, _texts)
    facts.add("signature_valid", found.is_signature_valid)
    facts.add_qualified(found)
    return facts.done(each for each in found.deviations if each.id != "extension-unreadable")


def _crl(found: Crl) -> dict[str, Any]:
    facts = _Facts()
    facts.add("issuer", found.issuer.text)
    facts.add("this_update", found.this_update, rfc3339)
    facts.add("next_update", found.next_update, rfc3339)
    facts.add("revoked_count", found.revoked_count)
    for each in found.deviations:
        if not each.is_tolerated:
            facts.problem(f"{each.message} ({each.source})")
    return facts.done(each for each in found.deviations if each.is_tolerated)


def _private_key(item: Item) -> dict[str, Any]:
    return {**_key(item.info), "encrypted": item.is_encrypted}


def _pkcs12(item: Item) -> dict[str, Any]:
    if item.value is None:
        return {"contents": None, "encrypted": True}
    contents: list[dict[str, Any]] = []
    if item.value.key is not None:
        contents.append({"kind": Kind.PRIVATE_KEY.value, **_key(item.value.info)})
    contents += [{"kind": Kind.CERTIFICATE.value, **certificate(found)} for found in item.value.certificates]
    problems = [problem for entry in contents for problem in entry.pop("problems", [])]
    facts = {"contents": contents, "encrypted": item.is_encrypted}
    return {**facts, "problems": problems} if problems else facts


_DESCRIBERS: dict[Kind, Callable[[Item], dict[str, Any]]] = {
    Kind.PRIVATE_KEY: _private_key,
    Kind.PUBLIC_KEY: lambda item: _key(item.value),
    Kind.CSR: lambda item: _csr(item.value),
    Kind.CERTIFICATE: lambda item: certificate(item.value),
    Kind.CRL: lambda item: _crl(item.value),
    Kind.PKCS12: _pkcs12,
}
