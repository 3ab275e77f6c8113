"""Hostile certificates and chains: the verifier never raises, never accepts what was altered, and answers in time."""

from __future__ import annotations

import functools
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from certkit.findings import Status
from tests import pki
from tests.pki import CLIENT
from tests.verify import shapes
from tests.verify.shapes import Made, alternative, below, client, crl, cross, issuing, root, stranger
from tests.verify.test_shapes import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.verify import Verdict

bounded = settings(max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.filter_too_much])

IN_TIME = 5.0


@pytest.fixture(autouse=True)
def _odd_certificates() -> Iterator[None]:
    """The library warns of odd certificates when they are loaded, which is the tests' own doing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def sample() -> Made:
    """A chain with much in it: an intermediate, alternative names, and lists of both CAs."""
    return client(CLIENT, alternative("api.acme.example", "ip:192.0.2.7", "email:a@acme.example"), shapes.SIGNS).given(
        crls=(crl(root()), crl(issuing()))
    )


def certificate(data: bytes) -> x509.Certificate:
    """The certificate in some bytes, if it loads; else the example does not count."""
    try:
        return x509.load_der_x509_certificate(data)
    except Exception:
        assume(False)
        raise


def der(found: x509.Certificate) -> bytes:
    return found.public_bytes(Encoding.DER)


@st.composite
def altered(draw: Any, data: bytes) -> bytes:
    """The bytes with one to four of them changed, or a piece of them repeated."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(data) - 1))
        changed[position] = draw(st.integers(0, 255))
    assume(bytes(changed) != data)
    return bytes(changed)


@st.composite
def cut_anew(draw: Any, data: bytes) -> bytes:
    """The signed fields with bytes changed behind the headers, so that most of them still load."""
    fields = shapes.elements(shapes.inside(shapes.elements(shapes.inside(data))[0]))
    which = draw(st.integers(0, len(fields) - 1))
    field = bytearray(fields[which])
    position = draw(st.integers(min(2, len(field) - 1), len(field) - 1))
    field[position] = draw(st.integers(0, 255))
    fields[which] = bytes(field)
    return b"".join(fields)


def everything(made: Made, **asked: Any) -> Verdict:
    """The verdict with every question that can be asked."""
    return judge(
        made,
        **{"hostname": "api.acme.example", "email": "a@acme.example", "client_id": "acme-client-id", "strict": True}
        | asked,
    )


def is_accepted(verdict: Verdict) -> bool:
    return verdict.status in {Status.OK, Status.WARNING}


def test_the_sample_is_accepted() -> None:
    """The certificates that the tests below alter are accepted unaltered."""
    assert everything(sample()).status is Status.OK


@bounded
@given(st.data())
def test_altered_leaf(data: st.DataObject) -> None:
    """A leaf of which any byte was changed is judged without an error, and never accepted."""
    leaf = certificate(data.draw(altered(der(sample().leaf))))
    assert not is_accepted(everything(sample().given(leaf=leaf)))
    assert not is_accepted(judge(sample().given(leaf=leaf, crls=())))


@bounded
@given(st.data())
def test_altered_intermediate(data: st.DataObject) -> None:
    """An intermediate of which any byte was changed leads nowhere."""
    between = certificate(data.draw(altered(der(sample().untrusted[0]))))
    assert not is_accepted(everything(sample().given(untrusted=(between,))))


@bounded
@given(st.data())
def test_altered_intermediate_beside_the_right_one(data: st.DataObject) -> None:
    """A path never leads over an altered intermediate, wherever it lies."""
    between = certificate(data.draw(altered(der(sample().untrusted[0]))))
    right = sample().untrusted[0]
    order = (between, right) if data.draw(st.booleans()) else (right, between)
    assert der(between) not in [each.der for each in everything(sample().given(untrusted=order)).path]


@bounded
@given(st.data())
def test_strange_leaf_of_a_careless_ca(data: st.DataObject) -> None:
    """Whatever a CA signs is judged without an error."""
    fields = data.draw(cut_anew(der(sample().leaf)))
    key = issuing().key
    try:
        leaf = shapes.recut(sample().leaf, key, lambda _: [fields])
    except Exception:
        assume(False)
        raise
    everything(sample().given(leaf=leaf))
    judge(sample().given(leaf=leaf, crls=()), purpose="server")


@bounded
@given(st.data())
def test_strange_intermediate_of_a_careless_root(data: st.DataObject) -> None:
    """Whatever a root signs, a path over it is judged without an error."""
    fields = data.draw(cut_anew(der(sample().untrusted[0])))
    try:
        between = shapes.recut(sample().untrusted[0], root().key, lambda _: [fields])
    except Exception:
        assume(False)
        raise
    everything(sample().given(untrusted=(between,)))


@bounded
@given(st.data())
def test_strange_anchor(data: st.DataObject) -> None:
    """A trusted certificate with changed bytes is judged without an error."""
    anchor = certificate(data.draw(altered(der(sample().anchors[0]))))
    everything(sample().given(anchors=(anchor,)))


@bounded
@given(st.data())
def test_altered_list(data: st.DataObject) -> None:
    """A revocation list of which any byte was changed never says that nothing is revoked."""
    whole = sample().crls[1].public_bytes(Encoding.DER)
    try:
        changed = x509.load_der_x509_crl(data.draw(altered(whole)))
    except Exception:
        assume(False)
        raise
    assert not is_accepted(judge(sample().given(crls=(sample().crls[0], changed))))


@bounded
@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=4), st.integers(0, 8))
def test_any_order_and_any_part_of_a_bundle(order: list[int], twice: list[int], kept: int) -> None:
    """The answer depends on which certificates are in a bundle, never on their order or number."""
    bundle = strangers_and_friends()
    given_ = [order[number] for number in range(kept)]
    found = judge(sample().given(untrusted=tuple(bundle[number] for number in (*given_, *twice)), crls=()))
    assert is_accepted(found) == (0 in {*given_, *twice})


@functools.cache
def strangers_and_friends() -> tuple[x509.Certificate, ...]:
    """The intermediate first, then others: its name with another key, a cross-sign to nowhere, roots, the leaf."""
    return (
        sample().untrusted[0],
        shapes.intermediate(root()).certificate,
        pki.root(issuing().certificate.subject).certificate,
        cross(issuing(), stranger()),
        stranger().certificate,
        pki.root().certificate,
        sample().leaf,
        below(stranger(), CLIENT).leaf,
    )


def in_time(made: Made, **asked: Any) -> Verdict:
    """The verdict, which must come within seconds of work, however busy the machine is."""
    begin = time.process_time()
    verdict = judge(made, **asked)
    assert time.process_time() - begin < IN_TIME
    return verdict


def test_five_thousand_strangers() -> None:
    """A bundle with 5,000 certificates of others does not hide the intermediate, nor takes long."""
    key = pki.new_key()
    others = [pki.root(pki.name(O="Stranger", CN=f"Stranger {number}"), key=key).certificate for number in range(5000)]
    assert in_time(sample().given(untrusted=(*others, *sample().untrusted), crls=())).status is Status.OK


def test_hundreds_of_the_same_name_and_other_keys() -> None:
    """Hundreds of CAs that bear the intermediate's name do not hide it, nor take long."""
    name = issuing().certificate.subject
    others = [pki.root(name).certificate for _ in range(300)]
    assert in_time(sample().given(untrusted=(*others, *sample().untrusted), crls=())).status is Status.OK


def test_hundreds_of_the_same_name_without_the_right_one() -> None:
    """Hundreds of CAs that bear the intermediate's name, and none of them is it: refused in time."""
    name = issuing().certificate.subject
    others = [pki.root(name).certificate for _ in range(300)]
    assert in_time(sample().given(untrusted=tuple(others), crls=())).status is Status.CRITICAL


def mesh(count: int) -> tuple[list[pki.CA], tuple[x509.Certificate, ...]]:
    """CAs that have all signed each other."""
    cas = [pki.root(pki.name(O="Mesh", CN=f"Mesh CA {number}")) for number in range(count)]
    return cas, tuple(cross(one, other) for one in cas for other in cas if one is not other)


def test_a_mesh_of_cross_signs_without_an_anchor() -> None:
    """CAs that have all signed each other, none of them trusted: refused in time."""
    cas, signed = mesh(16)
    assert in_time(Made(below(cas[0], CLIENT).leaf, (root().certificate,), signed)).status is Status.CRITICAL


def test_a_mesh_of_cross_signs_with_an_impostor() -> None:
    """The same, and a trusted CA that bears one of their names: refused in time."""
    cas, signed = mesh(16)
    impostor = pki.root(cas[1].certificate.subject).certificate
    assert in_time(Made(below(cas[0], CLIENT).leaf, (impostor,), signed)).status is Status.CRITICAL


def test_many_names() -> None:
    """A certificate with 20,000 alternative names below name constraints is judged in time."""
    ca = shapes.intermediate(root(), shapes.permitting("acme.example", "ip:192.0.2.0/24"))
    made = below(ca, CLIENT, alternative(*(f"h{number}.acme.example" for number in range(20_000))))
    verdict = in_time(made, hostname="h19999.acme.example")
    assert {finding.status.value for finding in verdict.findings if finding.id == "name"} == {"ok"}


@pytest.mark.parametrize("name", ["h{}.acme.example", "email:{}@acme.example"])
def test_many_constraints(name: str) -> None:
    """More names and constraints than can be compared refuse the chain in time, of whatever kind they are."""
    ca = shapes.intermediate(root(), shapes.excluding(*(f"x{number}.example" for number in range(3000))))
    verdict = in_time(below(ca, CLIENT, alternative(*(name.format(number) for number in range(3000)))))
    assert [each.message for each in verdict.findings if each.id == "chain"] == [
        "the chain has more names and name constraints than can be compared (1,048,576 times)"
    ]


def test_long_list() -> None:
    """A revocation list with 20,000 entries is read in time."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuing().certificate.subject)
    builder = builder.last_update(pki.NOW - pki.DAY).next_update(pki.NOW + pki.DAY)
    entries = [
        x509.RevokedCertificateBuilder().serial_number(number).revocation_date(pki.NOW - pki.DAY).build()
        for number in range(1, 20_001)
    ]
    builder._revoked_certificates = entries
    made = sample()
    signed = builder.sign(issuing().key, shapes.hashes.SHA256())
    assert in_time(made.given(crls=(made.crls[0], signed))).status is Status.OK


def test_hundreds_of_cross_signs_of_one_key_and_an_anchor_of_that_name() -> None:
    """The same with a trusted CA of that name and another key."""
    ca = pki.root(pki.name(O="Loop", CN="Loop CA"))
    others = [pki.root(ca.certificate.subject, key=ca.key).certificate for _ in range(400)]
    made = Made(below(ca, CLIENT).leaf, (pki.root(ca.certificate.subject).certificate,), tuple(others))
    assert in_time(made).status is Status.CRITICAL


def test_hundreds_of_cross_signs_of_one_key() -> None:
    """Hundreds of certificates for one name and one key, each able to sign the others: refused in time."""
    ca = pki.root(pki.name(O="Loop", CN="Loop CA"))
    others = [pki.root(ca.certificate.subject, key=ca.key).certificate for _ in range(400)]
    made = Made(below(ca, CLIENT).leaf, (root().certificate,), tuple(others))
    assert in_time(made).status is Status.CRITICAL


def test_a_mesh_of_cross_signs_with_an_anchor() -> None:
    """CAs that have all signed each other, one of them trusted: the way is found."""
    cas, signed = mesh(16)
    assert in_time(Made(below(cas[0], CLIENT).leaf, (cas[-1].certificate,), signed)).status is Status.OK


def test_a_path_has_no_loop() -> None:
    """No certificate stands twice in a path."""
    cas, signed = mesh(6)
    path = in_time(Made(below(cas[0], CLIENT).leaf, (cas[-1].certificate,), signed)).path
    assert len(set(path)) == len(path)


def test_giant_names_are_shortened_in_findings() -> None:
    """A name is as long as its maker likes; no finding shows all of it, whichever check speaks of it."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, f"unit {n}") for n in range(500)])
    long = f"{'a' * 60}." * 3 + "example"
    above = shapes.intermediate(root(), shapes.permitting("acme.example"), subject=subject)
    made = below(above, alternative(*(f"{number}.{long}" for number in range(9))), subject=subject)
    csr = shapes.request(above.key, O="Other")
    asked = {
        "crls": [crl(stranger())],
        "hostname": "acme.example",
        "client_id": "other",
        "purpose": "server",
        "csr": csr,
    }
    for verdict in (
        judge(made, **asked),
        judge(made, strict=True),
        judge(made.given(anchors=[stranger().certificate])),
    ):
        assert max(len(each.message) for each in verdict.findings) < 800


def chain_status(made: Made, **asked: Any) -> Status:
    """Return the status of the finding about the chain."""
    return next(each.status for each in judge(made, **asked).findings if each.id == "chain")


def test_what_is_known_of_a_ca_is_not_taken_for_another() -> None:
    """A chain that was accepted is refused below a root of the same name with another key, and after its CA's end."""
    made, impostor = client(), shapes.letter_root()
    short = below(shapes.intermediate(root(), end=pki.NOW + pki.DAY), CLIENT)
    for _ in range(2):
        assert chain_status(made) is Status.OK
        assert chain_status(made.given(anchors=(impostor.certificate,))) is Status.CRITICAL
        assert chain_status(short) is Status.OK
        assert chain_status(short, at=pki.NOW + 2 * pki.DAY) is Status.CRITICAL
