"""The rules of Developer Hub: it issues a certificate for a CSR that is pasted under a new name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.csr import check
from certkit.errors import RefusedError
from certkit.findings import Status
from certkit.policy import catalogue
from certkit.wise.rehearsal import authority
from certkit.wise.rehearsal.state import MAX_REMEMBERED, HubCertificate
from certkit.x509 import names, objects
from certkit.x509.names import Attribute

if TYPE_CHECKING:
    from certkit.findings import Finding
    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

MAX_NAME_CHARACTERS = 64


def issue(rehearsal: WiseRehearsal, name: str, csr: bytes) -> tuple[HubCertificate, list[Finding]]:
    """Issue a certificate, and return it with the warnings about its CSR.

    Raises:
        RefusedError: if the name is taken, ten certificates are live, or the policy forbids the CSR, with the findings.
        InputError: if the text contains no CSR.
    """
    state, now, policy = rehearsal.state, rehearsal.clock(), catalogue.load("wise-sandbox")
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        hint = f"type 1 to {MAX_NAME_CHARACTERS} printable characters"
        raise RefusedError("the certificate name cannot be used", hint=hint)
    if name in {each.name for each in state.certificates}:
        hint = "certificate names must be unique: choose another"
        raise RefusedError("the certificate name was already used", hint=hint)
    live, most = sum(each.is_live(now) for each in state.certificates), policy.certificate.max_live
    if most and live >= most:
        hint = "revoke one that is no longer used, or wait until one expires"
        raise RefusedError(f"{live} certificates are live, and at most {most} are allowed", hint=hint)
    if len(state.certificates) >= MAX_REMEMBERED:
        raise RefusedError("the rehearsal is full", hint="start a new one with --dir")
    request = objects.csr(csr, name="what was pasted")
    findings = check.for_checkers(check.findings(request, csr, policy))
    bad = [each for each in findings if each.is_bad]
    if bad:
        raise RefusedError("the CSR was rejected", hint="create a new one with certkit csr create", findings=bad)
    kept = [each for each in names.attributes(request.subject) if each.name in {"C", "O"}]
    subject = [*kept, Attribute("CN", state.client_id)]
    certificate = authority.client(rehearsal.ca, request.public_key(), subject, begin=now)
    issued = HubCertificate(
        name=name,
        serial=names.serial_hex(certificate.serial_number),
        subject=names.distinguished_name(certificate.subject),
        not_after=certificate.not_valid_after_utc,
        pem=authority.to_pem(certificate).decode(),
    )
    rehearsal.update(certificates=(*state.certificates, issued))
    return issued, [each for each in findings if each.status is Status.WARNING]
