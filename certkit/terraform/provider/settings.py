"""The arguments of `certkit_identity` as the settings of an identity, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tf.types import Unknown

from certkit.identity.issuers import base as issuers
from certkit.identity.issuers.base import MANUAL
from certkit.stores.record import Settings
from certkit.terraform.provider.schema import (
    Certificates,
    IssuerName,
    PolicyName,
    Text,
    Texts,
    argument,
    certificates_only,
)
from certkit.x509 import names
from certkit.x509.names import SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

# The attribute of the subject that each argument names. `state` is what Terraform calls something else by.
_SUBJECT = {
    "organization": "organization",
    "country": "country",
    "province": "state",
    "locality": "locality",
    "units": "units",
    "common_name": "common_name",
    "email": "email",
    "san": "san",
}
_LISTS = ("units", "san")

ARGUMENTS = (
    argument(
        "policy",
        PolicyName(),
        "The partner's rules: the name of a policy (`certkit policy list`), or the path of a TOML file.",
        required=True,
    ),
    argument("organization", Text(), "The organization's legal name."),
    argument("country", Text(), "Two letters, such as `GB` or `EU`."),
    argument("province", Text(), "State or province."),
    argument("locality", Text(), "Town."),
    argument("units", Texts(), "Organizational units."),
    argument("common_name", Text(), "Common name; some partners replace it."),
    argument("email", Text(), "E-mail address in the subject."),
    argument("san", Texts(), "Alternative names: `DNS:x`, `IP:x`, `email:x`, `URI:x` and others."),
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
        'The CAs to trust, as PEM: `file("wise-ca.pem")`. Without them, `certkit_certificate` has to name them.',
        fixed=False,
    ),
    argument(
        "issuer",
        IssuerName(),
        "Who answers the request: `manual` (a person, and `certkit_certificate`), `vault-pki:MOUNT/ROLE` or"
        " `command:PROGRAM`.",
        default=MANUAL,
        fixed=False,
    ),
    argument(
        "probe",
        Text(),
        "Before a certificate is put to use, try it at this address (`https://…`); `policy`: at the policy's.",
        fixed=False,
    ),
    argument(
        "group",
        Text(),
        "Let this group of the host read the keys: 0640, directories 0750. For file stores.",
        fixed=False,
    ),
)
NAMES = tuple(each.name for each in ARGUMENTS)
# The settings that change in place, by their arguments.
CHANGEABLE = {"client_id": "client_id", "ca": "trust_bundle", "issuer": "issuer", "probe": "probe", "group": "group"}


def is_known(arguments: Mapping[str, Any]) -> bool:
    """Whether every argument is known already, and not only after another resource is made."""
    return all(arguments[name] is not Unknown or name == "key_type" for name in NAMES)


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """What an identity is to be enrolled with.

    Raises:
        InputError: a value cannot stand in a subject, or there is no certificate in `ca`.
    """
    from certkit.policy import catalogue

    values: dict[str, Any] = {name: None if arguments[name] is Unknown else arguments[name] for name in NAMES}
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
        group=values["group"] or None,
        trust_bundle=certificates_only(values["ca"], name="ca") if values["ca"] else None,
    )
    for san in found.subject.san:
        names.parse_san(san)
    return found


def arguments_of(settings: Settings) -> dict[str, Any]:
    """The arguments that an identity was enrolled with."""
    subject = {name: getattr(settings.subject, field) for name, field in _SUBJECT.items()}
    return {
        "policy": settings.policy,
        **{name: (list(value) if name in _LISTS else value) or None for name, value in subject.items()},
        "key_type": settings.key_type,
        "client_id": settings.client_id,
        "ca": settings.trust_bundle,
        "issuer": settings.issuer,
        "probe": settings.probe,
        "group": settings.group,
    }
