"""Applications under load while their identity is renewed: no request fails, and every connection shows a certificate.

By default it takes some seconds; `CERTKIT_SOAK_SECONDS=60` asks for the long form.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time

import aiohttp
import httpx
import requests

from tests.api.test_context import wreck
from tests.identity import conftest as life

SECONDS = float(os.environ.get("CERTKIT_SOAK_SECONDS", "5"))
INTERVAL = 0.2
RENEWALS = 5


class Load:
    """Eight threads and an event loop that make requests until they are told to stop."""

    def __init__(self, acme, url):
        self.acme, self.url = acme, url
        self.over = threading.Event()
        self.done, self.failures = 0, []

    def counted(self, status):
        """Count a request that succeeded."""
        assert status == 200
        self.done += 1

    def with_requests(self):
        """Use requests, with connections that are kept."""
        with requests.Session() as session:
            session.mount("https://", self.acme.requests_adapter())
            while not self.over.is_set():
                self.counted(session.get(self.url, timeout=20).status_code)

    def with_httpx(self):
        """Use httpx, with a new client every five requests."""
        while not self.over.is_set():
            with httpx.Client(verify=self.acme.ssl_context(), timeout=20) as client:
                for _ in range(5):
                    self.counted(client.get(self.url).status_code)

    async def with_event_loop(self):
        """Use aiohttp, with a connection for each request, and httpx."""
        context = self.acme.ssl_context()
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            while not self.over.is_set():
                async with session.get(self.url) as answer:
                    self.counted(answer.status)
                async with httpx.AsyncClient(verify=context, timeout=20) as client:
                    self.counted((await client.get(self.url)).status_code)
        await asyncio.sleep(0.25)

    def guarded(self, work):
        """Do some work, and keep its failure."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  every failure is counted
            self.failures.append(error)

    def threads(self):
        """The threads, not started."""
        work = [self.with_requests, self.with_httpx] * 4 + [lambda: asyncio.run(self.with_event_loop())]
        return [threading.Thread(target=self.guarded, args=(each,)) for each in work]


def test_no_request_fails_while_the_identity_is_renewed(request, place, server):
    """Renewed five times, and once to a pair that does not match: 0 failures, and each serial is seen in time."""
    acme = place.identity(interval=INTERVAL)
    load = Load(acme, server.url)
    threads = load.threads()
    for thread in threads:
        thread.start()
    begun, late = time.monotonic(), []
    try:
        for turn in range(RENEWALS):
            time.sleep(max(0.0, begun + SECONDS * (turn + 1) / (RENEWALS + 2) - time.monotonic()))
            serial, renewed = place.renew(), time.monotonic()
            while serial not in server.handshakes and time.monotonic() < renewed + 30:
                time.sleep(0.01)
            late.append(time.monotonic() - renewed)
        number = life.request_again(place.store)
        life.install(place.store, life.pasted(life.issue(place.store, number)))
        wreck(request, place, number, life.ROOT.intermediate().issue())
        place.store.change("acme", lambda record: record.activate(number))
        time.sleep(max(4 * INTERVAL, begun + SECONDS - time.monotonic()))
    finally:
        load.over.set()
        for thread in threads:
            thread.join()
    print(f"{load.done} requests, {len(server.handshakes)} handshakes, new serials after {max(late):.2f} s at most")  # noqa: T201
    assert load.failures == []
    assert load.done > 50
    assert None not in server.handshakes
    assert max(late) < 30
    assert acme.generation == f"{RENEWALS + 1:04}"
