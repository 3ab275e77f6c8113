"""Requests to the rehearsal and its responses, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_FIELDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """A request; names of headers are lower-case. The repr contains nothing that may be secret."""

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def fields(self) -> dict[str, str]:
        """The fields of the query, or of the form in a POST, the first of each name; none if the body is not a form.

        Bytes that are not UTF-8 become lone surrogates.
        """
        text = self.body.decode("ascii", "surrogateescape") if self.method == "POST" else self.query
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_FIELDS)
        except ValueError:
            return {}
        return dict(reversed(pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response."""

    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


def as_json(document: object, *, status: int = 200) -> Reply:
    """Return a document as a response of the API."""
    return Reply(status=status, content_type="application/json", body=json.dumps(document).encode())


def failure(status: int, error: str, description: str, *, challenge: str | None = None) -> Reply:
    """Return a failure in the form of the token endpoint: `{"error", "error_description"}`."""
    found = as_json({"error": error, "error_description": description}, status=status)
    return found if challenge is None else replace(found, headers={"WWW-Authenticate": challenge})


def redirect(address: str) -> Reply:
    """Redirect the browser to another URL, which it requests with GET."""
    return Reply(status=303, headers={"Location": address})
