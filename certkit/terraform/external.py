"""What Terraform asks for: the query of its data source `external`, one JSON object of strings."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from certkit.durations import Duration
from certkit.errors import InputError
from certkit.stores.record import require_name

MAX_QUERY_BYTES = 64 * 1024

_HINT = 'give {"identity": NAME} with or without "store", or {"source": SOURCE}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question about an identity in a store, or about what is seen at a source; one of both is there.

    `store` is where identities are, if not where the environment says. `warn` and `critical` take the place of the
    policy's thresholds.
    """

    identity: str | None = None
    source: str | None = None
    store: str | None = None
    warn: Duration | None = None
    critical: Duration | None = None

    @classmethod
    def parse(cls, data: bytes) -> Query:
        """The query in what came from standard input.

        Raises:
            InputError: it is no query, or asks for something that there is not.
        """
        texts = _texts(_loaded(data))
        for key in ("warn", "critical"):
            if key in texts:
                texts[key] = Duration.parse(texts[key])
        query = cls(**texts)
        if (query.identity is None) == (query.source is None):
            asked = "nothing" if query.identity is None else "an identity and a source at once"
            raise InputError(f"cannot answer, the query: it asks for {asked}", hint=_HINT)
        if query.identity is not None:
            require_name(query.identity)
        return query


def _loaded(data: bytes) -> Any:
    """The document in these bytes.

    Raises:
        InputError: they are no JSON, or a name stands twice in an object.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise InputError("cannot read, the query: it is nested too deeply", hint=_HINT) from None
    except ValueError as error:
        reason = "it is empty" if not data.strip() else "it is not JSON in UTF-8"
        raise InputError(f"cannot read, the query: {reason}", hint=_HINT) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("cannot read, the query: a key stands in it twice", hint="leave one of them out")
    return found


def _texts(document: Any) -> dict[str, Any]:
    """The document as the texts that it must consist of, by the names of `Query`.

    Raises:
        InputError: it is anything else.
    """
    if not isinstance(document, dict):
        raise InputError("cannot read, the query: it is no JSON object", hint=_HINT)
    known = [each.name for each in fields(Query)]
    for key, value in document.items():
        if key not in known:
            raise InputError(f"cannot answer, the query: unknown key {key[:80]!r}", hint=f"keys are {', '.join(known)}")
        if not isinstance(value, str):
            raise InputError(f"cannot read, the query: {key!r} is no string", hint="put it in quotes")
        if not value:
            raise InputError(f"cannot answer, the query: {key!r} is empty", hint="leave it out, or set it to null")
        if "\0" in value or not is_utf8(value):
            raise InputError(f"cannot read, the query: {key!r} is no text", hint="give text in UTF-8")
    return document


def is_utf8(text: str) -> bool:
    """Whether a text can be told to somebody who reads UTF-8: a path from the system need not be so."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
