"""The verdict on a server: its chain, and its name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.findings import Finding, Status, ok
from certkit.policy.rules import KeyRules, Policy
from certkit.verify import Question, verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate

# What is checked of a server's chain, in the order in which it is reported.
_CHAIN_CHECKS = ("chain", "validity", "purpose", "key-type", "signature-algorithm")
# No partner's rules: sound keys (NIST SP 800-57 part 1 rev. 5, table 2).
_SOUND = Policy(
    name="server",
    title="TLS",
    key=KeyRules(types=("ec-p256", "ec-p384", "ec-p521", "ed25519", "ed448"), rsa_minimum_bits=2048),
)
# Its operator, not the user, can repair it.
_HINTS = {
    "chain": "check that --ca has the CA of this server; a missing intermediate must be sent by the server",
    "validity": "ask the operator of the server to renew its certificate, or check this machine's clock",
}


def judge(
    chain: Sequence[Certificate], *, host: str, anchors: Sequence[Certificate] | None, at: datetime
) -> tuple[Finding, Finding]:
    """Return the findings `server-chain` and `name` about what a server presents, its own certificate first.

    `anchors` None: there are no anchors; then the first finding is a warning, unless something else is wrong.
    """
    question = Question(
        leaf=chain[0],
        policy=_SOUND,
        at=at,
        anchors=anchors,
        untrusted=chain[1:],
        purpose="server",
        hostname=host,
    )
    found = verify(question).findings
    name = next(each for each in found if each.id == "name")
    if not name.is_good:
        name = replace(name, hint="check the host name: the server's certificate must be valid for it")
    bad = [each for check in _CHAIN_CHECKS for each in found if each.id == check and not each.is_good]
    if not bad:
        good = next(each for each in found if each.id == "chain")
        return ok("server-chain", good.message), name
    worst = next((each for each in bad if each.status is Status.CRITICAL), bad[0])
    hint = "add --ca FILE, or --ca system" if worst.status is Status.WARNING else _HINTS.get(worst.id, worst.hint)
    return replace(worst, id="server-chain", hint=hint), name
