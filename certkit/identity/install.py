"""Installation of an issued certificate: matched by public key, checked, and only then written."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.errors import InputError, RefusedError
from certkit.findings import critical
from certkit.identity import limits, overview
from certkit.identity.done import Done
from certkit.identity.enroll import has_same_cas, require_same, trusting
from certkit.stores.base import Issued
from certkit.stores.record import CSR, FINGERPRINT, State
from certkit.x509 import describe, keys, objects
from certkit.x509.certificate import Certificate, to_pem
from certkit.x509.csr import Csr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.stores.base import Generation, Store, StoredIdentity
    from certkit.verify import Question, Verdict


def install(
    store: Store,
    identity: StoredIdentity,
    pasted: bytes,
    policy: Policy,
    *,
    file: str = "the given file",
    trust_bundle: bytes | None = None,
    untrusted: Sequence[Certificate] = (),
    now: datetime,
) -> tuple[Done, str]:
    """Install the certificate issued for a request; return the generation's number. Repeating this changes nothing.

    `pasted` is what a person copied: the certificate, with or without those above it; messages call it `file`;
    `trust_bundle` (PEM) are the CAs to trust, if the identity was not enrolled with them.

    Raises:
        InputError: if there is no certificate, or nothing to trust.
        RefusedError: if it matches no request, or a check fails; nothing was written.
    """
    from certkit.verify.path import is_anchor

    name = identity.name
    certificates = objects.certificates(pasted, name=file)
    leaf, generation = _matched_request(identity, certificates)
    bundle = identity.record.settings.trust_bundle
    if trust_bundle is None and not bundle:
        raise InputError(
            f"{name}: no trust bundle, so the certificate cannot be verified", hint="give the partner's CA with --ca"
        )
    known = objects.certificates(bundle.encode(), name="the trust bundle") if bundle else []
    anchors = known if trust_bundle is None else objects.certificates(trust_bundle, name="the trust bundle")
    others = [*(each for each in certificates if each is not leaf), *untrusted]
    if trust_bundle is not None:
        limits.require_current(name, anchors, now)
    refuse(name, limits.Neighbours(store, name, policy, identity).sharing_trust(anchors))
    verdict = judge(identity, generation, leaf, anchors=anchors, untrusted=others, policy=policy, at=now)
    issued, changed, cas = generation.issued, generation.issued is None, list(filter(is_anchor, anchors))
    missing = [each for each in cas if each not in known]
    if issued is None:
        issued = Issued(certificate=to_pem([leaf]), chain=to_pem(above(verdict)), trust_bundle=to_pem(cas))
        if missing:
            both = to_pem([*known, *missing]).decode("ascii")
            identity = store.change(identity, lambda record: trusting(record, both, before=bundle))
    else:
        _require_installed(name, generation, leaf, missing)
    return Done(write(store, identity, generation.number, issued, leaf), changed, verdict.findings), generation.number


def _require_installed(name: str, generation: Generation, leaf: Certificate, missing: Sequence[Certificate]) -> None:
    """Refuse a second certificate for a generation, and CAs that are missing in the trust bundle.

    The bundle may have changed since, and the file may come with other intermediates.

    Raises:
        RefusedError: if the generation has another certificate.
        InputError: if a CA is missing.
    """
    if overview.certificate(generation) != leaf:
        message = f"generation {generation.number} already has another certificate"
        hint = f"each generation has one certificate; request another: certkit identity renew {name} --force"
        refuse(name, [critical("key-match", message, hint)])
    if missing:
        hint = f"add them: certkit identity update {name} --ca FILE"
        raise InputError(f"{name}: the certificate is installed already, but not every CA is trusted", hint=hint)


def trust(store: Store, identity: StoredIdentity, policy: Policy, bundle: str, *, now: datetime) -> Done:
    """Make an identity trust the CAs of a bundle (PEM) from its next certificate on.

    Until a certificate is installed, wrong CAs can be replaced.

    Raises:
        InputError: if the identity already trusts other CAs.
        RefusedError: if the CAs belong to another environment, or all have expired.
    """
    name, known = identity.name, identity.record.settings
    if has_same_cas(known.trust_bundle, bundle):
        return Done(identity, changed=False)
    if known.trust_bundle is not None and any(each.is_issued for each in identity.generations):
        require_same(name, known, replace(known, trust_bundle=bundle))
    anchors = objects.certificates(bundle.encode(), name=name)
    limits.require_current(name, anchors, now)
    refuse(name, limits.Neighbours(store, name, policy, identity).sharing_trust(anchors))
    changed = store.change(identity, lambda record: trusting(record, bundle, before=known.trust_bundle))
    return Done(changed, changed=True)


def complete(store: Store, identity: StoredIdentity, generation: Generation) -> StoredIdentity:
    """Write the facts of a certificate, if the run that installed it was killed before doing so."""
    leaf = overview.certificate(generation)
    if FINGERPRINT in identity.record.facts.get(generation.number, ()) or generation.issued is None or leaf is None:
        return identity
    return write(store, identity, generation.number, generation.issued, leaf)


def write(store: Store, identity: StoredIdentity, number: str, issued: Issued, leaf: Certificate) -> StoredIdentity:
    """Write an accepted certificate, and its facts."""
    facts = describe.facts(leaf)
    policy = identity.record.settings.policy
    known = {**facts, **overview.key_facts(keys.key_facts(leaf.public_key())), CSR: ""}
    recorded = {**facts, "policy": policy}
    return store.install(identity, number, issued, facts=recorded, edit=lambda record: record.describe(number, known))


def judge(
    identity: StoredIdentity,
    generation: Generation,
    leaf: Certificate,
    *,
    anchors: Sequence[Certificate],
    untrusted: Sequence[Certificate],
    policy: Policy,
    at: datetime,
) -> Verdict:
    """Return the verdict on a certificate that passes every check.

    Raises:
        RefusedError: if a check fails; with all findings.
    """
    from certkit.verify import Question

    question = Question(
        leaf=leaf,
        policy=policy,
        at=at,
        anchors=anchors,
        untrusted=untrusted,
        client_id=identity.record.settings.client_id,
        csr=overview.request(generation),
    )
    verdict = up_to_a_root(question)
    findings = (*verdict.findings, *_in_use(identity, generation, leaf))
    try:
        refuse(identity.name, findings)
    except RefusedError as error:
        if any(each.id == "chain" and each.is_bad for each in findings):
            error.hint += f"; if the partner has a new CA: certkit identity update {identity.name} --ca FILE"
        raise
    return replace(verdict, findings=findings)


def up_to_a_root(question: Question) -> Verdict:
    """Return the verdict over a path to a root, if a root is trusted: a partner may know only the root.

    A certificate that is itself an anchor is refused, because it proves nothing about the partner.
    """
    from certkit.verify import verify

    anchors = question.anchors or ()
    if question.leaf in anchors:
        own = critical(
            "chain",
            "the certificate is itself in the trust bundle",
            "give the certificate of the partner's CA with --ca",
        )
        found = verify(question)
        return replace(found, findings=(*(each for each in found.findings if each.id != "chain"), own))
    roots = [each for each in anchors if each.is_self_issued]
    wide = replace(question, anchors=roots, untrusted=[*question.untrusted, *anchors])
    found = verify(wide if roots else question)
    return verify(question) if roots and any(each.is_bad for each in found.findings) else found


def above(verdict: Verdict) -> list[Certificate]:
    """Return the chain to send with a certificate: the rest of its path without the root, which verifiers have."""
    return [each for each in verdict.path[1:] if not each.is_self_issued]


def refuse(name: str, findings: Sequence[Finding]) -> None:
    """Raise if a finding is critical or could not be decided.

    Raises:
        RefusedError: with all findings.
    """
    if bad := [each for each in findings if each.is_bad]:
        reasons = "; ".join(f"{each.id}: {each.message}" for each in bad)
        raise RefusedError(f"{name}: certificate rejected: {reasons}", hint=bad[0].hint, findings=findings)


def _matched_request(identity: StoredIdentity, certificates: Sequence[Certificate]) -> tuple[Certificate, Generation]:
    """Return the certificate and the generation with its key, a pending one if there is one."""
    known = overview.in_state(identity, State.PENDING, State.ISSUED, State.ACTIVE)
    wanted = {spki(request): each for each in known if (request := overview.request(each)) is not None}
    wanted.pop(None, None)
    found = [(each, wanted[own]) for each in certificates if (own := spki(each)) in wanted]
    if found:
        return min(found, key=lambda pair: pair[1].issued is not None)
    for each in identity.generations:
        if overview.certificate(each) in certificates:  # of a generation that is out of use
            state = overview.state_of(identity, each)
            message = f"this is the certificate of generation {each.number} ({state})"
            is_usable = state is State.PREVIOUS
            command = f"activate {identity.name} {each.number}" if is_usable else f"renew {identity.name} --force"
            what = "put that generation to use again" if is_usable else "request another one"
            refuse(identity.name, [critical("key-match", message, f"{what}: certkit identity {command}")])
    message = (
        f"the certificate matches no pending request: SPKI SHA-256 of the certificate"
        f" {spki(describe.leaf_of(certificates))}, of the requests {', '.join(filter(None, wanted)) or 'none'}"
    )
    hint = f"give the certificate that was issued for the CSR shown by `certkit identity show {identity.name}`"
    findings = [critical("key-match", message, hint)]
    raise RefusedError(f"{identity.name}: certificate rejected: key-match: {message}", hint=hint, findings=findings)


def spki(holder: Certificate | Csr) -> str | None:
    """Return the fingerprint of the public key of a certificate or CSR; None if it cannot be read."""
    if isinstance(holder, Csr):
        return holder.spki_sha256
    with contextlib.suppress(InputError):
        return keys.key_facts(holder.public_key()).spki_sha256
    return None


def _in_use(identity: StoredIdentity, answered: Generation, leaf: Certificate) -> list[Finding]:
    """Return a finding if the identity has this certificate already, and still waits for another."""
    waits = overview.in_state(identity, State.PENDING)
    for each in identity.generations:
        is_old = each.number != answered.number or (waits and each.number == identity.record.active)
        if is_old and overview.facts_of(identity, each).get(FINGERPRINT) == leaf.fingerprint_sha256:
            hint = "download the certificate that was issued for the pending request"
            return [critical("key-match", f"this is already the certificate of generation {each.number}", hint)]
    return []
