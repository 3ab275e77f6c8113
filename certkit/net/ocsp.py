"""Use case: asking OCSP responders about the certificates of a path."""

from __future__ import annotations

import functools
import itertools
import secrets
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, Status, unknown
from certkit.net import http
from certkit.verify import ocsp
from certkit.verify.path import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate


def check(
    path: Sequence[Certificate],
    *,
    at: datetime,
    now: datetime,
    responses: Sequence[bytes] = (),
    ask: bool,
    whole_chain: bool = True,
    timeout: float = http.TIMEOUT_SECONDS,
) -> list[Finding]:
    """Return what OCSP says of each certificate below the anchor, or of the leaf only.

    Responses at hand (DER) come first; with `ask`, the responder that a certificate names is asked for the rest, each
    for `timeout` seconds at most. `at` is the moment to judge; `now`, that at which it is asked.
    """
    if len(path) < 2:
        return [unknown("revocation", "without a chain it is not known whose OCSP response counts", "add --ca FILE")]
    pairs = list(itertools.pairwise(path))[: None if whole_chain else 1]
    ask_for = functools.partial(_ask, now=now, timeout=timeout) if ask else None
    return [_one(certificate, issuer, at, responses, ask_for) for certificate, issuer in pairs]


def _one(
    certificate: Certificate,
    issuer: Certificate,
    at: datetime,
    responses: Sequence[bytes],
    ask_for: Callable[[str, bytes], bytes] | None,
) -> Finding:
    at_hand = [ocsp.Response(each) for each in responses]
    found = ocsp.judge(at_hand, certificate, issuer, at=at)
    if found is not None and (ask_for is None or found.status is not Status.UNKNOWN):
        return found
    who = name_of(certificate)
    if ask_for is None:
        return unknown("revocation", f"no OCSP response covers {who}", "give one, or add --ocsp to query the responder")
    responder = ocsp.responder_of(certificate)
    if not responder:
        hint = "give the CA's list with --crl; --revocation leaf asks about the leaf only"
        return found or unknown("revocation", f"{who} names no OCSP responder", hint)
    nonce = secrets.token_bytes(32)
    try:
        answer = ask_for(responder, ocsp.request_for(certificate, issuer, nonce))
    except InputError as error:
        return unknown("revocation", error.message, error.hint)
    found = ocsp.judge([*at_hand, ocsp.Response(answer, nonce)], certificate, issuer, at=at)
    return found or unknown("revocation", f"the OCSP response does not cover {who}", "ask the issuer")


def _ask(responder: str, request: bytes, *, now: datetime, timeout: float) -> bytes:
    return http.post(responder, request, content_type=ocsp.REQUEST_TYPE, now=now, timeout=timeout)
