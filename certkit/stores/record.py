"""Identities: named client credentials for one partner environment, and the state machine of their generations.

An identity is a record, one small document that changes, and generations, each of which is written once. The state of a
generation follows from both. The functions here decide which change is allowed; a store makes it, in one step, together
with the events that describe it.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, StoreError
from certkit.times import age, rfc3339
from certkit.x509.names import LISTS, SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

MAX_NAME = 64
VERSION = 2
LEGACY_VERSION = 1
"""Version 0.1.0 kept the settings in the record; it refuses records of version 2."""
ANSWERS, ANSWERED = "answers", "answered"
"""The facts about a request whose certificates were refused: their expiry (RFC 3339), and the time of the last one."""
FINGERPRINT, CSR = "fingerprint_sha256", "csr"
"""The facts that show what exists: a certificate, or a pending request (PEM)."""
LEASE = "lease"
"""The lease of a run that is having a certificate issued: until when other runs wait, and a mark of that run."""
MAX_EVENTS = 500
"""The number of events that are kept, the latest; at five a year that is a century."""
DETAILED = 16
"""The number of generations, the latest, that a document shows one by one: OpenBao takes 1,000 strings in a request."""
HANGS = timedelta(days=3)
"""A request that has waited so long may have been forgotten."""

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}", re.ASCII)
_GENERATION = re.compile(r"[0-9]{4,9}", re.ASCII)
_DOCUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


class State(StrEnum):
    """The state of a generation, which follows from its files and the record."""

    PENDING = "pending"
    ISSUED = "issued"
    ACTIVE = "active"
    PREVIOUS = "previous"
    RETIRED = "retired"
    DISCARDED = "discarded"


def require_name(name: str) -> str:
    """Return the name of an identity: 1 to 64 letters, digits, `.`, `_` or `-`, starting with a letter or digit.

    Raises:
        InputError: if it is not a valid name.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"not a valid identity name: {name!r}",
            hint="use 1 to 64 letters, digits, dots, underscores or hyphens, starting with a letter or digit",
        )
    return name


def is_name(text: str) -> bool:
    """Return whether the text is a valid name of an identity."""
    return _NAME.fullmatch(text) is not None


def is_generation(text: str) -> bool:
    """Return whether the text is the number of a generation, as `next_generation` makes them."""
    return _GENERATION.fullmatch(text) is not None


def require_document(text: str) -> str:
    """Return the name of a secret document of an identity: letters, digits, `.`, `_` or `-`, at most 128.

    Raises:
        InputError: if it is not a valid name.
    """
    if not _DOCUMENT.fullmatch(text):
        raise InputError(
            f"not a valid document name: {text!r}",
            hint="use up to 128 letters, digits, dots, underscores or hyphens, starting with a letter or digit",
        )
    return text


def is_document(text: str) -> bool:
    """Return whether the text is a valid name of a secret document."""
    return _DOCUMENT.fullmatch(text) is not None


def next_generation(known: Iterable[str]) -> str:
    """Return the number of the next generation: one more than the highest, of at least four digits."""
    return f"{max(map(int, known), default=0) + 1:04}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event: when (RFC 3339, UTC), by whom, and what; never a secret.

    `spki_sha256` and `fingerprint_sha256` are those of the generation's key and certificate, if they are new.
    """

    time: str
    who: str
    what: str
    generation: str | None = None
    certificate_name: str | None = None
    spki_sha256: str | None = None
    fingerprint_sha256: str | None = None

    def document(self) -> dict[str, str]:
        """Return the event as JSON-ready data, without absent values."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def line(self) -> str:
        """Return the event as a line of JSON."""
        return json.dumps(self.document())

    @classmethod
    def parse(cls, line: Any) -> Event:
        """Return the event in a line of JSON.

        Raises:
            TypeError, ValueError: if the line is not an event.
        """
        document = json.loads(line)
        names = {each.name for each in fields(cls)}
        if not isinstance(document, dict) or not names >= set(document):
            raise TypeError("not an event")
        if not all(isinstance(value, str) for value in document.values()):
            raise TypeError("a field of an event is not a string")
        return cls(**document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that an identity was enrolled with, for every renewal; absent values are None.

    `base_url` replaces the address of the partner's API: a rehearsal, or a proxy. `deploy_hook` is a command with an
    absolute path, or the name of a hook of the host configuration.
    """

    policy: str
    subject: SubjectOptions = field(default_factory=SubjectOptions)
    key_type: str | None = None
    issuer: str = "manual"
    client_id: str | None = None
    probe: str | None = None
    group: str | None = None
    trust_bundle: str | None = None
    base_url: str | None = None
    deploy_hook: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the settings as JSON-ready data."""
        subject = {name: list(value) if name in LISTS else value for name, value in asdict(self.subject).items()}
        return {"version": 1, **asdict(self), "subject": subject}

    @classmethod
    def parse(cls, document: Any, *, where: str) -> Settings:
        """Return the settings in JSON data.

        Raises:
            StoreError: if the data is not settings, or is of a newer version of certkit.
        """
        with _reading("the settings of an identity", where):
            values = dict(document)
            _require_version(values.pop("version"), {1}, "an identity's settings", where)
            return _settings(values)

    @property
    def is_blank(self) -> bool:
        """Whether no subject has been given yet: the identity was created to keep tokens."""
        return self.key_type is None and self.subject == SubjectOptions()

    def completed(self, others: Settings) -> Settings:
        """Return these settings, completed by the others."""
        empty = Settings(policy="")
        given = {each.name: getattr(others, each.name) for each in fields(Settings)}
        return replace(self, **{name: value for name, value in given.items() if value != getattr(empty, name)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything about an identity that changes.

    `active` is the active generation. `left` are those that were active before, in the order in which they were left.
    `names` are the certificate names that a person was asked to use, and `requested` the times of the requests
    (RFC 3339), by generation. `facts` describe the key and the certificate of each generation: `spki_sha256`, and what
    `certkit.x509.describe.facts` returns. `undeployed` is the generation in use as long as its deploy hooks have not
    succeeded, and `undeployed_hook` the one among them that was named for that once. `log` is what happened, the oldest
    first; a store may keep it apart. `generations` are those whose keys the store has, where it does not see that by
    looking; the store keeps it. `is_legacy` marks a record of version 0.1.0, which holds the settings, too.
    """

    settings: Settings
    active: str | None = None
    left: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    discarded: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    requested: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    undeployed: str | None = None
    undeployed_hook: str | None = None
    log: tuple[Event, ...] = ()
    generations: tuple[str, ...] = field(default=(), compare=False)
    is_legacy: bool = field(default=False, compare=False)

    def state(self, generation: str, *, has_certificate: bool) -> State:
        """Return the state of one generation."""
        if generation == self.active:
            return State.ACTIVE
        if generation in self.retired:
            return State.RETIRED
        if generation in self.discarded:
            return State.DISCARDED
        if not has_certificate:
            return State.PENDING
        return State.PREVIOUS if generation in self.left else State.ISSUED

    @property
    def owes_hook(self) -> bool:
        """Whether a deploy hook of the active generation has failed, and has not succeeded since."""
        return self.undeployed is not None and self.undeployed == self.active

    @property
    def previous(self) -> str | None:
        """The generation that a rollback goes back to: the last one left that is not retired."""
        usable = (each for each in reversed(self.left) if each != self.active and each not in self.retired)
        return next(usable, None)

    def activate(self, generation: str) -> Record:
        """Return the record with another generation active.

        Raises:
            InputError: if it was retired or discarded.
        """
        if generation in (*self.retired, *self.discarded):
            raise InputError(f"generation {generation} was retired or discarded", hint="activate another one")
        if generation == self.active:
            return self
        left = tuple(each for each in self.left if each not in {generation, self.active})
        return replace(self, active=generation, left=(*left, self.active) if self.active else left)

    def retire(self, generation: str) -> Record:
        """Return the record with a generation retired.

        Raises:
            InputError: if the generation is active.
        """
        if generation == self.active:
            raise InputError(f"generation {generation} is active", hint="activate another one first")
        return replace(self, retired=in_order({*self.retired, generation}))

    def discard(self, generation: str) -> Record:
        """Return the record without a request that was never fulfilled.

        Raises:
            InputError: if the generation is or was active.
        """
        if generation == self.active or generation in self.left:
            raise InputError(f"generation {generation} is not a request", hint="retire it instead")
        return replace(self, discarded=in_order({*self.discarded, generation}))

    def prune(self, generations: Sequence[str]) -> Record:
        """Return the record after keys and certificates of generations were deleted: none of them can be used again.

        Raises:
            InputError: if one of them is in use.
        """
        pruned = [each for each in generations if each not in (*self.retired, *self.discarded)]
        if self.active in pruned:
            raise InputError(f"generation {self.active} is active", hint="activate another one first")
        left = tuple(each for each in self.left if each not in generations)
        return replace(self, left=left, discarded=in_order({*self.discarded, *pruned}))

    def waiting(self, generation: str, now: datetime) -> timedelta | None:
        """Return how long ago a generation was requested; None if unknown."""
        return age(self.requested.get(generation), now)

    def facts_of(self, generation: str) -> Mapping[str, str]:
        """Return the facts about the key and the certificate of a generation; none if it is not described."""
        return self.facts.get(generation, {})

    def describe(self, generation: str, facts: Mapping[str, str]) -> Record:
        """Return the record with facts about the key or the certificate of a generation."""
        return replace(self, facts={**self.facts, generation: {**self.facts_of(generation), **facts}})

    def lines(self) -> list[str]:
        """Return the log as lines of JSON."""
        return [each.line() for each in self.log]

    def without_log(self) -> Record:
        """The record without its log, for comparison."""
        return replace(self, log=())

    def document(self) -> dict[str, Any]:
        """Return the state as JSON-ready data: the record without the settings and the log."""
        marks = {"kept": self.generations, "retired": self.retired, "discarded": self.discarded}
        numbers = in_order(
            {*self.retired, *self.discarded, *self.names, *self.requested, *self.facts, *self.generations}
        )
        generations = {
            number: {
                "marks": [mark for mark, marked in marks.items() if number in marked],
                "requested": self.requested.get(number),
                "certificate_name": self.names.get(number),
                "facts": dict(self.facts_of(number)),
            }
            for number in numbers
        }
        owed = {"generation": self.undeployed, "hook": self.undeployed_hook}
        past = set(numbers[:-DETAILED]) - {self.active, self.previous}
        return {
            "version": VERSION,
            "active": self.active,
            "previous": list(self.left),
            "generations": {number: each for number, each in generations.items() if number not in past},
            **({"past": json.dumps({number: generations[number] for number in in_order(past)})} if past else {}),
            "owed": None if self.undeployed is self.undeployed_hook is None else owed,
        }

    @classmethod
    def parse(cls, document: Any, *, settings: Settings | None = None, where: str) -> Record:
        """Return the record in JSON data; one of version 0.1.0 holds its settings itself.

        Raises:
            StoreError: if the data is not a record, or is of a newer version of certkit.
        """
        with _reading("an identity's record", where):
            version = document["version"]
            _require_version(version, {VERSION, LEGACY_VERSION}, "an identity's record", where)
            found = cls._legacy(document) if version == LEGACY_VERSION else cls._current(document, settings)
            _require_sound(found)
        return found

    @classmethod
    def _current(cls, document: Any, settings: Settings | None) -> Record:
        generations = {**json.loads(document.get("past") or "{}"), **document["generations"]}
        owed = document["owed"] if document["owed"] is not None else {"generation": None, "hook": None}
        if not all(map(is_generation, generations)):
            raise ValueError("not the number of a generation")

        def given(name: str) -> dict[str, Any]:
            return {number: each[name] for number, each in generations.items() if each[name] is not None}

        def marked(mark: str) -> tuple[str, ...]:
            return tuple(number for number, each in generations.items() if mark in _texts(each["marks"]))

        return cls(
            settings=settings or Settings(policy=""),
            active=document["active"],
            left=_texts(document["previous"]),
            retired=marked("retired"),
            discarded=marked("discarded"),
            names=given("certificate_name"),
            requested=given("requested"),
            facts={number: dict(each["facts"]) for number, each in generations.items() if each["facts"]},
            undeployed=owed["generation"],
            undeployed_hook=owed["hook"],
            log=tuple(map(Event.parse, document.get("log", []))),
            generations=in_order(marked("kept")),
        )

    @classmethod
    def _legacy(cls, document: Any) -> Record:
        return cls(
            settings=_settings(dict(document["settings"])),
            active=document["active"],
            names=dict(document["names"]),
            requested=dict(document.get("requested", {})),
            undeployed=document.get("undeployed"),
            undeployed_hook=document.get("undeployed_hook"),
            log=tuple(map(Event.parse, document.get("log", []))),
            left=_texts(document["left"]),
            retired=_texts(document["retired"]),
            discarded=_texts(document["discarded"]),
            is_legacy=True,
        )


def in_order(generations: Iterable[str]) -> tuple[str, ...]:
    """Return the numbers of generations, sorted."""
    return tuple(sorted(generations, key=lambda number: (int(number), number)))


@contextlib.contextmanager
def _reading(what: str, where: str) -> Iterator[None]:
    """Name what is read, and where, in the error if it cannot be read."""
    hint = "restore it from a backup"
    try:
        yield
    except KeyError as error:
        raise StoreError(f"cannot read {where}: not {what}: {error.args[0]} is missing", hint=hint) from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StoreError(f"cannot read {where}: not {what}: a value has the wrong type", hint=hint) from error
    except InputError as error:  # of the subject
        raise StoreError(error.message, hint=error.hint) from error


def _require_version(version: Any, known: set[int], what: str, where: str) -> None:
    if type(version) is not int or version not in known:
        is_newer = isinstance(version, int) and version > max(known)
        hint = "update certkit" if is_newer else "restore it from a backup"
        raise StoreError(f"cannot read {where}: version {version!r} of {what}", hint=hint)


def _settings(values: dict[str, Any]) -> Settings:
    subject = values.pop("subject")
    parts = {name: _texts(subject[name]) for name in {"units", "san", *(LISTS & set(subject))}}
    found = Settings(subject=SubjectOptions(**{**subject, **parts}), **values)
    texts = [found.policy, found.issuer]
    texts += [getattr(found.subject, each.name) for each in fields(SubjectOptions) if each.name not in LISTS]
    optional = [getattr(found, each.name) for each in fields(Settings) if each.name != "subject"]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(text, str | None) for text in optional):
        raise TypeError("a setting is not a string")
    return found


@dataclass(frozen=True, slots=True)
class Journal:
    """The author of changes to a store, and the clock that dates the events."""

    who: str
    clock: Callable[[], datetime]

    def noted(self, before: Record | None, after: Record) -> Record:
        """Return a changed record with an event for each change; `before` is None for a new record."""
        events = (replace(each, time=rfc3339(self.clock()), who=self.who) for each in changes(before, after))
        return replace(after, log=(*after.log, *events)[-MAX_EVENTS:])


def changes(before: Record | None, after: Record) -> Iterator[Event]:
    """Yield the events of a change of a record, without time and author."""
    if before is None:
        yield _event("created")
        before = Record(settings=after.settings)
    if after.settings != before.settings:
        yield _event("settings changed")
    for number, facts in after.facts.items():
        known = before.facts.get(number)
        if known is None and "spki_sha256" in facts:
            what, name = "requested" if number in after.requested else "adopted", after.names.get(number)
            yield _event(what, generation=number, certificate_name=name, spki_sha256=facts["spki_sha256"])
        if "fingerprint_sha256" in facts and "fingerprint_sha256" not in (known or {}):
            fingerprint, spki = facts["fingerprint_sha256"], facts.get("spki_sha256")
            yield _event("installed", generation=number, spki_sha256=spki, fingerprint_sha256=fingerprint)
    if after.active != before.active:
        is_older = after.active in before.left and int(after.active) < int(before.active or 0)
        yield _event("rolled back" if is_older else "activated", generation=after.active)
    for what, old, new in (
        ("retired", before.retired, after.retired),
        ("discarded", before.discarded, after.discarded),
    ):
        yield from (_event(what, generation=number) for number in new if number not in old)
    if before.undeployed is not None and after.undeployed is None and after.active == before.active:
        yield _event("deployed", generation=after.active)


def _event(what: str, **details: str | None) -> Event:
    return Event(time="", who="", what=what, **details)


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("not a list of strings")
    return tuple(values)


def _require_sound(record: Record) -> None:
    """Reject values that are not text, and numbers that are not a generation's."""
    texts = [*record.names.values(), *record.requested.values()]
    texts += [value for facts in record.facts.values() for value in facts.values()]
    if not all(isinstance(text, str) for text in texts) or not isinstance(record.undeployed_hook, str | None):
        raise TypeError("a value is not a string")
    single = [each for each in (record.active, record.undeployed) if each is not None]
    named = [*single, *record.left, *record.retired, *record.discarded, *record.names, *record.requested, *record.facts]
    if not all(isinstance(each, str) and is_generation(each) for each in named):
        raise ValueError("a generation's number is invalid")
