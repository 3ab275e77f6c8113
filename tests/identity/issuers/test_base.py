"""`certkit.identity.issuers`: how an issuer is named."""

from __future__ import annotations

import pytest

from certkit.errors import InputError
from certkit.identity.issuers import IssuerKind, IssuerSpec


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("manual", IssuerKind.MANUAL, ""),
        ("vault-pki:pki/client", IssuerKind.VAULT_PKI, "pki/client"),
        ("vault-pki:deep/er/pki/client", IssuerKind.VAULT_PKI, "deep/er/pki/client"),
        ("command:/usr/local/bin/sign --profile client", IssuerKind.COMMAND, "/usr/local/bin/sign --profile client"),
    ],
)
def test_what_names_an_issuer(text, kind, where):
    """Its kind, and where it is."""
    assert IssuerSpec.parse(text) == IssuerSpec(kind, where)
    assert IssuerSpec.parse(text).is_manual == (kind is IssuerKind.MANUAL)


@pytest.mark.parametrize(
    "text", ["", "acme", "manual:", "manual:x", "vault-pki", "vault-pki:", "vault-pki:role", "command:", "command: "]
)
def test_what_names_none(text):
    """Is refused, with what would."""
    with pytest.raises(InputError, match="not an issuer") as refused:
        IssuerSpec.parse(text)
    assert refused.value.hint == "give manual, vault-pki:MOUNT/ROLE or command:PROGRAM"


def test_the_arguments_of_a_program():
    """Are split as a shell would; what no shell could split is no issuer."""
    assert IssuerSpec.parse("command:'/opt/sign it' --profile 'a b'").arguments() == [
        "/opt/sign it",
        "--profile",
        "a b",
    ]
    with pytest.raises(InputError, match="no closing quotation"):
        IssuerSpec.parse("command:'")
