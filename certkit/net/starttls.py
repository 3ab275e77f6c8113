"""STARTTLS: the short dialogues that make servers of other protocols switch to TLS.

The dialogue is not protected, so nothing that a server says here is believed beyond "yes" and "no", and no more of it
is read than a correct server sends.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from certkit.net.connecting import NetError
from certkit.printable import printable
from certkit.x509 import der

if TYPE_CHECKING:
    import socket

MAX_BYTES = 64 * 1024
MAX_LINE_BYTES = 8 * 1024

_MAX_QUOTED = 200
_CHUNK = 4096

# RFC 4511 section 4.14.1: an extended request by the name of StartTLS, in BER, message 1.
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"
_LDAP_RESPONSE = 0x78
_LDAP_SUCCESS = b"\0"
# PostgreSQL's message protocol, "SSLRequest": a length of 8, and 1234 and 5679.
_POSTGRES_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
# MySQL's client/server protocol, "Protocol::SSLRequest": capabilities (TLS, protocol 4.1, secure connection), the
# largest packet, a character set (utf8mb4), and 23 octets of nothing.
_MYSQL_TLS = 0x0800
_MYSQL_REQUEST = (0x8000 | 0x0200 | _MYSQL_TLS).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d"
_MYSQL_VERSION = 10
_MYSQL_ERROR = 0xFF


class Starttls(StrEnum):
    """The protocols with STARTTLS."""

    SMTP = "smtp"
    IMAP = "imap"
    POP3 = "pop3"
    LDAP = "ldap"
    POSTGRES = "postgres"
    MYSQL = "mysql"

    @property
    def port(self) -> int:
        """The port where such servers usually listen."""
        return _DIALOGUES[self][0]


async def negotiate(connection: socket.socket, protocol: Starttls) -> None:
    """Bring a server to the point where TLS begins; the socket is a non-blocking one.

    Raises:
        NetError: if the server refuses, or uses another protocol; the message does not name the server.
        OSError: if the connection breaks.
    """
    talk = _Conversation(connection, protocol)
    await _DIALOGUES[protocol][1](talk)
    talk.end()


class _Conversation:
    """The dialogue before TLS: bounded in size here, and in time by the caller."""

    def __init__(self, connection: socket.socket, protocol: Starttls) -> None:
        self._connection = connection
        self._heard = bytearray()
        self._left = MAX_BYTES
        self.protocol = protocol

    async def say(self, words: bytes) -> None:
        """Send all of it."""
        import asyncio

        await asyncio.get_running_loop().sock_sendall(self._connection, words)

    async def line(self) -> str:
        """Return the next line without its end, every octet as one character."""
        while (end := self._heard.find(b"\n", 0, MAX_LINE_BYTES)) < 0:
            if len(self._heard) >= MAX_LINE_BYTES:
                raise self.stranger("its line is too long")
            await self._hear()
        line = self._take(end + 1)
        return line.rstrip(b"\r\n").decode("latin-1")

    async def octets(self, count: int) -> bytes:
        """Return exactly that many octets."""
        if count > MAX_BYTES:
            raise self.stranger(f"it announces {count:,} octets")
        while len(self._heard) < count:
            await self._hear()
        return self._take(count)

    def end(self) -> None:
        """Require that no data is left which TLS would take for its own; in TLS, the client sends first."""
        if self._heard:
            raise self.stranger("it sent more plain text after agreeing to TLS")

    def refusal(self, words: str) -> NetError:
        """Return the error for a server that refuses."""
        message = printable(words[:_MAX_QUOTED])
        return NetError(f"the server rejected STARTTLS: {message}", hint="ask the server's administrator about TLS")

    def stranger(self, why: str) -> NetError:
        """Return the error for a server that does not follow the protocol."""
        message = printable(why[:_MAX_QUOTED])
        return NetError(f"the server does not speak {self.protocol}: {message}", hint="check the port and starttls=")

    def _take(self, count: int) -> bytes:
        taken = bytes(self._heard[:count])
        del self._heard[:count]
        return taken

    async def _hear(self) -> None:
        import asyncio

        heard = await asyncio.get_running_loop().sock_recv(self._connection, _CHUNK)
        self._left -= len(heard)
        if self._left < 0:
            raise self.stranger(f"it sent more than {MAX_BYTES:,} octets")
        if not heard:
            raise self.stranger("it closed the connection")
        self._heard += heard


async def _smtp(talk: _Conversation) -> None:
    """RFC 3207, after the greeting and EHLO of RFC 5321."""
    await _smtp_reply(talk, "220")
    await talk.say(b"EHLO localhost\r\n")
    offers = await _smtp_reply(talk, "250")
    if "STARTTLS" not in offers:
        raise talk.refusal("the server does not offer it")
    await talk.say(b"STARTTLS\r\n")
    await _smtp_reply(talk, "220")


async def _smtp_reply(talk: _Conversation, code: str) -> list[str]:
    """Return the lines of a reply, in upper case; all but the last have a hyphen after the code."""
    texts = []
    while True:
        line = await talk.line()
        if re.match(r"\d{3}(?:[ -]|$)", line, re.ASCII) is None:
            raise talk.stranger(line)
        if not line.startswith(code):
            raise talk.refusal(line)
        texts.append(line[4:].strip().upper())
        if line[3:4] != "-":
            return texts


async def _imap(talk: _Conversation) -> None:
    """RFC 9051 sections 6.2.1 and 7.1."""
    greeting = await talk.line()
    if not greeting.startswith("* "):
        raise talk.stranger(greeting)
    if not greeting.upper().startswith("* OK"):
        raise talk.refusal(greeting)
    await talk.say(b"a STARTTLS\r\n")
    while not (answer := await talk.line()).startswith("a "):
        pass
    if not answer.upper().startswith("A OK"):
        raise talk.refusal(answer)


async def _pop3(talk: _Conversation) -> None:
    """RFC 2595 section 4."""
    await _pop3_answer(talk)
    await talk.say(b"STLS\r\n")
    await _pop3_answer(talk)


async def _pop3_answer(talk: _Conversation) -> None:
    line = await talk.line()
    if line.startswith("-ERR"):
        raise talk.refusal(line)
    if not line.startswith("+OK"):
        raise talk.stranger(line)


async def _ldap(talk: _Conversation) -> None:
    """RFC 4511 section 4.14."""
    await talk.say(_LDAP_REQUEST)
    message = await _ber(talk)
    try:
        response = next((start, end) for tag, _, start, end in der.elements(message) if tag == _LDAP_RESPONSE)
        code, _, text, *_ = (message[start:end] for _, _, start, end in der.elements(message, *response))
    except (ValueError, StopIteration) as error:
        raise talk.stranger("unexpected answer") from error
    if code != _LDAP_SUCCESS:
        raise talk.refusal(f"result {int.from_bytes(code[:4])} {text.decode('utf-8', 'replace')}".strip())


async def _ber(talk: _Conversation) -> bytes:
    """Return the content of the next sequence; Active Directory writes its length in more octets than needed."""
    tag, size = await talk.octets(2)
    if tag != der.SEQUENCE or size == 0x80:
        raise talk.stranger("its answer is not an LDAP message")
    if size > 0x80:
        size = int.from_bytes(await talk.octets(size & 0x7F))
    return await talk.octets(size)


async def _postgres(talk: _Conversation) -> None:
    """PostgreSQL, "Frontend/Backend Protocol", section "SSL Session Encryption"."""
    await talk.say(_POSTGRES_REQUEST)
    answer = await talk.octets(1)
    if answer in {b"N", b"E"}:
        raise talk.refusal("it answers " + answer.decode())
    if answer != b"S":
        raise talk.stranger("unexpected answer")


async def _mysql(talk: _Conversation) -> None:
    """MySQL, "Client/Server Protocol", section "Connection Phase"."""
    header = await talk.octets(4)
    greeting = await talk.octets(int.from_bytes(header[:3], "little"))
    if greeting[:1] == bytes([_MYSQL_ERROR]):
        raise talk.refusal(greeting[3:].decode("utf-8", "replace"))
    # A version of the server that ends with a zero, a thread, half of a challenge, a zero, the lower capabilities.
    at = greeting.find(b"\0") + 1 + 13
    capabilities = greeting[at : at + 2]
    if greeting[:1] != bytes([_MYSQL_VERSION]) or len(capabilities) < 2:
        raise talk.stranger("unexpected greeting")
    if not int.from_bytes(capabilities, "little") & _MYSQL_TLS:
        raise talk.refusal("the server does not offer it")
    request = _MYSQL_REQUEST + bytes(23)
    await talk.say(len(request).to_bytes(3, "little") + bytes([header[3] + 1 & 0xFF]) + request)


_DIALOGUES = {
    Starttls.SMTP: (25, _smtp),
    Starttls.IMAP: (143, _imap),
    Starttls.POP3: (110, _pop3),
    Starttls.LDAP: (389, _ldap),
    Starttls.POSTGRES: (5432, _postgres),
    Starttls.MYSQL: (3306, _mysql),
}
