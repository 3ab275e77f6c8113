"""Certificates from a PKI mount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.vault.errors import asking
from certkit.vault.fields import AclRule, checked_path, joined, pick, texts, warnings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.vault.client import Vault


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that a PKI mount issued, in PEM, and the certificates above it, nearest first.

    `warnings` says how the certificate differs from the request, such as a shorter validity.
    """

    certificate: str
    ca_chain: tuple[str, ...]
    warnings: tuple[str, ...]


def sign(
    vault: Vault,
    csr_pem: str,
    *,
    mount: str,
    role: str,
    common_name: str = "",
    options: Mapping[str, str] | None = None,
) -> IssuedCertificate:
    """Return a certificate for a CSR; `options` are further fields of the API, such as `ttl`.

    Raises:
        VaultError: if the server refuses, or cannot be reached.
        UncertainWrite: if a certificate may have been issued, and was lost on the way.
    """
    path = joined(checked_path(mount), "sign", checked_path(role))
    where = f"vault://{path}"
    with asking("sign", where, rule=AclRule("update", path)):
        document = vault.transport.once.secrets.pki.sign_certificate(
            role, csr_pem, common_name, extra_params=dict(options or {}), mount_point=mount
        )
    data = pick(document, "data", of=dict, where=where)
    return IssuedCertificate(
        certificate=pick(data, "certificate", of=str, where=where),
        ca_chain=texts(data.get("ca_chain")) or texts([data["issuing_ca"]] if data.get("issuing_ca") else None),
        warnings=warnings_of(document),
    )
