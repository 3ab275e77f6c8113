"""Connections to a server: through a proxy or not, with TLS or not, and never for longer than a deadline."""

from __future__ import annotations

import contextlib
import re
import threading
from typing import TYPE_CHECKING

from certkit.vault.answers import Reader

if TYPE_CHECKING:
    import socket
    import ssl

    from certkit.vault.answers import Answer, Deadline
    from certkit.vault.route import Origin, Proxy


class Connection:
    """A connection to a server, for one request at a time."""

    def __init__(self, connected: socket.socket, origin: Origin, proxy: Proxy | None) -> None:
        import select

        self._socket = connected
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        self._reader = Reader(connected)
        self._host = origin.netloc
        # A proxy is asked for the whole URL, unless it only passes on what is encrypted (RFC 9112 section 3.2.2).
        is_seen_by_proxy = proxy is not None and origin.scheme == "http"
        self._before_target = str(origin) if is_seen_by_proxy else ""
        self._for_proxy = _authorization(proxy) if is_seen_by_proxy else b""

    def send(self, method: str, target: str, headers: bytes, body: bytes, *, deadline: Deadline) -> None:
        """Send a request; `headers` are whole lines.

        Raises:
            OSError: the connection broke, or the time is over.
        """
        line = f"{method} {self._before_target}{target} HTTP/1.1\r\nHost: {self._host}\r\n".encode("ascii")
        rest = memoryview(b"".join((line, self._for_proxy, headers, b"\r\n", body)))
        while rest:
            self._socket.settimeout(deadline.left())
            rest = rest[self._socket.send(rest) :]

    def answer(self, deadline: Deadline) -> Answer:
        """Wait for the answer to the request that was sent; raises as `Reader.answer` does."""
        return self._reader.answer(deadline)

    @property
    def is_dropped(self) -> bool:
        """Whether the server has closed it meanwhile, or said something that nobody asked for."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close it; that cannot fail."""
        with contextlib.suppress(OSError):
            self._socket.close()


def connect(
    origin: Origin, *, proxy: Proxy | None, context: ssl.SSLContext | None, server_name: str, deadline: Deadline
) -> Connection:
    """A connection to a server, through a proxy where there is one; with TLS where there is a context.

    Raises:
        OSError, NotHttpError, TooLargeError: there is no way to the server.
    """
    connected = _connected(proxy.origin if proxy else origin, deadline)
    try:
        if context is not None:
            if proxy is not None:
                _tunnel(connected, origin, proxy, deadline)
            connected.settimeout(deadline.left())
            connected = context.wrap_socket(connected, server_hostname=server_name or origin.host)
    except BaseException:
        connected.close()
        raise
    return Connection(connected, origin, proxy)


def _connected(origin: Origin, deadline: Deadline) -> socket.socket:
    import socket

    addresses = _addresses(origin, deadline)
    failure = OSError("it has no address")
    for number, address in enumerate(addresses):
        try:
            # A share of the time for each: the first address may be one that never answers.
            share = deadline.left() / (len(addresses) - number)
            connected = socket.create_connection((address, origin.port), timeout=share)
        except OSError as error:
            failure = error
        else:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
    raise failure


def _addresses(origin: Origin, deadline: Deadline) -> list[str]:
    """The addresses of a host; a thread looks them up, because nothing bounds that from within."""
    if re.fullmatch(r"[0-9.]+|.*:.*", origin.host):
        return _look_up(origin)
    found: list[list[str] | OSError] = []

    def look_up() -> None:
        try:
            found.append(_look_up(origin))
        except OSError as error:
            found.append(error)

    searching = threading.Thread(target=look_up, daemon=True)
    searching.start()
    searching.join(deadline.left())
    if not found:
        raise TimeoutError
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _look_up(origin: Origin) -> list[str]:
    import socket

    try:
        rows = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "no host can have this name") from None
    return [str(row[4][0]) for row in rows]


def _tunnel(connected: socket.socket, origin: Origin, proxy: Proxy, deadline: Deadline) -> None:
    """Have a proxy connect us to a server (RFC 9110 section 9.3.6)."""
    line = f"CONNECT {origin.netloc} HTTP/1.1\r\nHost: {origin.netloc}\r\n".encode("ascii")
    connected.settimeout(deadline.left())
    connected.sendall(line + _authorization(proxy) + b"\r\n")
    answer = Reader(connected).answer(deadline, has_body=False)
    if answer.status != 200:
        raise ConnectionRefusedError(f"the proxy {proxy.origin} answers with status {answer.status}")


def _authorization(proxy: Proxy | None) -> bytes:
    if proxy is None or proxy.authorization is None:
        return b""
    return b"Proxy-Authorization: " + proxy.authorization.reveal() + b"\r\n"
