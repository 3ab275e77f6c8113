"""The facts of an identity for Terraform: those that change with events, and none that change with the date."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tf.types import Bool

from certkit.identity.issuers import IssuerSpec
from certkit.stores.record import State
from certkit.terraform.provider.schema import computed, utf8

if TYPE_CHECKING:
    from datetime import datetime

    from tf.schema import Attribute

    from certkit.identity.overview import GenerationView, Overview
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity

_AUTOMATIC = " With an automatic issuer; see `certkit_certificate` where a person fetches the certificate."


def _attributes(about: str) -> tuple[Attribute, ...]:
    """Return the attributes; `about` describes those that the installation of a certificate changes."""
    return (
        computed("generation", "The generation with the newest request that is open or issued, else the active one."),
        computed(
            "state",
            "Its state: `pending` (waiting for the certificate), `issued` (not in use yet) or `active`." + about,
        ),
        computed("csr", "Its CSR, PEM, to be submitted as it is; null for an imported one."),
        computed("certificate_name", "The unique name under which to submit it."),
        computed("spki_sha256", "The fingerprint of its public key."),
        computed("active_generation", "The generation in use." + about),
        computed("fingerprint_sha256", "The fingerprint of the certificate in use." + about),
        computed("not_before", "Start of its validity, RFC 3339." + about),
        computed("not_after", "End of its validity, RFC 3339." + about),
        computed("ready_for_renewal", "Whether a new request is due by the policy's renewal window.", Bool()),
        computed(
            "certificate_path",
            "Where the certificate in use is, with its chain: a path that renewals do not change, or a reference in"
            " Vault." + about.replace("With", "In Vault: with"),
        ),
        computed(
            "key_reference",
            "Where the private key in use is: a path that renewals do not change, or a reference in Vault. Never a key."
            + about.replace("With", "In Vault: with"),
        ),
        computed("hook_owed", "Whether a deploy hook failed and has not succeeded since.", Bool()),
        computed("next", "The next step for a person."),
    )


# The data source gives the present facts; those of the resource must not change with an installation.
ATTRIBUTES = _attributes("")
ATTRIBUTES_OF_RESOURCE = _attributes(_AUTOMATIC)
NAMES = tuple(each.name for each in ATTRIBUTES)

_OF_THE_CERTIFICATE = ("state", "active_generation", "fingerprint_sha256", "not_before", "not_after")


def facts(store: Store, identity: StoredIdentity, policy: Policy, found: Overview, *, now: datetime) -> dict[str, Any]:
    """Return the present values of those attributes; `found` is the overview of the identity.

    Raises:
        InputError: if the stored data cannot be read.
    """
    from certkit.identity import overview, renew
    from certkit.times import rfc3339

    newest, active = found.pending or found.active, found.active
    in_use, opens = found.active or newest, renew.window(identity, policy)
    location = store.location(identity, in_use.generation) if in_use else None
    return {
        **_about_request(identity, newest),
        "state": newest.state.value if newest else None,
        "active_generation": identity.record.active,
        "fingerprint_sha256": active.fingerprint_sha256 if active else None,
        "not_before": rfc3339(active.not_before) if active and active.not_before else None,
        "not_after": rfc3339(active.not_after) if active and active.not_after else None,
        "ready_for_renewal": now >= opens if opens else found.pending is None,
        "certificate_path": utf8(location.fullchain) if location and active else None,
        "key_reference": utf8(location.key) if location else None,
        "hook_owed": overview.owed_hook(identity) is not None,
        "next": found.next,
    }


def of_resource(
    store: Store, identity: StoredIdentity, policy: Policy, found: Overview, live: dict[str, Any]
) -> dict[str, Any]:
    """Return those values as the resource has them: for a manual issuer, without what an installation changes.

    Terraform applies an identity before its certificate. A value that the installation changes would be known one plan
    late, and change outputs in a plan that ought to be empty. Neither does a rollback change anything: the newest
    request stays the newest.
    """
    live = live | {"ready_for_renewal": live["ready_for_renewal"] and found.pending is None}
    if not IssuerSpec.parse(identity.record.settings.issuer).is_manual:
        return live
    usable = [each for each in found.generations if each.state not in {State.RETIRED, State.DISCARDED}]
    newest = usable[-1] if usable else None
    in_use = replace(identity, record=replace(identity.record, active=newest.generation if newest else None))
    location = store.location(in_use, newest.generation) if newest else None
    is_path = location is not None and location.is_directory
    request = _about_request(identity, newest)
    return live | {
        **request,
        **dict.fromkeys(_OF_THE_CERTIFICATE),
        "certificate_path": utf8(location.fullchain) if location and is_path else None,
        "key_reference": utf8(location.key) if location and is_path else None,
        "next": _next_for(request, identity, policy) or live["next"],
    }


def _about_request(identity: StoredIdentity, newest: GenerationView | None) -> dict[str, Any]:
    """Return what an installation does not change; the CSR stays after its certificate is installed."""
    from certkit.identity import overview
    from certkit.x509 import objects, pem

    csr = overview.generation(identity, newest.generation).csr if newest else None
    der = objects.csr(csr, name="the stored CSR").der if csr else b""
    return {
        "generation": newest.generation if newest else None,
        "csr": pem.encode(pem.CERTIFICATE_REQUEST, der).decode("ascii") if der else None,
        "certificate_name": newest.certificate_name if newest else None,
        "spki_sha256": newest.spki_sha256 if newest else None,
    }


def _next_for(request: dict[str, Any], identity: StoredIdentity, policy: Policy) -> str | None:
    """Return what a person does with a request, in words that fit before and after the installation."""
    if not request["csr"] or identity.record.undeployed is not None:
        return None
    name = f" under the name {request['certificate_name']}" if request["certificate_name"] else ""
    where = f"in {policy.portal.name}, submit" if policy.portal.name else "have a CA sign"
    what = f"the CSR of generation {request['generation']}{name}, and give its certificate to certkit_certificate"
    return f"{where} {what}; nothing, once that is done"
