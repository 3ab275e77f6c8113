"""The trust bundle of a server that receives Wise's webhooks: the CAs of Wise's client certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import RefusedError
from certkit.files import reading, writing
from certkit.findings import critical
from certkit.x509 import objects
from certkit.x509.certificate import to_pem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.x509.certificate import Certificate

_NGINX = """\
# In the server block for Wise's webhooks, beside its own ssl_certificate:
ssl_client_certificate "{path}";
ssl_verify_client on;
ssl_verify_depth {depth};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaBundle:
    """The CA certificates that a server trusts, without duplicates."""

    certificates: tuple[Certificate, ...]

    @property
    def pem(self) -> bytes:
        """Return the certificates as PEM, without any text around them."""
        return to_pem(self.certificates)

    def nginx(self, path: Path) -> str:
        """Return the nginx configuration for a bundle at that path."""
        # nginx counts the certificates above the client's; Wise may send one that is not in the bundle.
        escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
        return _NGINX.format(path=escaped, depth=len(self.certificates) + 1)

    def write(self, path: Path, *, force: bool = False) -> bool:
        """Write the bundle, and return whether the file changed.

        Raises:
            InputError: if the file exists with other content and `force` is False, contains a private key, or cannot be
                written.
        """
        if reading.exists(path) and reading.size(path) == len(self.pem) and reading.read(path) == self.pem:
            return False
        writing.publish_public(path, self.pem, force=force)
        return True


def bundle(sources: Sequence[tuple[str, bytes]], *, now: datetime) -> CaBundle:
    """Return the CA certificates in files, which are given by name and content.

    Raises:
        InputError: if a file contains no certificate.
        RefusedError: if a certificate is not a CA's, or is not valid now; trusting it would let the wrong clients in.
    """
    found = [each for name, data in sources for each in objects.certificates(data, name=name)]
    unique = tuple(dict.fromkeys(found))
    findings = []
    for each in unique:
        begin, end = each.dates()
        if not each.is_ca:
            findings.append(critical("purpose", f"{each.brief_name} is not a CA", "leave it out"))
        if not begin <= now <= end:
            findings.append(critical("validity", f"{each.brief_name} is not valid now", "download it again"))
    if findings:
        hint = 'use the file that "Get Wise Certificate" in Developer Hub downloads'
        raise RefusedError(f"not a trust bundle: {findings[0].message}", hint=hint, findings=findings)
    return CaBundle(certificates=unique)
