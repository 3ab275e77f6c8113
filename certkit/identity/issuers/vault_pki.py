"""The PKI secrets engine of Vault or OpenBao as an issuer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import RefusedError
from certkit.identity.issuers.base import IssuerAnswer
from certkit.vault.errors import Kind, VaultError

if TYPE_CHECKING:
    from certkit.vault.client import Vault


@dataclass(frozen=True, slots=True)
class VaultPki:
    """A role of a PKI mount; `where` is MOUNT/ROLE."""

    vault: Vault
    where: str

    def issue(self, csr: bytes) -> IssuerAnswer:
        """Return the certificate for a CSR (PEM), the CAs above it, and the root as the trust bundle.

        If the response is lost, the role may have issued a certificate that was not received.

        Raises:
            RefusedError: if the role does not allow what the CSR requests.
            VaultError: if the server denies the request, or cannot be reached.
        """
        from certkit.vault import pki

        mount, _, role = self.where.rpartition("/")
        try:
            signed = pki.sign(self.vault, csr.decode("ascii"), mount=mount, role=role)
        except VaultError as error:
            if error.kind is Kind.BAD_REQUEST:
                raise RefusedError(error.message, hint=error.hint) from error
            raise
        chain = _text(signed.ca_chain)
        return IssuerAnswer(
            certificates=_text((signed.certificate,)) + chain,
            trust_bundle=_text(signed.ca_chain[-1:]) or None,
            warnings=signed.warnings,
        )


def _text(certificates: tuple[str, ...]) -> bytes:
    return "".join(f"{each.strip()}\n" for each in certificates).encode()
