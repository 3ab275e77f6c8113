"""A partner's rules for keys, CSRs and certificates, as values. Each key of a policy file is declared here, once."""

from __future__ import annotations

import functools
from dataclasses import MISSING, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from certkit.durations import Duration
from certkit.policy import DEFAULT_CRITICAL, DEFAULT_WARN, values
from certkit.policy.values import (
    ANSWER,
    BOOLEAN,
    COUNT,
    DAY,
    DAYS,
    DURATION,
    HEADER,
    PATTERN,
    TEXT,
    TEXTS,
    URL,
    URL_PATH,
    Answer,
    ValueKind,
    by_name,
    list_of,
    matching,
    one_of,
    or_unknown,
)
from certkit.x509 import attributes, names, qualified
from certkit.x509.keys import KEY_TYPES, KeySpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

# Keys of format 1 that no check can judge; existing files may still have them.
NO_LONGER_RULES = {
    "certificate.unique_names": "certkit never uses a certificate name twice",
    "certificate.dead_count_as_live": "certkit cannot see what the partner counts",
}

_KEY_NAME = ValueKind(
    f"a key type such as {', '.join(KEY_TYPES)}",
    '"ec-p256"',
    matching("", "", r"(rsa|dsa)-\d{3,5}|ec-[a-z0-9]+|ed25519|ed448|ml-dsa-(44|65|87)").parse,
    {name: name for name in KEY_TYPES},
)
_ATTRIBUTE = replace(one_of(*attributes.OIDS), suggestions=attributes.NAMES)
_ATTRIBUTE_LIST = list_of(_ATTRIBUTE)
_ATTRIBUTE_OR_OID = ValueKind(
    f"{_ATTRIBUTE.expected}, or an object identifier in quotes",
    '"O"',
    lambda value, _: values.require(attributes.short_name(value) == value, value),
    _ATTRIBUTE.suggestions,
)
_RULE = matching("the name of a rule such as key.types", '"key"', r"[A-Za-z_]+(\.[A-Za-z0-9_.-]+)*")
_NAME = matching("the name of a policy", '"acme"', r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def rule(kind: ValueKind, default: Any = MISSING, meaning: str = "") -> Any:
    """Declare a key of a policy: its kind, its default (none: it must be given), and its meaning."""
    metadata = {"kind": kind, "meaning": meaning}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _table(rules: type[Any]) -> ValueKind:
    """Return the kind of a table with declared keys."""
    return ValueKind("a table", "", functools.partial(values.read_table, rules))


@dataclass(frozen=True, slots=True)
class RuleSource:
    """The source of rules, and the day on which it was read."""

    title: str = rule(TEXT, meaning="Site and title of the page.")
    read: date = rule(DAY, meaning="The day on which it was read.")
    url: str = rule(URL, "", "Its address, if it is known.")
    rules: tuple[str, ...] = rule(list_of(_RULE), (), "The rules read there, or their sections; without it, all.")


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The keys that the partner accepts: types by name, or any key of a kind from a size on."""

    types: tuple[str, ...] = rule(list_of(_KEY_NAME), (), "Types that are accepted; the first is the default.")
    rsa_minimum_bits: int | None = rule(COUNT, None, "Accept every RSA key of at least this size.")
    rsa_multiple_of: int = rule(COUNT, 1, "The size of an RSA key is a multiple of this.")
    ec_minimum_bits: int | None = rule(COUNT, None, "Accept every named curve of at least this size.")
    hardware: str = rule(TEXT, "", "The hardware in which the partner requires the key to be created; empty: none.")
    encrypted: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether the private key must be protected by a passphrase.")

    def accepts(self, type_name: str, bits: int) -> bool:
        """Return whether a key of that type (spelt as `--type` does) and size is accepted."""
        if type_name in self.types:
            return True
        if type_name.startswith("ec-"):
            return self.ec_minimum_bits is not None and bits >= self.ec_minimum_bits
        return (
            self.rsa_minimum_bits is not None
            and type_name.startswith("rsa-")
            and bits >= self.rsa_minimum_bits
            and bits % self.rsa_multiple_of == 0
        )

    @property
    def default_type(self) -> str | None:
        """The first type that certkit can make."""
        listed = (name for name in self.types if name in KEY_TYPES)
        specs = (KeySpec(name) for name in KEY_TYPES)
        accepted = (spec.name for spec in specs if self.accepts(spec.name, spec.bits))
        return next(listed, None) or next(accepted, None)

    def describe(self) -> str:
        """Return the rule in words."""
        rules = list(self.types)
        if self.rsa_minimum_bits is not None:
            rest = f", divisible by {self.rsa_multiple_of}" if self.rsa_multiple_of > 1 else ""
            rules.append(f"RSA of {self.rsa_minimum_bits} bits or more{rest}")
        if self.ec_minimum_bits is not None:
            rules.append(f"a named curve of {self.ec_minimum_bits} bits or more")
        return ", ".join(rules)


@dataclass(frozen=True, slots=True)
class AttributeRules:
    """The rules for the values of one attribute of a subject."""

    values: tuple[str, ...] = rule(TEXTS, (), "The only values that are accepted.")
    pattern: str = rule(PATTERN, "", "A regular expression that the whole value matches.")
    form: str = rule(TEXT, "", "The pattern in words, for messages.")
    same_as: str = rule(_ATTRIBUTE_OR_OID, "", "The attribute that has the same value.")
    host_name: Answer = rule(ANSWER, Answer.UNKNOWN, "true: the value is a host name; false: it is not.")
    minimum: int = rule(COUNT, 1, "The minimum number of occurrences, if the attribute is present.")
    maximum: int | None = rule(COUNT, None, "The maximum number of occurrences.")
    max_length: int | None = rule(COUNT, None, "The maximum number of characters.")


_ATTRIBUTES = by_name(_table(AttributeRules), of=_ATTRIBUTE_OR_OID, example='{ O = { values = ["Acme Ltd"] } }')


@dataclass(frozen=True, slots=True)
class SubjectRules:
    """The attributes that a subject must or may contain, and those that the partner replaces, by short name."""

    required: tuple[str, ...] = rule(_ATTRIBUTE_LIST, (), "Required attributes.")
    allowed: tuple[str, ...] = rule(_ATTRIBUTE_LIST, (), "The only attributes that are allowed; empty: any.")
    forbidden: tuple[str, ...] = rule(_ATTRIBUTE_LIST, (), "Attributes that are not allowed.")
    order: tuple[str, ...] = rule(_ATTRIBUTE_LIST, (), "The order of attributes, as in the encoding.")
    overridden: tuple[str, ...] = rule(_ATTRIBUTE_LIST, (), "Attributes that the partner replaces.")
    ignored: Answer = rule(ANSWER, Answer.UNKNOWN, "true: the partner does not use the CSR's subject.")
    attributes: Mapping[str, AttributeRules] = rule(_ATTRIBUTES, dict, "Rules for the values, by attribute.")
    common_name_pattern: str = rule(PATTERN, "", "Format 1: now attributes.CN.pattern.")
    common_name_form: str = rule(TEXT, "", "Format 1: now attributes.CN.form.")
    max_length: Mapping[str, int] = rule(
        by_name(COUNT, of=_ATTRIBUTE, example="{ O = 64 }"), dict, "The maximum number of characters, by attribute."
    )

    def of(self, attribute: str) -> AttributeRules:
        """Return the rules for the values of an attribute."""
        found = self.attributes.get(attribute, AttributeRules())
        if attribute == "CN" and self.common_name_pattern and not found.pattern:
            return replace(found, pattern=self.common_name_pattern, form=self.common_name_form)
        return found

    def upper_bound(self, attribute: str) -> int | None:
        """Return the greatest number of characters: the policy's, else that of RFC 5280 appendix A.1 or X.520."""
        own = self.of(attribute).max_length or self.max_length.get(attribute)
        return own or attributes.UPPER_BOUNDS.get(attribute)


@dataclass(frozen=True, slots=True)
class UsageRules:
    """The (extended) key usages that a CSR or certificate must name, by short names (`clientAuth`)."""

    present: Answer = Answer.UNKNOWN
    exact: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    critical: Answer = Answer.UNKNOWN

    @property
    def demanded(self) -> tuple[str, ...]:
        """The usages that must be named."""
        return self.exact or self.required

    @property
    def is_silent(self) -> bool:
        """Whether there is no rule."""
        return self == UsageRules()


def _usage(names_: tuple[str, ...]) -> ValueKind:
    """The kind of a usage rule: true or false (the extension is there or not), "unknown", or a table."""
    listed = list_of(one_of(*names_))
    keys = {"exact": listed, "required": listed, "forbidden": listed, "critical": ANSWER}

    def parse(value: object, path: values.Path) -> UsageRules:
        if not isinstance(value, dict):
            return UsageRules(present=ANSWER.parse(value, path))
        found = values.read_keys(keys, value, path)
        is_demanded = bool(found.get("exact") or found.get("required"))
        return UsageRules(present=Answer.YES if is_demanded else Answer.UNKNOWN, **found)

    return ValueKind('true, false, "unknown" or a table', f'{{ exact = ["{names_[0]}"], critical = true }}', parse)


_KEY_USAGE, _EXTENDED_KEY_USAGE = _usage(attributes.KEY_USAGES), _usage(tuple(attributes.EXTENDED_KEY_USAGES))


@dataclass(frozen=True, slots=True)
class CsrRules:
    """In which form the partner accepts a CSR, and what the CSR asks for."""

    forms: tuple[str, ...] = rule(list_of(one_of("pem", "der")), ("pem",), "Accepted encodings.")
    surrounding_text: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether there may be text outside the PEM block.")
    further_objects: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether there may be other PEM blocks.")
    crlf: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether lines may end with CR LF.")
    new_label: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether the label NEW CERTIFICATE REQUEST is accepted.")
    extensions: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether a CSR may ask for extensions without a rule here.")
    san: Answer = rule(ANSWER, Answer.UNKNOWN, "true: alternative names are required; false: none are allowed.")
    san_types: tuple[str, ...] = rule(
        list_of(one_of(*names.SAN_TYPES)), names.SAN_TYPES, "Accepted types of alternative names."
    )
    san_is_common_name: bool = rule(BOOLEAN, False, "The only alternative name is the CN, as a DNS name.")
    digests: tuple[str, ...] = rule(
        list_of(one_of("sha224", "sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")),
        ("sha256", "sha384", "sha512"),
        "Accepted digests of the signature.",
    )
    key_usage: UsageRules = rule(_KEY_USAGE, UsageRules, "The key usage that the CSR asks for.")
    extended_key_usage: UsageRules = rule(_EXTENDED_KEY_USAGE, UsageRules, "The extended key usage.")
    ca_false: bool = rule(BOOLEAN, False, "The CSR states basicConstraints with CA FALSE.")
    qc_types: tuple[str, ...] = rule(
        list_of(one_of(*qualified.QC_TYPES)), (), "The qualified certificate's type (ETSI EN 319 412-5), exactly."
    )
    psd2: bool = rule(BOOLEAN, False, "The CSR names PSD2 roles and the authority (ETSI TS 119 495).")


_COUNT_OR_UNKNOWN = or_unknown(COUNT)


@dataclass(frozen=True, slots=True)
class CertificateRules:
    """The partner's rules for its certificates; None or unknown if its documentation does not say."""

    max_validity_days: int | None = rule(_COUNT_OR_UNKNOWN, None, "The longest validity.")
    min_validity_days: int | None = rule(_COUNT_OR_UNKNOWN, None, "The shortest validity.")
    common_name: str = rule(one_of("any", "client-id"), "any", "What the common name must be.")
    max_live: int | None = rule(_COUNT_OR_UNKNOWN, None, "The maximum number of live certificates.")
    san: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether there are alternative names.")
    key_usage: UsageRules = rule(_KEY_USAGE, UsageRules, "The key usage.")
    extended_key_usage: UsageRules = rule(_EXTENDED_KEY_USAGE, UsageRules, "The extended key usage.")
    authority_key_identifier: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether the issuer's key is identified.")
    issuer_included: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether the file also contains the issuer's certificate.")
    root_included: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether the file also contains the root.")
    order: str = rule(one_of("leaf-first", "root-first", "any"), "any", "The order of the file's certificates.")
    self_signed: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether a self-signed certificate is accepted.")
    public_ca: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether a certificate of a public CA is accepted.")
    attributes: Mapping[str, AttributeRules] = rule(_ATTRIBUTES, dict, "Rules for the subject, by attribute.")


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """The times at which to renew and to remind."""

    opens: Duration | None = rule(DURATION, None, "The time left at which `renew` creates a request.")
    at_least: Duration | None = rule(DURATION, None, "The time left at which the partner wants the request.")
    reuse_key: Answer = rule(ANSWER, Answer.UNKNOWN, "Whether a renewed certificate may use the old key.")
    reminders: tuple[int, ...] = rule(list_of(DAYS), (), "Days before expiry on which the partner sends reminders.")
    keep: int | None = rule(
        _COUNT_OR_UNKNOWN, None, "How many past generations a renewal keeps; it deletes the others."
    )


@dataclass(frozen=True, slots=True)
class ExpiryRules:
    """The time left at which expiry is a warning, or critical."""

    warn: Duration = rule(DURATION, Duration.parse(DEFAULT_WARN), "The time left at which expiry is a warning.")
    critical: Duration = rule(DURATION, Duration.parse(DEFAULT_CRITICAL), "The time left at which it is critical.")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The partner's addresses: https URLs, and plain http for loopback addresses only, as a rehearsal has them.

    Empty if there is none or it is unknown.
    """

    web: str = rule(URL, "", "The site where a user grants access.")
    api: str = rule(URL, "", "The API without a client certificate.")
    api_mtls: str = rule(URL, "", "The API with a client certificate.")
    probe_path: str = rule(URL_PATH, "", "The path to request to test a client certificate.")
    verdict_header: str = rule(HEADER, "", "The response header that says whether the certificate was accepted.")
    verdict_accepted: str = rule(TEXT, "", "That header's value for an accepted certificate.")
    token_path: str = rule(URL_PATH, "/oauth/token", "The token endpoint (OAuth 2.0).")
    authorize_path: str = rule(URL_PATH, "/oauth/authorize/", "The page where a user grants access.")
    subscriptions_path: str = rule(
        URL_PATH, "/v3/applications/{client_id}/subscriptions", "Where webhooks are subscribed."
    )

    @property
    def probe_url(self) -> str:
        """The URL to request to see whether a client certificate works; empty if unknown."""
        return self.api_mtls.rstrip("/") + self.probe_path if self.api_mtls and self.probe_path else ""


@dataclass(frozen=True, slots=True)
class Portal:
    """The steps that a person takes where the partner issues certificates by hand."""

    name: str = rule(TEXT, "", "The partner's name for the portal.")
    request_steps: tuple[str, ...] = rule(TEXTS, (), "How to submit the CSR and get the certificate.")
    trust_steps: tuple[str, ...] = rule(TEXTS, (), "How to get the partner's CA certificates.")


_PUBLIC_KEY = matching(
    "a public key in PEM",
    '"""-----BEGIN PUBLIC KEY-----…"""',
    r"\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*",
)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The partner's calls to the user's webhooks."""

    signing_key: str = rule(_PUBLIC_KEY, "", "The key that verifies the signatures of deliveries.")
    schema_versions: tuple[str, ...] = rule(TEXTS, (), "Known versions of the events' schema.")


@dataclass(frozen=True, slots=True)
class Stated:
    """A rule as a policy file states it: its dotted name, its value in TOML, and its sources.

    Without a source it is the author's own choice.
    """

    name: str
    value: object
    sources: tuple[RuleSource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A partner's rules, complete and checked.

    `environment` names the partner's environment, which several policies may be about; keys and CAs of one environment
    must not be used in another. `stated` lists the rules as the files have them.
    """

    name: str
    title: str = rule(TEXT, meaning="The policy's name in messages.")
    summary: str = rule(TEXT, "", "A one-line description.")
    environment: str = rule(TEXT, "", "The partner's environment; empty if there is only one.")
    credential: str = rule(TEXT, "", "What the key is for, such as transport or signing.")
    companions: tuple[str, ...] = rule(list_of(_NAME), (), "Policies for the partner's other credentials.")
    retired: date | None = rule(DAY, None, "The day since which the partner no longer supports this.")
    replaced_by: str = rule(_NAME, "", "The policy to use instead.")
    notes: tuple[str, ...] = rule(TEXTS, (), "Requirements of the partner that certkit cannot check.")
    sources: tuple[RuleSource, ...] = ()
    key: KeyRules = rule(_table(KeyRules), KeyRules, "Which keys are accepted.")
    subject: SubjectRules = rule(_table(SubjectRules), SubjectRules, "What the CSR's subject contains.")
    csr: CsrRules = rule(_table(CsrRules), CsrRules, "The CSR's form, and what it asks for.")
    certificate: CertificateRules = rule(_table(CertificateRules), CertificateRules, "The certificate.")
    renewal: RenewalRules = rule(_table(RenewalRules), RenewalRules, "When to renew.")
    expiry: ExpiryRules = rule(_table(ExpiryRules), ExpiryRules, "When to warn.")
    hosts: Hosts = rule(_table(Hosts), Hosts, "Addresses.")
    portal: Portal = rule(_table(Portal), Portal, "What a person does if certificates are issued by hand.")
    webhooks: Webhooks = rule(_table(Webhooks), Webhooks, "Deliveries to the user's webhooks.")
    stated: tuple[Stated, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def retirement(self) -> str:
        """The date since which the partner no longer supports this, and the alternative; empty if it does."""
        if self.retired is None:
            return ""
        way = f"; use policy {self.replaced_by} instead" if self.replaced_by else ""
        return f"policy {self.name} was retired by the partner on {self.retired}{way}"
