"""The error boundary of the provider: every exception becomes a diagnostic, never a traceback."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Self

from certkit.errors import CertkitError
from certkit.printable import printable, with_arguments, without_options
from certkit.report.hints import with_store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from tf.utils import Diagnostics

    from certkit.findings import Finding

# Terraform sends up to ten requests at once. One after the other is fast enough, and what scans fork, and how warnings
# are silenced, concerns the whole process.
_ONE_AT_A_TIME = threading.RLock()

# Names that differ on the command line; an intermediate belongs below the certificate.
_ARGUMENTS = {
    "state": "province",
    "unit": "units",
    "type": "key_type",
    "untrusted": "certificate",
    "cert": "certificate",
    "config": "CERTKIT_CONFIG",
}
# Options that are no argument of anything.
_FOREIGN = {"crl", "force", "max-depth", "no-chain", "pin", "strict", "timeout"}
# Terraform would change a setting back.
_UPDATE = re.compile(r"certkit identity update \S+ --([a-z-]+) [^\s;,)]+")
# A full stop after a command would be pasted with it.
_ENDS_WITH_COMMAND = re.compile(r"(?:certkit|terraform)(?: '[^']*'| [^\s;,'`]+)+$")


class Boundary:
    """A block whose failure becomes a diagnostic; what comes after the block is then the result.

    `store` is the URI that commands to paste need, if the configuration has one.
    """

    def __init__(self, diagnostics: Diagnostics, store: str | None = None) -> None:
        self.diagnostics = diagnostics
        self.store = store

    def __enter__(self) -> Self:
        _ONE_AT_A_TIME.acquire()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        _ONE_AT_A_TIME.release()
        if error is None:
            return False
        if isinstance(error, CertkitError):
            self.diagnostics.add_error(_spelt(error.message), self._advice(error.hint))
            return True
        from certkit.x509.objects import short_reason

        reason = printable(short_reason(error)) if isinstance(error, Exception) else ""
        self.diagnostics.add_error(f"internal error: {type(error).__name__}: {reason}", "Please report it.")
        return True

    def warn(self, summary: str, detail: str = "") -> None:
        """Report something that works and needs attention."""
        self.diagnostics.add_warning(_spelt(summary), self._advice(detail))

    def _advice(self, hint: str) -> str:
        own = without_options(_UPDATE.sub(r"set --\1", hint), _FOREIGN.__contains__)
        return _spelt(_sentence(with_store(own, self.store)))

    def warn_of(self, name: str, findings: Iterable[Finding]) -> None:
        """Report the findings about an identity that are not good."""
        for each in findings:
            if not each.is_good:
                self.warn(f"{name}: {each.message.removeprefix(f'{name}: ')}", each.hint)


def _spelt(text: str) -> str:
    return with_arguments(printable(text), _ARGUMENTS)


def _sentence(hint: str) -> str:
    first = hint[:1] if hint.startswith("certkit ") else hint[:1].upper()
    end = "." if hint and not _ENDS_WITH_COMMAND.search(hint) else ""
    return f"{first}{hint[1:]}{end}"
