"""Revocation by lists (RFC 5280 section 6.3), one promise each: not revoked, revoked, or cannot tell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from certkit.verify import revocation
from certkit.x509.crl import Crl
from tests import pki
from tests.conftest import openssl
from tests.pki import DAY, NOW, YEAR
from tests.verify import shapes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.findings import Finding

ROOT = pki.root()
LEAF = ROOT.issue()
HOLD = x509.ReasonFlags.certificate_hold
REMOVE = x509.ReasonFlags.remove_from_crl
COMPROMISE = x509.ReasonFlags.key_compromise
PLACE = x509.UniformResourceIdentifier("http://crl.example/1")
OTHER_PLACE = x509.UniformResourceIdentifier("http://crl.example/2")
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
CURRENT = "not revoked: every certificate below the anchor; the first CRL expires on 2026-11-29T12:00:00Z"


def entry(
    serial: int,
    reason: x509.ReasonFlags | None = None,
    *,
    since: datetime = NOW - 10 * DAY,
    issuer: x509.Name | None = None,
    odd: bool = False,
) -> x509.RevokedCertificate:
    """An entry; `issuer` names whose certificate it is, `odd` gives it an unknown critical extension."""
    made = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
    if reason:
        made = made.add_extension(x509.CRLReason(reason), critical=False)
    if issuer:
        made = made.add_extension(x509.CertificateIssuer([x509.DirectoryName(issuer)]), critical=True)
    if odd:
        made = made.add_extension(UNKNOWN, critical=True)
    return made.build()


def of(
    ca: pki.Pair = ROOT,
    *entries: x509.RevokedCertificate,
    age: int = 1,
    days: int = 7,
    number: int | None = 10,
    critical: Sequence[x509.ExtensionType] = (),
    key: Any = None,
    digest: Any = None,
) -> x509.CertificateRevocationList:
    """A list of a CA, made `age` days ago and current for `days`."""
    made = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    made = made.last_update(NOW - age * DAY).next_update(NOW + (days - age) * DAY)
    if number is not None:
        made = made.add_extension(x509.CRLNumber(number), critical=False)
    for extension in critical:
        made = made.add_extension(extension, critical=True)
    made._revoked_certificates = list(entries)
    return made.sign(key or ca.key, digest or hashes.SHA256())


def scope(**parts: Any) -> x509.IssuingDistributionPoint:
    """The scope of a list."""
    usual = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**usual, **parts})


def delta(base: int) -> x509.DeltaCRLIndicator:
    """Return the extension that makes a list a delta CRL."""
    return x509.DeltaCRLIndicator(base)


def named(reason: x509.ReasonFlags | None = None, **options: Any) -> x509.RevokedCertificate:
    """An entry for the leaf."""
    return entry(LEAF.certificate.serial_number, reason, **options)


def at_point(
    place: x509.GeneralName | None = None, *, issuer: x509.Name | None = None, relative: Any = None
) -> x509.CRLDistributionPoints:
    """Where a certificate says that its list is."""
    by = [x509.DirectoryName(issuer)] if issuer else None
    where = [place] if place else (None if relative else by)
    return x509.CRLDistributionPoints([x509.DistributionPoint(where, relative, None, by)])


def judge(
    *lists: x509.CertificateRevocationList | Crl, leaf: pki.Pair = LEAF, at: datetime = NOW, **options: Any
) -> Finding:
    """The finding over a leaf and its chain."""
    path = [pki.value(each) for each in (leaf.certificate, *leaf.above)]
    others = [pki.value(each) for each in options.pop("others", ())]
    crls = [pki.crl_value(each) for each in lists]
    return revocation.by_lists(path, crls=crls, others=others, at=at, **options)


def says(finding: Finding) -> tuple[str, str]:
    """Status and message."""
    return finding.status.value, finding.message


REVOKED = (
    "critical",
    "CN=acme-client-id,O=Acme Ltd has been revoked since 2026-11-13T12:00:00Z",
)
OF_LEAF = "for CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Root CA,O=Partner"


def test_no_lists() -> None:
    """No list is given, so nothing is known."""
    assert says(judge()) == ("skipped", "no CRL was given")


def test_current() -> None:
    """A current list that does not name it: not revoked, until the list ends."""
    assert says(judge(of())) == ("ok", CURRENT)


def test_revoked() -> None:
    """A current list that names it: revoked, with date and reason."""
    assert says(judge(of(ROOT, named(COMPROMISE)))) == ("critical", REVOKED[1] + " (keyCompromise)")


def test_the_earliest_end_of_the_lists_that_count() -> None:
    """Of a chain's lists, the one that expires first is reported; one that did not count is not."""
    ca = ROOT.intermediate()
    finding = judge(of(age=2, days=4), of(ca), of(age=30, days=1, number=1), leaf=ca.issue())
    assert says(finding) == (
        "ok",
        "not revoked: every certificate below the anchor; the first CRL expires on 2026-11-25T12:00:00Z",
    )


def test_no_next_update() -> None:
    """A list that does not say until when it holds is never current."""
    made = shapes.without_next_update(of(), ROOT.key)
    assert says(judge(made)) == (
        "unknown",
        f"the CRL has no nextUpdate (RFC 5280 section 5.1.2.5), {OF_LEAF}",
    )


def test_no_next_update_names_it() -> None:
    """A list without nextUpdate revokes all the same."""
    assert says(judge(shapes.without_next_update(of(ROOT, named()), ROOT.key))) == REVOKED


def test_revoked_later() -> None:
    """A certificate revoked from tomorrow on is not revoked today, and the finding says so."""
    assert says(judge(of(ROOT, named(since=NOW + DAY)))) == (
        "ok",
        CURRENT + "; CN=acme-client-id,O=Acme Ltd will be revoked on 2026-11-24T12:00:00Z",
    )


def test_a_list_of_later() -> None:
    """At a moment before a list it does not count, but an entry of before that moment does."""
    assert judge(of(), at=NOW - 5 * DAY).message == f"the CRL is not valid before 2026-11-22T12:00:00Z, {OF_LEAF}"
    assert says(judge(of(ROOT, named()), at=NOW - 5 * DAY)) == REVOKED
    assert judge(of(ROOT, named()), at=NOW - 15 * DAY).status.value == "unknown"


def test_an_expired_leaf() -> None:
    """Lists are judged at the moment asked, though the leaf has expired; older lists that named it are heard."""
    leaf = ROOT.issue(begin=NOW - YEAR, end=NOW - 20 * DAY)
    old = of(ROOT, entry(leaf.certificate.serial_number), age=22, number=1)
    assert judge(of(), leaf=leaf).status.value == "ok"
    assert judge(of(), old, leaf=leaf).status.value == "critical"


class TestNewest:
    """The newest complete list of a scope decides."""

    def test_hold_taken_back(self) -> None:
        """A hold that the newest list does not have is over, whatever older lists say."""
        for old in (of(ROOT, named(HOLD), age=3, number=9), of(ROOT, named(HOLD), age=30, number=9)):
            assert says(judge(old, of())) == ("ok", CURRENT)

    def test_hold(self) -> None:
        """A hold in the newest list counts, whatever older lists leave out."""
        assert judge(of(age=3, number=9), of(ROOT, named(HOLD))).message == REVOKED[1] + " (certificateHold)"

    def test_stale(self) -> None:
        """A stale list tells nothing, but that it is stale."""
        assert says(judge(of(age=9))) == ("unknown", f"the CRL has been stale since 2026-11-21T12:00:00Z, {OF_LEAF}")

    def test_stale_names_it(self) -> None:
        """A permanent revocation on a stale list still counts."""
        assert says(judge(of(ROOT, named(), age=9))) == REVOKED

    def test_stale_hold(self) -> None:
        """A hold by a stale list may have been taken back since."""
        assert says(judge(of(ROOT, named(HOLD), age=9))) == (
            "unknown",
            (
                "CN=acme-client-id,O=Acme Ltd was on hold in a CRL that is no longer current,"
                " issued by CN=Partner Root CA,O=Partner"
            ),
        )

    def test_stale_names_it_and_newer_does_not(self) -> None:
        """A newer list speaks, not the older stale one."""
        assert judge(of(ROOT, named(), age=9, number=9), of()).status.value == "ok"


class TestDelta:
    """Delta lists (RFC 5280 section 5.2.4) change the complete list that they build on."""

    def test_takes_a_hold_back(self) -> None:
        """An entry removeFromCRL ends a hold."""
        made = judge(of(ROOT, named(HOLD), age=2), of(ROOT, named(REMOVE), number=11, critical=[delta(10)]))
        assert made.status.value == "ok"

    def test_takes_nothing_else_back(self) -> None:
        """An entry removeFromCRL does not end a revocation."""
        made = judge(of(ROOT, named(COMPROMISE), age=2), of(ROOT, named(REMOVE), number=11, critical=[delta(10)]))
        assert made.status.value == "critical"

    def test_revokes(self) -> None:
        """An entry of a delta list revokes."""
        assert says(judge(of(age=2), of(ROOT, named(), number=11, critical=[delta(10)]))) == REVOKED

    def test_needs_a_base(self) -> None:
        """A delta list alone does not tell."""
        assert says(judge(of(number=11, critical=[delta(10)]))) == (
            "unknown",
            (
                "there is only a delta CRL, and no base CRL for CN=acme-client-id,O=Acme Ltd, issued by"
                " CN=Partner Root CA,O=Partner (RFC 5280 section 5.2.4)"
            ),
        )

    @pytest.mark.parametrize(("number", "base"), [(12, 11), (10, 5)])
    def test_numbers_must_fit(self, number: int, base: int) -> None:
        """A delta list that builds on a later list, or is no newer, takes no hold back."""
        made = judge(of(ROOT, named(HOLD), age=2), of(ROOT, named(REMOVE), number=number, critical=[delta(base)]))
        assert made.status.value == "critical"

    def test_refreshes_a_stale_base(self) -> None:
        """A complete list and a current delta list together are current."""
        assert says(judge(of(age=9), of(number=11, critical=[delta(10)]))) == ("ok", CURRENT)

    def test_stale(self) -> None:
        """A stale delta list does not refresh a stale list."""
        assert judge(of(age=20), of(age=9, number=11, critical=[delta(10)])).status.value == "unknown"


class TestScope:
    """A list counts for what its scope covers (RFC 5280 section 5.2.5)."""

    @pytest.mark.parametrize("kind", ["only_contains_ca_certs", "only_contains_attribute_certs"])
    def test_another_kind(self, kind: str) -> None:
        """A list of CAs' or attribute certificates does not cover a client's."""
        assert says(judge(of(critical=[scope(**{kind: True})]))) == (
            "unknown",
            f"the CRL does not cover this kind of certificate (RFC 5280 section 5.2.5), {OF_LEAF}",
        )

    def test_users_and_cas(self) -> None:
        """A list of users' certificates covers the leaf, and not a CA."""
        users, cas = scope(only_contains_user_certs=True), scope(only_contains_ca_certs=True)
        assert judge(of(critical=[users])).status.value == "ok"
        ca = ROOT.intermediate()
        assert judge(of(critical=[users]), of(ca), leaf=ca.issue()).status.value == "unknown"
        assert judge(of(critical=[cas]), of(ca), leaf=ca.issue()).status.value == "ok"

    def test_some_reasons(self) -> None:
        """All reasons must be covered, by several lists together."""
        flags = set(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, REMOVE}
        rest = of(critical=[scope(only_some_reasons=frozenset(flags - {COMPROMISE}))])
        assert says(judge(rest)) == (
            "unknown",
            (
                "the CRLs for CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Root CA,O=Partner, do not cover every"
                " reason (RFC 5280 section 6.3.3); missing: keyCompromise"
            ),
        )
        only = scope(only_some_reasons=frozenset({COMPROMISE}))
        assert says(judge(rest, of(critical=[only]))) == ("ok", CURRENT)
        assert judge(rest, of(ROOT, named(COMPROMISE), critical=[only])).status.value == "critical"

    def test_place(self) -> None:
        """A list for one distribution point does not count for another."""
        leaf = ROOT.issue(extensions=[at_point(PLACE)])
        assert judge(of(critical=[scope(full_name=[OTHER_PLACE, PLACE])]), leaf=leaf).status.value == "ok"
        assert says(judge(of(critical=[scope(full_name=[OTHER_PLACE])]), leaf=leaf)) == (
            "unknown",
            f"the CRL belongs to another distribution point (RFC 5280 section 5.2.5), {OF_LEAF}",
        )

    def test_relative_place(self) -> None:
        """A name relative to the issuer is the same as the whole name."""
        part = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "1")])
        whole = x509.DirectoryName(x509.Name([*ROOT.certificate.subject.rdns, part]))
        relative = of(critical=[scope(relative_name=part)])
        assert judge(relative, leaf=ROOT.issue(extensions=[at_point(whole)])).status.value == "ok"
        assert judge(relative, leaf=ROOT.issue(extensions=[at_point(relative=part)])).status.value == "ok"
        assert judge(relative, leaf=ROOT.issue(extensions=[at_point(PLACE)])).status.value == "unknown"


class TestIndirect:
    """Indirect lists (RFC 5280 section 5.2.5), which the certificate must name."""

    issuer = ROOT.intermediate(pki.name(O="Partner", CN="List Issuer"))
    leaf = ROOT.issue(extensions=[at_point(issuer=issuer.certificate.subject)])
    mine = scope(indirect_crl=True)

    def ask(self, *entries: x509.RevokedCertificate, leaf: pki.Pair = leaf, mine: Any = mine) -> Finding:
        """The finding by one list of the list issuer's."""
        made = of(self.issuer, *entries, critical=[mine])
        return judge(made, of(), leaf=leaf, others=[self.issuer.certificate])

    def alone(self, *entries: x509.RevokedCertificate, leaf: pki.Pair = leaf, mine: Any = mine) -> Finding:
        """The same without a list of the CA's own for users."""
        cas = of(critical=[scope(only_contains_ca_certs=True)])
        made = of(self.issuer, *entries, critical=[mine])
        return judge(made, cas, leaf=leaf, others=[self.issuer.certificate])

    def test_not_named(self) -> None:
        """A list that the certificate names, and that does not name the certificate."""
        assert says(self.alone()) == ("ok", CURRENT)

    def test_entries_carry_their_issuer_forward(self) -> None:
        """An entry is about the issuer that was named last; before any, about the list's own."""
        serial, issuer = self.leaf.certificate.serial_number, ROOT.certificate.subject
        assert self.alone(entry(serial)).status.value == "ok"
        assert self.alone(entry(1, issuer=issuer), entry(serial)).status.value == "critical"
        other = pki.name(CN="Other")
        assert self.alone(entry(1, issuer=issuer), entry(serial, issuer=other)).status.value == "ok"

    def test_not_asked_for(self) -> None:
        """A certificate that does not name the list's issuer is not covered."""
        assert self.alone(leaf=LEAF).status.value == "unknown"

    def test_not_indirect(self) -> None:
        """A list that does not say that it is indirect does not count."""
        made = of(self.issuer, critical=[scope(only_contains_user_certs=True)])
        assert says(judge(made, leaf=self.leaf, others=[self.issuer.certificate])) == (
            "unknown",
            (
                "the CRL does not cover CN=acme-client-id,O=Acme Ltd: CN=Partner Root CA,O=Partner issued it, and"
                " the CRL is not an indirect one that its distribution point names (RFC 5280 section 6.3.3)"
            ),
        )

    def test_beside_the_ca_own_list(self) -> None:
        """Either list revokes."""
        serial, issuer = self.leaf.certificate.serial_number, ROOT.certificate.subject
        assert self.ask(entry(serial, issuer=issuer)).status.value == "critical"


class TestUnderstood:
    """A list with an unknown critical extension does not count (RFC 5280 sections 5.2 and 5.3)."""

    SAYS = ("unknown", f"the CRL has a critical extension that certkit does not know (RFC 5280 section 5.2), {OF_LEAF}")

    def test_in_the_list(self) -> None:
        """Of the list: it does not count, but revokes."""
        assert says(judge(of(critical=[UNKNOWN]))) == self.SAYS
        assert says(judge(of(ROOT, named(), critical=[UNKNOWN]))) == REVOKED
        assert judge(of(ROOT, named(HOLD), critical=[UNKNOWN])).status.value == "critical"

    def test_in_an_entry(self) -> None:
        """Of any entry: the same."""
        assert says(judge(of(ROOT, entry(1, odd=True)))) == self.SAYS
        assert says(judge(of(ROOT, named(odd=True)))) == REVOKED


class TestSigner:
    """The signer of a list, and its right to sign."""

    ca = ROOT.intermediate()
    leaf = ca.issue()

    def signer(self, above: pki.CA = ROOT, **usage: bool) -> pki.CA:
        """A certificate of the CA's name for lists."""
        return above.intermediate(extensions=[pki.key_usage(**usage)] if usage else [], is_ca=False)

    def ask(self, signer: pki.CA, *revoked: int, **options: Any) -> Finding:
        """The finding where another one signs the CA's list, and the root's list revokes something."""
        listed, above = of(self.ca, key=signer.key), of(ROOT, *map(entry, revoked))
        return judge(listed, above, leaf=self.leaf, **{"others": [signer.certificate], **options})

    def test_another_key(self) -> None:
        """A list that another key signed in the CA's name says nothing, even if it revokes."""
        assert says(judge(of(ROOT, named(), key=pki.new_key()))) == (
            "unknown",
            "the CRL is not signed by the CA that it names, CN=Partner Root CA,O=Partner (another key?), " + OF_LEAF,
        )

    @pytest.mark.parametrize("usage", [{}, {"crl_sign": True}])
    def test_separate(self, usage: dict[str, bool]) -> None:
        """Another certificate of the CA's name, below the same anchor, may sign lists."""
        assert says(self.ask(self.signer(**usage))) == ("ok", CURRENT)

    def test_separate_and_not_given(self) -> None:
        """Without the signer's certificate, the list is signed with an unknown key."""
        assert self.ask(self.signer(), others=[]).message == (
            "the CRL is not signed by the CA that it names, CN=Partner Issuing CA,O=Partner (another key?), "
            "for CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Issuing CA,O=Partner"
        )

    def test_revoked(self) -> None:
        """The list of a revoked signer does not count, whether the chain is asked about or the leaf only."""
        signer = self.signer(crl_sign=True)
        for whole_chain in (True, False):
            finding = self.ask(signer, signer.certificate.serial_number, whole_chain=whole_chain)
            assert says(finding) == (
                "unknown",
                (
                    "the signer of the CRL, CN=Partner Issuing CA,O=Partner, is itself revoked,"
                    " for CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Issuing CA,O=Partner"
                ),
            )

    def test_speaks_for_himself_last(self) -> None:
        """A signer whom the CA revokes is not saved by a newer list that he signs himself."""
        signer = self.ca.intermediate(self.ca.certificate.subject, is_ca=False)
        gone = of(self.ca, entry(signer.certificate.serial_number), age=2, number=1)
        newer = of(self.ca, key=signer.key, number=2)
        finding = judge(newer, gone, of(), leaf=self.leaf, others=[signer.certificate])
        assert finding.message.endswith("the first CRL expires on 2026-11-28T12:00:00Z")  # the CA's own, the older
        assert judge(newer, of(), leaf=self.leaf, others=[signer.certificate]).status.value == "ok"

    def test_nobody_knows_whether_revoked(self) -> None:
        """A signer whom no list covers: cannot tell; where only the leaf is asked, that is enough."""
        signer = self.signer()
        listed = of(self.ca, key=signer.key)
        options = {"leaf": self.leaf, "others": [signer.certificate]}
        assert judge(listed, **options).message.startswith("the revocation status of the signer of the CRL, CN=Partner")
        assert judge(listed, whole_chain=False, **options).status.value == "ok"

    def test_may_not_sign(self) -> None:
        """Key usage without cRLSign: the list does not count."""
        assert says(self.ask(self.signer(digital_signature=True))) == (
            "unknown",
            (
                "the signer of the CRL, CN=Partner Issuing CA,O=Partner, may not sign CRLs: its key usage lacks"
                " cRLSign (RFC 5280 section 4.2.1.3), for CN=acme-client-id,O=Acme Ltd,"
                " issued by CN=Partner Issuing CA,O=Partner"
            ),
        )

    def test_of_another_anchor(self) -> None:
        """A signer below another anchor is a stranger."""
        assert says(self.ask(self.signer(pki.root(pki.name(CN="Stranger")), crl_sign=True))) == (
            "unknown",
            (
                "the signer of the CRL, CN=Partner Issuing CA,O=Partner, has no valid path to the same anchor,"
                " for CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Issuing CA,O=Partner"
            ),
        )

    def test_weak_digest(self) -> None:
        """A list signed with SHA-1 does not count, but revokes."""
        key = shapes.rsa_key(2048)
        ca = pki.root(key=key)
        leaf = ca.issue()
        made = weakened(of(ca), key)
        assert says(judge(made, leaf=leaf)) == (
            "unknown",
            f"the CRL is signed with a digest that can be forged, {OF_LEAF}",
        )
        revoked = weakened(of(ca, entry(leaf.certificate.serial_number)), key)
        assert judge(revoked, leaf=leaf).status.value == "critical"

    def test_signers_in_a_circle(self) -> None:
        """Two list issuers, each covered by the other's list only, end in an answer."""
        first, second = pki.name(CN="List One"), pki.name(CN="List Two")
        one = ROOT.intermediate(first, extensions=[at_point(issuer=second)])
        two = ROOT.intermediate(second, extensions=[at_point(issuer=first)])
        leaf = ROOT.issue(extensions=[at_point(issuer=first)])
        lists = [of(each, critical=[scope(indirect_crl=True)]) for each in (one, two)]
        finding = judge(*lists, leaf=leaf, others=[one.certificate, two.certificate])
        assert finding.status.value == "ok"


def weakened(made: x509.CertificateRevocationList, key: Any) -> x509.CertificateRevocationList:
    """The list signed again with SHA-1."""
    strong, weak = (bytes.fromhex(f"300d06092a864886f70d0101{last}0500") for last in ("0b", "05"))
    signed = made.tbs_certlist_bytes.replace(strong, weak, 1)
    signature = shapes.wrap(0x03, b"\0" + key.sign(signed, shapes.padding.PKCS1v15(), hashes.SHA1()))
    return x509.load_der_x509_crl(shapes.wrap(0x30, signed + weak + signature))


def test_revoked_beats_cannot_tell() -> None:
    """A revoked CA is reported, although the leaf has no list."""
    ca = ROOT.intermediate()
    finding = judge(of(ROOT, entry(ca.certificate.serial_number)), leaf=ca.issue())
    assert says(finding) == (
        "critical",
        "CN=Partner Issuing CA,O=Partner has been revoked since 2026-11-13T12:00:00Z",
    )


@pytest.mark.parametrize("indirect", [False, True])
def test_a_long_list_is_fast(indirect: bool) -> None:  # noqa: FBT001
    """100,000 entries take ten times the work of 10,000, not a hundred times, of other issuers too."""
    issuer = ROOT.certificate.subject if indirect else None
    took = []
    for count in (10_000, 100_000):
        entries = [entry(number, issuer=issuer) for number in range(1, count + 1)]
        made = of(ROOT, *entries, critical=[scope(indirect_crl=True)] if indirect else [])
        begin = time.process_time()
        assert judge(made).status.value == "ok"
        took.append(time.process_time() - begin)
    assert took[1] < 40 * took[0]


def test_hostile_lists_do_not_raise() -> None:
    """Lists with any byte changed never revoke and never acquit."""
    whole = of(ROOT, named(HOLD), critical=[scope(full_name=[PLACE])]).public_bytes(Encoding.DER)
    for position in range(len(whole)):
        try:
            made = x509.load_der_x509_crl(whole[:position] + bytes([whole[position] ^ 0x15]) + whole[position + 1 :])
        except (ValueError, x509.InvalidVersion):
            continue
        assert judge(made).status.value == "unknown"


CASES = {
    "current": lambda: [of()],
    "revoked": lambda: [of(ROOT, named())],
    "stale": lambda: [of(age=9)],
    "early": lambda: [of(age=-1)],
    "hold taken back": lambda: [of(ROOT, named(HOLD), age=3, number=9), of()],
    "critical": lambda: [of(critical=[UNKNOWN])],
    "cas only": lambda: [of(critical=[scope(only_contains_ca_certs=True)])],
    "users only": lambda: [of(critical=[scope(only_contains_user_certs=True)])],
    "some reasons": lambda: [of(critical=[scope(only_some_reasons=frozenset({COMPROMISE}))])],
    "other place": lambda: [of(critical=[scope(full_name=[PLACE])])],
    "delta alone": lambda: [of(critical=[delta(9)])],
    "wrong key": lambda: [of(key=pki.new_key())],
    "stranger": lambda: [of(pki.root(pki.name(CN="Stranger")))],
}


@pytest.mark.parametrize("name", CASES)
def test_openssl_agrees(name: str, tmp_path: Path) -> None:
    """`openssl verify` accepts the same lists; only, it asks for a list that covers the anchor too."""
    lists = CASES[name]()
    (tmp_path / "lists").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in lists))
    (tmp_path / "root").write_bytes(ROOT.pem)
    (tmp_path / "leaf").write_bytes(LEAF.pem)
    options = ["-crl_check_all", "-extended_crl", "-use_deltas", "-attime", int(NOW.timestamp())]
    files = ["-trusted", tmp_path / "root", "-CRLfile", tmp_path / "lists", tmp_path / "leaf"]
    done = openssl("verify", *options, *files, check=False)
    ours = judge(*lists).status.value == "ok"
    assert (ours, done.returncode == 0) == ((True, False) if name == "users only" else (ours, ours)), done


def test_a_list_that_names_two_algorithms() -> None:
    """A list whose algorithm outside of what is signed differs from the one inside does not count."""
    whole = of().public_bytes(Encoding.DER)
    tbs, algorithm, signature = shapes.elements(shapes.inside(whole))
    other = algorithm.replace(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303"))
    found = judge(Crl.parse(shapes.wrap(0x30, tbs + other + signature)))
    assert (found.status.value, found.message.partition(",")[0]) == (
        "unknown",
        "a CRL or the certificate cannot be read",
    )


def test_strict_holds_lists_to_section_5() -> None:
    """A list without a number counts, and not with --strict."""
    assert judge(of(number=None)).status.value == "ok"
    strict = judge(of(number=None), strict=True)
    assert strict.status.value == "unknown"
    assert strict.message == (
        "the CRL does not follow all of RFC 5280: it has no CRL number (RFC 5280 section 5.2.3), for"
        " CN=acme-client-id,O=Acme Ltd, issued by CN=Partner Root CA,O=Partner"
    )
    assert strict.hint == "ask the CA for a CRL that does, or leave --strict out"


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (of(number=None, critical=[x509.CRLNumber(10)]), "it has a critical CRL number (RFC 5280 section 5.2.3)"),
        (of(), "it has no authority key identifier (RFC 5280 section 5.2.1)"),
    ],
)
def test_strict_names_the_rule_that_a_list_breaks(made, wrong) -> None:
    """Such a list counts without --strict."""
    assert judge(made).status.value == "ok"
    found = judge(made, strict=True)
    assert says(found) == ("unknown", f"the CRL does not follow all of RFC 5280: {wrong}, {OF_LEAF}")
