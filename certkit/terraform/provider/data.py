"""The data sources: facts of an identity, nearness of expiry, and whether a partner would accept a CSR."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tf.iface import DataSource
from tf.types import List, Map, Number, String

from certkit.errors import InputError
from certkit.findings import Status, roll_up
from certkit.stores.base import AbsentError
from certkit.stores.record import require_name
from certkit.terraform.provider import facts
from certkit.terraform.provider.boundary import Boundary
from certkit.terraform.provider.schema import computed, option, require_public, schema
from certkit.terraform.provider.services import OfProvider

if TYPE_CHECKING:
    from tf.iface import ReadDataContext
    from tf.schema import Schema
    from tf.utils import Diagnostics

    from certkit.expiry.scan import Scan
    from certkit.terraform.provider.schema import Config, State

_ABSENT = "absent"
_IDENTITY = "identity:"
_DEFAULT_POLICY = "general"


class _Source(OfProvider, DataSource):
    """A data source of the provider."""

    def validate(self, diags: Diagnostics, type_name: str, config: Config) -> None:
        """Refuse a private key among the arguments."""
        super().validate(diags, type_name, config)
        with Boundary(diags):
            require_public(config)

    @classmethod
    def nothing(cls) -> State:
        """All attributes without a value."""
        return {each.name: None for each in cls.get_schema().attributes}


class IdentityDataSource(_Source):
    """An identity as it is, however it was created."""

    name = "identity"

    @classmethod
    def get_schema(cls) -> Schema:
        """The attributes."""
        return schema(
            "An identity in the store, however it was created. An unknown one has the state `absent`, so that a first"
            " plan works.",
            option("name", "The identity's name.", required=True),
            computed("policy", "Its policy."),
            computed("status", "Of the active certificate: `ok`, `warning` or `critical`; else `unknown`."),
            computed("days_left", "Whole days until the active certificate expires; changes every day.", Number()),
            facts.ATTRIBUTES,
        )

    def read(self, ctx: ReadDataContext, config: Config) -> State | None:
        """Read the identity."""
        from certkit.identity import overview
        from certkit.policy import catalogue

        now, name = self.provider.now(), config["name"]
        with self.provider.boundary(ctx.diagnostics) as boundary, self.provider.store(boundary) as store:
            try:
                identity = store.load(require_name(name))
            except AbsentError:
                return self.nothing() | {"name": name, "state": _ABSENT, "status": Status.UNKNOWN.value}
            policy = catalogue.load(identity.record.settings.policy)
            found = overview.overview(identity, policy, now=now)
            return {
                "name": name,
                "policy": found.policy,
                "status": found.status.value,
                "days_left": found.active.days_left if found.active else None,
                **facts.facts(store, identity, policy, found, now=now),
            }
        return None


class ExpiryDataSource(_Source):
    """The data source `certkit_expiry`: when a certificate expires, wherever it is."""

    name = "expiry"

    @classmethod
    def get_schema(cls) -> Schema:
        """The attributes."""
        return schema(
            "When a certificate expires. If there are several, the result describes the most urgent one. A source that"
            " cannot be read is an error.",
            option(
                "source",
                "A file, a directory, a glob, a live host (`HOST:PORT`), `identity:NAME` or `vault://MOUNT/PREFIX`, as"
                " `certkit expiry` accepts.",
                required=True,
            ),
            option("warn", "Warn below this time left: `28d`, `2w`, `33%`. By default the policy's."),
            option("critical", "Critical below this time left. By default the policy's."),
            option("policy", "The policy whose thresholds apply. By default `general`."),
            computed(
                "status",
                "`ok`, `warning` or `critical`; `unknown` for an identity that is absent or has no active certificate.",
            ),
            computed("days_left", "Whole days left, negative once it has expired; changes every day.", Number()),
            computed("not_before", "The time from which it is valid, RFC 3339."),
            computed("not_after", "The time until which it is valid, RFC 3339."),
            computed("fingerprint_sha256", "Its fingerprint."),
            computed("subject", "Its subject, RFC 4514."),
            computed("issuer", "Its issuer, RFC 4514."),
            computed("serial", "Its serial number, hexadecimal."),
        )

    def read(self, ctx: ReadDataContext, config: Config) -> State | None:
        """Read the certificate that is nearest to its expiry."""
        from certkit.durations import Duration
        from certkit.expiry.scan import Judge
        from certkit.expiry.thresholds import Thresholds
        from certkit.policy import catalogue

        with self.provider.boundary(ctx.diagnostics) as boundary:
            answer = self.nothing() | config
            if self._is_idle(config["source"], boundary):
                return answer | {"status": Status.UNKNOWN.value}
            rules = catalogue.load(config["policy"] or _DEFAULT_POLICY).expiry
            warn, critical = (Duration.parse(config[name]) if config[name] else None for name in ("warn", "critical"))
            thresholds = Thresholds.choose(warn=warn, critical=critical, defaults=rules)
            judge = Judge(thresholds=thresholds, now=self.provider.now(), leaf_only=True)
            return answer | _most_urgent(self.provider.look(config["source"], judge, boundary))
        return None

    def _is_idle(self, source: str, boundary: Boundary) -> bool:
        """Return whether the source is an identity without an active certificate, as before the first apply."""
        if not source.startswith(_IDENTITY):
            return False
        with self.provider.store(boundary) as store:
            try:
                return store.load(require_name(source.removeprefix(_IDENTITY))).record.active is None
            except AbsentError:
                return True


class CsrCheckDataSource(_Source):
    """The data source `certkit_csr_check`: whether a partner would accept a CSR."""

    name = "csr_check"

    @classmethod
    def get_schema(cls) -> Schema:
        """The attributes."""
        return schema(
            "Whether a partner will accept a CSR, by the rules of a policy.",
            option("csr", 'The CSR, PEM, as it will be submitted: `file("acme.csr")`.', String(), required=True),
            option("policy", "A policy's name, or the path of its file. By default `general`."),
            computed("status", "`ok`, `warning`, `critical`, or `unknown` if something cannot be determined."),
            computed("subject", "Its subject, RFC 4514."),
            computed("checks", "What was checked: maps of `id`, `status`, `message` and `hint`.", List(Map(String()))),
        )

    def read(self, ctx: ReadDataContext, config: Config) -> State | None:
        """Apply every rule."""
        from certkit.csr import check
        from certkit.policy import catalogue
        from certkit.x509 import objects

        with self.provider.boundary(ctx.diagnostics):
            data = config["csr"].encode()
            policy = catalogue.load(config["policy"] or _DEFAULT_POLICY)
            request = objects.csr(data, name="the argument `csr`")
            findings = check.for_checkers(check.findings(request, data, policy))
            return {
                **config,
                "status": roll_up(each.status for each in findings).value,
                "subject": request.subject.text,
                "checks": [asdict(each) for each in findings],
            }
        return None


def _most_urgent(found: Scan) -> dict[str, Any]:
    """Return the facts of the most urgent certificate.

    Raises:
        InputError: if a source could not be checked.
    """
    from certkit.times import rfc3339

    if found.failures or not found.rows:
        message, hint = found.trouble
        raise InputError(message, hint=hint)
    row = found.by_urgency[0]
    return {
        "status": row.status.value,
        "days_left": row.days_left,
        "not_before": rfc3339(row.not_before),
        "not_after": rfc3339(row.not_after),
        "fingerprint_sha256": row.fingerprint_sha256,
        "subject": row.subject,
        "issuer": row.issuer,
        "serial": row.serial_hex,
    }
