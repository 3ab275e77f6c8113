"""The PKI secrets engine of Vault or OpenBao as an issuer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import RefusedError
from certkit.identity.issuers.base import IssuerAnswer
from certkit.printable import printable
from certkit.vault.errors import Kind, VaultError
from certkit.vault.fields import pick, texts

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
        mount, _, role = self.where.rpartition("/")
        fields = {"csr": csr.decode("ascii"), "common_name": ""}
        try:
            document, where = self.vault.call(mount, "sign", role, fields, may_repeat=False)
        except VaultError as error:
            if error.kind is Kind.BAD_REQUEST:
                raise RefusedError(error.message, hint=error.hint) from error
            raise
        data = pick(document, "data", of=dict, where=where)
        chain = texts(data.get("ca_chain")) or texts([data["issuing_ca"]] if data.get("issuing_ca") else None)
        return IssuerAnswer(
            certificates=_text((pick(data, "certificate", of=str, where=where), *chain)),
            trust_bundle=_text(chain[-1:]) or None,
            warnings=tuple(printable(" ".join(each.split()))[:300] for each in texts(document.get("warnings"))),
        )


def _text(certificates: tuple[str, ...]) -> bytes:
    return "".join(f"{each.strip()}\n" for each in certificates).encode()
