"""Wise's guide and the comparison before going live: `certkit wise setup` and `wise check` for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certkit.api.arguments import Data, Passphrase
    from certkit.api.machine import Machine
    from certkit.csr.keyfile import Progress
    from certkit.findings import Finding, Status
    from certkit.identity.overview import Overview
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.wise.setup import Person, Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class WiseSetup:
    """The progress of an identity in Wise's guide, returned by `IdentityStore.wise_setup(name)`.

    `done` are the steps that are done, `next` is the first that is not, and `message` says what a person does for it.
    `url` is the page where access is granted, if this run asked for access. `status` is ok once Wise has answered a
    call, else unknown.
    """

    identity: Overview
    environment: str
    done: tuple[str, ...]
    next: str
    message: str
    url: str | None
    changed: bool
    status: Status

    @classmethod
    def of(cls, reached: Reached) -> WiseSetup:
        """Return what is public of a run."""
        from certkit.report import setup
        from certkit.wise import guide

        found = reached.situation
        return cls(
            identity=found.overview,
            environment=found.environment,
            done=tuple(found.done),
            next=found.next,
            message=guide.advice(found),
            url=reached.url,
            changed=reached.changed,
            status=setup.status(found),
        )


def run(  # noqa: PLR0913  as many as the command has options
    store: Store,
    name: str,
    machine: Machine,
    *,
    policy: str | None,
    client_secret: Callable[[], Secret | None],
    required_secret: Callable[[], Secret] | None = None,
    ca: Data | None,
    certificate: Data | None,
    token: Passphrase | None,
    skip_oauth: bool,
    timeout: float,
    progress: Progress,
    person: Person | None = None,
    warn_of: Callable[[Sequence[Finding]], None] = lambda _: None,
    subject: dict[str, Any],
    **given: str | None,
) -> Reached:
    """Do every step of Wise's guide that can be done; `required_secret` may ask a person for the client secret.

    Raises:
        RefusedError: if Wise or a check refuses something.
        InputError: if something given cannot be used, or Wise cannot be reached.
        StoreError: if the store cannot be used.
    """
    from certkit.wise import setup

    def required() -> Secret:
        secret = client_secret()
        if secret is None:
            raise InputError("the client secret is missing", hint="give client_secret=, or set CERTKIT_CLIENT_SECRET")
        return secret

    around = setup.Surroundings(
        clock=machine.opener.clock,
        client_secret=required_secret or required,
        optional_secret=client_secret,
        how=machine.how,
        timeout=timeout,
        person=person,
        progress=progress,
        warn=machine.opener.warn_about,
        warn_of=warn_of,
    )
    asked = setup.Given(
        policy=policy,
        subject=arguments.subject(subject),
        ca=arguments.trust_bundle(ca),
        certificate=None if certificate is None else arguments.content(certificate, "the certificate")[0],
        token=arguments.secret(token),
        skips_oauth=skip_oauth,
        **given,
    )
    return setup.run(store, name, asked, around)
