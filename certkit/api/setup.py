"""Wise's guide and the comparison before going live: `certkit wise setup` and `wise check` for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.api.arguments import Data, Passphrase
    from certkit.api.machine import Machine
    from certkit.findings import Status
    from certkit.identity.overview import Overview
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.wise.guide import Situation


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
    def of(cls, found: Situation) -> WiseSetup:
        """Return what is public of a run."""
        from certkit.report import setup
        from certkit.wise import guide

        return cls(
            identity=found.overview,
            environment=found.environment,
            done=tuple(found.done),
            next=found.next,
            message=guide.advice(found),
            url=found.url,
            changed=found.changed,
            status=setup.status(found),
        )


def run(  # noqa: PLR0913  what `SetupRun` needs in another form
    store: Store,
    name: str,
    machine: Machine,
    *,
    client_secret: Callable[[], Secret | None],
    required_secret: Callable[[], Secret] | None = None,
    ca: Data | None,
    certificate: Data | None,
    token: Passphrase | None,
    subject: dict[str, Any],
    **given: Any,
) -> Situation:
    """Do every step of Wise's guide that can be done; `required_secret` may ask a person for the client secret.

    `given` are other fields of `SetupRun`.

    Raises:
        RefusedError: if Wise or a check refuses something.
        InputError: if something given cannot be used, or Wise cannot be reached.
        StoreError: if the store cannot be used.
    """
    from certkit.wise.setup import SetupRun

    def required() -> Secret:
        secret = client_secret()
        if secret is None:
            raise InputError("the client secret is missing", hint="give client_secret=, or set CERTKIT_CLIENT_SECRET")
        return secret

    return SetupRun(
        store=store,
        name=name,
        clock=machine.opener.clock,
        client_secret=required_secret or required,
        optional_secret=client_secret,
        activation=machine.activation,
        warn=machine.opener.warn_about,
        subject=arguments.subject(subject),
        ca=arguments.trust_bundle(ca),
        certificate=None if certificate is None else arguments.content(certificate, "the certificate")[0],
        token=arguments.secret(token),
        **given,
    ).run()
