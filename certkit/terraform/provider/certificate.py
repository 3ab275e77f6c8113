"""The resource `certkit_certificate`: the certificate for a request, installed and active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tf.iface import Resource
from tf.types import Bool, Unknown

from certkit.errors import InputError
from certkit.stores.base import AbsentError
from certkit.stores.record import State as GenerationState
from certkit.stores.record import require_name
from certkit.terraform.provider.boundary import Boundary
from certkit.terraform.provider.schema import (
    Text,
    argument,
    certificates_only,
    computed,
    option,
    require_public,
    schema,
    utf8,
)
from certkit.terraform.provider.services import OfProvider, require_removed

if TYPE_CHECKING:
    from tf.iface import CreateContext, DeleteContext, ImportContext, PlanContext, ReadContext, UpdateContext
    from tf.schema import Schema
    from tf.utils import Diagnostics

    from certkit.stores.base import Generation, Store, StoredIdentity
    from certkit.terraform.provider.schema import Config, State

_DESCRIPTION = (
    "The certificate that a partner issued for a request of an identity. It is matched to the request by its public"
    " key, and nothing is written unless every check passes; then it is activated."
)
_OF_ITS_USE = ("state", "certificate_path", "key_reference")
_COMPUTED = ("generation", "fingerprint_sha256", "not_before", "not_after", *_OF_ITS_USE)


class CertificateResource(OfProvider, Resource):
    """A generation of an identity that has its certificate."""

    name = "certificate"

    @classmethod
    def get_schema(cls) -> Schema:
        """The attributes."""
        return schema(
            _DESCRIPTION,
            argument("identity", "The identity's name.", required=True),
            option(
                "certificate",
                'The certificate, PEM, with or without the chain above it: `file("acme.pem")`. Leave it out'
                " until the partner has issued the certificate.",
                Text(certificates_only),
            ),
            option(
                "ca",
                "The CAs to trust, as PEM. By default those that the identity was enrolled with. Used when a"
                " certificate is installed.",
                Text(certificates_only),
            ),
            option("activate", "Whether the certificate is activated. By default yes.", Bool()),
            computed("generation", "The generation that it belongs to."),
            computed("fingerprint_sha256", "The fingerprint of the certificate."),
            computed("not_before", "The time from which it is valid, RFC 3339."),
            computed("not_after", "The time until which it is valid, RFC 3339."),
            computed("state", "`active`, `issued` (never in use yet), `previous` or `retired`."),
            computed(
                "certificate_path",
                "Where it is, with its chain: a path that renewals and rollbacks do not change; a reference in Vault.",
            ),
            computed("key_reference", "Where its key is: such a path, or a reference in Vault. Never a key."),
        )

    def validate(self, diags: Diagnostics, type_name: str, config: Config) -> None:
        """Refuse an invalid name, and text that is not a certificate."""
        from certkit.x509 import objects

        super().validate(diags, type_name, config)
        with Boundary(diags):
            require_public(config)
            if isinstance(config["identity"], str):
                require_name(config["identity"])
            for each in ("certificate", "ca"):
                if isinstance(config[each], str):
                    objects.certificates(config[each].encode(), name=f"the argument `{each}`")

    def create(self, ctx: CreateContext, planned: State) -> State | None:
        """Install the certificate, if there is one yet, and activate it."""
        if not planned["certificate"]:
            return planned | dict.fromkeys(_COMPUTED)
        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            return self._installed(store, planned, boundary, is_new=True)
        return None

    def read(self, ctx: ReadContext, current: State) -> State | None:
        """Read the certificate from the store; None if it was removed."""
        from certkit.identity import overview

        if current["generation"] is None:
            return current
        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            try:
                identity = store.load(current["identity"])
                found = _facts(store, identity, overview.generation(identity, current["generation"]))
            except AbsentError as error:
                require_removed(error)
                return None
            return current | found if found["fingerprint_sha256"] == current["fingerprint_sha256"] else None
        return current

    def plan(self, ctx: PlanContext, current: State | None, planned: State) -> State | None:
        """Plan to install another certificate, or to activate this one."""
        with self.provider.boundary(ctx.diagnostics) as boundary:
            assert current is not None  # noqa: S101  a plan to create is not asked for
            if "certificate" in ctx.changed_fields and not planned["certificate"]:
                self.plan_to_destroy(ctx.diagnostics, current)
                return planned | dict.fromkeys(_COMPUTED)
            if "certificate" in ctx.changed_fields:
                return planned | dict.fromkeys(_COMPUTED, Unknown)
            if "ca" in ctx.changed_fields:
                boundary.warn(f"{planned['identity']}: `ca` will count when the next certificate is installed")
            if self._wants_use(current, planned, boundary):
                return planned | dict.fromkeys(_OF_ITS_USE, Unknown) | {"state": GenerationState.ACTIVE.value}
        return planned

    def update(self, ctx: UpdateContext, current: State, planned: State) -> State | None:
        """Install another certificate, or activate this one."""
        from certkit.identity import overview

        if not planned["certificate"]:
            return planned
        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            if planned["generation"] is Unknown:
                return self._installed(store, planned, boundary, is_new=False)
            identity = store.load(planned["identity"])
            if planned["state"] != current["state"]:
                identity = self._activate(store, identity, planned["generation"], boundary)
            found = _facts(store, identity, overview.generation(identity, planned["generation"]))
            return found | {key: each for key, each in planned.items() if each is not Unknown}
        return current

    def delete(self, ctx: DeleteContext, current: State) -> State | None:  # noqa: ARG002  tf gives them
        """Forget the certificate."""
        return None

    def plan_to_destroy(self, diagnostics: Diagnostics, current: State) -> None:
        """Warn of what stays behind."""
        with self.provider.boundary(diagnostics) as boundary:
            name, generation = current["identity"], current["generation"]
            boundary.warn(f"{name}: Terraform forgets the certificate of generation {generation}; it stays as it is")

    def import_(self, ctx: ImportContext, id: str) -> State | None:  # noqa: A002  tf calls it so
        """Import the certificate of NAME/GENERATION, or the active one of the identity NAME."""
        from certkit.identity import overview

        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            name, _, number = id.partition("/")
            identity = store.load(require_name(name))
            generation = overview.generation(identity, number or identity.record.active or "")
            if generation.issued is None:
                hint = f"install its certificate first: certkit identity install {name} CERT"
                raise InputError(f"{name}: generation {generation.number} has no certificate yet", hint=hint)
            certificate = generation.issued.certificate.decode("ascii")
            given = {"identity": name, "certificate": certificate, "ca": None, "activate": None}
            return given | _facts(store, identity, generation)
        return None

    def _installed(self, store: Store, planned: State, boundary: Boundary, *, is_new: bool) -> State:
        """Install the certificate and activate it; one that was active before only if it replaces another one here."""
        from certkit.identity import install, overview
        from certkit.policy import catalogue
        from certkit.x509 import objects

        name, now = planned["identity"], self.provider.now()
        identity = store.load(name)
        policy = catalogue.load(identity.record.settings.policy)
        bundle = planned["ca"].encode() if planned["ca"] else None
        pasted = planned["certificate"].encode()
        given = objects.certificates(pasted, name="the argument `certificate`")
        before = overview.in_state(identity, GenerationState.PREVIOUS)
        known = [each.number for each in before if overview.certificate(each) in given]
        if known:
            number = known[-1]
        else:
            done, number = install.install(store, identity, pasted, policy, trust_bundle=bundle, now=now)
            boundary.warn_of(name, done.findings)
            identity = done.identity
        found = planned | _facts(store, identity, overview.generation(identity, number))
        is_used = found["state"] == GenerationState.ACTIVE  # then a deploy hook may be owed
        if planned["activate"] is False or (is_new and not is_used and not self._wants_use(found, found, boundary)):
            return found
        identity = self._activate(store, identity, number, boundary)
        return planned | _facts(store, identity, overview.generation(identity, number))

    def _activate(self, store: Store, identity: StoredIdentity, number: str, boundary: Boundary) -> StoredIdentity:
        from certkit.identity import activate

        how = self.provider.machine(boundary).activation(store, identity)
        done = activate.activate(store, identity, number, how=how, now=self.provider.now())
        boundary.warn_of(identity.name, done.findings)
        return done.identity

    def _wants_use(self, current: State, planned: State, boundary: Boundary) -> bool:
        """Return whether the certificate is to be activated, and can be.

        One that is no longer active was replaced or rolled back on purpose.
        """
        is_used = current["state"] in {None, GenerationState.ACTIVE}
        if not planned["certificate"] or planned["activate"] is False or is_used:
            return False
        from certkit.times import rfc3339

        which, is_over = f"generation {current['generation']}", current["not_after"] < rfc3339(self.provider.now())
        if current["state"] == GenerationState.ISSUED and not is_over:
            return True
        name, why = planned["identity"], "has expired" if is_over else f"is {current['state']}"
        hint = "give the certificate of the generation in use, or issue another one"
        if current["state"] == GenerationState.PREVIOUS and not is_over:
            hint = f"to use it again: certkit identity activate {name} {current['generation']}; else {hint}"
        boundary.warn(f"{name}: {which} {why}, and another generation is in use, which is left alone", hint)
        return False


def _facts(store: Store, identity: StoredIdentity, generation: Generation) -> dict[str, Any]:
    from certkit.identity import overview
    from certkit.times import rfc3339

    certificate, state = overview.certificate(generation), overview.state_of(identity, generation)
    begin, end = certificate.dates() if certificate else (None, None)
    location = store.location(identity, generation.number)
    if location.is_directory and state is GenerationState.PREVIOUS and identity.record.active:
        # The path follows the pointer, also after a rollback.
        location = store.location(identity, identity.record.active)
    return {
        "generation": generation.number,
        "fingerprint_sha256": certificate.fingerprint_sha256 if certificate else None,
        "not_before": rfc3339(begin) if begin else None,
        "not_after": rfc3339(end) if end else None,
        "state": state.value,
        "certificate_path": utf8(location.fullchain),
        "key_reference": utf8(location.key),
    }
