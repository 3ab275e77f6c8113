"""Webhooks of Wise: `certkit wise webhook` and `certkit wise ca` for programs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.signatures import public
from certkit.errors import InputError
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from certkit.api.arguments import Data, Passphrase
    from certkit.api.checks import Report
    from certkit.wise.ca_bundle import CaBundle
    from certkit.wise.webhooks import Api


@public
@dataclass(frozen=True, slots=True)
class WiseWebhooks:
    """The webhook subscriptions of an application; `certkit.webhooks(…)` returns this."""

    _api: Api = field(repr=False)
    _clock: Callable[[], datetime]
    _warn: Callable[[str], None] = field(default=logging.getLogger("certkit").warning, repr=False)

    def create(self, url: str, *, name: str, trigger_on: str, schema_version: str, no_mtls: bool = False) -> str:
        """Subscribe to an event, as `certkit wise webhook create` does; return the subscription's id.

        Args:
            url: the https URL that Wise calls.
            name: the name of the subscription.
            trigger_on: the event, as in Wise's documentation.
            schema_version: the version of the event's schema; one that Wise does not document is logged.
            no_mtls: have Wise call without its client certificate.

        Raises:
            certkit.RefusedError: if Wise rejects the request.
            certkit.InputError: if the URL is not one that Wise calls, or Wise cannot be reached.
        """
        from certkit.wise import webhooks

        known = self._api.schema_versions
        if self._api.is_wise and schema_version not in known:
            self._warn(f"schema version {schema_version} is not in Wise's documentation ({', '.join(known)})")
        about = {"name": name, "trigger_on": trigger_on, "schema_version": schema_version, "url": url}
        wanted = webhooks.subscription(**about, mtls_enabled=not no_mtls)
        return webhooks.create(self._api, wanted, now=self._clock())

    def send_test(self, subscription_id: str) -> int:
        """Have Wise send a test notification of a subscription; return the HTTP status of Wise's answer.

        Raises:
            certkit.RefusedError: if Wise rejects the request.
            certkit.InputError: if it is not the id of a subscription, or Wise cannot be reached.
        """
        from certkit.wise import webhooks

        return webhooks.send_test(self._api, subscription_id, now=self._clock())


@public
def webhooks(  # noqa: PLR0913  as many as the command has options
    *,
    client_id: str,
    token: Passphrase,
    environment: str | None = None,
    base_url: str | None = None,
    certificate: Data | None = None,
    key: Any = None,
    passphrase: Passphrase | None = None,
    ca: Sequence[Data | str] | None = None,
    timeout: float = arguments.TIMEOUT_SECONDS,
    now: Callable[[], datetime] = arguments.now,
) -> WiseWebhooks:
    """Return the webhook subscriptions of an application, to create and test them.

    Args:
        client_id: the client id in this environment.
        token: an application token (`certkit wise token client-credentials`).
        environment: `sandbox` or `production`; or give `base_url`.
        base_url: use this URL instead of Wise's API, such as a rehearsal.
        certificate: the client certificate, for the mTLS host; without it the plain host is asked.
        key: its private key, unless it is in `certificate`: data, or a key of the package cryptography.
        passphrase: opens an encrypted key or PKCS#12.
        ca: CAs to trust for the server; by default the `system`'s.
        timeout: seconds for each request.
        now: returns the time, by which the server is verified.

    Raises:
        certkit.InputError: if an argument cannot be used.
    """
    from urllib.parse import quote

    from certkit.net.tls import Credentials
    from certkit.policy import catalogue
    from certkit.wise import addresses
    from certkit.wise.webhooks import Api

    if (environment is None) == (base_url is None):
        raise InputError("give either --environment or --base-url", hint="--environment sandbox, for example")
    credentials = None
    if certificate is not None:
        chain, held = arguments.pair(certificate, key, arguments.secret(passphrase))
        credentials = Credentials.of(held.key, chain)
    rules = catalogue.load(addresses.policy_of(environment or "sandbox"))
    hosts = rules.hosts
    host = hosts.api if credentials is None else hosts.api_mtls
    base = host if base_url is None else addresses.require_base_url(base_url)
    path = hosts.subscriptions_path.replace("{client_id}", quote(addresses.require_client_id(client_id), safe=""))
    api = Api(
        url=base + path,
        token=arguments.secret(token) or Secret(b""),
        credentials=credentials,
        anchors=arguments.anchors(ca),
        timeout=timeout,
        schema_versions=rules.webhooks.schema_versions,
        is_wise=environment is not None,
    )
    return WiseWebhooks(api, now)


@public
def check_webhook(
    url: str,
    *,
    ca: Sequence[Data | str] | None = None,
    timeout: float = arguments.TIMEOUT_SECONDS,
    now: datetime | None = None,
) -> Report:
    """Check that a webhook's server requires a client certificate that it trusts, as `certkit wise webhook check` does.

    It is called twice, without a certificate and with a self-signed one.

    Args:
        url: the https URL that Wise calls.
        ca: CAs to trust for the server; by default the `system`'s.
        timeout: seconds for each call.
        now: the present, to verify the server by.

    Raises:
        certkit.InputError: if the URL cannot be used, or the server cannot be reached or is not trusted.
    """
    from certkit.api.checks import Report
    from certkit.wise import webhooks

    found = webhooks.check(url, now=now or arguments.now(), anchors=arguments.anchors(ca), timeout=timeout)
    return Report.of(url, found)


@public
def webhook_ca(sources: Iterable[Data], *, now: datetime | None = None) -> CaBundle:
    """Return the trust bundle for a server that receives webhooks: the CAs of Wise's client certificate.

    Args:
        sources: what "Get Wise Certificate" in Developer Hub downloads.
        now: the moment at which the certificates must be valid; by default the present.

    Raises:
        certkit.RefusedError: if a certificate is not a CA's, or is not valid.
        certkit.InputError: if a source holds no certificate.
    """
    from certkit.wise import ca_bundle

    contents = (arguments.content(each, "the certificate") for each in sources)
    return ca_bundle.bundle([(name, data) for data, name in contents], now=now or arguments.now())


@public
def verify_webhook(
    body: bytes,
    signature: str | None,
    *,
    environment: str | None = None,
    policy: str | None = None,
    key: Data | None = None,
) -> Report:
    """Check that Wise signed a delivery, as `certkit wise webhook verify` does.

    Args:
        body: the exact bytes of the request's body.
        signature: the value of the header `X-Signature-SHA256`; None if the request has none.
        environment: `sandbox` or `production`: use the key that Wise publishes for it.
        policy: use the key of this policy, such as a rehearsal's.
        key: use this public key (PEM or DER). Give one of the three.

    Raises:
        certkit.InputError: if not exactly one of the three is given, or the key cannot be read.
    """
    from certkit.api.checks import Report
    from certkit.policy import catalogue
    from certkit.wise import addresses, deliveries

    if [environment, policy, key].count(None) != 2:
        hint = "--environment sandbox, for example"
        raise InputError("give one of --environment, --policy and --key", hint=hint)
    if key is not None:
        data, name = arguments.content(key, "the key")
    else:
        rules = catalogue.load(policy or addresses.policy_of(environment or ""))
        data, name = rules.webhooks.signing_key.encode(), f"the key of policy {rules.name}"
        if not data:
            raise InputError(f"policy {rules.name} has no webhooks.signing_key", hint="give --key FILE")
    found = deliveries.verify(body, signature or "", data, name=name)
    return Report.of(None, [found])
