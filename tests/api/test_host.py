"""The host's configuration, Terraform's query and Wise's guide from Python."""

from __future__ import annotations

import json

import pytest

import certkit
from certkit.testing.rehearsal import REDIRECT_URI
from tests import pki


def test_the_configuration_of_the_host(tmp_path):
    """Its entries, and whether they are safe: a missing program is critical, bad TOML an error."""
    file = tmp_path / "certkit.toml"
    file.write_text('[hooks.reload]\ncommand = ["/no/such/program", "-s"]\n[hosts]\nallow = ["api.example"]\n')
    found = certkit.host_configuration(file, environment={})
    assert found.hooks["reload"].command == ("/no/such/program", "-s")
    assert (found.hosts, found.faults) == (("api.example",), ())
    report = certkit.check_host_configuration(file, environment={})
    assert [(each.id, each.status) for each in report] == [("program", "critical")]
    file.write_text("[hooks")
    with pytest.raises(certkit.InputError, match="not TOML"):
        certkit.check_host_configuration(environment={"CERTKIT_CONFIG": str(file)})


def test_a_query_of_terraform(directory):
    """The facts of an identity or of a source, as texts; an absent identity is a result, a wrong key an error."""
    asked = {"identity": "acme", "store": directory.uri}
    found = certkit.terraform_query(asked, environment=directory.environment, now=pki.NOW)
    assert (found["state"], found["status"]) == ("active", "ok")
    assert certkit.terraform_query(json.dumps(asked).encode(), environment=directory.environment, now=pki.NOW) == found
    absent = certkit.terraform_query(asked | {"identity": "other"}, environment=directory.environment)
    assert absent["state"] == "absent"
    source = {"source": directory.uri.removeprefix("file:") + "/acme/active/certificate.pem"}
    assert certkit.terraform_query(source, now=pki.NOW)["serial"] == found["serial"]
    with pytest.raises(certkit.InputError, match="unknown key"):
        certkit.terraform_query({"name": "acme"})


def test_the_guide_goes_as_far_as_it_can(certkit_rehearsal):
    """It says what comes next at each step, and continues with what is given later."""
    wise = certkit_rehearsal
    with certkit.store(wise.store, environment={}) as store:
        found = store.wise_setup("beta", policy=str(wise.policy))
        assert (found.next, found.done, found.changed, found.status) == ("client", (), True, "unknown")
        found = store.wise_setup("beta", client_id=wise.client_id, redirect_uri=REDIRECT_URI)
        assert found.url.startswith(wise.web)
        assert (found.next, found.message[:13]) == ("authorize", "open the page")
        skipped = store.wise_setup("beta", skip_oauth=True, organization="Acme Ltd", country="GB")
        assert (skipped.next, skipped.done) == ("request", ("enroll",))
        assert skipped.identity.pending.csr.startswith("-----BEGIN CERTIFICATE REQUEST")
        with pytest.raises(certkit.InputError, match="which environment"):
            store.wise_setup("gamma", client_secret=lambda: pytest.fail("not needed"))


def test_two_environments_are_compared(certkit_rehearsal, certkit_identity):
    """Shared keys and CAs are critical; Wise is not called unless requested."""
    with certkit.store(certkit_rehearsal.store, environment={}) as store:
        report = store.wise_check("acme", "acme")
    assert report.subject == "acme and acme"
    assert {each.id for each in report if each.status == "critical"} >= {"environment", "key-match", "trust"}
    assert [each.status for each in report if each.id in {"http", "fallback"}] == ["skipped", "skipped"]
