"""What happened to an identity: events, kept in its record, so that no change is there without its event."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.stores.record import Record

MAX_EVENTS = 500
"""So many events are kept, the latest; at five a year that is a century."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: when (RFC 3339, UTC), who did it, and what; never a secret.

    `spki_sha256` and `fingerprint_sha256` are those of the generation's key and certificate, where they are new.
    """

    time: str
    who: str
    what: str
    generation: str | None = None
    certificate_name: str | None = None
    spki_sha256: str | None = None
    fingerprint_sha256: str | None = None

    def document(self) -> dict[str, str]:
        """The event as JSON-ready data, without what there is nothing to say of."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def line(self) -> str:
        """The event as a line of JSON; servers limit how many texts a document has, so each event is one."""
        return json.dumps(self.document())

    @classmethod
    def parse(cls, line: Any) -> Event:
        """An event from a line of JSON.

        Raises:
            TypeError, ValueError: it is none.
        """
        document = json.loads(line)
        names = {each.name for each in fields(cls)}
        if not isinstance(document, dict) or not names >= set(document):
            raise TypeError("not an event")
        if not all(isinstance(value, str) for value in document.values()):
            raise TypeError("a part of an event is no text")
        return cls(**document)


def changes(before: Record, after: Record) -> Iterator[tuple[str, str | None]]:
    """What a change of a record did, and to which generation."""
    if after.settings != before.settings:
        yield "settings changed", None
    if after.active != before.active:
        is_older = after.active in before.left and int(after.active) < int(before.active or 0)
        yield ("rolled back" if is_older else "activated"), after.active
    for what, old, new in (
        ("retired", before.retired, after.retired),
        ("discarded", before.discarded, after.discarded),
    ):
        yield from ((what, number) for number in new if number not in old)
    if before.undeployed is not None and after.undeployed is None and after.active == before.active:
        yield "deployed", after.active
