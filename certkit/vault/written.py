"""How far the server was when it last wrote for us, so that no follower answers with less."""

from __future__ import annotations

import base64
import json
import re
import threading

_OPAQUE = re.compile(r"[!-~]{1,4096}")


class Written:
    """The state that our latest write reached, from the header X-Vault-Index of its answer.

    It is sent back with every request: a follower that has not come so far hands it to the leader. With writes, too,
    for a follower that has not seen the last version refuses by itself what is to follow it. OpenBao's form of the
    state is base64 of `{"cluster": ..., "value": "90"}`; any other is taken as it is.
    """

    def __init__(self) -> None:
        self._index = ""
        self._lock = threading.Lock()

    def note(self, index: str) -> None:
        """Remember the state of an answer, unless a later one is known; an empty text is none."""
        if not _OPAQUE.fullmatch(index):
            return
        with self._lock:
            if not _is_earlier(index, self._index):
                self._index = index

    def as_headers(self) -> bytes:
        """The lines for a request."""
        if not self._index:
            return b""
        return f"X-Vault-Index: {self._index}\r\nX-Vault-Inconsistent: forward-active-node\r\n".encode("ascii")


def _is_earlier(one: str, other: str) -> bool:
    """Whether two states of the same cluster are known to be in that order: writes in parallel may overtake others."""
    first, second = _read(one), _read(other)
    return first is not None and second is not None and first[0] == second[0] and first[1] < second[1]


def _read(index: str) -> tuple[str, int] | None:
    try:
        document = json.loads(base64.b64decode(index, validate=True))
        return str(document["cluster"]), int(document["value"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
