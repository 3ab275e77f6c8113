"""Queries and results of Terraform's data source `external`: one JSON object of public strings each."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from certkit.durations import Duration
from certkit.errors import InputError
from certkit.expiry import thresholds as expiry
from certkit.expiry.sources.base import Failure, PlainCertificates, ReportedFacts, Sighting
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status
from certkit.identity import overview
from certkit.printable import printable
from certkit.stores.base import AbsentError
from certkit.stores.record import require_name
from certkit.times import parse_time, rfc3339
from certkit.x509 import describe, names
from certkit.x509.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from certkit.expiry.sources.base import Source
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store

ABSENT = "absent"
MAX_QUERY_BYTES = 64 * 1024

_HINT = 'give {"identity": NAME} with or without "store", or {"source": SOURCE}'

_URGENCY = {Status.CRITICAL.value: 0, Status.WARNING.value: 1, Status.OK.value: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query about an identity in a store, or about a source of certificates; one of the two is set.

    `store` is the URI of the store, by default that of the environment. `warn` and `critical` replace the
    policy's thresholds.
    """

    identity: str | None = None
    source: str | None = None
    store: str | None = None
    warn: Duration | None = None
    critical: Duration | None = None

    @classmethod
    def parse(cls, data: bytes) -> Query:
        """Parse the query in the bytes from standard input.

        Raises:
            InputError: if it is not a query.
        """
        texts = _texts(data)
        for key in ("warn", "critical"):
            if key in texts:
                texts[key] = Duration.parse(texts[key])
        query = cls(**texts)
        if (query.identity is None) == (query.source is None):
            asked = "neither an identity nor a source" if query.identity is None else "both an identity and a source"
            raise InputError(f"the query names {asked}", hint=_HINT)
        if query.identity is not None:
            require_name(query.identity)
        return query


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("cannot read the query: a key appears twice", hint="remove one of them")
    return found


def _texts(data: bytes) -> dict[str, Any]:
    """Return the texts of a JSON object, by the names of `Query`.

    Raises:
        InputError: if the bytes are anything else.
    """
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise InputError("cannot read the query: it is nested too deeply", hint=_HINT) from None
    except ValueError as error:
        reason = "it is empty" if not data.strip() else "it is not JSON in UTF-8"
        raise InputError(f"cannot read the query: {reason}", hint=_HINT) from error
    if not isinstance(document, dict):
        raise InputError("cannot read the query: it is not a JSON object", hint=_HINT)
    known = [each.name for each in fields(Query)]
    for key, value in document.items():
        if key not in known:
            raise InputError(f"unknown key {key[:80]!r} in the query", hint=f"known keys: {', '.join(known)}")
        if not isinstance(value, str):
            raise InputError(f"cannot read the query: {key!r} is not a string", hint="quote the value")
        if not value:
            raise InputError(f"{key!r} in the query is empty", hint="leave it out, or set it to null")
        if "\0" in value or not is_utf8(value):
            raise InputError(f"cannot read the query: {key!r} is not text in UTF-8", hint="give text in UTF-8")
    return document


def is_utf8(text: str) -> bool:
    """Return whether a text is UTF-8: a path from the system need not be."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAnswer:
    """The facts that Terraform keeps in its state; absent ones are empty strings.

    They are those of the active generation, else of the one that is pending or issued. `status` judges
    the active certificate; `csr` is the pending request. For a certificate at a source, `state` is empty.
    """

    status: str = ""
    state: str = ""
    days_left: str = ""
    validity_start_time: str = ""
    validity_end_time: str = ""
    ready_for_renewal: str = ""
    fingerprint_sha256: str = ""
    spki_sha256: str = ""
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    csr: str = ""
    certificate_path: str = ""
    key_reference: str = ""
    deploy_hook: str = "none"

    def document(self) -> dict[str, str]:
        """Return the result as the flat object of strings that Terraform reads.

        Raises:
            InputError: if a path is not UTF-8: Terraform would read a different one.
        """
        document = asdict(self)
        for key, value in document.items():
            if not is_utf8(value):
                hint = "use a directory whose name is UTF-8"
                raise InputError(f"{key} is not UTF-8: {printable(value)}", hint=hint)
        return document


def about_identity(
    query: Query, store: Store, *, name: str, policy_of: Callable[[str], Policy], now: datetime
) -> ExternalAnswer:
    """Return the facts of an identity; one that does not exist is `absent`.

    Raises:
        PolicyError: if the identity's policy cannot be used.
        InputError: if the thresholds contradict each other.
        StoreError: if the store cannot be read.
    """
    try:
        identity = store.load(name)
    except AbsentError:
        return ExternalAnswer(state=ABSENT)
    if not identity.generations:  # enrolling was killed, and is completed when it is done again
        return ExternalAnswer(state=ABSENT)
    policy = policy_of(identity.record.settings.policy)
    found = overview.overview(identity, policy, now=now)
    shown = found.active or found.pending or found.generations[-1]
    answer = ExternalAnswer(spki_sha256=shown.spki_sha256 or "")
    certificate = overview.certificate(overview.generation(identity, shown.generation)) if shown.not_after else None
    if certificate is not None:
        answer = _judged(_described(certificate), query, policy, now=now)
    if found.active is None:
        answer = replace(answer, status=found.status.value, ready_for_renewal=_yes(found.pending is None))
    location = store.location(identity, shown.generation)
    deploy_hook = "ok" if identity.record.settings.deploy_hook else "none"
    return replace(
        answer,
        state=shown.state.value,
        csr=(found.pending.csr if found.pending else None) or "",
        certificate_path=location.certificate if certificate is not None else "",
        key_reference=location.key,
        deploy_hook=deploy_hook if identity.record.undeployed is None else "failed",
    )


def about_source(query: Query, sources: Iterable[Source], *, policy: Policy, now: datetime) -> ExternalAnswer:
    """Return the facts of the most urgent certificate among some sources; of a bundle, the leaf counts.

    Raises:
        InputError: if a part of the sources cannot be read, or there is no certificate.
    """
    answers = (_judged(each, query, policy, now=now) for each in _certificates(sources))
    # Times of this form sort as text.
    found = min(answers, key=lambda each: (_URGENCY[each.status], each.validity_end_time), default=None)
    if found is None:
        raise InputError(f"{query.source} contains no certificate", hint="check the source")
    return found


def _certificates(sources: Iterable[Source]) -> Iterator[ExternalAnswer]:
    """Yield the leaf certificates of some sources.

    Raises:
        InputError: if a part of the sources cannot be read.
    """
    found = (seen for source in sources for seen in source.look())
    for seen in itertools.chain.from_iterable(
        each.sightings() if isinstance(each, PlainCertificates) else (each,) for each in found
    ):
        if isinstance(seen, Failure):
            raise InputError(seen.message, hint=seen.hint)
        if isinstance(seen, Sighting) and isinstance(seen.value, ReportedFacts):
            yield _from_facts(seen.value)
        elif isinstance(seen, Sighting) and isinstance(seen.value, Certificate) and seen.is_leaf:
            yield _described(seen.value)


def _described(certificate: Certificate) -> ExternalAnswer:
    """Return the facts of a certificate.

    Raises:
        InputError: if a required field cannot be read.
    """
    facts = describe.certificate(certificate)
    unreadable = ", ".join(facts.get("problems", ()))
    if unreadable:
        raise InputError(f"cannot read a field of the certificate: {unreadable}", hint="download it again")
    return ExternalAnswer(
        validity_start_time=facts["not_before"],
        validity_end_time=facts["not_after"],
        fingerprint_sha256=facts["fingerprint_sha256"],
        spki_sha256=facts["key"]["spki_sha256"],
        subject=facts["subject"],
        issuer=facts["issuer"],
        serial=facts["serial"],
    )


def _from_facts(seen: ReportedFacts) -> ExternalAnswer:
    """Return the facts of a certificate that may not be read itself."""
    return ExternalAnswer(
        validity_start_time=rfc3339(seen.not_before),
        validity_end_time=rfc3339(seen.not_after),
        fingerprint_sha256=seen.fingerprint.hex(),
        subject=seen.subject,
        issuer=seen.issuer,
        serial=names.serial_hex(seen.serial),
    )


def _judged(answer: ExternalAnswer, query: Query, policy: Policy, *, now: datetime) -> ExternalAnswer:
    """Return the facts of a certificate with its present status."""
    rules = policy.expiry
    thresholds = Thresholds.choose(
        warn=query.warn, critical=query.critical, default_warn=rules.warn, default_critical=rules.critical
    )
    begin, end = parse_time(answer.validity_start_time), parse_time(answer.validity_end_time)
    opens = expiry.renewal_opens(not_before=begin, not_after=end, opens=policy.renewal.opens)
    return replace(
        answer,
        status=thresholds.judge(not_before=begin, not_after=end, now=now).value,
        days_left=str(expiry.days_left(end, now)),
        ready_for_renewal=_yes(now >= opens),
    )


def _yes(is_so: bool) -> str:  # noqa: FBT001  a word for a truth value
    return "true" if is_so else "false"
