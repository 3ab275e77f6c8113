"""Any program as an issuer: it gets the CSR on standard input, and answers on standard output."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit import hooks
from certkit.errors import InputError
from certkit.issuers.base import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, as a shell would split them; no shell runs it. `variables` is its environment."""

    line: str
    variables: Mapping[str, str]
    timeout: float = hooks.TIMEOUT_SECONDS

    def issue(self, csr: bytes) -> Answer:
        """The certificate for a CSR (PEM), as the program prints it; what it says goes to standard error.

        Raises:
            HookError: it cannot be run, ends with a code other than 0, takes too long, or answers too much.
            InputError: its name cannot be split.
        """
        try:
            arguments = shlex.split(self.line)
        except ValueError as error:
            hint = "quote it as for a shell"
            raise InputError(f"not a program: {self.line!r}: {str(error).lower()}", hint=hint) from error
        if not arguments:
            raise InputError("not a program: its name is empty", hint="give command:PROGRAM")
        answer = hooks.ask(arguments, csr, self.variables, timeout=self.timeout, limit=MAX_ANSWER_BYTES)
        return Answer(certificates=answer)
