"""Partners' rules, written down a second time: a request that follows each policy, and one that breaks each rule.

`tests/policy/test_partners.py` holds the policies to this table, and the table to the policies: a rule that could be
removed without a failure here is a failure itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from certkit.x509.names import SubjectOptions


@dataclass(frozen=True)
class Partner:
    """A good request, requests that break a rule with the message expected, and the facts that no CSR shows."""

    good: SubjectOptions
    key: str = "rsa-2048"
    breaks: tuple[tuple[SubjectOptions, str], ...] = ()
    keys: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def subject(*pairs: str, **others: Any) -> SubjectOptions:
    """Options with the whole subject, in order."""
    return SubjectOptions(subject=pairs, **others)


def variants(pairs: tuple[str, ...], changes: dict[str, tuple[str, ...]], **others: Any) -> list[SubjectOptions]:
    """Options with one attribute changed at a time; an empty value leaves it out."""
    found = []
    for name, values in changes.items():
        for value in values:
            changed = [f"{name}={value}" if pair.startswith(f"{name}=") else pair for pair in pairs]
            found.append(subject(*(pair for pair in changed if not pair.endswith("=")), **others))
    return found


PSD2 = {
    "psd2_role": ("PSP_AI",),
    "psd2_authority": "Financial Conduct Authority",
    "psd2_authority_id": "GB-FCA",
}
EIDAS = ("C=GB", "O=Acme Ltd", "organizationIdentifier=PSDGB-FCA-123456", "CN=0123456789abcdef")
BRCAC = (
    "businessCategory=Private Organization",
    "jurisdictionCountryName=BR",
    "serialNumber=43142666000197",
    "C=BR",
    "O=Acme SA",
    "ST=SP",
    "L=Sao Paulo",
    "organizationIdentifier=OFBBR-d7384bd0-842f-43c5-be02-9d2b2d5efc2c",
    "UID=67c57882-043b-11ec-9a03-0242ac130003",
    "CN=mtls.acme.com.br",
)
BRSEAL = (
    *("UID=d7384bd0-842f-43c5-be02-9d2b2d5efc2c", "C=BR", "O=ICP-Brasil"),
    *("OU=AC Example", "OU=43142666000197", "OU=Pessoa Juridica", "CN=Acme SA"),
)
PAYPAL = ("C=US", "ST=California", "L=San Jose", "O=Acme Inc", "OU=PayPal, Inc.", "CN=acme sandbox checkout Client")
CDR = ("CN=Acme Budget", "O=Acme", "OU=Consumer Data Right", "C=AU")
MTF = SubjectOptions(organization="Acme Ltd", units=("Payments",), common_name="acme-Client-MTF-000000")
NOT_ALL_PSD2 = "the PSD2 roles and the competent authority are missing"


def eidas(order: str = "the order is", **others: Any) -> tuple[tuple[SubjectOptions, str], ...]:
    """Return what both certificates of PSD2 have in common."""
    missing = variants(EIDAS, {"C": ("",), "O": ("",), "organizationIdentifier": ("",), "CN": ("",)}, **PSD2)
    names = ("C", "O", "organizationIdentifier", "CN")
    form = "does not have the form PSD<country>-<authority of 2 to 8 capitals>-<id>"
    bad = ("GB-FCA-1", "PSDGB-F-1", "PSDGB-FCAFCAFCA-1", "PSDGB-FCA-", "PSDgb-FCA-1")
    return (
        *((options, f"{name} is missing") for options, name in zip(missing, names, strict=True)),
        *((options, form) for options in variants(EIDAS, {"organizationIdentifier": bad}, **PSD2)),
        (subject(*reversed(EIDAS), **PSD2), order),
        (subject(*EIDAS), NOT_ALL_PSD2),
        (subject(*EIDAS, **{**PSD2, "psd2_authority_id": "FCA"}), "does not have the form CC-AUTHORITY"),
        (subject(*EIDAS, **{**PSD2, "psd2_authority_id": "DE-BAFIN"}), "organizationIdentifier names GB-FCA"),
    )


KLARNA_ANSWERS = {"hosts.verdict_header": "Klarna-Mtls-Verification-Status", "hosts.verdict_accepted": "VALID"}
SIGNING_USAGES = (
    (("digitalSignature",), "the key usage lacks nonRepudiation"),
    (("nonRepudiation",), "the key usage lacks digitalSignature"),
    (("digitalSignature", "nonRepudiation", "keyEncipherment"), "the key usage has keyEncipherment"),
)


def usages(
    good: SubjectOptions, listed: tuple[tuple[tuple[str, ...], str], ...]
) -> tuple[tuple[SubjectOptions, str], ...]:
    """A good request with another key usage."""
    return tuple((replace(good, key_usage=each), said) for each, said in listed)


SANDBOX_KEY = """\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwpb91cEYuyJNQepZAVfP
ZIlPZfNUefH+n6w9SW3fykqKu938cR7WadQv87oF2VuT+fDt7kqeRziTmPSUhqPU
ys/V2Q1rlfJuXbE+Gga37t7zwd0egQ+KyOEHQOpcTwKmtZ81ieGHynAQzsn1We3j
wt760MsCPJ7GMT141ByQM+yW1Bx+4SG3IGjXWyqOWrcXsxAvIXkpUD/jK/L958Cg
nZEgz0BSEh0QxYLITnW1lLokSx/dTianWPFEhMC9BgijempgNXHNfcVirg1lPSyg
z7KqoKUN0oHqWLr2U1A+7kqrl6O2nx3CKs1bj1hToT1+p4kcMoHXA7kA+VBLUpEs
VwIDAQAB
-----END PUBLIC KEY-----
"""
PRODUCTION_KEY = """\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvO8vXV+JksBzZAY6GhSO
XdoTCfhXaaiZ+qAbtaDBiu2AGkGVpmEygFmWP4Li9m5+Ni85BhVvZOodM9epgW3F
bA5Q1SexvAF1PPjX4JpMstak/QhAgl1qMSqEevL8cmUeTgcMuVWCJmlge9h7B1CS
D4rtlimGZozG39rUBDg6Qt2K+P4wBfLblL0k4C4YUdLnpGYEDIth+i8XsRpFlogx
CAFyH9+knYsDbR43UJ9shtc42Ybd40Afihj8KnYKXzchyQ42aC8aZ/h5hyZ28yVy
Oj3Vos0VdBIs/gAyJ/4yyQFCXYte64I7ssrlbGRaco4nKF3HmaNhxwyKyJafz19e
HwIDAQAB
-----END PUBLIC KEY-----
"""
WISE_FACTS = {
    "key.types": ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"],
    "subject.required": ["O"],
    "subject.overridden": ["CN"],
    "csr.forms": ["pem"],
    "csr.surrounding_text": False,
    "csr.further_objects": False,
    "certificate.max_validity_days": 366,
    "certificate.common_name": "client-id",
    "certificate.max_live": 10,
    "renewal.opens": "45d",
    "renewal.reminders": [28, 14, 7, 3, 1, 0],
    "hosts.probe_path": "/v1/authenticated/playground",
    "hosts.token_path": "/oauth/token",
    "hosts.authorize_path": "/oauth/authorize/",
    "hosts.subscriptions_path": "/v3/applications/{client_id}/subscriptions",
    "webhooks.schema_versions": ["2.0.0", "4.0.0"],
    "expiry.warn": "28d",
    "expiry.critical": "7d",
    "portal.name": "Developer Hub",
    "portal.request_steps": [
        "Log in to Wise's Developer Hub for this environment and open the section Authentication.",
        'Choose "Generate certificate" and type a certificate name that you have not used before.',
        "Paste the CSR, the whole file and nothing else.",
        "Copy the client certificate that the page shows into a .pem file.",
    ],
    "portal.trust_steps": [
        'On the same page choose "Get Wise Certificate" and keep the CA certificate for your trust store.'
    ],
}
WISE = Partner(
    SubjectOptions(organization="Acme Ltd", country="EU"),
    breaks=((SubjectOptions(country="GB"), "O is missing"),),
    keys=("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384"),
    wrong=("rsa-2560", "rsa-1024", "ec-p521", "ed25519"),
)

PARTNERS = {
    "adyen": Partner(
        SubjectOptions(organization="Acme"),
        keys=("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384", "ec-p224"),
        wrong=("rsa-1024", "ec-p192", "ed25519"),
        facts={
            "subject.ignored": True,
            "certificate.max_live": 10,
            "certificate.attributes.UID.pattern": ".+-Company\\..+",
            "certificate.attributes.CN.pattern": ".+-Company\\..+",
            "certificate.attributes.O.pattern": "Company\\..+",
            "certificate.attributes.UID.form": "<API credential>-Company.<company id>",
            "certificate.attributes.CN.form": "<API credential>-Company.<company id>",
            "certificate.attributes.O.form": "Company.<company id>",
        },
    ),
    "klarna-distribution": Partner(
        subject("CN=A1B2C3"),
        "ec-p256",
        (
            (subject("O=Acme"), "CN is missing"),
            (subject("CN=A1B2C3", "O=Acme"), "O is not allowed"),
            (subject("CN=A1B2C3", "CN=A1"), "CN appears 2 times, more than 1"),
            (subject("CN=krn:partner:live:A1B2C3"), "does not have the form <last part of the account id>"),
        ),
        keys=("ec-p256",),
        wrong=("ec-p384", "rsa-2048"),
        facts=KLARNA_ANSWERS,
    ),
    "klarna-acquirer": Partner(
        subject("O=Acme"),
        "ec-p256",
        keys=("ec-p256",),
        wrong=("ec-p384", "rsa-2048"),
        facts={"subject.attributes.CN.max_length": 64, **KLARNA_ANSWERS},
    ),
    "circle-mint": Partner(
        subject("CN=Acme", "O=Acme"),
        "ec-p256",
        (
            (subject("CN=Acme"), "O is missing"),
            (subject("O=Acme"), "CN is missing"),
            (subject("O=Acme", "CN=Acme"), "the order is O, CN"),
            (subject("CN=Acme Ltd", "O=Acme"), "CN=Acme Ltd is not the same as O"),
            (subject("CN=Acme", "O=Acme", "C=GB"), "C is not allowed"),
        ),
        keys=("ec-p256",),
        wrong=("ec-p384", "rsa-2048"),
        facts={
            "certificate.max_validity_days": 365,
            "certificate.public_ca": False,
            "renewal.at_least": "14d",
            "renewal.opens": "30d",
            "expiry.warn": "28d",
            "expiry.critical": "14d",
            "portal.name": "Circle's support",
            "portal.request_steps": ["Open a support ticket with Circle and attach the CSR."],
        },
    ),
    "mastercard-mtf": Partner(
        MTF,
        breaks=(
            (replace(MTF, organization=""), "O is missing"),
            (replace(MTF, units=()), "OU is missing"),
            (replace(MTF, common_name=""), "CN is missing"),
            *(
                (
                    replace(MTF, common_name=name),
                    "does not have the form <unique name>-Client-MTF-<company id of six digits>",
                )
                for name in (
                    "acme-Client-MTF-42",
                    "acme-MTF-000000",
                    "https://acme.test/-Client-MTF-000000",
                    "-Client-MTF-1",
                )
            ),
        ),
        keys=("rsa-2048", "rsa-3072", "rsa-4096", "rsa-2560"),
        wrong=("rsa-1024", "ec-p256"),
        facts={
            "key.types": ["rsa-2048", "rsa-3072", "rsa-4096"],
            "subject.attributes.CN.max_length": 64,
            "subject.attributes.O.max_length": 64,
            "subject.attributes.OU.max_length": 64,
        },
    ),
    "paypal": Partner(
        subject(*PAYPAL),
        breaks=(
            *zip(
                variants(PAYPAL, dict.fromkeys(("C", "ST", "L", "O", "OU", "CN"), ("",))),
                [f"{name} is missing" for name in ("C", "ST", "L", "O", "OU", "CN")],
                strict=True,
            ),
            (subject(*PAYPAL, "emailAddress=ops@acme.test"), "emailAddress is not allowed"),
            *((options, "is not 'PayPal, Inc.'") for options in variants(PAYPAL, {"OU": ("PayPal", "Payments")})),
            *((options, "a state or province spelt out") for options in variants(PAYPAL, {"ST": ("CA",)})),
            *((options, "does not have the form <client>") for options in variants(PAYPAL, {"CN": ("acme Client",)})),
            *((options, "is a host name") for options in variants(PAYPAL, {"CN": ("www.acme.test",)})),
        ),
        keys=("rsa-2048", "rsa-4096"),
        wrong=("rsa-1024", "ec-p256"),
        facts={
            "csr.digests": ["sha256"],
            "certificate.max_validity_days": 1096,
            "certificate.extended_key_usage.forbidden": ["serverAuth"],
        },
    ),
    "mangopay": Partner(
        SubjectOptions(organization="Acme", common_name="acme-client-id"),
        keys=("rsa-2048",),
        wrong=("rsa-4096", "ec-p256"),
        facts={
            "certificate.max_validity_days": 366,
            "portal.name": "Mangopay's dashboard",
            "portal.request_steps": ["Submit the CSR in the dashboard, and download the certificate there."],
        },
    ),
    "swish": Partner(
        SubjectOptions(organization="Acme"),
        "rsa-4096",
        keys=("rsa-4096",),
        wrong=("rsa-2048", "ec-p256"),
        facts={"key.encrypted": True},
    ),
    "cdr-client": Partner(
        subject(*CDR),
        breaks=(
            *zip(
                variants(CDR, dict.fromkeys(("CN", "O", "OU", "C"), ("",))),
                [f"{name} is missing" for name in ("CN", "O", "OU", "C")],
                strict=True,
            ),
            *((options, "is not 'Consumer Data Right'") for options in variants(CDR, {"OU": ("Payments",)})),
            (subject(*CDR, "serialNumber=1"), "serialNumber is not allowed"),
            (subject(*CDR, san=("DNS:acme.test",)), "there are alternative names"),
        ),
        keys=("rsa-2048",),
        wrong=("rsa-4096", "ec-p256"),
        facts={"csr.digests": ["sha256"]},
    ),
    "brazil-brcac": Partner(
        subject(*BRCAC),
        breaks=(
            *(
                (subject(*(pair for pair in BRCAC if pair != left)), f"{name} is missing")
                for left, name in zip(
                    BRCAC[:9],
                    ("businessCategory", "jurisdictionC", *(pair.partition("=")[0] for pair in BRCAC[2:9])),
                    strict=True,
                )
            ),
            (subject(*BRCAC[:9], san=("DNS:mtls.acme.com.br",)), "CN is missing"),
            (subject(*reversed(BRCAC)), "the order is"),
            *(
                (options, said)
                for name, value, said in (
                    ("businessCategory", "Bank", "is not 'Private Organization' or 'Government Entity'"),
                    ("serialNumber", "4314266600019", "does not have the form the 14 digits of a CNPJ"),
                    ("C", "PT", "C=PT is not 'BR'"),
                    ("organizationIdentifier", "d7384bd0", "does not have the form OFBBR-<participant id>"),
                    ("CN", "acme", "CN=acme is not a host name"),
                    ("jurisdictionCountryName", "PT", "jurisdictionC=PT is not 'BR'"),
                )
                for options in variants(BRCAC, {name: (value,)})
            ),
            (subject(*BRCAC, san=("DNS:other.test",)), "the alternative names are not the CN alone"),
            (subject(*BRCAC, san=("DNS:mtls.acme.com.br", "DNS:b.test")), "the alternative names are not the CN alone"),
            *usages(
                subject(*BRCAC),
                (
                    (("digitalSignature",), "the key usage lacks keyEncipherment"),
                    (("digitalSignature", "keyEncipherment", "keyAgreement"), "the key usage has keyAgreement"),
                ),
            ),
            (subject(*BRCAC, extended_key_usage=("serverAuth",)), "the extended key usage lacks clientAuth"),
            (
                subject(*BRCAC, extended_key_usage=("clientAuth", "serverAuth")),
                "the extended key usage has serverAuth",
            ),
        ),
        without=("csr.ca_false", "csr.key_usage.critical"),
        keys=("rsa-2048",),
        wrong=("rsa-4096", "ec-p256"),
        facts={"csr.digests": ["sha256"]},
    ),
    "brazil-brseal": Partner(
        subject(*BRSEAL),
        breaks=(
            *(
                (subject(*(pair for pair in BRSEAL if not pair.startswith(f"{name}="))), f"{name} is missing")
                for name in ("UID", "C", "O", "OU", "CN")
            ),
            (subject(*reversed(BRSEAL)), "the order is"),
            *((options, "C=PT is not 'BR'") for options in variants(BRSEAL, {"C": ("PT",)})),
            *((options, "O=Acme is not 'ICP-Brasil'") for options in variants(BRSEAL, {"O": ("Acme",)})),
            (subject(*(pair for pair in BRSEAL if pair != "OU=AC Example")), "OU appears 2 times, fewer than 3"),
            (subject(*BRSEAL[:4], "OU=x", *BRSEAL[4:]), "OU appears 4 times, more than 3"),
            *usages(subject(*BRSEAL), SIGNING_USAGES),
            (subject(*BRSEAL, extended_key_usage=("clientAuth",)), "there is an extended key usage"),
        ),
        without=("csr.key_usage.critical",),
        keys=("rsa-2048", "rsa-4096"),
        wrong=("rsa-1024", "ec-p256"),
    ),
    "obwac": Partner(
        subject(*EIDAS, **PSD2),
        breaks=(
            *eidas(),
            (subject(*EIDAS, qc_type=("eseal",), **PSD2), "the qualified type is eseal"),
            *usages(
                subject(*EIDAS, **PSD2),
                (
                    (("nonRepudiation",), "the key usage lacks digitalSignature"),
                    (("digitalSignature", "nonRepudiation"), "the key usage has nonRepudiation"),
                ),
            ),
            (subject(*EIDAS, extended_key_usage=("serverAuth",), **PSD2), "the extended key usage lacks clientAuth"),
            (subject(*EIDAS, extended_key_usage=("clientAuth",), **PSD2), "the extended key usage lacks serverAuth"),
            (
                subject(*EIDAS, extended_key_usage=("clientAuth", "serverAuth", "codeSigning"), **PSD2),
                "the extended key usage has codeSigning",
            ),
        ),
        without=("csr.key_usage.critical",),
        keys=("rsa-2048",),
        wrong=("rsa-4096", "ec-p256"),
        facts={"csr.digests": ["sha256"]},
    ),
    "obseal": Partner(
        subject(*EIDAS, **PSD2),
        breaks=(
            *eidas(),
            (subject(*EIDAS, qc_type=("web",), **PSD2), "the qualified type is web"),
            *usages(subject(*EIDAS, **PSD2), SIGNING_USAGES),
            (subject(*EIDAS, extended_key_usage=("clientAuth",), **PSD2), "there is an extended key usage"),
        ),
        without=("csr.key_usage.critical",),
        keys=("rsa-2048",),
        wrong=("rsa-4096", "ec-p256"),
        facts={"csr.digests": ["sha256"]},
    ),
    "clearbank": Partner(
        SubjectOptions(organization="Acme"),
        keys=("rsa-2048", "rsa-4096"),
        wrong=("rsa-1024", "ec-p256"),
        facts={"key.hardware": "an HSM of FIPS 140-2 level 2"},
    ),
    "apple-pay-merchant": Partner(
        SubjectOptions(organization="Acme"),
        keys=("rsa-2048",),
        wrong=("rsa-4096", "ec-p256"),
        facts={"certificate.max_validity_days": 762, "renewal.reminders": [30, 15, 7]},
    ),
    "apple-pay-processing": Partner(
        SubjectOptions(organization="Acme"),
        "ec-p256",
        keys=("ec-p256",),
        wrong=("ec-p384", "rsa-2048"),
        facts={"certificate.max_validity_days": 762, "certificate.max_live": 2},
    ),
    "intesa-smarthub": Partner(
        SubjectOptions(organization="Acme"),
        facts={
            "key.types": ["rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384"],
            "certificate.max_validity_days": 366,
            "certificate.max_live": 2,
        },
    ),
    "checkout": Partner(
        SubjectOptions(organization="Acme"),
        "ec-p256",
        facts={
            "key.types": ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"],
            "certificate.self_signed": False,
            "certificate.public_ca": False,
        },
    ),
    "fireblocks": Partner(
        SubjectOptions(organization="Acme"),
        "rsa-4096",
        keys=("rsa-4096",),
        wrong=("rsa-2048", "ec-p256"),
    ),
    "wise-sandbox": replace(
        WISE,
        facts={
            **WISE_FACTS,
            "hosts.web": "https://wise-sandbox.com",
            "hosts.api": "https://api.wise-sandbox.com",
            "hosts.api_mtls": "https://api-mtls.wise-sandbox.com",
            "webhooks.signing_key": SANDBOX_KEY,
        },
    ),
    "wise-sandbox-legacy": replace(
        WISE,
        facts={
            **WISE_FACTS,
            "hosts.web": "https://sandbox.transferwise.tech",
            "hosts.api": "https://api.sandbox.transferwise.tech",
            "hosts.api_mtls": "https://api-mtls.sandbox.transferwise.tech",
            "webhooks.signing_key": SANDBOX_KEY,
            "retired": date(2026, 6, 30),
            "replaced_by": "wise-sandbox",
        },
    ),
    "wise-production": replace(
        WISE,
        facts={
            **WISE_FACTS,
            "hosts.web": "https://wise.com",
            "hosts.api": "https://api.wise.com",
            "hosts.api_mtls": "https://api-mtls.transferwise.com",
            "webhooks.signing_key": PRODUCTION_KEY,
        },
    ),
    "general": Partner(
        SubjectOptions(organization="Acme"),
        "ec-p256",
        facts={
            "key.types": [
                "ec-p256",
                "ec-p384",
                "rsa-2048",
                "rsa-3072",
                "rsa-4096",
                "ec-p521",
                "ed25519",
                "ed448",
                *(f"ml-dsa-{size}" for size in (44, 65, 87)),
            ],
            "key.rsa_minimum_bits": 2048,
            "csr.forms": ["pem", "der"],
            "csr.surrounding_text": True,
            "csr.further_objects": True,
            "csr.crlf": True,
            "csr.new_label": True,
            "csr.extensions": True,
            "csr.digests": ["sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"],
            "expiry.warn": "28d",
            "expiry.critical": "7d",
        },
    ),
    "public-ca": Partner(
        SubjectOptions(organization="Acme"),
        "ec-p256",
        facts={
            "key.types": ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"],
            "key.rsa_minimum_bits": 2048,
            "key.rsa_multiple_of": 8,
            "csr.forms": ["pem", "der"],
            "csr.extensions": True,
            "csr.digests": ["sha256", "sha384", "sha512"],
        },
    ),
}
