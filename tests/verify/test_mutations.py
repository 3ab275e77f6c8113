"""Certificates mutated and signed again: what certkit accepts and another engine refuses has a reason in a table."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.verify import mutations

COUNT, BATCH = 400, 100

# Why certkit accepts what another engine refuses: by what it notes about the certificate, or by the engine's own words.
# `docs/explanation/verdicts.md` says more.
BY_NOTE = {
    "authority-key-identifier": "openssl takes the identifier for a condition; certkit warns",
    "name-encoding": "openssl cannot load names with bytes outside their string type; certkit notes them",
    "name-folding": "cryptography compares names byte for byte; certkit by RFC 5280 section 7.1",
    "rdn-order": "cryptography refuses a set that is not sorted; certkit notes it",
    "time-form": "dates whose form is not allowed are noted where the moment is clear",
    "serial-negative": "RFC 5280 section 4.1.2.2: handle gracefully; noted",
    "serial-zero": "as above",
    "serial-long": "as above",
    "version-extensions": "a leaf before version 3 with extensions is noted",
    "default-encoded": "a default that is written out is noted",
    "path-length": "a path length without cA is noted",
    "general-name": "an alternative name that breaks its type's rules is noted; under a constraint it is refused",
    "address-bits": "openssl writes such constraints; noted",
    "extension-value": "an unusual value that is clear is noted",
    "extension-unreadable": "an extension that limits nothing and is not critical is noted",
    "algorithm-parameters": "NULL in ECDSA's parameters is noted",
    "purpose": "anyExtendedKeyUsage alone is a warning",
}
BY_WORDS = {
    "authorityKeyIdentifier must contain keyIdentifier": "the Web PKI asks for it in CAs; RFC 5280 does for all, noted",
    "incorrect criticality": "the Web PKI's criticality of CAs' extensions; noted where RFC 5280 asks for it",
    "malformed DNS name constraint:\n": "an empty DNS constraint means every name",
    'malformed RFC822 name constraints: ""': "an empty e-mail constraint means every address",
    "permitted subtree violation": "as above, in openssl's words",
    "x400Address/EDIPartyName are not supported": "cryptography does not read such names",
    "missing required extension": "the Web PKI's required extensions of CAs; noted where RFC 5280 asks for them",
}


def unexplained(engine: str, seed: int, said: str, notes: frozenset[str]) -> str:
    """A refusal for which the tables have no reason; empty if they have one."""
    is_known = bool(notes & BY_NOTE.keys()) or any(words in f"{said}\n" for words in BY_WORDS)
    return "" if is_known else f"{seed}: {engine}: {said}"


@pytest.mark.parametrize("start", range(0, COUNT, BATCH))
def test_every_accept_that_another_engine_refuses_is_explained(start: int) -> None:
    """Whatever part of a leaf or an intermediate is changed, an accept is shared, or its reason is in the table."""
    seeds = range(start, start + BATCH)
    cases = [mutations.case(seed) for seed in seeds]
    failures = []
    for seed, case, openssl in zip(seeds, cases, mutations.by_openssl(cases), strict=True):
        is_accepted, notes = mutations.by_certkit(case)
        if not is_accepted:
            continue
        said = {"openssl": openssl, "cryptography": mutations.by_cryptography(case)}
        failures += [
            text for engine, words in said.items() if words and (text := unexplained(engine, seed, words, notes))
        ]
    assert failures == []


def test_the_mutations_are_of_both_kinds() -> None:
    """A part of the mutations is harmless, and is accepted; most are not."""
    accepted = sum(mutations.by_certkit(mutations.case(seed))[0] for seed in range(COUNT))
    assert COUNT / 20 < accepted < COUNT / 2


ATTRIBUTES = {"CN": "550403", "x500UniqueIdentifier": "55042d", "one byte": "55", "unknown": "2a030405"}
# Of every universal type, well-formed and not; then of other classes.
VALUES = """
    0101ff 010101 020105 02020005 0200 030200ff 030209ff 0300 0401ff 0500 050100 06025503 060180 0900 0a0101 0c0161
    0c00 0c01ff 120131 120161 130161 130140 140161 160161 1601ff 170d3236303130313030303030305a 190161 1a0161 1b0161
    1c0400000061 1c020061 1e020061 1e0161 30020500 300105 30020201 31020500 2c030c0161 3303130161 0000
    800161 a0020500 410161 c10161
"""


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_attribute_values_of_any_type_are_refused_or_noted(attribute: str) -> None:
    """Whatever the type and value of an attribute, one that OpenSSL cannot load is not accepted without a note."""
    made, above, _ = mutations.chain()
    whole, between = mutations.parse(made.leaf.tbs_certificate_bytes), above.certificate.public_bytes(Encoding.DER)
    common_name = next(at for at in mutations.places(whole) if mutations.at(whole, at).value == b"acme-client-id")
    cases = []
    for value in map(bytes.fromhex, VALUES.split()):
        new = mutations.Element(0x06, bytes.fromhex(ATTRIBUTES[attribute])), mutations.Element(value[0], value[2:])
        changed = mutations.replaced(whole, common_name[:-1], [mutations.Element(0x30, b"", new)])
        cases.append(mutations.Case(mutations.signed(changed.der, above.key), between))
    answers = zip(VALUES.split(), map(mutations.by_certkit, cases), mutations.by_openssl(cases), strict=True)
    assert [value for value, answer, openssl in answers if answer == (True, frozenset()) and openssl] == []


def test_a_key_that_is_not_on_its_curve_is_refused() -> None:
    """A leaf's key is loaded although nothing is verified with it."""
    leaf = mutations.chain()[0].leaf.tbs_certificate_bytes
    point = leaf.index(bytes.fromhex("03420004")) + 20
    broken = mutations.signed(leaf[:point] + bytes([leaf[point] ^ 1]) + leaf[point + 1 :], mutations.chain()[1].key)
    between = mutations.chain()[1].certificate.public_bytes(mutations.Encoding.DER)
    assert mutations.by_certkit(mutations.Case(broken, between)) == (False, frozenset())


EXTENSIONS = {
    "551d11": "3000 3002a300 3002a500 3003a50161 3009a50702010182020101 300d820b612e61636d652e746573742e 30020101",
    "551d13": "3000 30030101ff 3003010100 3003010101 30060101ff020100 30060101ff0201ff 3003020100 0500",
    "551d0f": "03020780 03020000 030100 03020106 030207ff 0303070080 030205a0 04020780",
    "551d25": "3000 30060604551d2500 30020600 300a06082b06010505070301 300a06082b06010505070302 0500",
    "551d1e": "3000 3002a000 3010a00e300c820a61636d652e746573742e 3008a0063004a4023000 3006a10430028200",
    "551d20": "3000 300630040602551d 30063004060455 3008300606022a033000 300e300c06022a03300630040602 0500",
    "551d21": "3000 300a300806022a0306022a04 300c300a0604551d200006022a04",
    "551d24": "3000 3003800100 30038001ff 3003810100 3003820100",
    "551d36": "020100 0201ff 0200 0500",
    "551d23": "3000 30028000 3007800577726f6e67 3003820101 3002a100 0500",
    "551d0e": "0400 0500 0401ff",
    "551d1f": "3000 30023000 30043002a000 3006300481020780 30043002a200 0500",
    "2b06010505070118": "3000 3003020105 30030201ff 0500",
    "6086480186f8420101": "03020780 03020640 03020106",
    "2a030405": "0500 ff",
}


def with_extension(whole: mutations.Element, oid: str, value: bytes, *, is_critical: bool) -> bytes:
    """The signed part with one extension replaced or added."""
    at = next((*at, 0) for at in mutations.places(whole) if mutations.at(whole, at).tag == 0xA3)
    kind = mutations.Element(0x06, bytes.fromhex(oid))
    others = [each for each in mutations.at(whole, at).children or () if (each.children or ())[0] != kind]
    flag = (mutations.Element(0x01, b"\xff"),) if is_critical else ()
    new = mutations.Element(0x30, b"", (kind, *flag, mutations.Element(0x04, value)))
    return mutations.replaced(whole, at, [mutations.Element(0x30, b"", (*others, new))]).der


@pytest.mark.parametrize("is_leaf", [True, False], ids=["leaf", "intermediate"])
def test_extensions_of_any_form_are_refused_or_noted(is_leaf: bool) -> None:  # noqa: FBT001  by the table
    """Whatever an extension holds, critical or not, one for which OpenSSL refuses is not accepted without a note."""
    made, above, root = mutations.chain()
    leaf, between = made.leaf.public_bytes(Encoding.DER), above.certificate.public_bytes(Encoding.DER)
    signed = made.leaf if is_leaf else above.certificate
    whole = mutations.parse(signed.tbs_certificate_bytes)
    described, cases = [], []
    for oid, values in EXTENSIONS.items():
        for value in values.split():
            for is_critical in (False, True):
                changed = with_extension(whole, oid, bytes.fromhex(value), is_critical=is_critical)
                new = mutations.signed(changed, above.key if is_leaf else root.key)
                described.append((oid, value, is_critical))
                cases.append(mutations.Case(new, between) if is_leaf else mutations.Case(leaf, new))
    answers = zip(described, map(mutations.by_certkit, cases), mutations.by_openssl(cases), strict=True)
    assert [one for one, answer, openssl in answers if answer == (True, frozenset()) and openssl] == []
