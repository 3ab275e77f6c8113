"""The interface of issuers, and how to name them: `manual`, `vault-pki:MOUNT/ROLE`, `command:PROGRAM`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from certkit.errors import InputError

MANUAL = "manual"


class IssuerKind(StrEnum):
    """The kinds of issuers."""

    MANUAL = "manual"
    VAULT_PKI = "vault-pki"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class IssuerSpec:
    """An issuer by name: its kind, and its location (`MOUNT/ROLE`, or a program with its arguments)."""

    kind: IssuerKind
    where: str

    @classmethod
    def parse(cls, text: str) -> IssuerSpec:
        """Parse an issuer.

        Raises:
            InputError: if the text has another form.
        """
        name, separator, where = text.partition(":")
        kind = next((each for each in IssuerKind if each.value == name), None)
        fits = {None: False, IssuerKind.MANUAL: not separator, IssuerKind.COMMAND: bool(where.strip())}
        mount, _, role = where.strip("/").rpartition("/")
        if not fits.get(kind, bool(mount and role)):
            hint = "give manual, vault-pki:MOUNT/ROLE or command:PROGRAM"
            raise InputError(f"not an issuer: {text!r}", hint=hint)
        assert kind is not None  # noqa: S101  it would not fit
        spec = cls(kind, where.strip("/") if kind is IssuerKind.VAULT_PKI else where)
        if kind is IssuerKind.COMMAND:
            spec.arguments()
        return spec

    def arguments(self) -> list[str]:
        """Split a program and its arguments as a shell does.

        Raises:
            InputError: if the quotes are unbalanced.
        """
        try:
            return shlex.split(self.where)
        except ValueError as error:
            reason = str(error).lower()
            raise InputError(f"not an issuer: {self.where!r}: {reason}", hint="quote it as for a shell") from error

    @property
    def is_manual(self) -> bool:
        """Whether a person hands in the CSR and fetches the certificate."""
        return self.kind is IssuerKind.MANUAL


def absolute(text: str) -> str:
    """Return the same issuer; the path of a program becomes absolute, so that it works from any directory.

    Raises:
        InputError: if the text has another form.
    """
    spec = IssuerSpec.parse(text)
    program, *rest = spec.arguments() if spec.kind is IssuerKind.COMMAND else [""]
    if os.sep not in program:
        return text
    return f"{spec.kind}:{shlex.join([os.path.abspath(program), *rest])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerAnswer:
    """The response of an issuer, as PEM: the certificate, with or without those above it.

    `trust_bundle` is the root of the issuer, if it was received over a trusted connection.
    `warnings` lists deviations from the request, such as a shorter validity.
    """

    certificates: bytes
    trust_bundle: bytes | None = None
    warnings: tuple[str, ...] = ()


class Issuer(Protocol):
    """An issuer that signs a CSR at once; a person at a portal is not one."""

    def issue(self, csr: bytes) -> IssuerAnswer:
        """Return the certificate for a CSR (PEM).

        Raises:
            RefusedError: if the issuer refuses.
            InputError: if the issuer cannot be reached, or its response is not a certificate.
        """
        ...
