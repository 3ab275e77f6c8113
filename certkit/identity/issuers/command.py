"""Any program as an issuer: it reads the CSR from standard input, and prints the certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.identity import hooks
from certkit.identity.issuers.base import IssuerAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, run without a shell. `variables` is its environment."""

    arguments: Sequence[str]
    variables: Mapping[str, str]
    timeout: float = hooks.TIMEOUT_SECONDS

    def issue(self, csr: bytes) -> IssuerAnswer:
        """Return the certificate for a CSR (PEM), as the program prints it; its messages go to standard error.

        Raises:
            HookError: if it cannot be run, ends with a code other than 0, takes too long, or prints too much.
        """
        answer = hooks.ask(self.arguments, csr, self.variables, timeout=self.timeout, limit=MAX_ANSWER_BYTES)
        return IssuerAnswer(certificates=answer)
