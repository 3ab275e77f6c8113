"""A small CA for tests: it issues server and client certificates, and signs CSRs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.api.arguments import now
from certkit.wise.rehearsal import authority

if TYPE_CHECKING:
    from certkit.wise.rehearsal.authority import CertifiedKey


@dataclass(frozen=True)
class CA:
    """A CA whose key lives in memory. Its certificates are valid for 90 days, from an hour ago."""

    _pair: CertifiedKey = field(default_factory=lambda: authority.new(now=now()), repr=False)

    @property
    def pem(self) -> bytes:
        """The certificate of the CA, PEM: what servers and clients trust."""
        return self._pair.pem

    def server(self, *hosts: str) -> tuple[bytes, bytes]:
        """Issue a server certificate for host names and IP addresses. Return it and its key, PEM."""
        pair = authority.server(self._pair, hosts=hosts or ("localhost", "127.0.0.1"), now=now())
        return pair.pem, pair.key_pem.reveal()

    def sign(self, csr: bytes, *, days: int = 90, common_name: str | None = None) -> bytes:
        """Issue a client certificate (PEM) for a CSR (PEM), for its subject and key.

        `common_name` replaces the CN, as partners do.

        Raises:
            certkit.InputError: if the CSR cannot be read.
        """
        from certkit.x509 import names, objects
        from certkit.x509.names import Attribute

        request = objects.csr(csr, name="the CSR")
        subject = list(names.attributes(request.subject))
        if common_name is not None:
            subject = [each for each in subject if each.name != "CN"] + [Attribute("CN", common_name)]
        begin = now() - timedelta(hours=1)
        certificate = authority.client(
            self._pair, request.public_key(), subject, begin=begin, end=now() + timedelta(days=days)
        )
        return authority.to_pem(certificate)
