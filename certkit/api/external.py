"""Queries and answers of Terraform's data source `external`: `certkit terraform query` for programs.

A query and its answer are one JSON object of public strings each.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.handle import opener
from certkit.api.signatures import public
from certkit.durations import Duration
from certkit.errors import CertkitError, InputError
from certkit.expiry import thresholds as expiry
from certkit.expiry.sources.base import Failure, ReportedFacts, Sighting
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status
from certkit.identity import overview
from certkit.printable import is_utf8, printable, with_options, without_options
from certkit.report.hints import with_store
from certkit.stores.base import AbsentError
from certkit.stores.record import require_name
from certkit.times import rfc3339
from certkit.x509 import describe, names
from certkit.x509.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from certkit.api.arguments import Passphrase
    from certkit.expiry.sources.base import Source
    from certkit.policy.rules import Policy
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.stores.opening import Opener

MAX_QUERY_BYTES = 64 * 1024

# What Terraform keeps in its state. The facts are those of the active generation, else of the one that is pending or
# issued; `status` judges the active certificate; `csr` is the pending request. Of a source, `state` is empty.
_FIELDS = (
    "status state days_left validity_start_time validity_end_time ready_for_renewal fingerprint_sha256 spki_sha256"
    " subject issuer serial csr certificate_path key_reference deploy_hook"
)
NOTHING = dict.fromkeys(_FIELDS.split(), "") | {"deploy_hook": "none"}

_HINT = 'give {"identity": NAME} with or without "store", or {"source": SOURCE}'
_OF_THE_COMMAND = {"passphrase-file"}
_URGENCY = [Status.CRITICAL, Status.WARNING, Status.OK]


@public
def terraform_query(
    query: bytes | Mapping[str, str],
    *,
    passphrase: Passphrase | None = None,
    environment: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> dict[str, str]:
    """Answer a query of Terraform's data source `external`, as `certkit terraform query` does.

    Args:
        query: `identity` with or without `store`, or `source`, and thresholds `warn` and `critical`; or that as JSON.
        passphrase: opens a sealed store or an encrypted PKCS#12.
        environment: variables to use in place of `os.environ`, such as `VAULT_ADDR`.
        now: the moment to judge; by default the present.

    Raises:
        certkit.InputError: if it is not a query, or the source cannot be read.
        certkit.StoreError: if the store cannot be read.
    """
    from certkit.policy import catalogue

    asked = query if isinstance(query, bytes) else json.dumps(dict(query)).encode()
    moment = now or arguments.now()
    return answered(asked, opener(environment), arguments.secret(passphrase), policy_of=catalogue.load, now=moment)


def answered(
    query: bytes, opening: Opener, secret: Secret | None, *, policy_of: Callable[[str], Policy], now: datetime
) -> dict[str, str]:
    """Answer a query in JSON.

    Raises:
        InputError: if it is not a query, the source cannot be read, or is a device or a pipe, for which a plan would
            wait; or if a path is not UTF-8, of which Terraform would read another one.
        StoreError: if the store cannot be read.
    """
    from certkit.expiry.sources.parsing import access, parse
    from certkit.files import reading

    asked = Query.parse(query)
    with contextlib.ExitStack() as stack, _hints_about(asked):
        if asked.identity is not None:
            store = stack.enter_context(opening.open(asked.store, passphrase=secret))
            answer = about_identity(asked, store, name=asked.identity, policy_of=policy_of, now=now)
        else:
            reference = asked.source or ""
            if reading.is_special(reference) and not reading.is_directory(reference):
                raise InputError(f"cannot read {reference}: it is a device or a pipe", hint="name a file")
            opened = stack.enter_context(access(lambda: opening, store=asked.store, passphrase=secret, now=now))
            answer = about_source(asked, parse([reference], opened), policy=policy_of("general"), now=now)
    for key, value in answer.items():
        if not is_utf8(value):
            hint = "use a directory whose name is UTF-8"
            raise InputError(f"{key} is not UTF-8: {printable(value)}", hint=hint)
    return answer


@contextlib.contextmanager
def _hints_about(query: Query) -> Iterator[None]:
    """Have the hints of errors name the keys of the query, and its store."""
    try:
        yield
    except CertkitError as error:
        keys = {each.name for each in fields(Query)}
        hint = without_options(error.hint, lambda option: option not in {*keys, *_OF_THE_COMMAND})
        hint = with_options(hint, lambda option: f'"{option}"' if option in keys else f"--{option}")
        error.hint = with_store(hint, query.store)
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query about an identity in a store, or about a source of certificates; one of the two is set.

    `store` is the URI of the store, by default that of the environment. `warn` and `critical` replace the policy's
    thresholds.
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


def about_identity(
    query: Query, store: Store, *, name: str, policy_of: Callable[[str], Policy], now: datetime
) -> dict[str, str]:
    """Return the facts of an identity; one that does not exist is `absent`.

    Raises:
        PolicyError: if the identity's policy cannot be used.
        InputError: if the thresholds contradict each other.
        StoreError: if the store cannot be read.
    """
    try:
        identity = store.load(name)
    except AbsentError:
        return NOTHING | {"state": "absent"}
    if not identity.generations:  # enrolling was killed, and is completed when it is done again
        return NOTHING | {"state": "absent"}
    policy = policy_of(identity.record.settings.policy)
    found = overview.overview(identity, policy, now=now)
    shown = found.active or found.pending or found.generations[-1]
    certificate = overview.certificate(overview.generation(identity, shown.generation)) if shown.not_after else None
    location = store.location(identity, shown.generation)
    deploy_hook = "ok" if identity.record.settings.deploy_hook else "none"
    answer = NOTHING if certificate is None else _judged(certificate, query, policy, now=now)
    if found.active is None:
        answer = answer | {"status": found.status.value, "ready_for_renewal": _yes(found.pending is None)}
    return answer | {
        "state": shown.state.value,
        "spki_sha256": shown.spki_sha256 or "",
        "csr": (found.pending.csr if found.pending else None) or "",
        "certificate_path": location.certificate if certificate is not None else "",
        "key_reference": location.key,
        "deploy_hook": deploy_hook if identity.record.undeployed is None else "failed",
    }


def about_source(query: Query, sources: Iterable[Source], *, policy: Policy, now: datetime) -> dict[str, str]:
    """Return the facts of the most urgent certificate among some sources; of a bundle, the leaf counts.

    Raises:
        InputError: if a part of the sources cannot be read, or there is no certificate.
    """
    answers = []
    for seen in itertools.chain.from_iterable(each.look() for each in sources):
        if isinstance(seen, Failure):
            raise InputError(seen.message, hint=seen.hint)
        if isinstance(seen, Sighting) and seen.is_first and isinstance(seen.values[0], Certificate | ReportedFacts):
            answers.append(_judged(seen.values[0], query, policy, now=now))
    if not answers:
        raise InputError(f"{query.source} contains no certificate", hint="check the source")
    # Times of this form sort as text.
    return min(answers, key=lambda each: (_URGENCY.index(Status(each["status"])), each["validity_end_time"]))


def _judged(seen: Certificate | ReportedFacts, query: Query, policy: Policy, *, now: datetime) -> dict[str, str]:
    """Return the facts of a certificate with its present status; of one that may not be read itself, fewer facts.

    Raises:
        InputError: if a required field cannot be read, or the thresholds contradict each other.
    """
    if isinstance(seen, ReportedFacts):
        begin, end = seen.not_before, seen.not_after
        facts = {
            "fingerprint_sha256": seen.fingerprint.hex(),
            "subject": seen.subject,
            "issuer": seen.issuer,
            "serial": names.serial_hex(seen.serial),
        }
    else:
        described = describe.certificate(seen)
        unreadable = ", ".join(described.get("problems", ()))
        if unreadable:
            raise InputError(f"cannot read a field of the certificate: {unreadable}", hint="download it again")
        begin, end = seen.dates()
        facts = {name: described[name] for name in ("fingerprint_sha256", "subject", "issuer", "serial")}
        facts["spki_sha256"] = described["key"]["spki_sha256"]
    thresholds = Thresholds.choose(warn=query.warn, critical=query.critical, defaults=policy.expiry)
    opens = expiry.renewal_opens(not_before=begin, not_after=end, opens=policy.renewal.opens)
    return {
        **NOTHING,
        **facts,
        "status": thresholds.judge(not_before=begin, not_after=end, now=now).value,
        "days_left": str(expiry.days_left(end, now)),
        "validity_start_time": rfc3339(begin),
        "validity_end_time": rfc3339(end),
        "ready_for_renewal": _yes(now >= opens),
    }


def _yes(is_so: bool) -> str:  # noqa: FBT001  a word for a truth value
    return "true" if is_so else "false"
