"""Checks before going live: what must differ between the sandbox's and production's identity, and what each needs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certkit.errors import CertkitError, InputError
from certkit.files import reading
from certkit.findings import Status, critical, ok, skipped, unknown, warning
from certkit.identity import install, limits, overview
from certkit.net import http, wire
from certkit.policy import catalogue
from certkit.stores.record import require_name
from certkit.verify import Question
from certkit.wise import endpoints, first_call, guide
from certkit.wise.addresses import ENVIRONMENTS
from certkit.x509 import objects

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity
    from certkit.wise.tokens import Token

# The files of cron and systemd on this host.
_PLACES = ("/etc/crontab", "/etc/cron.d", "/etc/cron.daily", "/etc/systemd/system", "~/.config/systemd/user")
_RUNS_CERTKIT = re.compile(rb"^(?!\s*#).*\bcertkit\b.*\b(expiry|renew)\b", re.MULTILINE)
_MOST_BYTES = 256 * 1024
_CRONTAB_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two identities, with its policy, and with its token that works or can be refreshed."""

    identity: StoredIdentity
    policy: Policy
    token: Token | None

    @property
    def name(self) -> str:
        """The name of the identity."""
        return self.identity.name


def check(store: Store, sandbox: str, production: str, *, online: bool, timeout: float, now: datetime) -> list[Finding]:
    """Compare two identities, check each of them, and return the findings; `online` also calls Wise.

    Raises:
        InputError: if an identity does not exist, or its policy cannot be used.
        StoreError: if the store cannot be used.
    """
    sides = []
    for name in (sandbox, production):
        identity, kept = store.load(require_name(name)), guide.usable_token(store, name, now=now)
        policy = catalogue.load(identity.record.settings.policy)
        sides.append(Side(identity, policy, kept.token if kept else None))
    one, other = sides
    found = [
        _environments(one, other),
        _hosts(one, ("sandbox", "sandbox-legacy")),
        _hosts(other, ("production",)),
        _keys(one, other),
        _trust(one, other),
    ]
    for each in (one, other):
        about = [_chain(each, now), _expiry(each, now), _token(each, now)]
        if online:
            # Until mTLS is enforced, the plain host is the fallback.
            about += [_call(store, each, timeout, now), _fallback(each, timeout, now)]
        found += [replace(finding, message=f"{each.name}: {finding.message}") for finding in about]
    if not online:
        found += [skipped(about, "not requested", "ask Wise with --online") for about in ("http", "fallback")]
    return [*found, reminders()]


def reminders(places: Iterable[str] = _PLACES) -> Finding:
    """Check whether a crontab or systemd unit of this host runs `certkit expiry` or `renew`.

    Another host may do so instead, so a missing one is only a warning.
    """
    roots = [Path(os.path.expanduser(place)) for place in places]
    listed = [root / name for root in roots for name in (reading.listing(root) if reading.is_directory(root) else [""])]
    found = []
    for path in listed:
        with contextlib.suppress(InputError):
            found += [str(path)] if _RUNS_CERTKIT.search(reading.read(path, limit=_MOST_BYTES)) else []
    crontab = shutil.which("crontab")
    if crontab is not None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            ran = subprocess.run(
                [crontab, "-l"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_CRONTAB_SECONDS
            )
            found += ["crontab"] if ran.returncode == 0 and _RUNS_CERTKIT.search(ran.stdout) else []
    if found:
        return ok("reminders", f"certkit is scheduled by {', '.join(found[:3])}")
    hint = "schedule `certkit expiry` with cron or systemd, here or on another host: see scripts/cron, scripts/systemd"
    return warning("reminders", "no cron job or timer on this host runs certkit expiry", hint)


def _environments(sandbox: Side, production: Side) -> Finding:
    wanted = catalogue.load(ENVIRONMENTS["production"]).environment
    known = catalogue.load(ENVIRONMENTS["sandbox"]).environment
    mine, theirs = (one.policy.environment or "no Wise environment" for one in (sandbox, production))
    if theirs != wanted:
        hint = "enroll one with --policy wise-production, and give it second"
        message = f"{production.name} does not belong to a Wise environment"
        if production.policy.environment:
            message = f"{production.name} belongs to {theirs}, not to {wanted}"
        return critical("environment", message, hint)
    if mine == theirs:
        return critical("environment", f"{sandbox.name} belongs to {mine} too", "give the sandbox identity first")
    if not mine.startswith(known):
        return warning(
            "environment", f"{sandbox.name} belongs to {mine}, not to {known}", "test in Wise's sandbox first"
        )
    return ok("environment", f"{sandbox.name} belongs to {mine}, {production.name} to {theirs}")


def _hosts(one: Side, environments: tuple[str, ...]) -> Finding:
    """Check that an identity's addresses are those of its environment, and that none replaces them."""
    base_url = one.identity.record.settings.base_url
    if base_url is not None:
        hint = "unless it is your own proxy, enroll without --base-url"
        return warning("hosts", f"{one.name}: {base_url} is used instead of Wise's API", hint)
    known = [catalogue.load(ENVIRONMENTS[each]).hosts for each in environments]
    if one.policy.retired is not None:
        hint = f"set up an identity in the new sandbox: certkit wise setup {one.name}-new --environment sandbox"
        return warning("hosts", f"{one.name}: {one.policy.retirement}", hint)
    if one.policy.hosts in known:
        return ok("hosts", f"{one.name}: {one.policy.hosts.api_mtls}")
    message = f"{one.name} uses {one.policy.hosts.api_mtls}; {environments[0]}'s API host is {known[0].api_mtls}"
    if not one.policy.hosts.api_mtls:
        message = f"{one.name} has no API host; {environments[0]}'s is {known[0].api_mtls}"
    found = critical("hosts", message, f"use policy {ENVIRONMENTS[environments[0]]}")
    return found if "production" in environments else replace(found, status=Status.WARNING)


def _keys(sandbox: Side, production: Side) -> Finding:
    mine, theirs = (
        {
            spki: each.number
            for each in one.identity.generations
            if (spki := limits.spki_of(one.identity, each)) is not None
        }
        for one in (sandbox, production)
    )
    common = sorted(set(mine) & set(theirs))
    if common:
        both = f"{sandbox.name} {mine[common[0]]} and {production.name} {theirs[common[0]]}"
        hint = f"use a separate key for each environment: certkit identity renew {production.name} --force"
        return critical("key-match", f"{both} have the same key", hint)
    if not mine or not theirs:
        return unknown("key-match", "one of the two identities has no key yet", "see `certkit identity list`")
    return ok("key-match", "the two identities share no key")


def _trust(sandbox: Side, production: Side) -> Finding:
    mine, theirs = (set(limits.trusted(each.identity)) for each in (sandbox, production))
    if mine & theirs:
        shared = next(iter(mine & theirs)).subject.text
        hint = 'take each environment\'s CA from its own Developer Hub, with "Get Wise Certificate"'
        return critical("trust", f"both trust {shared}", hint)
    if not mine or not theirs:
        return unknown("trust", "one of the two identities has no trust bundle", "give it with certkit wise setup --ca")
    return ok("trust", "the trust bundles share no certificate")


def _chain(one: Side, now: datetime) -> Finding:
    """Check that the active certificate chains to the identity's own trust bundle and follows its policy."""
    active = one.identity.record.active
    found = next((each for each in one.identity.generations if each.number == active), None)
    if found is None or found.issued is None:
        return critical("chain", "no certificate is active", f"see the next step: certkit wise setup {one.name}")
    leaf, *above = objects.certificates(found.issued.fullchain, name=f"generation {found.number}")
    bundle = found.issued.trust_bundle
    question = Question(
        leaf=leaf,
        policy=one.policy,
        at=now,
        anchors=objects.certificates(bundle, name="the trust bundle") if bundle else [],
        untrusted=above,
        client_id=one.identity.record.settings.client_id,
        csr=overview.request(found),
    )
    bad = [each for each in install.up_to_a_root(question).findings if not each.is_good]
    if bad:
        worst = next((each for each in bad if each.status is Status.CRITICAL), bad[0])
        return replace(worst, id="chain", message=f"{worst.id}: {worst.message}")
    return ok("chain", "the certificate chains to its own trust bundle")


def _expiry(one: Side, now: datetime) -> Finding:
    active = overview.overview(one.identity, one.policy, now=now).active
    if active is None or active.not_before is None or active.not_after is None:
        return unknown("expiry", "no certificate is active", f"see the next step: certkit wise setup {one.name}")
    left = "expired" if now > active.not_after else f"{active.days_left} days left"
    status = overview.judged(active.not_before, active.not_after, one.policy, now)
    if status is Status.OK:
        return ok("expiry", left)
    return replace(warning("expiry", left, f"renew it: certkit identity renew {one.name}"), status=status)


def _token(one: Side, now: datetime) -> Finding:
    if one.token is None:
        hint = f"unless the tokens are kept elsewhere, get one: certkit wise setup {one.name}"
        return warning("token", "no token is valid or can be renewed", hint)
    if one.token.is_expired(now):
        return warning("token", "the access token has expired", f"certkit wise token refresh --identity {one.name}")
    return ok("token", "a token is stored")


def _call(store: Store, one: Side, timeout: float, now: datetime) -> Finding:
    token = None if one.token is None or one.token.is_expired(now) else one.token.access
    try:
        endpoint = endpoints.endpoint(store, one.identity, one.policy, timeout=timeout)
    except CertkitError as error:
        return unknown("http", error.message, error.hint)
    return replace(first_call.call(endpoint, one.policy, token, now=now), id="http")


def _fallback(one: Side, timeout: float, now: datetime) -> Finding:
    """Check that the plain host responds: it is the fallback until Wise enforces mTLS."""
    url = one.policy.hosts.api
    if not url:
        return unknown("fallback", f"policy {one.policy.name} has no plain host", "set hosts.api")
    try:
        answer = http.send(wire.HttpRequest(method="GET", url=f"{url.rstrip('/')}/"), now=now, timeout=timeout)
    except http.HttpError as error:
        return warning("fallback", f"the plain host cannot be reached: {error.message}", error.hint)
    where = urlsplit(url).netloc
    message = (
        f"the plain host {where} responds (status {answer.status}); once Wise enforces mTLS, it will stop serving calls"
    )
    return ok("fallback", message)
