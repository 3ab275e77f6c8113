"""Headless Chromium, driven over its DevTools pipe: what a person sees, types and presses."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conftest import require_program
from tests.tls_servers import ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 60


@dataclass
class Browser:
    """One tab."""

    to: int
    out: int
    session: str | None = None
    _number: int = 0
    _rest: bytes = b""
    _events: list[str] = field(default_factory=list)

    def ask(self, method: str, **params: Any) -> Any:
        """The browser's answer to a command of its DevTools protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            if not select.select([self.out], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError("the browser says nothing")
            data = os.read(self.out, 1 << 20)
            assert data, "the browser has gone"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        said: dict[str, Any] = json.loads(line)
        if "method" in said:
            self._events.append(said["method"])
        return said

    def _loading(self) -> None:
        while "Page.loadEventFired" not in self._events:
            self._next()

    def open(self, url: str) -> None:
        """Open an address, and wait until the page is there."""
        self._events.clear()
        self.ask("Page.navigate", url=url)
        self._loading()

    def press(self, text: str) -> None:
        """Press the button or link with that text, and wait for the page that it leads to."""
        found = (
            f"[...document.querySelectorAll('button,a')].find(each => each.textContent.trim() === {json.dumps(text)})"
        )
        self._events.clear()
        self.run(f"{found}.click()")
        self._loading()

    def type(self, label: str, text: str) -> None:
        """Type into the field with that label."""
        found = f"[...document.querySelectorAll('label')].find(each => each.textContent.trim() === {json.dumps(label)})"
        self.run(f"{found}.control.focus()")
        self.ask("Input.insertText", text=text)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self.run("location.href"))

    @property
    def heading(self) -> str:
        """The heading of the page."""
        return str(self.run("document.querySelector('h1').textContent"))

    def look(self, path: Path, *, dark: bool = False, width: int = 1000) -> None:
        """Take a picture."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(picture["data"]))


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A new browser that reaches 127.0.0.1 and nothing else."""
    command = [
        *(require_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", f"--user-data-dir={folder / 'profile'}"),
        *("--remote-debugging-pipe", "about:blank"),
    ]
    with contextlib.ExitStack() as held:
        theirs_in, to = _pipe(held)
        out, theirs_out = _pipe(held)
        # Chromium reads commands from descriptor 3 and answers on 4.
        start = (
            f"import os, sys; os.dup2({theirs_in}, 3); os.dup2({theirs_out}, 4); os.execv(sys.argv[1], sys.argv[1:])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", start, *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        held.enter_context(ending(process))
        browser = Browser(to, out)
        target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.ask("Page.enable")
        yield browser


def _pipe(held: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose ends are none of the descriptors that the browser wants."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
        held.callback(os.close, ends[-1])
    return ends[0], ends[1]
