"""Commands in hints, completed so that they can be pasted: with the store given on the command line."""

from __future__ import annotations

import re
from typing import Any

# A command that takes --store, with its arguments, up to its options or the punctuation after it.
_COMMAND = (
    r"certkit (?![^;`\n]*--(?:store|help)\b)"
    r"(?:identity [a-z]+|store [a-z]+|wise (?:token [a-z-]+|setup|check))(?: (?![-(])[^\s;,:`()]+)*"
)


def with_store(text: str, store: str | None) -> str:
    """Return a hint with `--store` added to its commands, if a store was given."""
    if store is None:
        return text
    import shlex

    return re.sub(_COMMAND, lambda found: f"{found.group()} --store {shlex.quote(store)}", text)


def in_document(document: Any, store: str | None) -> Any:
    """Return a JSON document with its hints and next steps completed by `with_store`."""
    if store is None:
        return document
    if isinstance(document, list):
        return [in_document(each, store) for each in document]
    if not isinstance(document, dict):
        return document
    return {
        name: with_store(value, store)
        if name in {"hint", "next"} and isinstance(value, str)
        else in_document(value, store)
        for name, value in document.items()
    }
