"""The arguments of `certkit_identity` as the settings of an identity, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tf.types import Unknown

from certkit.api.arguments import subject as subject_of
from certkit.identity import issuers
from certkit.identity.issuers import MANUAL
from certkit.policy import catalogue
from certkit.stores.record import Settings
from certkit.terraform.provider.schema import Text, Texts, argument, certificates_only, hook, removable
from certkit.x509.names import SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

# What another name stands for in the settings or their subject: `state` has another meaning in Terraform.
_FIELDS = {"province": "state", "ca": "trust_bundle"}
_SUBJECT = {each.name for each in fields(SubjectOptions)}

ARGUMENTS = (
    argument(
        "policy",
        "The partner's rules: the name of a policy (`certkit policy list`), or the path of a TOML file.",
        Text(catalogue.absolute),
        required=True,
    ),
    argument("organization", "The organization's legal name."),
    argument("country", "Country code, such as `GB`."),
    argument("province", "State or province."),
    argument("locality", "City."),
    argument("units", "Organizational units.", Texts()),
    argument("common_name", "Common name; some partners replace it."),
    argument("email", "E-mail address in the subject."),
    argument(
        "subject",
        "Instead of these, the whole subject as `NAME=VALUE`: any attribute by name or OID, in this order.",
        Texts(),
    ),
    argument("san", "Alternative names: `DNS:x`, `IP:x`, `email:x`, `URI:x` and others.", Texts()),
    argument("key_usage", "Key usages, such as `digitalSignature`; those that the policy demands are added.", Texts()),
    argument("extended_key_usage", "Extended key usages, such as `clientAuth`, or OIDs.", Texts()),
    argument("qc_type", "Types of a qualified certificate: `web`, `eseal`, `esign`.", Texts()),
    argument("psd2_role", "PSD2 roles: `PSP_AS`, `PSP_PI`, `PSP_AI`, `PSP_IC`.", Texts()),
    argument("psd2_authority", "Name of the competent authority (PSD2)."),
    argument("psd2_authority_id", "Its id, such as `GB-FCA`."),
    argument(
        "key_type",
        "The key's type: `ec-p256`, `ec-p384`, `rsa-2048`, `rsa-3072` or `rsa-4096`. By default the policy's first.",
        default=Unknown,
    ),
    argument("client_id", "The common name that the partner's certificates have.", fixed=False),
    argument(
        "ca",
        'The CAs to trust, as PEM: `file("wise-ca.pem")`. Without them, `certkit_certificate` has to name them. With'
        " Vault, set them from the beginning: the provisioner's token cannot change them later.",
        Text(certificates_only),
        fixed=False,
    ),
    argument(
        "issuer",
        "Who issues the certificate: `manual` (a person fetches it, for `certkit_certificate`), `vault-pki:MOUNT/ROLE`,"
        " or `command:NAME` (in a directory, also `command:PROGRAM`).",
        Text(issuers.absolute),
        default=MANUAL,
        fixed=False,
    ),
    argument(
        "probe",
        "Before a certificate is activated, try it at this address (`https://…`). `policy` stands for the policy's"
        " address; `none` removes the probe.",
        Text(removable),
        fixed=False,
    ),
    argument(
        "deploy_hook",
        "Run this after each activation: the name of a hook in the host configuration, or, in a directory, a program."
        " `none` removes the hook.",
        Text(hook),
        fixed=False,
    ),
    argument(
        "group",
        "The group on this host that may read the keys (mode 0640, directories 0750). For file stores.",
        fixed=False,
    ),
)
NAMES = tuple(each.name for each in ARGUMENTS)
# The settings that change in place, by their arguments.
CHANGEABLE = {each.name: _FIELDS.get(each.name, each.name) for each in ARGUMENTS if not each.requires_replace}


def is_known(arguments: Mapping[str, Any]) -> bool:
    """Return whether every argument is known already, and not only after another resource is created."""
    return all(name == "key_type" or not is_unknown(arguments[name]) for name in NAMES)


def is_unknown(value: Any) -> bool:
    """Return whether a value, or one of a list, is known only after another resource is created."""
    return value is Unknown or (isinstance(value, list) and Unknown in value)


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """Return the settings to enroll an identity with.

    Raises:
        InputError: if a value cannot be part of a CSR, or there is no certificate in `ca`.
    """
    values: dict[str, Any] = {}
    for each in ARGUMENTS:
        kind: Any = each.type
        given = arguments[each.name]
        values[_FIELDS.get(each.name, each.name)] = kind.meaning(None if given is Unknown else given)
    subject = subject_of({name: values.pop(name) for name in _SUBJECT})
    return Settings(**values | {"issuer": values["issuer"] or MANUAL, "subject": subject})


def arguments_of(settings: Settings) -> dict[str, Any]:
    """Return the arguments that an identity was enrolled with."""
    found = {}
    for name in NAMES:
        field = _FIELDS.get(name, name)
        value = getattr(settings.subject if field in _SUBJECT else settings, field)
        found[name] = (list(value) if isinstance(value, tuple) else value) or None
    return found
