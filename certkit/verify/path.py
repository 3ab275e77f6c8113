"""Path building and validation (RFC 5280 section 6.1): from a certificate to an anchor, or the first reason why not.

The search walks upwards by names; key identifiers only say which CA to try first. A certificate that has a defect of
its own, whatever the path, is never entered, and neither is a CA whose key did not make the signature. The complete
ways that are left are judged as wholes, short ones first: path lengths, name constraints, policies, TLS features. All
work is counted, so that neither thousands of CAs of one name nor a mesh of cross-signatures keeps a processor busy;
what is not found within the budget counts as not there.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.printable import brief
from certkit.times import rfc3339
from certkit.verify import constraints, policies
from certkit.verify.constraints import Comparisons, Limits, Parsed, TooManyError
from certkit.verify.purpose import allows
from certkit.x509 import der as tlv
from certkit.x509 import extensions as kinds
from certkit.x509 import signatures
from certkit.x509.general_names import GeneralName
from certkit.x509.signatures import UnsupportedError
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate

    Path = tuple[Certificate, ...]

DEFAULT_MAX_DEPTH = 8

# So many signatures, steps and complete paths are looked at for one verdict; a chain that needs more is an attack.
MAX_SIGNATURE_CHECKS = 500
_MAX_STEPS = 5_000
_MAX_PATHS = 100

# The extensions that are processed, here or in the modules beside. They limit what a certificate is good for, or say
# whose it is: one that cannot be read refuses the certificate, critical or not.
_PROCESSED = frozenset(
    {
        kinds.SUBJECT_KEY_IDENTIFIER,
        kinds.KEY_USAGE,
        kinds.SUBJECT_ALT_NAME,
        kinds.BASIC_CONSTRAINTS,
        kinds.NAME_CONSTRAINTS,
        kinds.CRL_DISTRIBUTION_POINTS,
        kinds.CERTIFICATE_POLICIES,
        kinds.POLICY_MAPPINGS,
        kinds.AUTHORITY_KEY_IDENTIFIER,
        kinds.POLICY_CONSTRAINTS,
        kinds.EXTENDED_KEY_USAGE,
        kinds.INHIBIT_ANY_POLICY,
        kinds.TLS_FEATURES,
    }
)
# id-qt-cps and id-qt-unotice (RFC 5280 section 4.2.1.4) with the tags of their values; the texts that a notice may be.
_NOTICE = "1.3.6.1.5.5.7.2.2"
_QUALIFIERS = {"1.3.6.1.5.5.7.2.1": 0x16, _NOTICE: tlv.SEQUENCE}
_NOTICE_TEXTS = frozenset({0x0C, 0x16, 0x1A, 0x1E})
# A CA's key may be RSA of 2048 bits or more, or one of these (NIST SP 800-186; RFC 8032; FIPS 204).
_SOUND_KEYS = frozenset({"ec-p256", "ec-p384", "ec-p521", "ed25519", "ed448", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"})

_INSPECT = "inspect each certificate with certkit inspect, and ask the issuer"
_ASK_ISSUER = "ask the issuer for a certificate that follows RFC 5280"
_WRONG_CA = (
    "check that the certificate and --ca belong to the same partner and environment; trust another CA only if the"
    " partner confirms its fingerprint"
)


_PIN = "to trust exactly this certificate, and nothing that it signed, use --pin instead of --ca"


@dataclass(frozen=True, slots=True)
class NoPath:
    """Why no path leads from a certificate to an anchor: the first cause in plain words, and what to do."""

    reason: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What path is wanted: from a leaf to one of the anchors, at a moment, for a purpose (client, server, any).

    `distrusted` stand in no path. `max_depth` counts the intermediates between leaf and anchor.
    """

    leaf: Certificate
    anchors: Sequence[Certificate]
    untrusted: Sequence[Certificate]
    at: datetime
    distrusted: Sequence[Certificate] = ()
    purpose: str = "any"
    max_depth: int = DEFAULT_MAX_DEPTH


def build_path(search: Search) -> Path | NoPath:
    """Return the path that is wanted, leaf first and anchor last; or why there is none.

    A path whose CAs may not issue for the purpose, or whose authority key identifiers do not fit, is the result where
    there is no better one; findings of their own say so.
    """
    problem = own_problem(search.leaf)
    if problem is not None:
        return problem
    walk = _Walk(search)
    best: Path | None = None
    first: NoPath | None = None
    budget = Comparisons()
    for way in walk.ways():
        objection = _objection(way, budget)
        if objection is not None:
            first = first or objection
        elif _serves(way, search.purpose) and all(map(fits, way, way[1:])):
            return way
        elif best is None or (_serves(way, search.purpose) and not _serves(best, search.purpose)):
            best = way
    return best or walk.first_cause(first)


def fits(child: Certificate, parent: Certificate) -> bool:
    """Whether a certificate's authority key identifier is that of a CA, as far as both say (RFC 5280 4.2.1.1)."""
    wanted = child.authority_key_identifier
    if not isinstance(wanted, kinds.AuthorityKeyIdentifier):
        return True
    own = parent.subject_key_identifier
    if wanted.key_identifier is not None and isinstance(own, bytes) and wanted.key_identifier != own:
        return False
    if wanted.serial is not None and wanted.serial != parent.serial:
        return False
    issuers = [each.name.key for each in wanted.issuer or () if each.kind == "dirName"]
    return not issuers or parent.issuer.key in issuers


def is_self_issued(certificate: Certificate) -> bool:
    """Whether subject and issuer are the same name (RFC 5280 section 6.1)."""
    return certificate.subject.der == certificate.issuer.der or certificate.subject.key == certificate.issuer.key


def is_anchor(certificate: Certificate) -> bool:
    """Whether a certificate can be trusted as a CA: it says that it is one, or is older than such words."""
    try:
        return certificate.is_ca or (
            certificate.version == 1 and not certificate.extensions and is_self_issued(certificate)
        )
    except InputError:
        return False


def is_within_dates(certificate: Certificate, at: datetime) -> bool:
    """Whether a certificate is valid at a moment by its own dates; not if they cannot be read."""
    begin, end = certificate.not_before, certificate.not_after
    return not isinstance(begin, Unreadable) and not isinstance(end, Unreadable) and begin <= at <= end


def is_signed(child: Certificate, parent: Certificate) -> bool:
    """Whether a certificate is signed with the key of another, as it stands."""
    try:
        return child.signature_algorithm == child.tbs_signature_algorithm and _signature_problem(child, parent) is None
    except (InputError, UnsupportedError):
        return False


def _signature_problem(child: Certificate, parent: Certificate) -> str | None:
    key = parent.key
    if isinstance(key, Unreadable):
        raise UnsupportedError(key.reason)
    return signatures.problem(child.signature_algorithm, key, parent.public_key(), child.signature, child.tbs)


class _Walk:
    """The certificates that can be reached from a leaf, and who signed whom: each looked at once, within a budget."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._anchors = dict.fromkeys(each for each in search.anchors if is_anchor(each))
        self._by_subject: dict[tuple[object, ...], list[Certificate]] = {}
        for each in dict.fromkeys((*self._anchors, *search.untrusted)):
            # What cannot be read at all is a stranger, and no reason to stop.
            with contextlib.suppress(InputError):
                if each not in search.distrusted:
                    self._by_subject.setdefault(each.subject.key, []).append(each)
        self._signed: dict[tuple[Certificate, bytes], str | None] = {}
        self._defects: dict[Certificate, NoPath | None] = {}
        self._issuers: dict[Certificate, list[Certificate]] = {}

    def ways(self) -> Iterator[Path]:
        """Return the ways from the leaf to an anchor, short ones first; no name and key stands twice in one."""
        leaf = self._search.leaf
        if leaf in self._anchors:
            yield (leaf,)
        waiting: list[Path] = [(leaf,)]
        useful: set[Certificate] | None = None
        found = 0
        for step in range(_MAX_STEPS):
            if step == len(waiting):
                return
            way = waiting[step]
            if step == 32:
                useful = self._leads_to_anchors()
            for parent in self.issuers(way[-1]):
                if parent in self._anchors:
                    if parent in way:
                        continue
                    found += 1
                    yield (*way, parent)
                    if found == _MAX_PATHS:
                        return
                elif (
                    len(way) <= self._search.max_depth
                    and (useful is None or parent in useful)
                    and all(parent.subject.key != each.subject.key or parent.spki != each.spki for each in way)
                ):
                    waiting.append((*way, parent))

    def issuers(self, child: Certificate) -> list[Certificate]:
        """Return the CAs that bear the issuer's name, have no defect and made the signature; those that fit first."""
        known = self._issuers.get(child)
        if known is None:
            named = self._named(child)
            if len(named) > 1:
                named.sort(key=lambda each: (not _hints_at(child, each), each not in self._anchors))
            known = [
                each for each in named if self._defect(each) is None and self._signature_problem(child, each) is None
            ]
            self._issuers[child] = known
        return known

    def first_cause(self, objection: NoPath | None) -> NoPath:
        """Say why there is no path: what is wrong with the first complete way, or where the walk upwards ends."""
        if objection is not None:
            return objection
        if self._search.leaf in self._search.anchors:
            return NoPath(f"{name_of(self._search.leaf)} is not a CA certificate, so --ca does not trust it", _PIN)
        current, seen = self._search.leaf, {self._search.leaf}
        for _ in range(self._search.max_depth + 2):
            named = self._named(current)
            if not named:
                return self._missing(current)
            signed = [each for each in named if self._signature_problem(current, each) is None]
            if not signed:
                return self._wrong_key(current, named)
            usable = [each for each in signed if self._defect(each) is None]
            if not usable:
                return next(filter(None, map(self._defect, signed)))
            above = [each for each in usable if each not in seen]
            if not above:
                return self._circle(current)
            current = next((each for each in above if each in self._anchors), above[0])
            seen.add(current)
            if current in self._anchors:
                break
        return NoPath(
            "the chain has more intermediates than --max-depth allows", "raise --max-depth if that is intended"
        )

    def _named(self, child: Certificate) -> list[Certificate]:
        return [each for each in self._by_subject.get(child.issuer.key, ()) if each != child]

    def _signature_problem(self, child: Certificate, parent: Certificate) -> str | None:
        """Say why a CA did not sign a certificate; each key is tried once."""
        pair = (child, parent.spki)
        if pair not in self._signed:
            if len(self._signed) >= MAX_SIGNATURE_CHECKS:
                return "too many signatures to check"
            try:
                self._signed[pair] = _signature_problem(child, parent)
            except (InputError, UnsupportedError) as error:
                self._signed[pair] = str(error)
        return self._signed[pair]

    def _defect(self, ca: Certificate) -> NoPath | None:
        """Say why a certificate can be no CA of any path; None if it can."""
        if ca not in self._defects:
            try:
                self._defects[ca] = _ca_problem(ca, self._search.at, is_trusted=ca in self._anchors)
            except InputError as error:
                self._defects[ca] = NoPath(f"the CA {name_of(ca)} cannot be read: {error.message}", _INSPECT)
        return self._defects[ca]

    def _leads_to_anchors(self) -> set[Certificate]:
        """Return the certificates above the leaf from which signatures lead to an anchor."""
        below: dict[Certificate, list[Certificate]] = {}
        waiting, seen = [self._search.leaf], {self._search.leaf}
        for child in waiting:
            if child in self._anchors and child is not self._search.leaf:
                continue
            for parent in self.issuers(child):
                below.setdefault(parent, []).append(child)
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        useful: set[Certificate] = set()
        waiting = [each for each in below if each in self._anchors]
        while waiting:
            for child in below.get(waiting.pop(), ()):
                if child not in useful:
                    useful.add(child)
                    waiting.append(child)
        return useful

    def _trusted(self) -> str:
        if len(self._anchors) > 3:
            return f"{len(self._anchors)} CAs"
        return ", ".join(map(name_of, self._anchors)) or "none"

    def _wrong_key(self, current: Certificate, named: Sequence[Certificate]) -> NoPath:
        issuer = brief(current.issuer.text) or "(an empty name)"
        why = self._signature_problem(current, named[0]) or ""
        if "does not" not in why:
            return NoPath(f"the signature of {name_of(current)} cannot be checked: {why}", _INSPECT)
        if is_self_issued(current):
            return NoPath(
                f"{name_of(current)} is self-signed, and not the trusted certificate of that name (another key)",
                _WRONG_CA,
            )
        where = "trusted CA" if any(each in self._anchors for each in named) else "CA"
        return NoPath(
            f"the {where} {issuer} did not sign {name_of(current)}: {why} (RFC 5280 section 6.1.3)",
            "this is another CA of the same name: the CA may have been renewed, or belong to another environment; get"
            " the CA certificate from the partner",
        )

    def _missing(self, current: Certificate) -> NoPath:
        issuer = brief(current.issuer.text) or "(an empty name)"
        if any(each.subject.key == current.issuer.key for each in self._search.distrusted):
            return NoPath(
                f"the CA {issuer} is marked as untrusted for this purpose",
                "the file's trust settings (BEGIN TRUSTED CERTIFICATE) reject it; ask where the file came from",
            )
        if is_self_issued(current):
            if current in self._search.anchors:
                return NoPath(f"{name_of(current)} is not a CA certificate, so --ca does not trust it", _PIN)
            begin = (
                f"{issuer} is self-signed and"
                if current == self._search.leaf
                else f"the chain ends at {issuer}, which is"
            )
            return NoPath(f"{begin} not one of the trusted CAs (trusted: {self._trusted()})", _WRONG_CA)
        if any(each.subject.key == current.issuer.key for each in self._search.anchors):
            return NoPath(
                f"{issuer} issued {name_of(current)} and is not a CA certificate, so --ca does not trust it (RFC 5280"
                " section 4.2.1.9)",
                _WRONG_CA,
            )
        where = ca_issuers(current)
        fetch = f"; its address, by the certificate: {where}" if where else ""
        return NoPath(
            f"the certificate of {issuer}, which issued {name_of(current)}, is missing (trusted: {self._trusted()})",
            f"if it is an intermediate, add it with --untrusted{fetch}; if it is a root, --ca is for another partner or"
            " environment",
        )

    def _circle(self, current: Certificate) -> NoPath:
        if is_self_issued(current):
            return self._missing(current)
        return NoPath(
            f"the CAs of the chain only sign each other; none of them is trusted (trusted: {self._trusted()})",
            _WRONG_CA,
        )


def _hints_at(child: Certificate, parent: Certificate) -> bool:
    try:
        return fits(child, parent)
    except InputError:
        return False


def name_of(certificate: Certificate) -> str:
    """Return the subject of a certificate for a message, whatever state it is in, and not too long."""
    try:
        return certificate.brief_name or "the certificate"
    except InputError:
        return "a certificate that cannot be read"


def own_problem(certificate: Certificate) -> NoPath | None:
    """Say what rules a certificate out whoever issued it, apart from its dates; None if nothing does.

    Raises:
        InputError: if the certificate cannot be read.
    """
    who = name_of(certificate)
    if certificate.signature_algorithm != certificate.tbs_signature_algorithm:
        return NoPath(
            f"{who} names two different signature algorithms, inside and outside"
            f" the signed part (RFC 5280 section 4.1.1.2)",
            _ASK_ISSUER,
        )
    try:
        scheme = signatures.scheme(certificate.signature_algorithm)
    except UnsupportedError as error:
        return NoPath(f"{who} cannot be verified: {error}", "ask the issuer for a certificate with a common algorithm")
    if scheme.is_weak:
        return NoPath(
            f"{who} is signed with {scheme.shown}, which is too weak",
            "ask the issuer for a certificate signed with SHA-256",
        )
    return _content_problem(certificate, who)


def _content_problem(certificate: Certificate, who: str) -> NoPath | None:
    """Say which part of a certificate rules it out, trusted or not (RFC 5280 section 4.2 and 6.1.4 o)."""
    for broken in certificate.deviations:
        if not broken.is_tolerated:
            section = broken.section if " " in broken.section else f"RFC 5280 section {broken.section}"
            return NoPath(f"{who}: {broken.message} ({section})", _ASK_ISSUER)
    for each in certificate.extensions:
        if isinstance(each.value, Unreadable) and (each.critical or each.oid in _PROCESSED):
            return NoPath(
                f"{who} has an extension ({each.oid}) that cannot be read: {each.value.reason} (RFC 5280 section 4.2)",
                _ASK_ISSUER,
            )
        if each.critical and each.oid not in _PROCESSED:
            return NoPath(
                f"{who} has a critical extension that certkit does not know: {each.oid} (RFC 5280 section 4.2)",
                _ASK_ISSUER,
            )
        if each.critical and each.oid == kinds.CERTIFICATE_POLICIES and not _has_readable_qualifiers(each.value):
            return NoPath(
                f"{who} has a critical policy with a qualifier that certkit cannot read (RFC 5280 section 4.2.1.4)",
                _ASK_ISSUER,
            )
    return None


def _has_readable_qualifiers(found: Sequence[kinds.PolicyInformation]) -> bool:
    """Whether every qualifier is an address of practices (CPSuri) or a notice for users (RFC 5280 section 4.2.1.4)."""
    try:
        for oid, raw in itertools.chain.from_iterable(policy.qualifiers for policy in found):
            start, end = tlv.only(raw, _QUALIFIERS[oid])
            if oid == _NOTICE:
                tags = [node[0] for node in tlv.children(raw, start, end)]
                if tags and not (set(tags) - {tlv.SEQUENCE} <= _NOTICE_TEXTS and tags[1:] in ([], tags[-1:])):
                    return False
            elif not raw[start:end].isascii():
                return False
    except (KeyError, tlv.DerError):
        return False
    return True


def _ca_problem(ca: Certificate, at: datetime, *, is_trusted: bool) -> NoPath | None:
    """Say why a certificate can be no CA at a moment, wherever it stands; None if it can."""
    who = name_of(ca)
    begin, end = ca.not_before, ca.not_after
    if not begin or not end:
        return NoPath(f"the CA {who} has a date that cannot be read", _INSPECT)
    if at > end:
        hint = "get the CA's new certificate"
        return NoPath(f"the CA {who} expired on {rfc3339(end)} (RFC 5280 section 6.1.3)", hint)
    if at < begin:
        hint = "check this machine's clock"
        return NoPath(f"the CA {who} is not valid before {rfc3339(begin)} (RFC 5280 section 6.1.3)", hint)
    problem = _content_problem(ca, who) if is_trusted else own_problem(ca)
    if problem is not None:
        return problem
    if not (is_anchor(ca) if is_trusted else ca.is_ca):
        return NoPath(
            f"{who} signed a certificate, but is not a CA (RFC 5280 section 4.2.1.9)",
            "do not trust this chain; ask the partner",
        )
    if ca.version < 3 and ca.extensions:
        return NoPath(
            f"the CA {who} has extensions and is of version {ca.version}, which has none (RFC 5280 section 4.1.2.1)",
            _ASK_ISSUER,
        )
    usage = ca.key_usage
    if usage is not None and (isinstance(usage, Unreadable) or "keyCertSign" not in usage):
        return NoPath(
            f"the key usage of the CA {who} does not allow it to sign certificates (RFC 5280 section 4.2.1.3)",
            "ask the partner",
        )
    return _key_problem(ca, who)


def _key_problem(ca: Certificate, who: str) -> NoPath | None:
    key = ca.key
    if isinstance(key, Unreadable):
        return NoPath(f"the key of the CA {who} cannot be read: {key.reason}", _INSPECT)
    if key.has_explicit_curve:
        return NoPath(
            f"the CA {who} gives its curve by explicit parameters instead of a name (RFC 5480 section 2.1.1)",
            "ask the CA for a certificate with a named curve",
        )
    if not is_sound_ca_key(key.type, key.bits):
        why = "is too weak" if key.type.startswith("rsa-") else "is of a kind that is not accepted"
        return NoPath(f"the CA {who} has a key that {why}: {key.type}", "ask the CA for a stronger certificate chain")
    if key.weakness:
        return NoPath(f"the CA {who} has a weak key: {key.weakness}", "ask the CA for a stronger certificate chain")
    return None


def is_sound_ca_key(type_name: str, bits: int) -> bool:
    """Whether a CA's key may be relied upon: RSA of 2048 bits or more, or another one that is sound."""
    return type_name in _SOUND_KEYS or (type_name.startswith("rsa-") and bits >= 2048)


def _serves(way: Path, purpose: str) -> bool:
    """Whether the CAs below the anchor may issue for a purpose."""
    return all(each.extended_key_usage is None or allows(each.extended_key_usage or (), purpose) for each in way[1:-1])


def _objection(way: Path, budget: Comparisons) -> NoPath | None:
    """Say what a CA of a way does not allow below it; None if everything is OK (RFC 5280 section 6.1.3 and 6.1.4)."""
    followed = 0
    for ca in way[1:]:
        limits = ca.basic_constraints
        allowed = limits.path_length if isinstance(limits, kinds.BasicConstraints) else None
        if allowed is not None and followed > allowed:
            return NoPath(
                f"the CA {name_of(ca)} has a path length limit of {allowed}, but the number of CAs below it is"
                f" {followed} (RFC 5280 section 4.2.1.9)",
                _INSPECT,
            )
        followed += not is_self_issued(ca)
    try:
        problem = _constraint_problem(way, budget)
    except TooManyError:
        most = f"{constraints.MAX_COMPARISONS:,}"
        return NoPath(f"the chain has more names and name constraints than can be compared ({most} times)", _INSPECT)
    if problem is not None:
        return problem
    for child, ca in itertools.pairwise(way):
        missing = set(ca.tls_features or ()) - set(child.tls_features or ())
        if missing:
            listed = ", ".join(map(str, sorted(missing)))
            return NoPath(
                f"{name_of(child)} lacks TLS features that the CA {name_of(ca)} requires: {listed} (RFC 7633 section"
                " 4.2.2)",
                _ASK_ISSUER,
            )
    if not policies.hold(way):
        return NoPath(
            "the chain does not have the certificate policy that a CA in it requires (RFC 5280 section 6.1.5)", _INSPECT
        )
    return None


def _constraint_problem(way: Path, budget: Comparisons) -> NoPath | None:
    """Say which name a CA of a way may not issue for; None if there is none (RFC 5280 section 6.1.3 b and c)."""
    parsed: dict[int, tuple[list[Parsed], str]] = {}
    for number, ca in enumerate(way[1:], 1):
        found = ca.name_constraints
        if found is None:
            continue
        if isinstance(found, Unreadable):
            return NoPath(f"the name constraints of {name_of(ca)} cannot be read: {found.reason}", _ASK_ISSUER)
        limits = Limits.of(found)
        for below in range(number):
            # Intermediates that are self-issued are exempt; the leaf is not.
            if below and is_self_issued(way[below]):
                continue
            if below not in parsed:
                parsed[below] = _names_of(way[below], is_leaf=below == 0)
            names, common_name = parsed[below]
            refused = constraints.violation(names, limits, budget, common_name=common_name)
            if refused is not None:
                return NoPath(
                    f"{name_of(ca)} may not issue certificates for {brief(refused)} because of its name"
                    " constraints (RFC 5280 section 4.2.1.10)",
                    "ask the CA for a certificate for names that it may issue for",
                )
    return None


def _names_of(certificate: Certificate, *, is_leaf: bool) -> tuple[list[Parsed], str]:
    """Return every name of a certificate, parsed; and the only common name of a leaf without alternative names."""
    subject, listed = certificate.subject, certificate.subject_alt_name
    names = []
    if not subject.is_empty:
        names.append(Parsed("dirName", None if subject.is_lenient else subject.rdn_keys, subject.text))
    if isinstance(listed, Unreadable):
        return [*names, Parsed("unknown", None, "alternative names that cannot be read")], ""
    names += map(constraints.parsed, listed or ())
    # Also beside alternative names, where RFC 5280 does not ask for it: programs read the address from the subject.
    names += [constraints.parsed(_mailbox(value)) for value in subject.values("emailAddress")]
    common = subject.values("CN") if is_leaf and listed is None else ()
    return names, common[0] if len(common) == 1 else ""


def _mailbox(value: str) -> GeneralName:
    return GeneralName("email", value, value.encode("utf-8"), "" if value.isascii() else "not ASCII")


def ca_issuers(certificate: Certificate) -> str:
    """Return the address of the issuer's certificate, if the certificate has one (RFC 5280 section 4.2.2.1)."""
    return access_location(certificate, "1.3.6.1.5.5.7.48.2")


def access_location(certificate: Certificate, method: str) -> str:
    """Return an address in a certificate's authority information (RFC 5280 section 4.2.2.1); empty if there is none."""
    entries = certificate.authority_information_access or ()
    return next((each.location.value for each in entries if each.method == method and not each.location.problem), "")
