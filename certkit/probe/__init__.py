"""Use case: a real mTLS connection with a client certificate, and the server's reaction in plain words.

In TLS 1.3 a server refuses a client certificate after the client's own handshake, some gateways refuse it in HTTP, and
others ask for it only once they have read the request (post-handshake authentication, or renegotiation in TLS 1.2): so
a request is sent, and its answer read to the end. The server is verified within the handshake; one that is not trusted
sees neither the client certificate nor a request.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, Status, critical, ok, roll_up, skipped, unknown
from certkit.net import connecting, http, tls, wire
from certkit.net import proxy as proxies
from certkit.net.address import Address, server_name, with_port
from certkit.probe import judge
from certkit.probe.judge import CHECKS, ClientSide
from certkit.verify import server
from certkit.verify.anchors import system
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from datetime import datetime

    from OpenSSL import SSL

    from certkit.policy.rules import Hosts, Policy
    from certkit.secret import Secret
    from certkit.x509.certificate import Certificate

logger = logging.getLogger("certkit.probe")  # gets each result as it arrives, at level INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The result of a probe: a finding for each check, and facts, which are None for steps that were not reached.

    `accepted_cas` are the CAs that the server says it accepts; it is empty where it asks for a certificate and names
    none. `http_status` is that of a complete response.
    """

    target: Address
    subject: str | None
    findings: tuple[Finding, ...]
    tls_version: str | None = None
    cipher: str | None = None
    accepted_cas: tuple[str, ...] | None = None
    server_chain: tuple[Certificate, ...] = ()
    client_not_after: datetime
    http_status: int | None = None

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.findings)

    @property
    def server_not_after(self) -> datetime | None:
        """The end of the server's own certificate; None also where it cannot be read."""
        end = self.server_chain[0].not_after if self.server_chain else None
        return None if isinstance(end, Unreadable) else end

    def verdict_on_certificate(self) -> Finding:
        """The verdict on the client certificate alone.

        It is ok if it was accepted; a warning if the server asks for none, or accepts one that has expired; critical if
        it was refused; unknown if the server was not reached, is not trusted, or could not ask for it.
        """
        found = next(finding for finding in self.findings if finding.id == "client-certificate")
        bad = (each for each in self.findings if each is not found and each.is_bad)
        first = next(bad, None) if found.status is Status.UNKNOWN else None
        return found if first is None else replace(found, message=first.message, hint=first.hint)


def target(text: str) -> Address:
    """Return what to probe: an https URL, or HOST[:PORT].

    Raises:
        InputError: if the text is neither.
    """
    try:
        found = Address.parse(text if "://" in text else f"https://{text}{'' if '/' in text else '/'}")
    except InputError as error:
        raise InputError(f"cannot probe: {error.message}", hint=_TARGET_HINT) from error
    if not found.is_secure:
        raise InputError(f"cannot probe {found}: without TLS there is no client certificate", hint=_TARGET_HINT)
    return found


def url_of(policy: Policy) -> str:
    """Return the URL that a policy has for probes.

    Raises:
        InputError: if it has no such URL.
    """
    if not policy.hosts.probe_url:
        raise InputError(f"policy {policy.name} has no URL for probes", hint="give URL or HOST:PORT")
    return policy.hosts.probe_url


def probe(
    where: Address,
    *,
    credentials: tls.Credentials,
    anchors: Sequence[Certificate] | None,
    token: Secret | None = None,
    now: datetime,
    timeout: float = connecting.TIMEOUT_SECONDS,
    proxy: str | None = None,
    addresses: Hosts | None = None,
) -> Probe:
    """Return how a server reacts to a client certificate, within `timeout` seconds in total.

    `anchors` are the CAs trusted for the server; None stands for those that this machine trusts. `token` goes into the
    header Authorization. `proxy` is `http://[USER:PASSWORD@]HOST:PORT`, empty for none, and None for the one that the
    environment names. `addresses` are a policy's: they may name a header in which the partner's answers say whether the
    certificate was accepted.

    Raises:
        InputError: if TLS does not support the type of the key, or the proxy's address or the token is malformed.
    """
    headers = {}
    if token is not None:
        if not re.fullmatch(rb"[A-Za-z0-9._~+/-]+=*", token.reveal()):  # RFC 6750 section 2.1
            raise InputError("the token is malformed", hint="put the access token alone on one line")
        headers["Authorization"] = f"Bearer {token.reveal().decode('ascii')}"
    client, request = ClientSide(credentials.chain, now), wire.HttpRequest(method="GET", url="", headers=headers)
    probing = _Probing(where, client, request, proxies.choose(where, proxy), anchors, addresses)
    connecting.run(probing.run(tls.strict_context(credentials), timeout))
    return probing.result()


_TARGET_HINT = "give https://HOST/PATH or HOST[:PORT]"


@dataclass(slots=True)
class _Probing:
    """A probe in progress, and its findings by check."""

    where: Address
    client: ClientSide
    request: wire.HttpRequest
    proxy: proxies.Proxy | None
    anchors: Sequence[Certificate] | None
    addresses: Hosts | None
    found: dict[str, Finding] = field(default_factory=dict)
    channel: tls.Channel | None = None
    chain: tuple[Certificate, ...] = ()
    http_status: int | None = None
    begin: float = field(default_factory=time.monotonic)

    def result(self) -> Probe:
        """Return all that was found; checks that were not reached are skipped, but the certificate's is unknown."""
        missing = {check: skipped(check, "not reached") for check in CHECKS}
        missing["client-certificate"] = unknown("client-certificate", "not reached", "see the other checks")
        shaken = self.channel if self.chain else None
        asking = self.channel if self.channel and self.channel.wants_certificate else None
        return Probe(
            target=self.where,
            subject=self.client.leaf.subject.text,
            findings=tuple((missing | self.found)[check] for check in CHECKS),
            tls_version=shaken.tls_version if shaken else None,
            cipher=shaken.cipher if shaken else None,
            accepted_cas=tuple(each.text for each in asking.accepted_cas) if asking else None,
            server_chain=self.chain,
            client_not_after=self.client.leaf.dates()[1],
            http_status=self.http_status,
        )

    async def run(self, settings: SSL.Context, timeout: float) -> None:  # noqa: ASYNC109  for all steps
        """Probe as far as possible."""
        deadline = connecting.Deadline.after(timeout)
        connection = await self._connection(deadline)
        if connection is None:
            return
        with connection:
            name = server_name(self.where.host)
            self.channel = tls.Channel(connection, settings, server_name=name, verdict=self._judge_server)
            if await self._handshake(self.channel, deadline):
                await self._ask(self.channel, deadline)

    def _add(self, *findings: Finding) -> None:
        for finding in findings:
            logger.info("%s after %.3f s: %s", finding.id, time.monotonic() - self.begin, finding.message)
            self.found[finding.id] = finding

    async def _connection(self, deadline: connecting.Deadline) -> socket.socket | None:
        """Connect to the server, or through the proxy; None if that fails."""
        where = with_port(self.where.host, self.where.port)
        try:
            if self.proxy is not None:
                self._add(skipped("dns", "the proxy looks it up"))
                connection = await proxies.reach(self.where, self.proxy, deadline=deadline)
                self._add(ok("connect", f"connected to {where} through the proxy"))
                return connection
            addresses = await connecting.resolve(self.where.host, self.where.port, deadline=deadline)
            shown = ", ".join(dict.fromkeys(str(address[0]) for _, address in addresses))
            is_address = shown == self.where.host
            self._add(ok("dns", "address given" if is_address else f"{self.where.host} is {shown}"))
            connection = await connecting.connect_to(addresses, deadline=deadline)
        except InputError as error:
            check = "connect" if "dns" in self.found else "dns"
            self._add(unknown(check, f"{where}: {error.message}", error.hint))
            return None
        self._add(ok("connect", f"connected to {where}"))
        return connection

    async def _handshake(self, channel: tls.Channel, deadline: connecting.Deadline) -> bool:
        """Shake hands; return whether a request may be sent."""
        try:
            await channel.handshake(deadline=deadline)
        except tls.UntrustedError:
            message = "not checked: the server is not trusted, so no certificate was sent"
            self._add(unknown("client-certificate", message, "check the server's certificate and --ca first"))
        except tls.HandshakeEndedError as error:
            client = self._client(channel)
            if "server-chain" in self.found and (client.asks or judge.is_about_certificates(error.alert)):
                self._add(judge.ended(error, client))
            else:
                self._add(critical("connect", error.message, judge.ALERT_HINT))
        except connecting.NetError as error:
            is_unreadable = channel.has_chain and "server-chain" not in self.found
            self._add(self._failed_step(error, "server-chain" if is_unreadable else "connect"))
        else:
            return True
        return False

    def _judge_server(self, presented: tls.Presented) -> None:
        """Add the findings about the server.

        Raises:
            UntrustedError: if the server may not be sent anything.
        """
        self.chain = presented.chain
        anchors, hint = self.anchors, ""
        if anchors is None:
            hint = "give the CA of the server with --ca FILE"
            try:
                anchors = system()
            except InputError:
                anchors = ()
        for finding in server.judge(self.chain, host=self.where.host, anchors=anchors, at=self.client.now):
            is_bad = finding.is_bad and finding.id == "server-chain"
            self._add(replace(finding, hint=hint) if hint and is_bad else finding)
        bad = next(
            (each for each in self.found.values() if each.id in {"server-chain", "name"} and not each.is_good), None
        )
        if bad is not None:
            raise tls.UntrustedError(f"the server is not trusted: {bad.message}", hint=bad.hint)

    async def _ask(self, channel: tls.Channel, deadline: connecting.Deadline) -> None:
        """Send a request, read the response, and judge it."""
        exchange = http.exchange(self.request, self.where, self.proxy)
        try:
            await channel.settle(deadline=deadline)
            async with connecting.step("the answer", deadline):
                answer = await exchange.run(channel)
        except (tls.HandshakeEndedError, wire.NoAnswerError) as error:
            client = self._client(channel)
            self._add(judge.ended(error, client))
            if not client.asks:
                self._add(unknown("http", error.message, error.hint))
        except InputError as error:
            self._add(self._failed_step(error, "http"))
            if judge.says_more_than_certificates(exchange.status):
                self._add(judge.accepted(self._client(channel)))
        else:
            channel.close()
            self.http_status = answer.status
            has_token = "Authorization" in self.request.headers
            message = judge.from_header(answer, self.addresses) if self.addresses else None
            self._add(message or judge.from_response(answer, self._client(channel)))
            self._add(judge.http_finding(answer, has_token=has_token, now=self.client.now))

    def _client(self, channel: tls.Channel) -> ClientSide:
        """Return the client's side of the connection as it is now."""
        asks, is_sure = channel.wants_certificate, channel.can_be_asked_later
        return replace(self.client, accepts=channel.accepted_cas, asks=asks, is_sure=is_sure)

    @staticmethod
    def _failed_step(error: InputError, check: str) -> Finding:
        """Return the finding for a failed step: no response is unknown, a malformed one is critical."""
        trouble = getattr(error, "trouble", None)
        is_silent = trouble in {connecting.NetTrouble.TIMED_OUT, connecting.NetTrouble.CONNECTION_FAILED}
        return (unknown if is_silent else critical)(check, error.message, error.hint)
