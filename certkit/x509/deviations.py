"""The rules that certificates, CSRs, CRLs and OCSP answers may break and be read all the same, one by one."""

from __future__ import annotations

from typing import NamedTuple


class Deviation(NamedTuple):
    """A rule that a certificate, CSR, CRL or OCSP answer breaks although it can be read: one of `DEVIATIONS`.

    One that is not `tolerated` is shown, and never accepted by a verifier; the others are notes, and refused only if
    every rule is applied. `section` is that of RFC 5280 unless it names another document.
    """

    id: str
    message: str
    section: str
    is_tolerated: bool = True

    @property
    def source(self) -> str:
        """The document and section of the rule."""
        return f"RFC 5280 section {self.section}" if self.section[:1].isdigit() else self.section


# Every deviation that is read, with what it means. `is_tolerated` is decided here and nowhere else.
DEVIATIONS = {
    "serial-negative": ("the serial number is negative", "4.1.2.2", True),
    "serial-zero": ("the serial number is zero", "4.1.2.2", True),
    "serial-long": ("the serial number has more than 20 bytes", "4.1.2.2", True),
    "name-encoding": ("a name holds characters that its string type does not have", "4.1.2.4", True),
    "rdn-order": ("a part of a name is not sorted", "X.690 section 11.6", True),
    "name-structure": ("a name is not a sequence of attributes", "4.1.2.4", False),
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
    "version-2": ("the certificate is of version 2, which some software refuses", "4.1.2.1", True),
    "version-unique-id": ("a version 1 certificate has unique identifiers", "4.1.2.8", False),
    "version-default": ("version 1 is written out", "X.690 section 11.5", False),
    "version-unknown": ("the version is unknown", "4.1.2.1", False),
    "algorithm-parameters": ("a signature algorithm that takes no parameters has NULL", "RFC 5758 section 3.2", True),
    "signature-bits": ("the signature's last byte is not whole", "4.1.1.3", False),
    "key": ("the public key cannot be read", "4.1.2.7", False),
    "csr-version": ("the version of a CSR is not 1 (0)", "RFC 2986 section 4.1", False),
    "csr-attributes": ("the CSR has no list of attributes, not even an empty one", "RFC 2986 section 4.1", False),
    "csr-extensions": ("extensions are requested more than once", "RFC 2985 section 5.4.2", False),
    "crl-version-extensions": ("a version 1 CRL has extensions", "5.1.2.7", True),
    "crl-algorithms": (
        "two different signature algorithms are named, inside and outside the signed part",
        "5.1.1.2",
        False,
    ),
    "crl-entries-empty": ("the list of revoked certificates is empty instead of missing", "5.1.2.6", True),
    "encoding": ("the encoding breaks a rule of DER", "4.1", False),
}


def deviation(identifier: str, detail: str = "") -> Deviation:
    """Return a deviation by its id, with details of this occurrence."""
    message, section, is_tolerated = DEVIATIONS[identifier]
    return Deviation(identifier, f"{message}: {detail}" if detail else message, section, is_tolerated)
