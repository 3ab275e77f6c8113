"""The session that hvac sends its requests with, in place of that of `requests`."""

from __future__ import annotations

import functools
import json as json_module
import string
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from certkit.secret import Secret
from certkit.vault.errors import Kind, VaultError
from certkit.vault.transport import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.vault.connection import Connection
    from certkit.vault.response import Response
    from certkit.vault.transport import Transport


class Session:
    """Requests by the way of one transport; `repeats_writes` is said of writes that may as well happen twice.

    A `Secret` may stand wherever hvac takes a text, as the token or within a document: it is revealed here, as the
    last thing before it goes out.
    """

    # hvac's adapter looks for these; what they would set is the transport's business.
    verify = True
    cert = None
    proxies = None

    def __init__(self, transport: Transport, *, repeats_writes: bool) -> None:
        self._transport = transport
        self._repeats_writes = repeats_writes

    def request(
        self,
        *,
        method: str,
        url: str,
        headers: Mapping[str, str | Secret],
        json: object = None,
        params: Mapping[str, object] | None = None,
        **_: object,
    ) -> Response:
        """The answer to a request that hvac makes.

        Raises:
            VaultError, UncertainWrite: as `Transport.send` does.
        """
        revealed: list[str] = []
        body = b"" if json is None else _encoded(json, revealed)
        fields = {"User-Agent": "certkit", **headers}
        if body or method.upper() not in {"GET", "HEAD"}:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = b"".join(_line(name, value, revealed) for name, value in fields.items())
        return self._send(Request(method.upper(), self._target(url, params), lines, body, tuple(revealed)))

    def _send(self, request: Request) -> Response:
        return self._transport.send(request, may_repeat=self._repeats_writes)

    def _target(self, url: str, params: Mapping[str, object] | None) -> str:
        target = "/" + url.partition("://")[2].partition("/")[2]
        # hvac quotes most of what it puts in a path; a blank that is left would end the request line.
        if not target.isascii() or not target.isprintable() or " " in target:
            target = quote(target, safe=string.punctuation)
        return f"{target}?{urlencode(params)}" if params else target

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class SessionAhead(Session):
    """Reads that can be begun before hvac asks for them, each over a connection of its own."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, repeats_writes=False)
        self._begun: dict[str, Connection] = {}
        self._last: Request | None = None

    def begin(self, url: str, params: Mapping[str, object] | None = None) -> None:
        """Begin a read, with the headers of the last one; before the first, and where it fails, nothing happens."""
        target = self._target(url, params)
        if self._last is None or target in self._begun:
            return
        connection = self._transport.begin(self._last, target)
        if connection is not None:
            self._begun[target] = connection

    def _send(self, request: Request) -> Response:
        self._last = request
        return self._transport.send(request, may_repeat=True, sent_on=self._begun.pop(request.target, None))

    def close(self) -> None:
        """Give up what was begun; the transport stays open."""
        while self._begun:
            self._begun.popitem()[1].close()


def _encoded(document: object, revealed: list[str]) -> bytes:
    def reveal(value: Any) -> str:
        if not isinstance(value, Secret):
            raise TypeError(f"{type(value).__name__} is not JSON")
        revealed.append(value.reveal().decode("utf-8", "surrogateescape"))
        return revealed[-1]

    return json_module.dumps(document, default=reveal).encode("ascii")


def _line(name: str, value: str | Secret, revealed: list[str]) -> bytes:
    if not isinstance(value, Secret):
        return _plain_line(name, value)
    text = value.reveal().decode("latin-1")
    revealed.append(text)
    return _checked_line(name, text)


def _checked_line(name: str, text: str) -> bytes:
    if not text.isascii() or not text.isprintable():
        raise VaultError(
            f"cannot ask: the header {name} would hold characters that none may have",
            hint="log in again",
            kind=Kind.BAD_REQUEST,
        )
    return f"{name}: {text}\r\n".encode("ascii")


# Nearly all headers are the same in every request.
_plain_line = functools.lru_cache(maxsize=64)(_checked_line)
