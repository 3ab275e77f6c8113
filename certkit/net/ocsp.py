"""Use case: asking OCSP responders about the certificates of a path."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Finding, Status, ok, unknown
from certkit.net import http
from certkit.verify import ocsp, revocation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl


def check(
    path: Sequence[Certificate],
    *,
    at: datetime,
    now: datetime,
    responses: Sequence[bytes] = (),
    crls: Sequence[Crl] = (),
    ask: bool,
    whole_chain: bool = True,
    timeout: float = http.TIMEOUT_SECONDS,
) -> list[Finding]:
    """Return the OCSP findings for each certificate below the anchor, or for the leaf only.

    Given responses (DER) come first; with `ask`, the responder that a certificate names is asked for the rest, each for
    `timeout` seconds at most. `at` is the moment to judge, and `now` the time of the request. `crls` are searched for
    certificates that name no responder, and for responders that are revoked themselves.
    """
    if len(path) < 2:
        return [
            unknown("revocation", "without a chain, certkit cannot tell whose OCSP response to trust", "add --ca FILE")
        ]

    def one(certificate: Certificate, above: Sequence[Certificate]) -> Finding:
        at_hand = [ocsp.Response(each) for each in responses]
        found = ocsp.judge(at_hand, certificate, above, at=at, crls=crls)
        if found is not None and (not ask or found.status is not Status.UNKNOWN):
            return found
        who, responder = certificate.brief_name, ocsp.responder_of(certificate)
        if found is None and not responder:  # a root often publishes only a CRL
            listed = revocation.by_lists([certificate, *above], crls=crls, at=at, whole_chain=False)
            if listed.status is Status.OK:
                return ok("revocation", f"not revoked: {who}, by CRL, because it names no OCSP responder")
        if not ask:
            hint = "give one, or add --ocsp to query the responder"
            return unknown("revocation", f"no OCSP response covers {who}", hint)
        if not responder:
            hint = "give the CRLs of all CAs of the chain with --crl"
            if certificate is not path[0]:
                hint += "; or check only the leaf: --revocation leaf"
            return found or unknown("revocation", f"{who} names no OCSP responder", hint)
        nonce = secrets.token_bytes(32)
        try:
            request = ocsp.request_for(certificate, above[0], nonce)
            answer = http.post(responder, request, content_type=ocsp.REQUEST_TYPE, now=now, timeout=timeout)
        except InputError as error:
            return unknown("revocation", error.message, error.hint)
        found = ocsp.judge([*at_hand, ocsp.Response(answer, nonce)], certificate, above, at=at, crls=crls)
        return found or unknown("revocation", f"the OCSP response does not cover {who}", "ask the issuer")

    judged = path[:-1] if whole_chain else path[:1]
    return [one(each, path[number + 1 :]) for number, each in enumerate(judged)]
