"""What Terraform is told of an identity, or of a certificate at a source: strings by name, all public."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.expiry import thresholds as expiry
from certkit.expiry.sources.base import Failure, KnownSighting, Sighting
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status
from certkit.identity import overview
from certkit.printable import printable
from certkit.stores.base import AbsentError
from certkit.terraform.external import is_utf8
from certkit.times import parse_time, rfc3339
from certkit.x509 import describe, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from cryptography import x509

    from certkit.expiry.sources.base import Source
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store
    from certkit.terraform.external import Query

ABSENT = "absent"

_URGENCY = {Status.CRITICAL.value: 0, Status.WARNING.value: 1, Status.OK.value: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The facts that Terraform keeps in its state; what there is not is an empty string.

    They are those of the generation in use, else of the one that waits for its answer or to be used. `status` judges
    the certificate in use; `csr` is the request that waits. Of a certificate at a source, `state` is empty.
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

    def document(self) -> dict[str, str]:
        """The answer as the flat object of strings that Terraform reads.

        Raises:
            InputError: a path is no text, and so Terraform would read another one.
        """
        document = asdict(self)
        for key, value in document.items():
            if not is_utf8(value):
                hint = "use a directory whose name is UTF-8"
                raise InputError(f"cannot tell, {key}: {printable(value)}: it is not UTF-8", hint=hint)
        return document


def about_identity(
    query: Query, store: Store, *, name: str, policy_of: Callable[[str], Policy], now: datetime
) -> Answer:
    """What there is to say about an identity; that there is none is an answer too.

    Raises:
        PolicyError: the identity's policy cannot be used.
        InputError: the thresholds contradict each other.
        StoreError: the store cannot be read.
    """
    try:
        identity = store.load(name)
    except AbsentError:
        return Answer(state=ABSENT)
    if not identity.generations:  # enrolling was killed, and is completed when it is done again
        return Answer(state=ABSENT)
    policy = policy_of(identity.record.settings.policy)
    found = overview.overview(identity, policy, now=now)
    shown = found.active or found.pending or found.generations[-1]
    answer = Answer(spki_sha256=shown.key.spki_sha256 if shown.key else "")
    if shown.certificate is not None:
        answer = _judged(_described(shown.certificate), query, policy, now=now)
    if found.active is None:
        answer = replace(answer, status=found.status.value, ready_for_renewal=_yes(found.pending is None))
    location = store.location(identity, shown.generation)
    return replace(
        answer,
        state=shown.state.value,
        csr=(found.pending.csr if found.pending else None) or "",
        certificate_path=location.certificate if shown.certificate is not None else "",
        key_reference=location.key,
    )


def about_source(query: Query, sources: Iterable[Source], *, policy: Policy, now: datetime) -> Answer:
    """What there is to say about the most urgent certificate among some sources; of a bundle, the leaf counts.

    Raises:
        InputError: a part of the sources cannot be read, or there is no certificate.
    """
    answers = (_judged(each, query, policy, now=now) for each in _certificates(sources))
    # Times of this form are in the order of their letters.
    found = min(answers, key=lambda each: (_URGENCY[each.status], each.validity_end_time), default=None)
    if found is None:
        raise InputError(f"cannot find, {query.source}: there is no certificate in it", hint="check the source")
    return found


def _certificates(sources: Iterable[Source]) -> Iterator[Answer]:
    """The leaf certificates of some sources.

    Raises:
        InputError: a part of the sources cannot be read.
    """
    for seen in (seen for source in sources for part in source.parts() for seen in part.look()):
        if isinstance(seen, Failure):
            raise InputError(seen.message, hint=seen.hint)
        if isinstance(seen, Sighting) and seen.is_leaf:
            yield _described(seen.certificate)
        elif isinstance(seen, KnownSighting):
            yield _known(seen)


def _described(certificate: x509.Certificate) -> Answer:
    """The facts of a certificate.

    Raises:
        InputError: a field that is needed cannot be read.
    """
    facts = describe.certificate(certificate)
    unreadable = ", ".join(facts.get("problems", ()))
    if unreadable:
        raise InputError(f"cannot read, a certificate's fields: {unreadable}", hint="get it again")
    return Answer(
        validity_start_time=facts["not_before"],
        validity_end_time=facts["not_after"],
        fingerprint_sha256=facts["fingerprint_sha256"],
        spki_sha256=facts["key"]["spki_sha256"],
        subject=facts["subject"],
        issuer=facts["issuer"],
        serial=facts["serial"],
    )


def _known(seen: KnownSighting) -> Answer:
    """The facts of a certificate that may not be read itself."""
    return Answer(
        validity_start_time=rfc3339(seen.not_before),
        validity_end_time=rfc3339(seen.not_after),
        fingerprint_sha256=seen.fingerprint.hex(),
        subject=seen.subject,
        issuer=seen.issuer,
        serial=names.serial_hex(seen.serial),
    )


def _judged(answer: Answer, query: Query, policy: Policy, *, now: datetime) -> Answer:
    """The facts of a certificate with what they mean now."""
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
