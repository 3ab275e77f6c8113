"""The error boundary of the provider: whatever happens inside becomes a diagnostic, and never a traceback."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Self

from certkit.errors import CertkitError
from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from tf.utils import Diagnostics

    from certkit.findings import Finding

# Terraform asks for up to ten things at once. One after the other is fast enough, and what scans fork, and how warnings
# are silenced, concerns the whole process.
_ONE_AT_A_TIME = threading.RLock()

_OPTION = re.compile(r"(?<!\S)--([a-z][a-z-]*)")
# What the command line spells otherwise.
_ARGUMENTS = {"state": "province", "unit": "units", "type": "key_type"}


class Boundary:
    """A block whose failure is told to Terraform; what comes after it answers in place of the block."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics

    def __enter__(self) -> Self:
        _ONE_AT_A_TIME.acquire()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        _ONE_AT_A_TIME.release()
        if error is None:
            return False
        self.diagnostics.add_error(*_told(error))
        return True

    def warn(self, summary: str, detail: str = "") -> None:
        """Something that works, and ought to be known."""
        self.diagnostics.add_warning(_spelt(summary), _spelt(_sentence(detail)))

    def warn_of(self, name: str, findings: Iterable[Finding]) -> None:
        """The findings about an identity that are not good."""
        for each in findings:
            if not each.is_good:
                self.warn(f"{name}: {each.message.removeprefix(f'{name}: ')}", each.hint)


def _told(error: BaseException) -> tuple[str, str]:
    """The summary and the detail of a failure."""
    if isinstance(error, CertkitError):
        return _spelt(error.message), _spelt(_sentence(error.hint))
    from certkit.x509.objects import short_reason

    reason = printable(short_reason(error)) if isinstance(error, Exception) else ""
    return f"internal error: {type(error).__name__}: {reason}", "Please report it."


def _spelt(text: str) -> str:
    """The same with the arguments of a configuration, where the command line has options."""
    return _OPTION.sub(lambda found: f"`{_ARGUMENTS.get(found[1], found[1].replace('-', '_'))}`", printable(text))


def _sentence(hint: str) -> str:
    return f"{hint[:1].upper()}{hint[1:]}." if hint else ""
