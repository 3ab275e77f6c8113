"""The resource `certkit_identity`: an identity with its requests, one for each renewal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tf.iface import Resource
from tf.types import Bool, Unknown

from certkit.errors import InputError, RefusedError, StoreError
from certkit.identity.issuers import IssuerSpec
from certkit.stores.base import AbsentError
from certkit.stores.record import State as GenerationState
from certkit.stores.record import require_name
from certkit.terraform.provider import facts, settings
from certkit.terraform.provider.boundary import Boundary
from certkit.terraform.provider.schema import argument, option, require_public, schema
from certkit.terraform.provider.services import OfProvider, require_removed

if TYPE_CHECKING:
    from tf.iface import CreateContext, DeleteContext, ImportContext, PlanContext, ReadContext, UpdateContext
    from tf.schema import Schema
    from tf.utils import Diagnostics

    from certkit.stores.base import Store
    from certkit.terraform.provider.schema import Config, State

_DESCRIPTION = (
    "A client credential for a partner: a private key in the store, and a request that follows the partner's"
    " rules. When the renewal window of the certificate in use is open, the plan shows that a new request will be"
    " made, with a new key. An existing identity with the same arguments is adopted. Where a person fetches the"
    " certificate, the facts about it are those of `certkit_certificate`."
)


class IdentityResource(OfProvider, Resource):
    """An identity in the store of the provider."""

    name = "identity"

    @classmethod
    def get_schema(cls) -> Schema:
        """The attributes."""
        return schema(
            _DESCRIPTION,
            argument("name", "The identity's name: 1 to 64 letters, digits, `.`, `_` or `-`.", required=True),
            settings.ARGUMENTS,
            option(
                "renew", "Whether a new request is created when the renewal window is open. By default yes.", Bool()
            ),
            option(
                "destroy_keys",
                "Whether destroying the resource removes the identity from the store, with all its keys. By default"
                " no: Terraform only forgets it. Takes effect once applied.",
                Bool(),
            ),
            facts.ATTRIBUTES_OF_RESOURCE,
        )

    def validate(self, diags: Diagnostics, type_name: str, config: Config) -> None:
        """Refuse what `enroll` would refuse, if everything is known already."""
        from certkit.csr.create import refuse_early
        from certkit.identity import enroll
        from certkit.policy import catalogue
        from certkit.x509.keys import KeySpec

        super().validate(diags, type_name, config)
        with Boundary(diags):
            require_public(config)
            if isinstance(config["name"], str):
                require_name(config["name"])
            if not settings.is_known(config):
                return
            wanted = settings.settings_of(config)
            policy = catalogue.load(wanted.policy)
            enroll.require_probe(wanted.probe, policy)
            spec = KeySpec.parse(wanted.key_type) if wanted.key_type else None
            refuse_early(wanted.subject, policy, spec)

    def create(self, ctx: CreateContext, planned: State) -> State | None:
        """Enroll, and have an automatic issuer sign; an existing identity with the same arguments is adopted."""
        from certkit.identity import enroll, renew
        from certkit.policy import catalogue

        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            wanted = self.provider.storable(store, settings.settings_of(planned), boundary)
            policy = catalogue.load(wanted.policy)
            is_manual = IssuerSpec.parse(wanted.issuer).is_manual
            name, now = planned["name"], self.provider.now()
            if wanted.trust_bundle is None and not is_manual:
                try:
                    store.require_settings_right(name)
                except StoreError as error:  # then the CAs that come with the certificate could not be kept
                    error.hint = "give the CAs of the issuer from the beginning: `ca`"
                    raise
            try:
                done = enroll.enroll(store, name, wanted, policy, now=now)
            except enroll.DifferentError as error:
                error.hint = "leave the argument out, or choose another name"
                if error.setting in settings.CHANGEABLE.values():
                    error.hint = (
                        "leave the argument out, or import the identity, so that the next apply changes the setting:"
                        f" terraform import certkit_identity.LABEL {name}"
                    )
                raise
            if done.identity.record.settings.trust_bundle is None and is_manual:
                try:
                    store.require_settings_right(name)
                except StoreError as error:
                    hint = "set `ca`, and apply with an operator's token"
                    boundary.warn(f"{name}: `ca` names no CAs to trust, and {error.message}", hint)
            machine = self.provider.machine(boundary)
            with machine.issuing(store, done.identity) as issuer:
                if issuer is not None:
                    how = machine.activation(store, done.identity)
                    done = renew.carry_through(store, done, policy, issuer=issuer, how=how, now=now)
            boundary.warn_of(name, done.findings)
            return self._applied(store, planned)
        return None

    def read(self, ctx: ReadContext, current: State) -> State | None:
        """Read the identity; None if it was removed from the store."""
        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            try:
                found = self._found(store, current["name"], boundary)
            except AbsentError as error:
                require_removed(error)
                return None
            return current | found
        return current

    def plan(self, ctx: PlanContext, current: State | None, planned: State) -> State | None:
        """Plan a new request, and refuse changes that would need other keys."""
        with self.provider.boundary(ctx.diagnostics) as boundary:
            assert current is not None  # noqa: S101  a plan to create is not asked for
            _require_same(current, planned, ctx.changed_fields)
            if ctx.changed_fields & {"name", *settings.NAMES} - {*settings.CHANGEABLE}:
                _warn_before_delete(current, boundary)
            elif ctx.changed_fields & {*settings.CHANGEABLE}:
                with self.provider.store(boundary) as store:
                    store.require_settings_right(current["name"])
            is_manual = planned["issuer"] is not Unknown and IssuerSpec.parse(planned["issuer"]).is_manual
            if "issuer" in ctx.changed_fields:
                planned = planned | dict.fromkeys(facts.NAMES, Unknown)
            if current["hook_owed"]:
                boundary.warn(
                    f"{planned['name']}: a deploy hook failed and has not succeeded since, so it will run again"
                )
                planned = planned | dict.fromkeys(("hook_owed", "next"), Unknown)
            reason = _reason(current, planned, is_manual=is_manual)
            if reason:
                name = planned["name"]
                hint = (
                    f"submit it, and give its certificate to certkit_certificate, or: certkit identity install {name}"
                )
                boundary.warn(f"{name}: {reason}", f"{hint} CERT" if is_manual else "")
                planned = planned | dict.fromkeys(_renewed(current, is_manual=is_manual), Unknown)
        return planned

    def update(self, ctx: UpdateContext, current: State, planned: State) -> State | None:
        """Change settings in place; create the planned request, unless another run has; or run an owed deploy hook."""
        from certkit.identity import activate

        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            self._change_settings(store, current, planned, boundary)
            if planned["generation"] is Unknown:
                self._renew(store, planned["name"], boundary)
            elif planned["hook_owed"] is Unknown:
                identity = store.load(planned["name"])
                if identity.record.active is not None:
                    how = self.provider.machine(boundary).activation(store, identity)
                    number, now = identity.record.active, self.provider.now()
                    done = activate.activate(store, identity, number, how=how, now=now)
                    boundary.warn_of(identity.name, done.findings)
            return self._applied(store, planned)
        return current

    def delete(self, ctx: DeleteContext, current: State) -> State | None:
        """Forget the identity, or remove it with its keys if configured."""
        with self.provider.boundary(ctx.diagnostics) as boundary:
            if current["destroy_keys"]:
                with self.provider.store(boundary) as store:
                    store.remove(current["name"])
            return None
        return current

    def plan_to_destroy(self, diagnostics: Diagnostics, current: State) -> None:
        """Warn of what stays behind."""
        with self.provider.boundary(diagnostics) as boundary:
            _warn_before_delete(current, boundary)

    def import_(self, ctx: ImportContext, id: str) -> State | None:  # noqa: A002  tf calls it so
        """Import an identity by its name."""
        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            return {"name": id, "renew": None, "destroy_keys": None, **self._found(store, require_name(id), boundary)}
        return None

    def _found(self, store: Store, name: str, boundary: Boundary | None = None) -> dict[str, Any]:
        """Return the facts of an identity; a renewal that is due and unfinished is reported to the boundary."""
        from certkit.identity import overview
        from certkit.policy import catalogue

        identity = store.load(name)
        known = identity.record.settings
        policy = catalogue.load(known.policy)
        now = self.provider.now()
        found = overview.overview(identity, policy, now=now)
        live = facts.facts(store, identity, policy, found, now=now)
        if boundary and live["ready_for_renewal"] and live["active_generation"] not in {None, live["generation"]}:
            message = f"{name}: the certificate in use ends {live['not_after']}, and its successor is not in use yet"
            boundary.warn(message, live["next"])
        return settings.arguments_of(known) | facts.of_resource(store, identity, policy, found, live)

    def _applied(self, store: Store, planned: State) -> State:
        """Return the stored values, with the planned ones in their place: an argument may be left out."""
        return self._found(store, planned["name"]) | {key: each for key, each in planned.items() if each is not Unknown}

    def _change_settings(self, store: Store, current: State, planned: State, boundary: Boundary) -> None:
        from certkit.identity.update import Changes, update
        from certkit.policy import catalogue
        from certkit.x509 import objects

        name = planned["name"]
        identity, wanted = store.load(name), self.provider.storable(store, settings.settings_of(planned), boundary)
        given = {
            field
            for each, field in settings.CHANGEABLE.items()
            if planned[each] is not Unknown and planned[each] != current[each]
        }
        changed = {field: getattr(wanted, field) for field in given - {"trust_bundle"}}
        bundle = wanted.trust_bundle if "trust_bundle" in given else None
        anchors = objects.certificates(bundle.encode(), name="the argument `ca`") if bundle else []
        policy = catalogue.load(identity.record.settings.policy)
        changes = Changes(anchors=anchors, replaces_anchors=True, settings=changed)
        try:
            update(store, identity, policy, changes, now=self.provider.now())
        except RefusedError as error:
            if anchors and identity.record.active is not None:
                error.hint = "keep the old CA in `ca` until a certificate of the new one is in use"
            raise

    def _renew(self, store: Store, name: str, boundary: Boundary) -> None:
        """Create a request and complete it as far as possible without a person, unless another run has."""
        from certkit.identity import renew
        from certkit.policy import catalogue

        machine, identity = self.provider.machine(boundary), store.load(name)
        policy = catalogue.load(identity.record.settings.policy)
        with machine.issuing(store, identity) as issuer:
            wanted = renew.Renewal(issuer=issuer, how=machine.activation(store, identity))
            renewed = renew.renew(store, identity, policy, wanted=wanted, now=self.provider.now())
        boundary.warn_of(name, [*renewed.findings, *filter(None, [renewed.outcome])])


_OF_A_REQUEST = ("generation", "csr", "certificate_name", "spki_sha256", "ready_for_renewal", "next")
_PLACES = ("certificate_path", "key_reference")


def _renewed(current: State, *, is_manual: bool) -> set[str]:
    """Return what a new request changes: little if a person fetches the certificate, all if the issuer is automatic.

    In a directory the paths of the active pair do not change with it; in Vault its references do.
    """
    if is_manual:
        return {*_OF_A_REQUEST} if current["generation"] else {*_OF_A_REQUEST, *_PLACES}
    is_vault = (current["certificate_path"] or "vault:").startswith("vault:")
    return {*facts.NAMES} - (set() if is_vault else {*_PLACES})


def _reason(current: State, planned: State, *, is_manual: bool) -> str | None:
    """Return why a new request is due, or an old one is to be continued; None if neither."""
    if current["generation"] is None:
        return "no request is open, and no certificate is in use, so a new request will be made"
    if planned["renew"] is not False and current["ready_for_renewal"]:
        return "the renewal window is open, so a new request will be made"
    if not is_manual and current["state"] != GenerationState.ACTIVE and current["issuer"] == planned["issuer"]:
        return f"the request of generation {current['generation']} is still open, so the issuer will be asked again"
    return None


def _warn_before_delete(current: State, boundary: Boundary) -> None:
    name = current["name"]
    if current["destroy_keys"]:
        boundary.warn(
            f"{name}: the identity will be removed from the store with all its keys", "`destroy_keys` is true"
        )
    else:
        boundary.warn(
            f"{name}: Terraform forgets the identity; it stays in the store with its keys",
            f"to remove it: certkit identity remove {name}, or destroy_keys = true, applied beforehand",
        )


def _require_same(current: State, planned: State, changed: set[str]) -> None:
    """Refuse to give an identity other settings, unless it may be replaced, with its keys.

    Raises:
        InputError: if an argument differs.
    """
    fixed = [name for name in settings.NAMES if name not in settings.CHANGEABLE]
    other = [name for name in fixed if name in changed and not settings.is_unknown(planned[name])]
    if other and not current["destroy_keys"] and "name" not in changed:
        name = current["name"]
        raise InputError(
            f"{name}: the identity was enrolled with another {' and '.join(other)}",
            hint="choose another name, or leave the argument out; destroy_keys = true, applied beforehand, allows a"
            " replacement with new keys",
        )
