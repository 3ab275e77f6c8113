"""The rules of Developer Hub: it issues a certificate for a CSR that is pasted under a new name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.csr import check
from certkit.errors import RefusedError
from certkit.findings import Status
from certkit.wise.rehearsal import authority
from certkit.wise.rehearsal.state import MAX_REMEMBERED, HubCertificate, RehearsalState
from certkit.x509 import names, objects
from certkit.x509.names import Attribute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.wise.rehearsal.authority import CertifiedKey

MAX_NAME_CHARACTERS = 64
_KEPT = ("C", "O")


def issue(
    state: RehearsalState, name: str, csr: bytes, *, policy: Policy, ca: CertifiedKey, now: datetime
) -> tuple[RehearsalState, HubCertificate, Sequence[Finding]]:
    """Return the state with a new certificate, the certificate, and the warnings about its CSR.

    Raises:
        RefusedError: if the name is taken, ten certificates are live, or the policy forbids the CSR, with the findings.
        InputError: if the text contains no CSR.
    """
    _require_free_name(state, name)
    _require_room(state, policy, now)
    request = objects.csr(csr, name="what was pasted")
    findings = check.for_checkers(check.findings(request, csr, policy))
    bad = [each for each in findings if each.status in {Status.CRITICAL, Status.UNKNOWN}]
    if bad:
        raise RefusedError("the CSR was rejected", hint="create a new one with certkit csr create", findings=bad)
    kept = [each for each in names.attributes(request.subject) if each.name in _KEPT]
    subject = [*kept, Attribute("CN", state.client_id)]
    certificate = authority.client(ca, request.public_key(), subject, begin=now)
    issued = HubCertificate(
        name=name,
        serial=names.serial_hex(certificate.serial_number),
        subject=names.distinguished_name(certificate.subject),
        not_after=certificate.not_valid_after_utc,
        pem=authority.to_pem(certificate).decode(),
    )
    warnings = [each for each in findings if each.status is Status.WARNING]
    return replace(state, certificates=(*state.certificates, issued)), issued, warnings


def revoke(state: RehearsalState, serial: str, *, now: datetime) -> RehearsalState:
    """Return the state with a certificate revoked."""
    return replace(
        state,
        certificates=tuple(
            replace(each, revoked=now) if each.serial == serial and each.revoked is None else each
            for each in state.certificates
        ),
    )


def revoked(state: RehearsalState) -> list[tuple[int, datetime]]:
    """Return the serial numbers of the revoked certificates, with the times of revocation."""
    return [(int(each.serial, 16), each.revoked) for each in state.certificates if each.revoked is not None]


def _require_free_name(state: RehearsalState, name: str) -> None:
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        hint = f"type 1 to {MAX_NAME_CHARACTERS} printable characters"
        raise RefusedError("the certificate name cannot be used", hint=hint)
    if name in {each.name for each in state.certificates}:
        raise RefusedError(
            "the certificate name was already used", hint="certificate names must be unique: choose another"
        )


def _require_room(state: RehearsalState, policy: Policy, now: datetime) -> None:
    most = policy.certificate.max_live or MAX_REMEMBERED
    live = sum(each.is_live(now) for each in state.certificates)
    if live >= most:
        hint = "revoke one that is no longer used, or wait until one expires"
        raise RefusedError(f"{live} certificates are live, and at most {most} are allowed", hint=hint)
    if len(state.certificates) >= MAX_REMEMBERED:
        raise RefusedError("the rehearsal is full", hint="start a new one with --dir")
