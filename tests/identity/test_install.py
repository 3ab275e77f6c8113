"""`certkit.identity.install`: what an issuer answered is matched by public key, checked, and only then written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certkit.csr import build
from certkit.errors import InputError, RefusedError
from certkit.identity import activate, retire, update
from certkit.policy.catalogue import load
from certkit.secret import Secret
from certkit.stores.base import AbsentError
from certkit.stores.record import Record
from certkit.x509 import pem
from certkit.x509.keys import key_facts
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.identity.conftest import (
    ISSUING,
    ROOT,
    SETTINGS,
    SUBJECT,
    csr_of,
    enroll,
    everything,
    install,
    issue,
    pasted,
    request_again,
    states,
    use,
)

OTHER_CA = pki.root(pki.name(O="Partner", CN="Partner Root CA"))
UNTRUSTING = replace(SETTINGS, trust_bundle=None)


def spki(certificate):
    """The fingerprint of a certificate's or a request's public key."""
    return key_facts(certificate.public_key()).spki_sha256


def test_an_answer(store):
    """Is kept with what stands above it and with the trust bundle; nothing is in use by that."""
    enroll(store)
    made = issue(store)
    done, number = install(store, pasted(made))
    issued = store.load("acme").generations[0].issued
    assert (done.changed, number, states(store)) == (True, "0001", {"0001": "issued"})
    assert (issued.certificate, issued.chain, issued.trust_bundle) == (made.pem, ISSUING.pem, ROOT.pem)
    assert store.load("acme").record.active is None


@pytest.mark.parametrize(
    "paste",
    [
        lambda made: ISSUING.pem + made.pem,
        lambda made: ROOT.pem + ISSUING.pem + made.pem,
        lambda made: pasted(made).replace(b"\n", b"\r\n"),
        lambda made: pasted(made).replace(b"\n", b"\n    "),
        lambda made: pasted(made).rstrip(),
        lambda made: b"Your certificate:\n\n" + made.pem + b"\nIssued by\n" + ISSUING.pem + b"\nRegards\n",
        lambda made: b"\xef\xbb\xbf" + pasted(made),
        lambda made: pki.root().pem + pasted(made) + pki.root().issue().pem,
    ],
    ids=["reversed", "with the root", "CRLF", "indented", "no last line end", "a mail", "BOM", "with others"],
)
def test_however_it_was_pasted(store, paste):
    """The stored certificate is the same."""
    enroll(store)
    made = issue(store)
    install(store, paste(made))
    issued = store.load("acme").generations[0].issued
    assert (issued.certificate, issued.chain, issued.trust_bundle) == (made.pem, ISSUING.pem, ROOT.pem)


def test_the_leaf_alone(store):
    """Is enough where the trusted CA issued it, or where the trust bundle has what stands between."""
    enroll(store, "direct")
    made = issue(store, name="direct", issuer=ROOT)
    install(store, made.pem, "direct")
    assert store.load("direct").generations[0].issued.fullchain == made.pem
    enroll(store, settings=UNTRUSTING)
    made = issue(store)
    install(store, made.pem, trust_bundle=ISSUING.pem + ROOT.pem)
    issued = store.load("acme").generations[0].issued
    assert (issued.fullchain, issued.trust_bundle) == (made.pem + ISSUING.pem, ISSUING.pem + ROOT.pem)


def test_an_intermediate_that_is_trusted_goes_with_the_leaf(store):
    """For the partner may know nothing but the root."""
    enroll(store, settings=UNTRUSTING)
    made = issue(store)
    install(store, pasted(made), trust_bundle=ISSUING.pem)
    assert store.load("acme").generations[0].issued.fullchain == made.pem + ISSUING.pem


def test_the_trust_bundle(store):
    """Is the one that is given, else that of the enrollment; without either nothing can be judged."""
    enroll(store, settings=UNTRUSTING)
    data = pasted(issue(store))
    before = everything(store)
    with pytest.raises(InputError, match="no trust bundle"):
        install(store, data)
    assert everything(store) == before
    install(store, data, trust_bundle=b"The CA:\n" + ROOT.pem)
    assert store.load("acme").generations[0].issued.trust_bundle == ROOT.pem


def test_the_trust_bundle_that_is_given_counts(store):
    """More than that of the enrollment."""
    enroll(store)
    with pytest.raises(RefusedError, match="acme: certificate rejected: chain: "):
        install(store, pasted(issue(store)), trust_bundle=OTHER_CA.pem)


def test_a_certificate_does_not_vouch_for_itself(store):
    """The same file given for both is a mistake, though the chain would hold."""
    enroll(store, settings=UNTRUSTING)
    made = issue(store)
    with pytest.raises(RefusedError, match="chain: the certificate is itself in the trust bundle"):
        install(store, made.pem, trust_bundle=made.pem)


@pytest.mark.parametrize(
    ("shape", "check"),
    [
        ({"begin": pki.NOW - pki.YEAR, "end": pki.NOW - pki.DAY}, "validity"),
        ({"begin": pki.NOW + pki.DAY, "end": pki.NOW + pki.YEAR}, "validity"),
        ({"end": pki.NOW + 2 * pki.YEAR}, "policy"),
        ({"extensions": (pki.SERVER,)}, "purpose"),
        ({"subject": pki.name(O="Acme Limited", CN="acme-client-id")}, "subject"),
        ({"subject": pki.name(CN="acme-client-id")}, "subject"),
        ({"subject": pki.name(O="Acme Ltd", CN="another-client-id")}, "name"),
        ({"subject": pki.name(O="Acme Ltd")}, "name"),
        ({"issuer": OTHER_CA}, "chain"),
        ({"issuer": pki.CA(ISSUING.certificate, pki.new_key())}, "chain"),
    ],
    ids=["expired", "not yet", "too long", "server", "O", "no O", "CN", "no CN", "other CA", "false signature"],
)
def test_what_is_refused(store, shape, check):
    """Says which check does not hold, with all findings; and nothing is written."""
    enroll(store, settings=replace(SETTINGS, client_id="acme-client-id"))
    data = pasted(issue(store, **shape))
    before = everything(store)
    with pytest.raises(RefusedError, match=f"acme: certificate rejected: {check}: ") as refused:
        install(store, data)
    assert {each.id for each in refused.value.findings if each.status == "critical"} == {check}
    assert everything(store) == before


def test_all_that_is_wrong_is_told(store):
    """Not the first of it."""
    enroll(store)
    shape = {"subject": pki.name(O="Other"), "extensions": (pki.SERVER,), "end": pki.NOW - pki.DAY / 2}
    with pytest.raises(RefusedError) as refused:
        install(store, pasted(issue(store, **shape)))
    assert {each.id for each in refused.value.findings if each.status == "critical"} == {
        "subject",
        "purpose",
        "validity",
    }


def test_a_common_name_that_nobody_knows(store):
    """Is taken as it comes, for the partner replaces it."""
    enroll(store)
    assert install(store, pasted(issue(store, subject=pki.name(O="Acme Ltd", CN="whatever"))))[0].changed


def test_the_certificate_of_another_key(store):
    """Is refused with both fingerprints; and nothing is written."""
    enroll(store)
    other = ISSUING.issue()
    before = everything(store)
    with pytest.raises(RefusedError) as refused:
        install(store, pasted(other))
    assert refused.value.message == (
        "acme: certificate rejected: key-match: the certificate matches no pending request: "
        f"SPKI SHA-256 of the certificate {spki(other.certificate)}, of the requests {spki(csr_of(store))}"
    )
    assert [(each.id, each.status) for each in refused.value.findings] == [("key-match", "critical")]
    assert everything(store) == before


def test_the_answer_to_another_identity(store):
    """Answers no request of this one, though the subject is the same."""
    enroll(store)
    enroll(store, "other", settings=replace(SETTINGS, policy="wise-production"))
    data = pasted(issue(store))
    with pytest.raises(RefusedError, match="other: certificate rejected: key-match"):
        install(store, data, "other")


@pytest.mark.parametrize("state", ["discarded", "retired"])
def test_a_request_that_is_out_of_use(store, state):
    """Is answered no more."""
    enroll(store)
    data = pasted(issue(store))
    if state == "discarded":
        retire.discard(store, store.load("acme"))
    else:
        retire.retire(store, store.load("acme"), "0001")
    with pytest.raises(RefusedError, match=r"(?m)of the requests none$"):
        install(store, data)


@pytest.mark.parametrize("data", [b"", b"\0\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(store, data):
    """Cannot be read."""
    enroll(store)
    with pytest.raises(InputError, match="cannot read the given file"):
        install(store, data)


def test_an_identity_that_is_not_there(store):
    """Is an error of the store."""
    with pytest.raises(AbsentError, match=r"no identity 'acme'|no store at"):
        install(store, ISSUING.issue().pem)


def test_the_same_answer_again(store):
    """Changes nothing, whether it is active or not."""
    enroll(store)
    data = pasted(issue(store))
    install(store, data)
    activate.activate(store, store.load("acme"), now=pki.NOW)
    before = everything(store)
    done, number = install(store, data)
    assert (done.changed, number) == (False, "0001")
    assert everything(store) == before


def test_a_second_answer_to_a_request(store):
    """Is refused: each generation has one certificate, for good."""
    enroll(store)
    first, second = pasted(issue(store)), pasted(issue(store))
    install(store, first)
    before = everything(store)
    with pytest.raises(RefusedError, match="key-match: generation 0001 already has another certificate"):
        install(store, second)
    assert everything(store) == before


@pytest.mark.parametrize("is_active", [True, False])
def test_the_same_answer_after_the_trust_bundle_has_changed(store, is_active):
    """Changes nothing, with and without its intermediates; CAs that are new are added by `update`, not here."""
    enroll(store)
    made = issue(store)
    install(store, pasted(made))
    if is_active:
        activate.activate(store, store.load("acme"), now=pki.NOW)
    changes = update.Changes(anchors=[pki.value(ISSUING.certificate)], replaces_anchors=False, settings={})
    update.update(store, store.load("acme"), load("general"), changes, force=False, now=pki.NOW)
    before = everything(store)
    for data, bundle in ((pasted(made), None), (pasted(made), ROOT.pem), (made.pem, None), (made.pem, ISSUING.pem)):
        assert install(store, data, trust_bundle=bundle)[0].changed is False
    with pytest.raises(InputError, match="installed already, but not every CA is trusted"):
        install(store, pasted(made), trust_bundle=OTHER_CA.pem + ROOT.pem)
    assert everything(store) == before


def test_the_certificate_in_use_is_no_answer(store):
    """Where a request waits, the old certificate pasted once more is a mistake."""
    [old] = use(store)
    request_again(store)
    before = everything(store)
    with pytest.raises(RefusedError, match="key-match: this is already the certificate of generation 0001"):
        install(store, pasted(old))
    assert everything(store) == before


def test_old_and_new_pasted_together(store):
    """The new one is the answer."""
    [old] = use(store)
    number = request_again(store)
    new = issue(store, number)
    assert install(store, old.pem + pasted(new))[1] == number
    assert store.load("acme").generations[1].issued.certificate == new.pem


def test_a_key_that_is_used_again(store):
    """The old certificate is still refused, and the new one is taken."""
    [old] = use(store)
    first = store.load("acme").generations[0]
    store.add("acme", "0002", key=store.key("acme", "0001"), csr=first.csr)
    with pytest.raises(RefusedError, match="this is already the certificate of generation 0001"):
        install(store, pasted(old))
    new = issue(store, "0002")
    assert install(store, pasted(new))[1] == "0002"
    assert states(store) == {"0001": "active", "0002": "issued"}


def test_the_findings(store):
    """Come with the result, for among them may be warnings."""
    enroll(store)
    done, _ = install(store, pasted(issue(store)))
    good = {each.id for each in done.findings if each.status == "ok"}
    assert good == {
        *("chain", "validity", "purpose", "key-type", "signature-algorithm", "extensions"),
        *("key-match", "policy", "subject"),
    }


def test_a_request_with_an_unreadable_key(store):
    """Matches no certificate whose key cannot be read either."""
    store.create("acme", Record(settings=SETTINGS))
    store.add("acme", "0001", key=Secret(pki.root().key_pem), csr=unreadable_csr())
    with pytest.raises((InputError, RefusedError)):
        install(store, ISSUING.issue().pem)


def unreadable_csr():
    """A CSR whose public key is on no curve that anybody knows."""
    der = next(pem.blocks(build.build(SUBJECT, pki.new_key()))).der
    p256 = bytes.fromhex("06082a8648ce3d030107")
    assert der.count(p256) == 1
    return pem.encode(pem.CERTIFICATE_REQUEST, der.replace(p256, bytes.fromhex("06082a8648ce3d03017f")))


def test_policies_of_other_partners(store):
    """Judge by their own limits."""
    subject = SubjectOptions(subject=("CN=Acme Ltd", "O=Acme Ltd"))
    enroll(store, settings=replace(SETTINGS, policy="circle-mint", subject=subject))
    data = pasted(issue(store, end=pki.NOW + 370 * pki.DAY))
    with pytest.raises(RefusedError, match="policy: valid for"):
        install(store, data, policy=load("circle-mint"))
