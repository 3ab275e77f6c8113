"""Issuers for tests: each signs with a small CA of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509

from certkit.errors import InputError
from certkit.identity.issuers import IssuerAnswer
from tests import pki
from tests.identity.conftest import ISSUING, ROOT


@dataclass
class Signing:
    """An issuer that answers at once; `asked` are the CSRs that it got."""

    begin: object = pki.NOW - pki.DAY
    end: object = pki.NOW + 364 * pki.DAY
    warnings: tuple[str, ...] = ()
    asked: list[bytes] = field(default_factory=list)

    def issue(self, csr):
        """A certificate of the partner's issuing CA."""
        self.asked.append(csr)
        key = x509.load_pem_x509_csr(csr).public_key()
        made = ISSUING.issue(
            pki.name(O="Acme Ltd", CN="acme-client-id"), public_key=key, begin=self.begin, end=self.end
        )
        return IssuerAnswer(certificates=made.pem + ISSUING.pem, trust_bundle=ROOT.pem, warnings=self.warnings)


class Away:
    """An issuer that cannot be reached."""

    def issue(self, csr):
        """Nothing."""
        raise InputError("cannot reach the issuer", hint="try again")
