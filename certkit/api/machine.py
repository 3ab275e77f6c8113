"""The services of this machine that identities need: issuers, deploy hooks, and probes."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import CertkitError, InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from certkit.findings import Finding
    from certkit.identity.activate import Activation, Deployment, Probe
    from certkit.identity.issuers import Issuer
    from certkit.identity.programs import Programs
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.opening import Opener

_HOOKS = "deploy.d"
# What a record in Vault says of a hook that was a path on a host: never the path.
_HOOK_OF_A_HOST = "(named on the command line of)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine, by its environment and host configuration (`opener`); `policy` loads a policy by name or path."""

    opener: Opener
    policy: Callable[[str], Policy]

    def programs(self, store: Store) -> Programs:
        """Return the programs that this machine runs for the identities of a store."""
        from certkit.identity.programs import Programs

        return Programs(host=self.opener.host, environment=self.opener.environment, own=_directory(store))

    def storable(self, store: Store, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings of an identity, by their names, as its store may hold them: programs by absolute paths.

        In a store of files, a hook that this host does not know is a warning; in Vault another host may know it.

        Raises:
            InputError: if the issuer is no issuer, or it or the hook is a path, and the store is Vault.
        """
        from certkit.identity import issuers
        from certkit.identity.programs import is_path, storable_hook

        programs, found = self.programs(store), dict(settings)
        if found.get("issuer") is not None:
            found["issuer"] = issuers.storable(found["issuer"], programs.own)
        if found.get("deploy_hook") is not None:
            hook = found["deploy_hook"] = storable_hook(found["deploy_hook"], programs.own, programs.host)
            if programs.own is not None and not is_path(hook) and hook not in programs.host.hooks:
                self.opener.warn(
                    f"there is no program {hook!r} in the system's directories, and no such hook in the host "
                    f"configuration. Give the path of a program (such as ./{hook}), or add [hooks.{hook}]"
                )
        return found

    @contextlib.contextmanager
    def issuing(self, store: Store, identity: StoredIdentity) -> Iterator[Issuer | None]:
        """Yield the issuer of an identity; None if a person fetches the certificate.

        Raises:
            InputError: if its settings name none, one that may not run here, or one that cannot be reached.
        """
        from certkit.identity.issuers import Command, IssuerKind, IssuerSpec, VaultPki

        spec = IssuerSpec.parse(identity.record.settings.issuer)
        if spec.kind is IssuerKind.VAULT_PKI:
            with self.opener.connect() as vault:
                yield VaultPki(vault, spec.where, identity.name)
        elif spec.kind is IssuerKind.COMMAND:
            programs = self.programs(store)
            program = programs.stored("issuer", spec.where, identity=identity.name)
            yield Command(program.arguments, {**programs.variables, **program.variables})
        else:
            yield None

    def activation(
        self, store: Store, identity: StoredIdentity, *, deploy_hook: str | None = None, no_probe: bool = False
    ) -> Activation:
        """Return how a generation of an identity is put to use: with a probe if it has a URL for it, and with hooks.

        Raises:
            InputError: if the directory of hooks cannot be read, a hook may not run, or there is no URL for probes.
        """
        from certkit.identity.activate import Activation

        wants_probe = identity.record.settings.probe is not None and not no_probe
        return Activation(
            probe=self._guard(store, identity) if wants_probe else None,
            deployment=self._deployment(store, identity, deploy_hook),
        )

    def _guard(self, store: Store, identity: StoredIdentity) -> Probe:
        """Return a function that tries a generation at the identity's URL for probes."""
        from certkit.identity import credentials
        from certkit.identity.addresses import require_allowed
        from certkit.probe import probe, target, url_of

        settings = identity.record.settings
        own, policy = settings.probe if settings.probe != "policy" else None, self.policy(settings.policy)
        if own is not None:
            require_allowed(store, own, policy)
        where = target(own or url_of(policy))

        def ask(identity: StoredIdentity, number: str) -> Finding:
            shown = credentials.of_generation(store, identity, number)
            found = probe(
                where,
                credentials=shown.credentials,
                anchors=shown.anchors,
                now=self.opener.clock(),
                addresses=policy.hosts,
            )
            return found.verdict_on_certificate()

        return ask

    def audit(self, store: Store) -> Iterator[Finding]:
        """Find what this host would refuse to do for the identities of a store that can be read."""
        from certkit.findings import unknown
        from certkit.identity.audit import audit

        programs = self.programs(store)
        with contextlib.suppress(StoreError):
            for name in store.names():
                try:
                    found = store.load(name)
                except CertkitError:  # the store's own check reports it
                    continue
                try:
                    policy = self.policy(found.record.settings.policy)
                except CertkitError as error:
                    yield unknown(f"identity:{name}", error.message, error.hint)
                    continue
                hooks = _hooks_directory(store, name)
                yield from audit(store, found, policy, programs, hooks=hooks, now=self.opener.clock())

    def _deployment(self, store: Store, identity: StoredIdentity, typed: str | None) -> Deployment:
        """Find the hooks: of deploy.d, of the settings, owed from an earlier run, and named for this one."""
        from certkit.identity.activate import Deployment
        from certkit.identity.programs import storable_hook

        found, name, record = self.programs(store), identity.name, identity.record
        owed = record.undeployed_hook if record.owes_hook else None
        programs = found.deploy_d(_hooks_directory(store, name))
        named = [each for each in (record.settings.deploy_hook, owed) if each is not None]
        recorded_as = unavailable = None
        if typed is not None:
            programs.append(found.typed_hook(typed, identity=name))
            if found.own is not None or typed in found.host.hooks:
                recorded_as = storable_hook(typed, found.own, found.host)
            else:
                recorded_as = f"{_HOOK_OF_A_HOST} {socket.gethostname()}"
        for text in dict.fromkeys(named):
            if text.startswith(_HOOK_OF_A_HOST):
                unavailable = text if typed is None else None
            elif text != recorded_as:
                try:
                    programs.append(found.stored("hook", text, identity=name))
                except InputError as error:
                    error.hint += (
                        f"; or choose another hook: certkit identity update {name} --deploy-hook PROGRAM|NAME|none"
                    )
                    raise
        return Deployment(
            programs=programs,
            environment=found.variables,
            recorded_as=recorded_as,
            typed=typed,
            unavailable=unavailable,
        )


def _directory(store: Store) -> Path | None:
    """Return the directory of a file store; None for Vault."""
    from certkit.stores.file.store import FileStore

    return store.root if isinstance(store, FileStore) else None


def _hooks_directory(store: Store, name: str) -> Path:
    """Return where the hooks of an identity are: beside it in a directory, for Vault with the user's configuration."""
    from certkit.config import user_directory

    directory = _directory(store)
    return user_directory() / _HOOKS if directory is None else directory / name / "hooks" / _HOOKS
