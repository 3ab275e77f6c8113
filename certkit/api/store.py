"""The identities of a store: `certkit identity` for programs, and what that command is built on."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from certkit.api import arguments
from certkit.api.handle import StoreHandle, opener
from certkit.api.machine import Machine
from certkit.api.signatures import public
from certkit.errors import CertkitError, InputError, RefusedError, StoreError, after
from certkit.findings import Status
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from certkit.api.arguments import Data, Passphrase
    from certkit.api.checks import Report
    from certkit.api.identities import Identity
    from certkit.api.setup import WiseSetup
    from certkit.api.tokens import WiseTokens
    from certkit.csr.keyfile import Progress
    from certkit.identity.done import Done
    from certkit.identity.export import Exported
    from certkit.identity.overview import Overview, Unread
    from certkit.policy.rules import Policy
    from certkit.probe import Probe
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.opening import Opener
    from certkit.stores.record import Event, Settings

    Loaded = tuple[Store, StoredIdentity, Policy]
    T = TypeVar("T")


@public
def store(
    uri: str | None = None,
    *,
    passphrase: Passphrase | None = None,
    environment: Mapping[str, str] | None = None,
    now: Callable[[], datetime] = arguments.now,
) -> IdentityStore:
    """Return a store of identities: a directory, HashiCorp Vault or OpenBao. It is opened when it is first used.

    The host configuration (`certkit.toml`) is read once, when it is first needed; another store reads it again.

    Args:
        uri: `file:DIR` or `vault://MOUNT/PREFIX`; by default CERTKIT_STORE, else the user's own store.
        passphrase: encrypts the keys of a file store; by default CERTKIT_PASSPHRASE.
        environment: variables to use in place of `os.environ`, such as `VAULT_ADDR`.
        now: returns the time, an aware datetime.
    """
    return _store(uri, passphrase, dataclasses.replace(opener(environment), clock=now))


def _store(uri: str | None, passphrase: Passphrase | None, opening: Opener) -> IdentityStore:
    from certkit.policy import catalogue

    secret = arguments.secret(passphrase, opening.environment, "CERTKIT_PASSPHRASE")
    return IdentityStore(StoreHandle(uri, secret, opening), Machine(opener=opening, policy=catalogue.load))


@public
def identity(
    name: str,
    *,
    store: str | None = None,
    passphrase: Passphrase | None = None,
    client_secret: Passphrase | Callable[[], Passphrase | None] | None = None,
    interval: float = arguments.INTERVAL_SECONDS,
    on_error: Callable[[CertkitError], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Identity:
    """Open an identity for use in a program.

    Args:
        name: its name in the store.
        store: `file:DIR` or `vault://MOUNT/PREFIX`; by default CERTKIT_STORE, else the user's own store.
        passphrase: opens a sealed file store; by default CERTKIT_PASSPHRASE.
        client_secret: renews tokens, or a function that returns it when it is needed; by default CERTKIT_CLIENT_SECRET.
        interval: seconds after which the store is asked again whether another generation is active.
        on_error: receives the error if that cannot be found out; the pair in use stays. Errors are also logged, as
            warnings of the logger `certkit`.
        environment: variables to use in place of `os.environ`.

    Raises:
        certkit.InputError: if there is no such identity, or it has no active certificate.
        certkit.StoreError: if the store cannot be read.
    """
    opened = _store(store, passphrase, opener(environment))
    return opened.identity(name, client_secret=client_secret, interval=interval, on_error=on_error)


@public
class IdentityStore:
    """A store of identities; `certkit.store(uri)` returns one. Each method does what the command of its name does.

    What is given as bytes may also be a `pathlib.Path`, whose name messages then mention. Use it from one thread at a
    time; `with` closes the connection to Vault. Every method raises `certkit.StoreError` if the store, or an identity
    or generation in it, does not exist or cannot be used, and `certkit.InputError` if an argument cannot be used.
    """

    def __init__(self, handle: StoreHandle, machine: Machine, progress: Progress = contextlib.nullcontext) -> None:
        self._handle = handle
        self._machine = machine
        self._progress = progress

    @property
    def uri(self) -> str:
        """The URI of the store."""
        with self._handle.use() as opened:
            return opened.uri

    def names(self) -> Sequence[str]:
        """Return the names of all identities; that there is none is a warning, for the URI may be the wrong one."""
        with self._handle.use() as opened:
            names = tuple(opened.names())
            if not names:
                self._require_some(opened)
            return names

    def _require_some(self, opened: Store) -> None:
        if (error := opened.missing()) is not None:
            raise error
        self._machine.opener.warn(f"no identities in {opened.uri}. Check --store and CERTKIT_STORE")

    def show(self, name: str) -> Overview:
        """Return the current state of an identity."""
        with self._loaded(name) as (_, identity, policy):
            return self._view(identity, policy)

    def every(self, work: Callable[[str], T]) -> Iterator[T | Unread]:
        """Do something for each identity; one that fails is an `Unread`, and stops no other."""
        from certkit.identity.overview import Unread
        from certkit.stores.base import AbsentError

        names, absent = self.names(), 0
        for name in names:
            try:
                yield work(name)
            except AbsentError:  # something else, or removed meanwhile
                absent += 1
            except CertkitError as error:
                yield Unread(name, error)
        if names and absent == len(names):
            with self._handle.use() as opened:
                self._require_some(opened)

    def list(self) -> Sequence[Overview | Unread]:
        """Return all identities as they are now; one that cannot be loaded is an `Unread`."""
        return tuple(self.every(self.show))

    def log(self, name: str) -> Sequence[Event]:
        """Return what happened to an identity, oldest first: when, by whom, with which key and certificate."""
        with self._handle.use() as opened:
            return tuple(opened.log(require_name(name)))

    def identity(
        self,
        name: str,
        *,
        client_secret: Passphrase | Callable[[], Passphrase | None] | None = None,
        interval: float = arguments.INTERVAL_SECONDS,
        on_error: Callable[[CertkitError], None] | None = None,
    ) -> Identity:
        """Open an identity for use in a program; the arguments are those of `certkit.identity`."""
        from certkit.api.identities import Identity

        tokens = self.tokens(name, client_secret=client_secret)
        return Identity(name, self._handle, tokens=tokens, interval=interval, on_error=on_error)

    def tokens(  # noqa: PLR0913  as many as the command has options
        self,
        name: str,
        *,
        client_id: str | None = None,
        client_secret: Passphrase | Callable[[], Passphrase | None] | None = None,
        environment: str | None = None,
        policy: str | None = None,
        base_url: str | None = None,
        plain: bool = False,
        ca: Sequence[Data | str] | None = None,
        timeout: float = arguments.TIMEOUT_SECONDS,
    ) -> WiseTokens:
        """Return the tokens of an identity at Wise, to get, refresh and remove them.

        Args:
            name: the identity; one that is absent is created with its first token.
            client_id: the client id in this environment; by default that of the token.
            client_secret: the secret, or a function that returns it when it is needed; by default
                CERTKIT_CLIENT_SECRET.
            environment: `sandbox`, `sandbox-legacy` or `production`, for a new identity.
            policy: a policy to use instead, such as a rehearsal's.
            base_url: use this URL instead of Wise's API.
            plain: use the host without mTLS.
            ca: CAs to trust for the server, or `system`; by default the identity's trust bundle.
            timeout: seconds for each request.
        """
        from certkit.api.tokens import WiseTokens, secret_source
        from certkit.wise import addresses

        return WiseTokens(
            _name=require_name(name),
            _handle=self._handle,
            _machine=self._machine,
            _client_id=client_id,
            _client_secret=secret_source(client_secret, self._handle),
            _policy=addresses.chosen_policy(environment, policy),
            _base_url=base_url,
            _plain=plain,
            _ca=ca,
            _timeout=timeout,
        )

    def enroll(  # noqa: PLR0913  as many as the command has options
        self,
        name: str,
        *,
        policy: str | None = None,
        key_type: str | None = None,
        issuer: str = "manual",
        client_id: str | None = None,
        ca: Data | None = None,
        probe: str | None = None,
        deploy_hook: str | None = None,
        group: str | None = None,
        no_probe: bool = False,
        **subject: Any,
    ) -> Overview:
        """Create an identity with its first request; repeated with the same options, or fewer, nothing changes.

        An automatic issuer answers at once, and the certificate is put to use.

        Args:
            name: 1 to 64 letters, digits, `.`, `_` or `-`, starting with a letter or digit.
            policy: a policy's name, or the path of a policy file; by default that of the identity, else `general`.
            key_type: such as `ec-p256`; by default the policy's first.
            issuer: `manual`, `vault-pki:MOUNT/ROLE`, `command:PROGRAM` or `command:NAME`.
            client_id: what the partner puts into the certificate as its CN.
            ca: the CAs to trust.
            probe: a URL at which certificates are tried before they are put to use, or `policy` for the policy's.
            deploy_hook: a program with its arguments, or a hook of the host configuration.
            group: may read the keys.
            no_probe: do not probe this time.
            **subject: as for `create_csr`.

        Raises:
            certkit.RefusedError: if the policy, the issuer or the partner refuses.
            certkit.InputError: if the identity exists with other settings.
        """
        from certkit.identity.enroll import enroll, require_probe

        wanted = arguments.subject(subject)
        with self._handle.use() as opened:
            options = {"client_id": client_id, "group": group, "key_type": key_type, "probe": probe, "subject": wanted}
            settings = self._settings(opened, name, policy, issuer=issuer, ca=ca, deploy_hook=deploy_hook, **options)
            rules = self._machine.policy(settings.policy)
            require_probe(settings.probe, rules)
            done = enroll(opened, name, settings, rules, now=self._now(), progress=self._progress)
            with after(done.changed), self._machine.issuing(opened, done.identity) as answering:
                if answering is not None:
                    from certkit.identity.renew import carry_through

                    how = self._machine.activation(opened, done.identity, no_probe=no_probe)
                    done = carry_through(opened, done, rules, issuer=answering, how=how, now=self._now())
            return self._view_of(done, rules)

    def import_(  # noqa: PLR0913  as many as the command has options
        self,
        name: str,
        certificate: Data,
        *,
        key: Any = None,
        passphrase: Passphrase | None = None,
        policy: str | None = None,
        client_id: str | None = None,
        ca: Data | None = None,
        untrusted: Sequence[Data] = (),
        group: str | None = None,
    ) -> Overview:
        """Adopt a key and certificate that are in use already: PEM, DER or PKCS#12, with intermediates or without.

        `key` is data or a key of the package cryptography, by default the one in `certificate`; `passphrase` opens it;
        `client_id` is what the CN must be; `untrusted` are intermediates that may complete the chain. The other
        arguments are those of `enroll`.

        Raises:
            certkit.RefusedError: if the key is not the certificate's, or another check fails; nothing is written.
            certkit.InputError: if the identity exists with another pair or settings.
        """
        from certkit.identity.import_ import adopt
        from certkit.x509 import objects

        found, held = arguments.pair(certificate, key, arguments.secret(passphrase))
        with self._handle.use() as opened:
            settings = self._settings(opened, name, policy, ca=ca, client_id=client_id, group=group)
            rules = self._machine.policy(settings.policy)
            trusted = settings.trust_bundle
            done = adopt(
                opened,
                name,
                settings,
                rules,
                key=held.key,
                certificates=[*found, *arguments.gathered(objects.certificates, untrusted, "untrusted")],
                anchors=objects.certificates(trusted.encode(), name="the trust bundle") if trusted else None,
                now=self._now(),
            )
            findings = (held.file, *done.findings)
            return self._view(done.identity, rules, changed=done.changed, findings=findings)

    def update(  # noqa: PLR0913  as many as the command has options
        self,
        name: str,
        *,
        ca: Data | None = None,
        replace_ca: bool = False,
        client_id: str | None = None,
        issuer: str | None = None,
        probe: str | None = None,
        deploy_hook: str | None = None,
        group: str | None = None,
        force: bool = False,
    ) -> Overview:
        """Change the settings of an identity; None leaves one unchanged. `probe` and `deploy_hook` may be `none`.

        `ca` adds CAs to the trust bundle, or replaces it with `replace_ca`; `force` even if the active certificate
        would no longer verify.

        Raises:
            certkit.RefusedError: if the CAs are refused; nothing is written.
            certkit.StoreError: if the token may not change settings.
        """
        from certkit.identity.enroll import require_probe
        from certkit.identity.update import Changes, update
        from certkit.x509 import objects

        if replace_ca and ca is None:
            raise InputError("--replace-ca needs --ca", hint="give the CAs: --ca FILE")
        given = {"client_id": client_id, "group": group, "issuer": issuer, "probe": probe, "deploy_hook": deploy_hook}
        settings: dict[str, Any] = {each: value for each, value in given.items() if value is not None}
        settings |= {each: None for each in ("probe", "deploy_hook") if given[each] == "none"}
        with self._loaded(name) as (opened, identity, policy):
            settings = self._machine.storable(opened, settings)
            require_probe(settings.get("probe"), policy)
            bundle = arguments.trust_bundle(ca)
            anchors = objects.certificates(bundle.encode(), name="the CAs") if bundle else []
            changes = Changes(anchors=anchors, replaces_anchors=replace_ca, settings=settings)
            return self._view_of(update(opened, identity, policy, changes, force=force, now=self._now()), policy)

    def install(
        self,
        name: str,
        certificate: Data,
        *,
        ca: Data | None = None,
        untrusted: Sequence[Data] = (),
        no_activate: bool = False,
        deploy_hook: str | None = None,
        no_probe: bool = False,
    ) -> Overview:
        """Install the certificate issued for a request, matched by its public key, and activate it.

        `ca` are the CAs to trust if the identity was enrolled without; `untrusted` may complete the chain;
        `deploy_hook` runs this once.

        Raises:
            certkit.RefusedError: if it answers no request, or a check fails, and nothing is written; or a probe or a
                deploy hook fails, and the certificate stays installed.
            certkit.InputError: if there is no certificate, or nothing to trust.
        """
        from certkit.identity.activate import activate
        from certkit.identity.install import install
        from certkit.x509 import objects

        with self._loaded(name) as (opened, identity, policy):
            pasted, file = arguments.content(certificate, "the given file")
            given = None if ca is None else arguments.content(ca, "ca")
            arguments.trust_bundle(ca, read=given)  # raises without a CA; `install` judges the rest
            others = arguments.gathered(objects.certificates, untrusted, "untrusted")
            done, number = install(
                opened,
                identity,
                pasted,
                policy,
                file=file,
                trust_bundle=given and given[0],
                untrusted=others,
                now=self._now(),
            )
            if not no_activate:
                with after(done.changed):
                    how = self._machine.activation(opened, done.identity, deploy_hook=deploy_hook, no_probe=no_probe)
                    moved = activate(opened, done.identity, number, how=how, now=self._now())
                done = dataclasses.replace(done, identity=moved.identity, changed=done.changed or moved.changed)
            return self._view_of(done, policy)

    def renew(
        self,
        name: str,
        *,
        force: bool = False,
        reuse_key: bool = False,
        dry_run: bool = False,
        jitter: str | None = None,
        deploy_hook: str | None = None,
        no_probe: bool = False,
    ) -> Overview:
        """Renew an identity if it is due, and complete what an earlier run started; `outcome` is the result.

        `jitter`, such as `12h`, opens the renewal window later by a share of this that each identity has.

        Raises:
            certkit.RefusedError: if the policy, the issuer, the partner or a deploy hook refuses.
            certkit.InputError: if there is nothing to renew, or the issuer or the partner cannot be reached.
        """
        from datetime import timedelta

        from certkit.durations import Duration
        from certkit.identity.renew import Renewal, renew

        length = Duration.parse(jitter).fixed if jitter else timedelta()
        if length is None:
            raise InputError(f"not a duration: {jitter!r}", hint="give, for example, 3d or 12h")
        with self._loaded(name) as (opened, identity, policy), self._machine.issuing(opened, identity) as issuer:
            wanted = Renewal(
                issuer=issuer,
                how=self._machine.activation(opened, identity, deploy_hook=deploy_hook, no_probe=no_probe),
                force=force,
                reuse_key=reuse_key,
                dry_run=dry_run,
                jitter=length,
            )
            renewed = renew(opened, identity, policy, wanted=wanted, now=self._now(), progress=self._progress)
            return dataclasses.replace(self._view_of(renewed, policy), outcome=renewed.outcome)

    def activate(
        self, name: str, generation: str | None = None, *, deploy_hook: str | None = None, no_probe: bool = False
    ) -> Overview:
        """Activate a generation, by default the one that was installed last, unless the partner refuses it.

        Raises:
            certkit.RefusedError: if its certificate has expired, the partner refuses it, or a deploy hook fails.
            certkit.InputError: if there is none to activate, or the partner cannot be reached.
        """
        from certkit.identity.activate import activate

        with self._handle.use() as opened:
            is_repaired = opened.repair(require_name(name))
        if is_repaired:
            self._machine.opener.warn(f"{name}: the pointer was a copy of a generation, and is a link again")
        with self._loaded(name) as (opened, identity, policy):
            how = self._machine.activation(opened, identity, deploy_hook=deploy_hook, no_probe=no_probe)
            done = activate(opened, identity, generation, how=how, now=self._now())
            return self._view(done.identity, policy, changed=done.changed or is_repaired, findings=done.findings)

    def rollback(self, name: str, *, deploy_hook: str | None = None) -> Overview:
        """Return to the previous generation, if its certificate is still valid.

        Raises:
            certkit.RefusedError: if its certificate has expired, or a deploy hook fails.
            certkit.InputError: if there is no previous generation.
        """
        from certkit.identity.activate import rollback

        with self._loaded(name) as (opened, identity, policy):
            how = self._machine.activation(opened, identity, deploy_hook=deploy_hook, no_probe=True)
            return self._view_of(rollback(opened, identity, how=how, now=self._now()), policy)

    def discard(self, name: str) -> Overview:
        """Drop the pending request, as when the partner refused it."""
        from certkit.identity import retire

        with self._loaded(name) as (opened, identity, policy):
            return self._view_of(retire.discard(opened, identity), policy)

    def retire(self, name: str, generation: str) -> Overview:
        """Take a generation out of use for good; not the active one.

        Raises:
            certkit.InputError: if it is the active one.
        """
        from certkit.identity.retire import retire

        with self._loaded(name) as (opened, identity, policy):
            return self._view_of(retire(opened, identity, generation), policy)

    def prune(self, name: str, *, keep: int = 3, dry_run: bool = False) -> Sequence[str]:
        """Delete the keys and certificates of past generations but the newest `keep`; return their numbers.

        Raises:
            certkit.StoreError: if the token may not delete.
        """
        from certkit.identity import retire

        with self._loaded(name) as (opened, identity, _):
            return tuple(
                retire.prunable(identity, keep=keep) if dry_run else retire.prune(opened, identity, keep=keep)[1]
            )

    def export(
        self,
        name: str,
        directory: str | Path,
        *,
        format: str = "pem",  # noqa: A002  as the option
        deploy_hook: str | None = None,
        group: str | None = None,
        passphrase: Passphrase | None = None,
    ) -> Exported:
        """Write the active pair to a directory, for programs that read files; unchanged, nothing is touched.

        `format` is `pem`, `pkcs12` (encrypted with `passphrase`), `curl`, `nginx`, `kubernetes` or `ghostunnel`.

        Raises:
            certkit.InputError: if no generation is active, or the directory holds something else.
            certkit.RefusedError: if the certificate is not below the trust bundle, or the hook fails.
        """
        import functools
        import shlex

        from certkit.files.owners import closed_to
        from certkit.identity import overview
        from certkit.identity.credentials import require_trusted
        from certkit.identity.export import WantedExport, export
        from certkit.identity.programs import storable_hook
        from certkit.times import rfc3339

        with self._loaded(name) as (opened, identity, _):
            programs = self._machine.programs(opened)
            where = Path(directory)
            wanted = WantedExport(
                directory=where,
                form=format,
                group=_group(group),
                passphrase=arguments.secret(passphrase),
                # The directory belongs to this host, whatever the store: a path may be kept there.
                hook=None if deploy_hook is None else storable_hook(deploy_hook, where, programs.host),
                environment=programs.variables,
                program=functools.partial(programs.typed_hook, identity=name),
                trust=programs.host.trust,
            )
            if identity.record.active is not None:
                require_trusted(identity, identity.record.active, now=self._now())
            for closed in closed_to(wanted.group, where.absolute().parent) if wanted.group is not None else ():
                fix = f"chmod o+x {shlex.quote(str(closed))}"
                self._machine.opener.warn(f"the group {group} cannot enter {closed}. Let it through: {fix}")
            done = export(opened, identity, wanted)
            certificate = overview.certificate(overview.generation(identity, done.generation))
            if certificate is None or (end := certificate.dates()[1]) >= self._now():
                return done
            self._machine.opener.warn(
                f"{name}: the exported certificate expired on {rfc3339(end)}. Renew it: certkit identity renew {name}"
            )
            return dataclasses.replace(done, status=Status.CRITICAL)

    def copy(self, name: str, to: IdentityStore) -> Overview:
        """Copy an identity with every generation to another store, and compare both.

        Raises:
            certkit.InputError: if the other store has another identity of that name; nothing is written.
            certkit.StoreError: if the copies differ afterwards.
        """
        from certkit.identity import audit
        from certkit.identity.copy import copy

        with self._handle.use() as source, to._handle.use() as target:
            done = copy(source, target, require_name(name))
            for finding in audit.programs_of(done.identity, self._machine.programs(target)):
                if finding.status is Status.CRITICAL:  # another host may know a name, but none runs a path
                    self._machine.opener.warn_about(finding)
            return self._view_of(done, self._machine.policy(done.identity.record.settings.policy))

    def remove(self, name: str, *, force: bool = False) -> bool:
        """Remove an identity with all its keys, in Vault every version of them; return whether there was one.

        Raises:
            certkit.RefusedError: if a generation is active, unless `force`.
            certkit.StoreError: if there is no such identity, unless `force`.
        """
        from certkit.stores.base import AbsentError

        with self._handle.use() as opened:
            is_there = True
            try:
                active = opened.load(require_name(name)).record.active
            except AbsentError:
                if not force:
                    raise
                is_there, active = False, None
            except StoreError:  # its record cannot be read
                if not force:
                    raise
                active = None
            if active is not None and not force:
                raise RefusedError(f"refusing to remove {name}: generation {active} is active", hint="use --force")
            opened.remove(name)  # also what a killed run has left
            return is_there

    def probe(
        self,
        name: str,
        url: str | None = None,
        *,
        generation: str | None = None,
        policy: str | None = None,
        ca: Sequence[Data | str] | None = None,
        token: Passphrase | None = None,
        timeout: float = arguments.TIMEOUT_SECONDS,
        proxy: str | None = None,
    ) -> Probe:
        """Connect to a server with the certificate of an identity, and return how it reacts.

        By default `url` is the identity's, else that of its policy (or of `policy`); `generation` is the active one;
        `ca` and `token` are those of the identity. The other arguments are those of `certkit.probe`.

        Raises:
            certkit.InputError: if there is no URL, or no certificate.
        """
        from certkit.findings import skipped
        from certkit.identity import credentials
        from certkit.probe import probe, target, url_of
        from certkit.wise.tokens import access_token

        with self._loaded(name) as (opened, identity, _):
            settings = identity.record.settings
            own = settings.probe if settings.probe != "policy" and policy is None else None
            rules = self._machine.policy(policy or settings.policy)
            where = url or own or url_of(rules)
            shown = credentials.of_generation(opened, identity, generation)
            bearer = arguments.secret(token)
            if bearer is None:
                try:
                    bearer = access_token(opened, name, now=self._now())
                except InputError as error:  # several, or one that cannot be read
                    hint = "give one with --token-file FILE"
                    self._machine.opener.warn_about(InputError(f"no token is sent: {error.message}", hint=hint))
        found = probe(
            target(where),
            credentials=shown.credentials,
            anchors=shown.anchors if ca is None else arguments.anchors(ca),
            token=bearer,
            now=self._now(),
            timeout=timeout,
            proxy=proxy,
            addresses=rules.hosts,
        )
        kept = skipped("key-file", f"the key is the stored key of generation {shown.generation}")
        return dataclasses.replace(found, findings=(*found.findings, kept))

    def check(self) -> Report:
        """Check whether a store works, and what is missing."""
        from certkit.api.checks import Report
        from certkit.stores.opening import findings_of

        with self._handle.use() as opened:
            return Report.of(opened.uri, [*findings_of(opened), *self._machine.audit(opened)])

    def wise_setup(  # noqa: PLR0913  as many as the command has options
        self,
        name: str,
        *,
        environment: str | None = None,
        policy: str | None = None,
        base_url: str | None = None,
        client_id: str | None = None,
        client_secret: Passphrase | Callable[[], Passphrase | None] | None = None,
        redirect_uri: str | None = None,
        redirect_url: str | None = None,
        profile_id: str | None = None,
        key_type: str | None = None,
        ca: Data | None = None,
        certificate: Data | None = None,
        token: Passphrase | None = None,
        skip_oauth: bool = False,
        timeout: float = arguments.TIMEOUT_SECONDS,
        **subject: Any,
    ) -> WiseSetup:
        """Do every step of Wise's guide that can be done with what is given and stored, and return what comes next.

        An absent identity is created. `redirect_uri` is the one that Wise has for the client, `redirect_url` the URL
        that the browser was redirected to; `profile_id` chooses where the identity has tokens of several profiles; `ca`
        and `certificate` come from Developer Hub; `token` is an access token to use for the call; `skip_oauth` skips
        the steps about tokens. The other arguments are those of `tokens` and `enroll`.

        Raises:
            certkit.RefusedError: if Wise or a check refuses something.
            certkit.InputError: if Wise cannot be reached.
        """
        from certkit.api.setup import WiseSetup, run
        from certkit.api.tokens import secret_source
        from certkit.wise import addresses

        with self._handle.use() as opened:
            found = run(
                opened,
                require_name(name),
                self._machine,
                policy_name=addresses.chosen_policy(environment, policy),
                client_secret=secret_source(client_secret, self._handle),
                ca=ca,
                certificate=certificate,
                token=token,
                skip_oauth=skip_oauth,
                timeout=timeout,
                progress=self._progress,
                subject=subject,
                base_url=base_url,
                client_id=client_id,
                redirect_uri=redirect_uri,
                redirect_url=redirect_url,
                profile_id=profile_id,
                key_type=key_type,
            )
            return WiseSetup.of(found)

    def wise_check(
        self, sandbox: str, production: str, *, online: bool = False, timeout: float = arguments.TIMEOUT_SECONDS
    ) -> Report:
        """Compare the sandbox and the production identity before going live; `online` calls Wise as well.

        Raises:
            certkit.InputError: if there is no such identity, or its policy cannot be used.
        """
        from certkit.api.checks import Report
        from certkit.stores.opening import findings_of
        from certkit.wise.check import check

        with self._handle.use() as opened:
            findings = check(opened, sandbox, production, online=online, timeout=timeout, now=self._now())
            return Report.of(f"{sandbox} and {production}", [*findings, *findings_of(opened)])

    def migrate(self, name: str | None = None) -> Sequence[str]:
        """Convert identities of certkit 0.1.0, all or one, to the present format; return the names of those changed.

        Raises:
            certkit.StoreError: if the token may not change settings.
        """
        names = self.names() if name is None else [require_name(name)]
        with self._handle.use() as opened:
            return tuple(each for each in names if opened.migrate(each))

    def close(self) -> None:
        """Close the connection to the store; it is opened again when it is needed."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<certkit.IdentityStore {self._handle.uri}>"

    def __reduce__(self) -> str:
        raise TypeError("an open store is not serialised")

    def _now(self) -> datetime:
        return self._machine.opener.clock()

    @contextlib.contextmanager
    def _loaded(self, name: str) -> Iterator[Loaded]:
        """Yield the store, an identity as it is there, and its policy."""
        require_name(name)
        with self._handle.use() as opened:
            identity = opened.load(name)
            self._machine.opener.explain(f"{name}: active generation: {identity.record.active or 'none'}")
            yield opened, identity, self._machine.policy(identity.record.settings.policy)

    def _view(self, identity: StoredIdentity, policy: Policy, **more: Any) -> Overview:
        from certkit.identity.overview import overview

        return overview(identity, policy, now=self._now(), **more)

    def _view_of(self, done: Done, policy: Policy) -> Overview:
        return self._view(done.identity, policy, changed=done.changed, findings=done.findings)

    def _settings(self, opened: Store, name: str, policy: str | None, *, ca: Data | None, **others: Any) -> Settings:
        """Return the settings that arguments describe; without a policy, that of the identity if it exists."""
        from certkit.policy import catalogue
        from certkit.stores.record import Settings

        known = opened.find(require_name(name)) if policy is None else None
        return Settings(
            policy=known.record.settings.policy if known else catalogue.absolute(policy or "general"),
            trust_bundle=arguments.trust_bundle(ca),
            **self._machine.storable(opened, others),
        )


def _group(name: str | None) -> int | None:
    import grp
    import shlex

    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):  # ValueError: a NUL in the name
        raise InputError(f"no such group: {name}", hint=f"create it: groupadd {shlex.quote(name)}") from None
