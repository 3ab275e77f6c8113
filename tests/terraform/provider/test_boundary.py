"""Failures as Terraform shows them: arguments of the configuration, and commands that can be pasted."""

from __future__ import annotations

import pytest
from tf.utils import Diagnostics

from certkit.errors import InputError
from certkit.terraform.provider.boundary import Boundary
from certkit.terraform.provider.provider import CertkitProvider
from certkit.terraform.provider.services import Host


@pytest.mark.parametrize(
    ("hint", "detail"),
    [
        ("set it with --organization", "Set it with `organization`."),
        ("give --psd2-authority-id and --type", "Give `psd2_authority_id` and `key_type`."),
        ("if it is an intermediate, add it with --untrusted", "If it is an intermediate, add it with `certificate`."),
        (
            "run: certkit identity renew acme --force; or give --ca",
            "Run: certkit identity renew acme --force; or give `ca`.",
        ),
        (
            "check the host and the port, or allow more time with --timeout; if X is an intermediate, add it to --cert",
            "Check the host and the port; if X is an intermediate, add it to `certificate`.",
        ),
        ("set HOME, or name a file with --config", "Set HOME, or name a file with `CERTKIT_CONFIG`."),
        ("a new CA: certkit identity update acme --ca FILE", "A new CA: set `ca`."),
        ("to install it: certkit identity install acme CERT", "To install it: certkit identity install acme CERT"),
        (
            "certkit identity show 'a b' --store 'file:x y', with --ca",
            "certkit identity show 'a b' --store 'file:x y', with `ca`.",
        ),
        ("", ""),
    ],
)
def test_options_are_arguments_and_commands_stay(hint, detail):
    """The diagnostic has the message as its summary, and the hint as its detail."""
    diagnostics = Diagnostics()
    with Boundary(diagnostics):
        raise InputError("wrong", hint=hint)
    [found] = diagnostics.to_pb()
    assert (found.summary, found.detail) == ("wrong", detail)


def test_commands_name_the_store_of_the_provider():
    """As they would be typed beside the configuration: a hint without it would be about another store."""
    diagnostics = Diagnostics()
    host = Host()
    host.configuration = {"store": "file:my store", "passphrase_file": None}
    with host.boundary(diagnostics) as boundary:
        boundary.warn("it stays", "to remove it: certkit identity remove acme, or destroy_keys = true")
        raise InputError("wrong", hint="list the identities: certkit identity list")
    assert [each.detail for each in diagnostics.to_pb()] == [
        "To remove it: certkit identity remove acme --store 'file:my store', or destroy_keys = true.",
        "List the identities: certkit identity list --store 'file:my store'",
    ]


def test_a_store_that_is_never_used(monkeypatch, tmp_path):
    """Without one, the block is accepted where there is no default store either: some data sources need none."""
    (tmp_path / "certkit.toml").write_text("[store")
    monkeypatch.setenv("CERTKIT_CONFIG", str(tmp_path / "certkit.toml"))
    monkeypatch.delenv("CERTKIT_STORE", raising=False)
    diagnostics = Diagnostics()
    CertkitProvider().configure_provider(diagnostics, {"store": None, "passphrase_file": None})
    assert diagnostics.to_pb() == []
