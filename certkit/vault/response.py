"""What Vault answered, made fit for hvac and for error messages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.printable import printable
from certkit.vault.errors import Kind, VaultError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.vault.answers import Answer

_MAX_MESSAGE = 300
_SHORTEST_SECRET = 6  # of a development server's token "root", every message would be full of holes
_JSON_HEADERS = {"Content-Type": "application/json"}
_PLAIN_HTTP_TO_HTTPS = "client sent an http request to an https server"  # what Go's servers answer


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with the face that hvac knows from `requests`; `was_refused` says that the server did nothing."""

    status_code: int
    document: dict[str, Any] | None = field(repr=False)
    text: str = ""
    retry_after: float = 0.0
    was_refused: bool = False
    headers: dict[str, str] = field(default_factory=_JSON_HEADERS.copy, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked to."""
        return self.status_code < 400

    def json(self) -> dict[str, Any]:
        """The document; hvac asks for it where there is one.

        Raises:
            ValueError: there is none.
        """
        if self.document is None:
            raise ValueError("there is no document")
        return self.document


def understood(answer: Answer, *, place: str, secrets: Sequence[str]) -> Response:
    """An answer of Vault's, whose errors do not hold the secrets of the request.

    Raises:
        VaultError: the answer is not one of Vault's.
    """
    document = _document(answer.body)
    if answer.status < 400:
        if document is None and answer.body:
            raise _not_vault(answer, place)
        return Response(answer.status, document)
    errors = _errors(document, secrets)
    if errors is None and (answer.status < 500 or _asks_for_tls(answer)):
        raise _not_vault(answer, place)
    return Response(
        answer.status,
        # The status, because hvac's errors keep the document only.
        {**(document or {}), "errors": errors or [], "status": answer.status},
        text="; ".join(map(without_count, errors or [])) or f"status {answer.status}",
        retry_after=_seconds(answer.headers.get("retry-after", "")),
        was_refused=answer.status in {501, 503} and errors is not None,
    )


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _errors(document: dict[str, Any] | None, secrets: Sequence[str]) -> list[str] | None:
    """What an answer gives as its errors, fit to be shown; None where it is none of Vault's."""
    if document is None:
        return None
    errors = document.get("errors", [] if "data" in document else None)
    if not isinstance(errors, list):
        return None
    return [_shown(str(error), secrets) for error in errors[:10]]


def _shown(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "(hidden)")
    return printable(" ".join(text.split())[:_MAX_MESSAGE].rstrip("."))


def without_count(error: str) -> str:
    """An error without the heading of a list of errors: `1 error occurred: * permission denied`."""
    return re.sub(r"^\d+ errors? occurred: \* ", "", error)


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else 0.0


def _asks_for_tls(answer: Answer) -> bool:
    return _PLAIN_HTTP_TO_HTTPS in answer.body[:200].decode("latin-1").lower()


def _not_vault(answer: Answer, place: str) -> VaultError:
    if _asks_for_tls(answer):
        return VaultError(f"cannot reach, {place}: it wants TLS", hint="set VAULT_ADDR to https://...", kind=Kind.TLS)
    return VaultError(
        f"cannot use, {place}: its answer with status {answer.status} is not one of Vault's",
        hint="check VAULT_ADDR, and what stands before the server",
        kind=Kind.NOT_VAULT,
        was_sent=True,
    )
