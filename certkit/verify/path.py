"""Path building and validation (RFC 5280 section 6.1): from a certificate to an anchor, or the reason for failure.

The search walks upwards by names; key identifiers only say which CA to try first. A certificate that has a defect of
its own, whatever the path, is never entered, and neither is a CA whose key did not make the signature. The complete
paths that remain are judged as a whole, short ones first: path lengths, name constraints, policies, TLS features. All
work is counted, so that neither thousands of CAs of one name nor a mesh of cross-signatures keeps a processor busy;
what is not found within the budget counts as absent.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from certkit.errors import InputError
from certkit.printable import brief, decimal
from certkit.times import rfc3339
from certkit.verify import constraints, policies
from certkit.verify.constraints import Comparisons
from certkit.verify.purpose import allows
from certkit.x509 import extensions as kinds
from certkit.x509 import oids, signatures
from certkit.x509.certificate import Certificate, kept
from certkit.x509.signatures import UnsupportedError
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    Path = tuple[Certificate, ...]

DEFAULT_MAX_DEPTH = 8

# So many signatures, steps and complete paths are tried for one verdict; a chain that needs more is an attack.
MAX_SIGNATURE_CHECKS = 500
_MAX_STEPS = 5_000
_MAX_PATHS = 100

# The extensions that are processed, here or in the modules beside. They limit a certificate's use, or say
# whose it is: one that cannot be read refuses the certificate, critical or not.
_PROCESSED = frozenset(
    {
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.KEY_USAGE,
        oids.SUBJECT_ALT_NAME,
        oids.BASIC_CONSTRAINTS,
        oids.NAME_CONSTRAINTS,
        oids.CRL_DISTRIBUTION_POINTS,
        oids.CERTIFICATE_POLICIES,
        oids.POLICY_MAPPINGS,
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.POLICY_CONSTRAINTS,
        oids.EXTENDED_KEY_USAGE,
        oids.INHIBIT_ANY_POLICY,
        oids.TLS_FEATURES,
    }
)
# A CA's key may be RSA of 2048 bits or more, or one of these (NIST SP 800-186; RFC 8032; FIPS 204).
_SOUND_KEYS = frozenset({"ec-p256", "ec-p384", "ec-p521", "ed25519", "ed448", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"})

TWO_ALGORITHMS = (
    "names two different signature algorithms, inside and outside the signed part (RFC 5280 section 4.1.1.2)"
)

_INSPECT = "inspect each certificate with certkit inspect, and ask the issuer"
_ASK_ISSUER = "ask the issuer for a certificate that follows RFC 5280"
_WRONG_CA = (
    "check that the certificate and --ca belong to the same partner and environment; trust another CA only if the"
    " partner confirms its fingerprint"
)
_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"  # how an access description says so (RFC 5280 section 4.2.2.1)
_PIN = "to trust exactly this certificate, and nothing that it signed, use --pin instead of --ca"


class NoPath(NamedTuple):
    """The reason why no path leads from a certificate to an anchor: the first cause in plain words, and a hint."""

    reason: str
    hint: str


class Search(NamedTuple):
    """The path to find: from a leaf to one of the anchors, at a moment, for a purpose (client, server, any).

    `distrusted` certificates are in no path. `max_depth` counts the intermediates between leaf and anchor.
    """

    leaf: Certificate
    anchors: Sequence[Certificate]
    untrusted: Sequence[Certificate]
    at: datetime
    distrusted: Sequence[Certificate] = ()
    purpose: str = "any"
    max_depth: int = DEFAULT_MAX_DEPTH


def build_path_in_time(search: Search) -> tuple[Search, Path | NoPath]:
    """Build the path at the requested moment, or when the leaf was valid; return the search that was made.

    A certificate out of its own dates has a finding for that, so its chain is judged when it was valid; and if that
    fails, at the moment itself, for its CA may have been renewed since.
    """
    begin, end = search.leaf.not_before, search.leaf.not_after
    if isinstance(begin, Unreadable) or isinstance(end, Unreadable) or begin <= search.at <= end:
        return search, build_path(search)
    then = search._replace(at=min(max(search.at, begin), end))
    result = build_path(then)
    if isinstance(result, NoPath):
        path = build_path(search)
        if not isinstance(path, NoPath):
            return search, path
    return then, result


def build_path(search: Search) -> Path | NoPath:
    """Return the path, leaf first and anchor last; or why there is none.

    A path whose CAs may not issue for the purpose, or whose authority key identifiers do not fit, is the result where
    there is no better one; findings of their own say so.
    """
    problem = own_problem(search.leaf)
    if problem is not None:
        return problem
    walk = _Walk(search)
    best: tuple[bool, Path] | None = None
    first: NoPath | None = None
    budget = Comparisons()
    for way in walk.ways():
        objection = _objection(way, budget)
        if objection is not None:
            first = first or objection
            continue
        # Whether the CAs below the anchor may issue for the purpose.
        limits = [each.extended_key_usage for each in way[1:-1]]
        serves = all(limit is None or allows(limit or (), search.purpose) for limit in limits)
        if serves and all(map(fits, way, way[1:])):
            return way
        if best is None or serves > best[0]:
            best = serves, way
    return best[1] if best else walk.first_cause(first)


def fits(child: Certificate, parent: Certificate) -> bool:
    """Return whether a certificate's authority key identifier matches a CA, if both have it (RFC 5280 4.2.1.1)."""
    try:
        wanted = child.authority_key_identifier
        if not isinstance(wanted, kinds.AuthorityKeyIdentifier):
            return True
        own = parent.subject_key_identifier
        if wanted.key_identifier is not None and isinstance(own, bytes) and wanted.key_identifier != own:
            return False
        if wanted.serial is not None and wanted.serial != parent.serial:
            return False
        if wanted.issuer is None:
            return True
        issuers = [each.name.key for each in wanted.issuer if each.kind == "dirName"]
    except InputError:
        return False
    return not issuers or parent.issuer.key in issuers


def is_anchor(certificate: Certificate) -> bool:
    """Return whether a certificate can be trusted as a CA: it says that it is one, or predates that extension."""
    try:
        return certificate.is_ca or (
            certificate.version == 1 and not certificate.extensions and certificate.is_self_issued
        )
    except InputError:
        return False


def is_within_dates(certificate: Certificate, at: datetime) -> bool:
    """Return whether a certificate is valid at a moment by its own dates; False if they cannot be read."""
    begin, end = certificate.not_before, certificate.not_after
    return not isinstance(begin, Unreadable) and not isinstance(end, Unreadable) and begin <= at <= end


def is_signed(child: Certificate, parent: Certificate) -> bool:
    """Return whether a certificate is signed with the key of another, byte for byte."""
    try:
        return not names_two_algorithms(child) and _signature_problem(child, parent) is None
    except (InputError, UnsupportedError):
        return False


def _signature_problem(child: Certificate, parent: Certificate) -> str | None:
    key = parent.key
    if isinstance(key, Unreadable):
        raise UnsupportedError(key.reason)
    return _signature_problem_of_ca(child, key) if child.is_ca else child.signature_problem(key)


# Whether a signature is right does not depend on the moment, and CAs recur from one verdict to the next.
_signature_problem_of_ca = kept(Certificate.signature_problem)


class _Walk:
    """The certificates that can be reached from a leaf, and which signed which: each checked once, within a budget."""

    def __init__(self, search: Search) -> None:
        self._search = search
        # All are known by their bytes.
        self._anchors = {each.der: each for each in search.anchors if is_anchor(each)}
        self._by_subject: dict[tuple[object, ...], list[Certificate]] = {}
        for each in (self._anchors | {each.der: each for each in search.untrusted}).values():
            if each in search.distrusted:
                continue
            try:
                self._by_subject.setdefault(each.subject.key, []).append(each)
            except InputError:
                continue  # an unreadable certificate is unrelated, and no reason to stop
        self._signed: dict[tuple[bytes, bytes], str | None] = {}
        self._issuers: dict[bytes, list[Certificate]] = {}

    def ways(self) -> Iterator[Path]:
        """Yield the paths from the leaf to an anchor, short ones first; no name and key occurs twice in one."""
        leaf = self._search.leaf
        if leaf.der in self._anchors:
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
                if parent.der in self._anchors:
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
        """Return the sound CAs with the issuer's name whose key made the signature; those that fit first."""
        known = self._issuers.get(child.der)
        if known is None:
            named = self._named(child)
            if len(named) > 1:
                named.sort(key=lambda each: (not fits(child, each), each.der not in self._anchors))
            known = [
                each for each in named if self._defect(each) is None and self._signature_problem(child, each) is None
            ]
            self._issuers[child.der] = known
        return known

    def first_cause(self, objection: NoPath | None) -> NoPath:
        """Return why there is no path: the defect of the first complete path, or where the walk upwards ends."""
        if objection is not None:
            return objection
        if self._search.leaf in self._search.anchors:
            return NoPath(f"{self._search.leaf.brief_name} is not a CA certificate, so --ca does not trust it", _PIN)
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
            if not above and current.is_self_issued:
                return self._missing(current)
            if not above:
                trusted = self._trusted()
                message = f"the CAs of the chain only sign each other; none of them is trusted (trusted: {trusted})"
                return NoPath(message, _WRONG_CA)
            current = next((each for each in above if each.der in self._anchors), above[0])
            seen.add(current)
            if current.der in self._anchors:
                break
        return NoPath(
            "the chain has more intermediates than --max-depth allows", "raise --max-depth if that is intended"
        )

    def _named(self, child: Certificate) -> list[Certificate]:
        return [each for each in self._by_subject.get(child.issuer.key, ()) if each.der != child.der]

    def _signature_problem(self, child: Certificate, parent: Certificate) -> str | None:
        """Return why a CA did not sign a certificate; each key is tried once."""
        pair = child.der, parent.spki
        if pair not in self._signed:
            if len(self._signed) >= MAX_SIGNATURE_CHECKS:
                return "too many signatures to check"
            try:
                self._signed[pair] = _signature_problem(child, parent)
            except (InputError, UnsupportedError) as error:
                self._signed[pair] = str(error)
        return self._signed[pair]

    def _defect(self, ca: Certificate) -> NoPath | None:
        """Return why a certificate cannot be a CA in any path; None if it can."""
        at = self._search.at
        try:
            begin, end = ca.not_before, ca.not_after
            if not begin or not end:
                return NoPath(f"the CA {ca.brief_name} has a date that cannot be read", _INSPECT)
            if at > end:
                message = f"the CA {ca.brief_name} expired on {rfc3339(end)} (RFC 5280 section 6.1.3)"
                return NoPath(message, "get the CA's new certificate")
            if at < begin:
                message = f"the CA {ca.brief_name} is not valid before {rfc3339(begin)} (RFC 5280 section 6.1.3)"
                return NoPath(message, "check this machine's clock, or the time given")
            return _lasting_problem(ca, ca.der in self._anchors)
        except InputError as error:
            return NoPath(f"the CA {ca.brief_name} cannot be read: {error.message}", _INSPECT)

    def _leads_to_anchors(self) -> set[Certificate]:
        """Return the certificates above the leaf from which signatures lead to an anchor."""
        below: dict[Certificate, list[Certificate]] = {}
        waiting, seen = [self._search.leaf], {self._search.leaf}
        for child in waiting:
            if child.der in self._anchors and child is not self._search.leaf:
                continue
            for parent in self.issuers(child):
                below.setdefault(parent, []).append(child)
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        useful: set[Certificate] = set()
        waiting = [each for each in below if each.der in self._anchors]
        while waiting:
            for child in below.get(waiting.pop(), ()):
                if child not in useful:
                    useful.add(child)
                    waiting.append(child)
        return useful

    def _trusted(self) -> str:
        if len(self._anchors) > 3:
            return f"{len(self._anchors)} CAs"
        return ", ".join(each.brief_name for each in self._anchors.values()) or "none"

    def _wrong_key(self, current: Certificate, named: Sequence[Certificate]) -> NoPath:
        issuer = brief(current.issuer.text) or "(an empty name)"
        why = self._signature_problem(current, named[0]) or ""
        if "does not" not in why:
            return NoPath(f"the signature of {current.brief_name} cannot be checked: {why}", _INSPECT)
        if current.is_self_issued:
            return NoPath(
                f"{current.brief_name} is self-signed, and not the trusted certificate of that name (another key)",
                _WRONG_CA,
            )
        where = "trusted CA" if any(each.der in self._anchors for each in named) else "CA"
        return NoPath(
            f"the {where} {issuer} did not sign {current.brief_name}: {why} (RFC 5280 section 6.1.3)",
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
        if current.is_self_issued:
            if current in self._search.anchors:
                return NoPath(f"{current.brief_name} is not a CA certificate, so --ca does not trust it", _PIN)
            begin = (
                f"{issuer} is self-signed and"
                if current == self._search.leaf
                else f"the chain ends at {issuer}, which is"
            )
            return NoPath(f"{begin} not one of the trusted CAs (trusted: {self._trusted()})", _WRONG_CA)
        if any(each.subject.key == current.issuer.key for each in self._search.anchors):
            return NoPath(
                f"{issuer} issued {current.brief_name} and is not a CA certificate, so --ca does not trust it (RFC 5280"
                " section 4.2.1.9)",
                _WRONG_CA,
            )
        where = access_location(current, _CA_ISSUERS)
        fetch = f"; its address, by the certificate: {where}" if where else ""
        return NoPath(
            f"the certificate of {issuer}, which issued {current.brief_name}, is missing (trusted: {self._trusted()})",
            f"if it is an intermediate, add it with --untrusted{fetch}; if it is a root, --ca is for another partner or"
            " environment",
        )


def names_two_algorithms(certificate: Certificate) -> bool:
    """Return whether the signature algorithm differs inside and outside the signed part (RFC 5280 section 4.1.1.2)."""
    return certificate.signature_algorithm != certificate.tbs_signature_algorithm


def own_problem(certificate: Certificate) -> NoPath | None:
    """Return what rules a certificate out regardless of its issuer and dates; None if nothing does.

    Raises:
        InputError: if the certificate cannot be read.
    """
    if names_two_algorithms(certificate):
        return NoPath(f"{certificate.brief_name} {TWO_ALGORITHMS}", _ASK_ISSUER)
    try:
        scheme = signatures.scheme(certificate.signature_algorithm)
    except UnsupportedError as error:
        return NoPath(
            f"{certificate.brief_name} cannot be verified: {error}",
            "ask the issuer for a certificate with a common algorithm",
        )
    if scheme.is_weak:
        return NoPath(
            f"{certificate.brief_name} is signed with {scheme.shown}, which is too weak",
            "ask the issuer for a certificate signed with SHA-256",
        )
    return content_problem(certificate)


def content_problem(certificate: Certificate) -> NoPath | None:
    """Return the part of a certificate that rules it out, trusted or not (RFC 5280 section 4.2 and 6.1.4 o)."""
    for broken in certificate.deviations:
        if not broken.is_tolerated:
            return NoPath(f"{certificate.brief_name}: {broken.message} ({broken.source})", _ASK_ISSUER)
    for oid, critical, _, value in certificate.extensions:
        message = ""
        if isinstance(value, Unreadable) and (critical or oid in _PROCESSED):
            message = f"has an extension ({oid}) that cannot be read: {value.reason} (RFC 5280 section 4.2)"
        elif critical and oid not in _PROCESSED:
            message = f"has a critical extension that certkit does not know: {oid} (RFC 5280 section 4.2)"
        elif critical and oid == oids.CERTIFICATE_POLICIES and not all(each.has_readable_qualifiers for each in value):
            message = "has a critical policy with a qualifier that certkit cannot read (RFC 5280 section 4.2.1.4)"
        if message:
            return NoPath(f"{certificate.brief_name} {message}", _ASK_ISSUER)
    return None


@kept
def _lasting_problem(ca: Certificate, is_trusted: bool) -> NoPath | None:  # noqa: FBT001  as it is kept by
    """Return why a certificate cannot be a CA at any moment; None if it can."""
    who, key = ca.brief_name, ca.key
    problem = content_problem(ca) if is_trusted else own_problem(ca)
    if problem is not None:
        return problem
    if not (is_anchor(ca) if is_trusted else ca.is_ca):
        message = f"{who} signed a certificate, but is not a CA (RFC 5280 section 4.2.1.9)"
        return NoPath(message, "do not trust this chain; ask the partner")
    if ca.version < 3 and ca.extensions:
        message = (
            f"the CA {who} has extensions and is of version {ca.version}, which has none (RFC 5280 section 4.1.2.1)"
        )
        return NoPath(message, _ASK_ISSUER)
    usage = ca.key_usage
    if usage is not None and (isinstance(usage, Unreadable) or "keyCertSign" not in usage):
        message = f"the key usage of the CA {who} does not allow it to sign certificates (RFC 5280 section 4.2.1.3)"
        return NoPath(message, "ask the partner")
    if isinstance(key, Unreadable):
        return NoPath(f"the key of the CA {who} cannot be read: {key.reason}", _INSPECT)
    if key.has_explicit_curve:
        message = f"the CA {who} gives its curve by explicit parameters instead of a name (RFC 5480 section 2.1.1)"
        return NoPath(message, "ask the CA for a certificate with a named curve")
    if key.type not in _SOUND_KEYS and not (key.type.startswith("rsa-") and key.bits >= 2048):
        why = "is too weak" if key.type.startswith("rsa-") else "is of a kind that is not accepted"
        return NoPath(f"the CA {who} has a key that {why}: {key.type}", "ask the CA for a stronger certificate chain")
    if key.weakness:
        return NoPath(f"the CA {who} has a weak key: {key.weakness}", "ask the CA for a stronger certificate chain")
    return None


def _objection(way: Path, budget: Comparisons) -> NoPath | None:
    """Return what a CA of a path forbids below it; None if nothing (RFC 5280 sections 6.1.3 and 6.1.4)."""
    followed = 0
    for ca in way[1:]:
        limits = ca.basic_constraints
        allowed = limits.path_length if isinstance(limits, kinds.BasicConstraints) else None
        if allowed is not None and followed > allowed:
            return NoPath(
                f"the CA {ca.brief_name} has a path length limit of {allowed}, but the number of CAs below it is"
                f" {followed} (RFC 5280 section 4.2.1.9)",
                _INSPECT,
            )
        followed += not ca.is_self_issued
    refused = constraints.objection(way, budget)
    if refused is not None:
        return NoPath(*refused)
    for child, ca in itertools.pairwise(way):
        missing = ca.tls_features and set(ca.tls_features) - set(child.tls_features or ())
        if missing:
            listed = brief(", ".join(map(decimal, sorted(missing))))
            message = f"{child.brief_name} lacks TLS features that the CA {ca.brief_name} requires: {listed}"
            return NoPath(f"{message} (RFC 7633 section 4.2.2)", _ASK_ISSUER)
    if not policies.hold(way):
        return NoPath(
            "the chain does not have the certificate policy that a CA in it requires (RFC 5280 section 6.1.5)", _INSPECT
        )
    return None


def access_location(certificate: Certificate, method: str) -> str:
    """Return an address in a certificate's authority information (RFC 5280 section 4.2.2.1); empty if there is none."""
    entries = certificate.authority_information_access or ()
    return next((each.location.value for each in entries if each.method == method and not each.location.problem), "")
