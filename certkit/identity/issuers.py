"""Issuers: `manual` (a person), `vault-pki:MOUNT/ROLE`, and `command:PROGRAM`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from certkit.errors import InputError, RefusedError
from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from certkit.vault.client import Vault

MANUAL = "manual"
MAX_ANSWER_BYTES = 1024 * 1024


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


def storable(text: str, own: Path | None) -> str:
    """Return an issuer as a record may hold it: `command:NAME`, or in a store of files the absolute path of a program.

    Raises:
        InputError: if the text names no issuer, or the path of a program, and the store is Vault.
    """
    from certkit.identity.programs import is_path

    stored = absolute(text)
    kind, _, where = stored.partition(":")
    if own is None and kind == IssuerKind.COMMAND and is_path(where):
        raise InputError(
            f"cannot store the issuer {text!r}: a record in Vault must not contain a path",
            hint="define it as [issuers.NAME] in the host configuration, and give --issuer command:NAME",
        )
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerAnswer:
    """The response of an issuer, as PEM: the certificate, with or without those above it.

    `trust_bundle` is the root of the issuer, if it was received over a trusted connection. `warnings` lists deviations
    from the request, such as a shorter validity.
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


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, run without a shell: it reads the CSR, and prints the certificate.

    `variables` is its environment. Its messages go to standard error.
    """

    arguments: Sequence[str]
    variables: Mapping[str, str]

    def issue(self, csr: bytes) -> IssuerAnswer:
        """Return what the program prints for a CSR (PEM).

        Raises:
            HookError: if it cannot be run, ends with a code other than 0, takes too long, or prints too much.
        """
        from certkit.identity import hooks

        answer = hooks.ask(self.arguments, csr, self.variables, timeout=hooks.TIMEOUT_SECONDS, limit=MAX_ANSWER_BYTES)
        return IssuerAnswer(certificates=answer)


@dataclass(frozen=True, slots=True)
class VaultPki:
    """A role of a PKI secrets engine of Vault or OpenBao; `where` is MOUNT/ROLE, and `identity` a name for hints."""

    vault: Vault
    where: str
    identity: str = "NAME"

    def issue(self, csr: bytes) -> IssuerAnswer:
        """Return the certificate for a CSR (PEM), the CAs above it, and the root as the trust bundle.

        If the response is lost, the role may have issued a certificate that was not received.

        Raises:
            RefusedError: if the role does not allow what the CSR requests.
            VaultError: if the server denies the request, or cannot be reached.
        """
        from certkit.vault.errors import Fault, VaultError
        from certkit.vault.fields import pick, texts

        mount, _, role = self.where.rpartition("/")
        fields = {"csr": csr.decode("ascii"), "common_name": ""}
        try:
            document, where = self.vault.call(mount, "sign", role, fields, may_repeat=False)
        except VaultError as error:
            hint = f"check MOUNT and ROLE: certkit identity update {self.identity} --issuer vault-pki:MOUNT/ROLE"
            if error.kind is Fault.BAD_REQUEST:
                is_misspelt = "unknown role" in error.message
                raise RefusedError(error.message, hint=hint if is_misspelt else error.hint) from error
            if error.kind in {Fault.NO_MOUNT, Fault.NOT_FOUND, Fault.ABSENT}:
                message = f"cannot sign vault://{mount}/sign/{role}: no PKI secrets engine is mounted at {mount}"
                raise VaultError(message, hint=hint, kind=error.kind) from None
            raise
        data = pick(document, "data", of=dict, where=where)
        above = texts(data.get("ca_chain")) or texts([data["issuing_ca"]] if data.get("issuing_ca") else None)
        found = [f"{each.strip()}\n".encode() for each in (pick(data, "certificate", of=str, where=where), *above)]
        return IssuerAnswer(
            certificates=b"".join(found),
            trust_bundle=found[-1] if above else None,
            warnings=tuple(printable(" ".join(each.split()))[:300] for each in texts(document.get("warnings"))),
        )
