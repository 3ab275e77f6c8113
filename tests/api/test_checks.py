"""Checks as functions, for pipelines and web applications: bytes in, a report out."""

from __future__ import annotations

import json

import pytest

import certkit
from tests import pki

ROOT = pki.root()


def test_a_csr_is_created_and_checked():
    """A CSR for a partner comes with its key, both in memory, and is accepted by the same policy."""
    made = certkit.create_csr(policy="wise-sandbox", organization="Acme Ltd", country="GB")
    assert made.csr.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
    assert made.key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE" not in repr(made)
    report = certkit.check_csr(made.csr, policy="wise-sandbox", key=made.key)
    assert report.status == "ok"
    assert report.subject == "O=Acme Ltd,C=GB"
    assert {each.id for each in report} >= {"encoding", "signature", "key-type", "key-match", "subject"}


def test_a_csr_with_what_a_policy_demands():
    """Any attribute in order, and PSD2 roles, as by the options of the command."""
    made = certkit.create_csr(
        policy="obseal",
        subject=["C=GB", "O=Acme", "organizationIdentifier=PSDGB-FCA-1", "CN=acme"],
        psd2_role=["PSP_AI"],
        psd2_authority="Financial Conduct Authority",
        psd2_authority_id="GB-FCA",
    )
    assert made.report.status == "ok"
    assert certkit.check_csr(made.csr, policy="obseal").status == "ok"
    assert certkit.inspect(made.csr)[0]["psd2_roles"] == ["PSP_AI"]


def test_a_refusal_has_findings():
    """A rule that the partner would enforce is critical, with a hint; `require` raises it."""
    made = certkit.create_csr(common_name="acme")
    report = certkit.check_csr(made.csr, policy="wise-sandbox")
    assert report.status == "critical"
    [bad] = [each for each in report if each.status == "critical"]
    assert bad.id == "subject"
    assert bad.hint
    with pytest.raises(certkit.RefusedError) as caught:
        report.require()
    assert caught.value.findings == report.findings
    with pytest.raises(certkit.RefusedError):
        certkit.create_csr(policy="wise-sandbox", common_name="acme")


def test_a_key_can_be_used_again_or_encrypted():
    """A given key is used and not returned; a new one is encrypted under a passphrase."""
    first = certkit.create_csr(organization="Acme Ltd", passphrase="correct horse")
    assert b"ENCRYPTED" in first.key
    again = certkit.create_csr(organization="Acme Ltd", key=first.key, passphrase="correct horse")
    assert again.key is None
    assert certkit.check_csr(again.csr, key=first.key, passphrase="correct horse").status == "ok"
    with pytest.raises(certkit.PassphraseError):
        certkit.check_csr(again.csr, key=first.key)


def test_a_certificate_is_verified():
    """A certificate of a trusted CA is ok, with the end of the verdict; one of another CA is critical."""
    leaf = ROOT.issue()
    report = certkit.verify(leaf.pem, ca=[ROOT.pem], key=leaf.key_pem, now=pki.NOW)
    assert report.status == "ok"
    assert report.is_ok
    assert report.valid_until == leaf.certificate.not_valid_after_utc
    assert report.subject == "CN=acme-client-id,O=Acme Ltd"
    other = certkit.verify(leaf.pem, ca=[pki.root(pki.name(CN="Another")).pem], now=pki.NOW)
    assert [each.status for each in other if each.id == "chain"] == ["critical"]
    late = certkit.verify(leaf.pem, ca=[ROOT.pem], now=pki.NOW + 2 * pki.YEAR)
    assert late.status == "critical"


def test_without_a_ca_the_chain_is_a_warning():
    """As on the command line."""
    report = certkit.verify(ROOT.issue().pem, now=pki.NOW)
    assert [each.status for each in report if each.id == "chain"] == ["warning"]


def test_the_document_is_that_of_the_command(certkit, tmp_path):
    """`as_dict` is what `csr check --json` prints, with one policy and with several."""
    import certkit as api

    made = api.create_csr(policy="wise-sandbox", organization="Acme Ltd")
    path = tmp_path / "acme.csr"
    path.write_bytes(made.csr)
    printed = json.loads(certkit("csr", "check", path, "--policy", "wise-sandbox", "--json").out)
    assert api.check_csr(made.csr, policy="wise-sandbox").as_dict() == printed
    asked = ("csr", "check", path, "--policy", "wise-sandbox", "--policy", "obseal", "--json")
    report = api.check_csr(made.csr, policy=["wise-sandbox", "obseal"])
    assert report.as_dict() == json.loads(certkit(*asked).out)
    assert [(each.policy, each.status) for each in report.fits] == [("wise-sandbox", "ok"), ("obseal", "critical")]


def test_inspection():
    """Every object of a file is described, as `inspect --json` does."""
    leaf = ROOT.issue()
    found = certkit.inspect(leaf.pem + ROOT.pem + leaf.key_pem)
    assert [each["kind"] for each in found] == ["certificate", "certificate", "private_key"]
    assert found[0]["subject"] == "CN=acme-client-id,O=Acme Ltd"


def test_an_inspection_says_what_the_command_says(certkit, tmp_path):
    """About the first object that is broken, and how many more there are."""
    import certkit as api

    path = tmp_path / "broken.pem"
    path.write_bytes(ROOT.pem + b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" * 3)
    with pytest.raises(api.InputError) as caught:
        api.inspect(path)
    said = certkit("inspect", path).err
    assert f"certkit: error: {caught.value.message}." in said
    assert "2 more" in caught.value.message


@pytest.mark.parametrize("data", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_bad_input_is_an_input_error(data):
    """Whatever the bytes are, the error is certkit's, with a hint."""
    for check in (certkit.verify, certkit.check_csr, certkit.inspect):
        with pytest.raises(certkit.InputError) as caught:
            check(data)
        assert caught.value.hint
    with pytest.raises(certkit.PolicyError):
        certkit.verify(ROOT.pem, policy="wise-sandbx")


def test_a_scan(tmp_path):
    """Each certificate is a row with all its places; what cannot be checked is a row of status unknown."""
    soon = ROOT.issue(end=pki.NOW + 5 * pki.DAY)
    (tmp_path / "soon.pem").write_bytes(soon.pem)
    (tmp_path / "again.pem").write_bytes(soon.pem)
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    rows = list(certkit.scan([str(tmp_path), str(tmp_path / "gone.pem")], now=pki.NOW, environment={}))
    found = {(row.status.value, row.days_left, len(row.sources)) for row in rows}
    assert found == {("critical", 5, 2), ("ok", 3650, 1), ("unknown", None, 1)}
    [missing] = [row for row in rows if row.status == "unknown"]
    assert "gone.pem" in missing.message
    assert missing.source == str(tmp_path / "gone.pem")
    relaxed = certkit.scan([str(tmp_path / "soon.pem")], warn="1d", critical="12h", now=pki.NOW)
    assert [row.status for row in relaxed] == ["ok"]
    with pytest.raises(certkit.InputError):
        list(certkit.scan([str(tmp_path)], warn="soon"))


def test_a_key_is_generated():
    """In memory, of the type asked for, encrypted under a passphrase."""
    assert certkit.inspect(certkit.generate_key())[0]["key"]["type"] == "ec-p256"
    assert b"ENCRYPTED" in certkit.generate_key("rsa-2048", passphrase="correct horse")
    with pytest.raises(certkit.InputError):
        certkit.generate_key("rsa-1")


def test_files_are_named(tmp_path):
    """Paths are read, and named in messages; bytes and files may be mixed."""
    leaf = ROOT.issue()
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    assert certkit.verify(leaf.pem, ca=[tmp_path / "ca.pem"], key=leaf.key_pem, now=pki.NOW).status == "ok"
    for check in (certkit.verify, certkit.check_csr, certkit.inspect):
        with pytest.raises(certkit.InputError, match=r"cannot read .*/gone\.pem: no such file"):
            check(tmp_path / "gone.pem")


def test_only_a_ca_vouches_for_others():
    """A leaf given as a CA is refused; as a pin it is trusted for itself."""
    leaf = ROOT.issue()
    with pytest.raises(certkit.InputError, match="CA"):
        certkit.verify(leaf.pem, ca=[leaf.pem], now=pki.NOW)
    assert certkit.verify(leaf.pem, pins=[leaf.pem], now=pki.NOW).status == "ok"
    assert [each.status for each in certkit.verify(leaf.pem, no_chain=True, now=pki.NOW) if each.id == "chain"] == [
        "skipped"
    ]


def test_policies(tmp_path):
    """Their names, rules and sources, a file to start from, and the partners that would accept a CSR."""
    assert "wise-sandbox" in [each.name for each in certkit.policies()]
    shown = certkit.show_policy("wise-sandbox")
    assert shown["name"] == "wise-sandbox"
    own = tmp_path / "acme.toml"
    own.write_text(certkit.new_policy("acme"))
    assert certkit.show_policy(str(own))["name"] == "acme"
    assert certkit.validate_policy(own).title == "acme"
    own.write_text("nonsense = 1")
    with pytest.raises(certkit.PolicyError):
        certkit.validate_policy(own)
    with pytest.raises(certkit.InputError, match="not a valid policy name"):
        certkit.new_policy("no such/name")
    made = certkit.create_csr(policy="wise-sandbox", organization="Acme Ltd", country="GB")
    fits = {each.policy: each for each in certkit.which_policy(made.csr)}
    assert fits["wise-sandbox"].status == "ok"
    assert fits["wise-sandbox"].reasons == ()
    assert any(each.status == "critical" and each.reasons for each in fits.values())


def test_a_probe(tmp_path):
    """A certificate from memory is tried at a server; a server that is not there is a finding, not an exception."""
    from certkit.testing import CA, serving

    ca = CA()
    made = certkit.create_csr(organization="Acme Ltd")
    with serving(ca) as server:
        found = certkit.probe(server.url, ca.sign(made.csr), key=made.key, ca=[ca.pem])
        assert found.status == "ok"
        assert found.http_status == 200
        assert [each.status for each in found.findings if each.id == "key-file"] == ["skipped"]
        readable = tmp_path / "acme.pem"
        readable.write_bytes(ca.sign(made.csr) + made.key)
        readable.chmod(0o644)
        assert certkit.probe(server.url, readable, ca=[ca.pem]).status == "warning"
        stranger = CA().sign(made.csr)
        refused = certkit.probe(server.url, stranger, key=made.key, ca=[ca.pem])
        assert refused.verdict_on_certificate().status == "critical"
    gone = certkit.probe(server.url, ca.sign(made.csr) + made.key, ca=[ca.pem])
    assert gone.status == "unknown"
    with pytest.raises(certkit.InputError, match="no server given"):
        certkit.probe(None, ca.sign(made.csr), key=made.key)
    with pytest.raises(certkit.InputError, match="contains no private key"):
        certkit.probe("localhost", ca.sign(made.csr))
