"""HTTP, for the few small requests that certkit makes: bounded in time and in size, without redirects."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from certkit.errors import InputError

if TYPE_CHECKING:
    import urllib.request

MAX_ANSWER_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10.0


def post(url: str, body: bytes, *, content_type: str, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """The answer to a POST, within `timeout` seconds for all of it, the look-up of the name included.

    Raises:
        InputError: the address is not http or https, or there is no answer with status 200 and of reasonable size.
    """
    import urllib.request

    if not url.lower().startswith(("http://", "https://")):
        raise InputError(f"cannot ask, {url}: neither http nor https", hint="use another way")
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type}, method="POST")  # noqa: S310
    answers: list[bytes | Exception] = []

    def ask() -> None:
        try:
            answers.append(_answer(request, timeout))
        except Exception as error:  # noqa: BLE001  whatever went wrong there, it is told here
            answers.append(error)

    # A thread, because nothing bounds the look-up of a name from within.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    if not answers:
        raise InputError(f"cannot ask, {url}: no answer within {timeout:g} seconds", hint="check the network")
    answer = answers[0]
    if isinstance(answer, Exception):
        reason = getattr(answer, "reason", None) or answer
        raise InputError(f"cannot ask, {url}: {str(reason).lower()}", hint="check the network") from answer
    return answer


def _answer(request: urllib.request.Request, timeout: float) -> bytes:
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object, **__: object) -> None:
            return None

    with urllib.request.build_opener(NoRedirect).open(request, timeout=timeout) as response:
        data: bytes = response.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise ValueError("the answer is too long")
    return data
