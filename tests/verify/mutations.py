"""Certificates of a small CA with one part mutated and signed again, and what three engines say of each.

The mutations are of the signed part's DER: tags, lengths, values, order, presence. The signature is always right, so
reading and rules alone are judged. A seed that fails is the whole report: `mutated(seed, whole)` makes it again.
"""

from __future__ import annotations

import functools
import itertools
import random
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store

from certkit.errors import InputError
from certkit.findings import Status
from certkit.policy import catalogue
from certkit.verify import Question, verify
from certkit.verify.path import fits
from certkit.x509 import pem
from certkit.x509.certificate import Certificate
from tests import pki
from tests.pki import NOW
from tests.verify import shapes

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Element:
    """A DER element as a tree: constructed ones have children, others a value."""

    tag: int
    value: bytes
    children: tuple[Element, ...] | None = None

    @property
    def der(self) -> bytes:
        """The encoding."""
        return shapes.wrap(self.tag, self.value if self.children is None else b"".join(c.der for c in self.children))


def parse(data: bytes) -> Element:
    """Read one DER element, and what is inside of it; an OCTET STRING may hold elements too."""
    value = shapes.inside(data)
    if data[0] & 0x20 or (data[0] == 0x04 and value[:1] in {b"\x30", b"\x03", b"\x04"} and _is_whole(value)):
        return Element(data[0], value, tuple(parse(each) for each in shapes.elements(value)))
    return Element(data[0], value)


def _is_whole(value: bytes) -> bool:
    return len(value) >= 2 and shapes.wrap(value[0], shapes.inside(value)) == value


def places(element: Element, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """The paths of all elements of a tree."""
    found = [path]
    for number, each in enumerate(element.children or ()):
        found += places(each, (*path, number))
    return found


def at(element: Element, path: tuple[int, ...]) -> Element:
    """The element at a path."""
    for number in path:
        assert element.children is not None
        element = element.children[number]
    return element


def replaced(element: Element, path: tuple[int, ...], new: Sequence[Element]) -> Element:
    """The tree with the element at a path replaced by none, one or several."""
    if not path:
        return new[0]
    children = list(element.children or ())
    number = path[0]
    children[number : number + 1] = [replaced(children[number], path[1:], new)] if len(path) > 1 else new
    return Element(element.tag, b"", tuple(children))


TAGS = (
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x0A,
    0x0C,
    0x13,
    0x14,
    0x16,
    0x17,
    0x18,
    0x1E,
    0x30,
    0x31,
    0x80,
    0x82,
    0xA0,
)
CURIOUS = (b"", b"\0", b"\xff", b"\x01", b"\x80", b"\0\0", b"\x7f" * 21, b"\0\x80", b"a\0b", b"\xff\xff")


def mutated(seed: int, whole: bytes) -> bytes:
    """The signed part with one mutation by a seed."""
    chance = random.Random(seed)
    tree = parse(whole)
    path = chance.choice(places(tree)[1:])
    old = at(tree, path)
    value = bytearray(old.value)
    match chance.randrange(9):
        case 0:
            new = [Element(chance.choice(TAGS), old.value, old.children)]
        case 1:
            new = []
        case 2:
            new = [old, old]
        case 3:
            new = [Element(old.tag, chance.choice(CURIOUS))]
        case 4 if value:
            value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
            new = [Element(old.tag, bytes(value))]
        case 5 if value:
            new = [Element(old.tag, bytes(value[: chance.randrange(len(value))]))]
        case 6:
            new = [Element(old.tag, bytes(value) + chance.choice(CURIOUS))]
        case 7 if old.children:
            new = [Element(old.tag, b"", tuple(chance.sample(old.children, len(old.children))))]
        case _:
            other = at(tree, chance.choice(places(tree)[1:]))
            new = [other]
    return replaced(tree, path, new).der


def signed(whole: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate with a signed part of any content."""
    signature = key.sign(whole, ec.ECDSA(hashes.SHA256()))
    algorithm = shapes.wrap(0x30, bytes.fromhex("06082a8648ce3d040302"))
    return shapes.wrap(0x30, whole + algorithm + shapes.wrap(0x03, b"\0" + signature))


@functools.cache
def chain() -> tuple[shapes.Made, pki.CA, pki.CA]:
    """The certificate that is mutated, its CA and its root."""
    root = shapes.root()
    above = shapes.intermediate(root, shapes.permitting("acme.example", "email:acme.example"))
    names = shapes.alternative("api.acme.example", "email:ops@acme.example")
    usage = pki.key_usage(digital_signature=True)
    return shapes.below(above, pki.CLIENT, usage, names), above, root


@dataclass(frozen=True)
class Case:
    """A mutant in its place."""

    leaf: bytes
    between: bytes


def case(seed: int) -> Case:
    """Three of four mutants are leaves, the others intermediates."""
    made, above, root = chain()
    leaf, between = made.leaf, above.certificate
    if seed % 4:
        whole = signed(mutated(seed, leaf.tbs_certificate_bytes), above.key)
        return Case(whole, between.public_bytes(Encoding.DER))
    return Case(leaf.public_bytes(Encoding.DER), signed(mutated(seed, between.tbs_certificate_bytes), root.key))


def by_certkit(mutant: Case) -> tuple[bool, frozenset[str]]:
    """Return whether certkit accepts it, and what it departs from: deviations, and what engines see otherwise."""
    try:
        leaf, between = Certificate.parse(mutant.leaf), Certificate.parse(mutant.between)
    except InputError:
        return False, frozenset()
    anchor = chain()[2].value
    question = Question(leaf=leaf, policy=catalogue.load("general"), at=NOW, anchors=[anchor], untrusted=[between])
    verdict = verify(question)
    if verdict.status not in {Status.OK, Status.WARNING}:
        return False, frozenset()
    notes = {each.id for certificate in verdict.path for each in certificate.deviations}
    for child, parent in itertools.pairwise(verdict.path):
        notes |= {"authority-key-identifier"} if not fits(child, parent) else set()
        notes |= {"name-folding"} if child.issuer.der != parent.subject.der else set()
    notes |= {finding.id for finding in verdict.findings if finding.status is Status.WARNING}
    return True, frozenset(notes)


def by_openssl(mutants: Sequence[Case]) -> list[str]:
    """OpenSSL's errors of mutants, empty for those that it accepts; leaves of one intermediate are asked at once."""
    answers = [""] * len(mutants)
    groups: dict[bytes, list[int]] = {}
    for number, each in enumerate(mutants):
        groups.setdefault(each.between, []).append(number)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "root.pem").write_bytes(chain()[2].pem)
        for between, numbers in groups.items():
            (folder / "between.pem").write_bytes(pem.encode("CERTIFICATE", between))
            files = []
            for number in numbers:
                files.append(folder / f"{number}.pem")
                files[-1].write_bytes(pem.encode("CERTIFICATE", mutants[number].leaf))
            asked = ["openssl", "verify", "-purpose", "sslclient", "-attime", str(int(NOW.timestamp()))]
            asked += ["-CAfile", folder / "root.pem", "-untrusted", folder / "between.pem", *files]
            ran = subprocess.run(asked, capture_output=True, text=True, errors="replace", check=False)
            said = ran.stdout + ran.stderr
            for number, file in zip(numbers, files, strict=True):
                if f"{file}: OK" not in said:
                    lines = said.splitlines()
                    after = next((at for at, line in enumerate(lines) if f"{file}" in line), len(lines))
                    before = [line for line in lines[max(0, after - 2) : after] if "error " in line]
                    answers[number] = " ".join(before) or "cannot be loaded"
    return answers


def by_cryptography(mutant: Case) -> str:
    """Return the objection of cryptography's verifier, empty if it accepts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            leaf, between = map(x509.load_der_x509_certificate, (mutant.leaf, mutant.between))
            builder = PolicyBuilder().store(Store([chain()[2].certificate])).time(NOW.replace(tzinfo=None))
            builder = builder.extension_policies(
                ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
            )
            builder.build_client_verifier().verify(leaf, [between])
        except Exception as error:  # noqa: BLE001  a parser's and a verifier's own kinds
            return " ".join(str(error).split())[:200] or type(error).__name__
    return ""
