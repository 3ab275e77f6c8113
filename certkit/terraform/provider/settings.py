"""The arguments of `certkit_identity` as the settings of an identity, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tf.types import Unknown

from certkit.identity.issuers import base as issuers
from certkit.identity.issuers.base import MANUAL
from certkit.stores.record import Settings
from certkit.terraform.provider.schema import (
    NO_VALUE,
    Certificates,
    HookName,
    IssuerName,
    PolicyName,
    Removable,
    Text,
    Texts,
    argument,
    certificates_only,
)
from certkit.x509 import names
from certkit.x509.names import SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

# The attribute of the subject that each argument names. `state` has another meaning in Terraform.
_SUBJECT = {
    "organization": "organization",
    "country": "country",
    "province": "state",
    "locality": "locality",
    "units": "units",
    "common_name": "common_name",
    "email": "email",
    "subject": "subject",
    "san": "san",
    "key_usage": "key_usage",
    "extended_key_usage": "extended_key_usage",
    "qc_type": "qc_type",
    "psd2_role": "psd2_role",
    "psd2_authority": "psd2_authority",
    "psd2_authority_id": "psd2_authority_id",
}
_LISTS = ("units", "subject", "san", "key_usage", "extended_key_usage", "qc_type", "psd2_role")

ARGUMENTS = (
    argument(
        "policy",
        PolicyName(),
        "The partner's rules: the name of a policy (`certkit policy list`), or the path of a TOML file.",
        required=True,
    ),
    argument("organization", Text(), "The organization's legal name."),
    argument("country", Text(), "Country code, such as `GB`."),
    argument("province", Text(), "State or province."),
    argument("locality", Text(), "City."),
    argument("units", Texts(), "Organizational units."),
    argument("common_name", Text(), "Common name; some partners replace it."),
    argument("email", Text(), "E-mail address in the subject."),
    argument(
        "subject",
        Texts(),
        "Instead of these, the whole subject as `NAME=VALUE`: any attribute by name or OID, in this order.",
    ),
    argument("san", Texts(), "Alternative names: `DNS:x`, `IP:x`, `email:x`, `URI:x` and others."),
    argument("key_usage", Texts(), "Key usages, such as `digitalSignature`; those that the policy demands are added."),
    argument("extended_key_usage", Texts(), "Extended key usages, such as `clientAuth`, or OIDs."),
    argument("qc_type", Texts(), "Types of a qualified certificate: `web`, `eseal`, `esign`."),
    argument("psd2_role", Texts(), "PSD2 roles: `PSP_AS`, `PSP_PI`, `PSP_AI`, `PSP_IC`."),
    argument("psd2_authority", Text(), "Name of the competent authority (PSD2)."),
    argument("psd2_authority_id", Text(), "Its id, such as `GB-FCA`."),
    argument(
        "key_type",
        Text(),
        "The key's type: `ec-p256`, `ec-p384`, `rsa-2048`, `rsa-3072` or `rsa-4096`. By default the policy's first.",
        default=Unknown,
    ),
    argument("client_id", Text(), "The common name that the partner's certificates have.", fixed=False),
    argument(
        "ca",
        Certificates(),
        'The CAs to trust, as PEM: `file("wise-ca.pem")`. Without them, `certkit_certificate` has to name them. With'
        " Vault, set them from the beginning: the provisioner's token cannot change them later.",
        fixed=False,
    ),
    argument(
        "issuer",
        IssuerName(),
        "Who issues the certificate: `manual` (a person fetches it, for `certkit_certificate`), `vault-pki:MOUNT/ROLE`,"
        " or `command:NAME` (in a directory, also `command:PROGRAM`).",
        default=MANUAL,
        fixed=False,
    ),
    argument(
        "probe",
        Removable(),
        "Before a certificate is activated, try it at this address (`https://…`). `policy` stands for the policy's"
        " address; `none` removes the probe.",
        fixed=False,
    ),
    argument(
        "deploy_hook",
        HookName(),
        "Run this after each activation: the name of a hook in the host configuration, or, in a directory, a program."
        " `none` removes the hook.",
        fixed=False,
    ),
    argument(
        "group",
        Text(),
        "The group on this host that may read the keys (mode 0640, directories 0750). For file stores.",
        fixed=False,
    ),
)
NAMES = tuple(each.name for each in ARGUMENTS)
# The settings that change in place, by their arguments.
CHANGEABLE = {
    "client_id": "client_id",
    "ca": "trust_bundle",
    "issuer": "issuer",
    "probe": "probe",
    "deploy_hook": "deploy_hook",
    "group": "group",
}


def is_known(arguments: Mapping[str, Any]) -> bool:
    """Return whether every argument is known already, and not only after another resource is created."""
    return all(arguments[name] is not Unknown or name == "key_type" for name in NAMES)


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """Return the settings to enroll an identity with.

    Raises:
        InputError: if a value cannot be part of a CSR, or there is no certificate in `ca`.
    """
    from certkit.policy import catalogue

    values: dict[str, Any] = {name: None if arguments[name] is Unknown else arguments[name] for name in NAMES}
    values |= {name: None for name in ("probe", "deploy_hook") if values[name] == NO_VALUE}
    subject: dict[str, Any] = {
        field: tuple(values[name] or ()) if name in _LISTS else values[name] or "" for name, field in _SUBJECT.items()
    }
    found = Settings(
        policy=catalogue.absolute(values["policy"]),
        subject=SubjectOptions(**subject),
        key_type=values["key_type"] or None,
        issuer=issuers.absolute(values["issuer"] or MANUAL),
        client_id=values["client_id"] or None,
        probe=values["probe"] or None,
        deploy_hook=values["deploy_hook"] or None,
        group=values["group"] or None,
        trust_bundle=certificates_only(values["ca"], name="the argument `ca`") if values["ca"] else None,
    )
    for san in found.subject.san:
        names.parse_san(san)
    return found


def arguments_of(settings: Settings) -> dict[str, Any]:
    """Return the arguments that an identity was enrolled with."""
    subject = {name: getattr(settings.subject, field) for name, field in _SUBJECT.items()}
    return {
        "policy": settings.policy,
        **{name: (list(value) if name in _LISTS else value) or None for name, value in subject.items()},
        "key_type": settings.key_type,
        "client_id": settings.client_id,
        "ca": settings.trust_bundle,
        "issuer": settings.issuer,
        "probe": settings.probe,
        "deploy_hook": settings.deploy_hook,
        "group": settings.group,
    }
