"""`certkit verify` for the simple, real case: a client certificate of a partner's private CA."""

from __future__ import annotations

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from tests import pki
from tests.conftest import command, environment, openssl

AT = ("--at", "2026-11-23T12:00:00Z")


@pytest.fixture
def files(root, tmp_path):
    """root.pem, and a client's acme.pem and acme.key."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    pair = root.issue()
    pair.write(tmp_path, "acme")
    return pair


def verify(certkit, *options):
    """The result of verifying acme.pem by root.pem at the suite's time, as JSON."""
    return certkit("verify", "acme.pem", "--ca", "root.pem", *AT, "--json", *options)


def test_all_is_well(certkit, files, tmp_path):
    """Chain, dates, purpose, name, key, strength and policy hold: exit 0, and openssl agrees."""
    verified = verify(certkit, "--key", "acme.key", "--policy", "wise-sandbox", "--client-id", "acme-client-id")
    assert verified.code == 0
    assert verified.json["subject"] == "CN=acme-client-id,O=Acme Ltd"
    assert verified.checks() == {
        "chain": "ok",
        "validity": "ok",
        "purpose": "ok",
        "name": "ok",
        "key-type": "ok",
        "signature-algorithm": "ok",
        "key-match": "ok",
        "policy": "ok",
        "extensions": "ok",
        "revocation": "skipped",
        "key-file": "ok",
    }
    agreed = openssl(
        "verify", "-purpose", "sslclient", "-CAfile", tmp_path / "root.pem", "-attime", int(pki.NOW.timestamp()),
        tmp_path / "acme.pem",
    )  # fmt: skip
    assert agreed.stdout.endswith(b"OK\n")


@pytest.mark.parametrize(
    "option", ["--ca", "--hostname", "--email", "--client-id", "--at", "--crl", "--passphrase-file"]
)
def test_an_unset_variable_is_bad_usage(certkit, files, option):
    """An empty value, as from "$CA" in a script, is neither ignored nor the current directory with its CAs."""
    checked = certkit("verify", "acme.pem", "--ca", "root.pem", *AT, option, "")
    assert checked.code == 3
    assert f"invalid value for '{option}'" in checked.err
    assert "empty" in checked.err


def test_without_a_ca_nothing_is_trusted(certkit, files):
    """No --ca: `chain` warns, exit 1; --no-chain says that this is meant."""
    assert certkit("verify", "acme.pem", *AT, "--json").checks()["chain"] == "warning"
    assert certkit("verify", "acme.pem", *AT).code == 1
    assert certkit("verify", "acme.pem", *AT, "--no-chain").code == 0


@pytest.mark.parametrize(
    ("at", "said"), [("2027-11-23", "expired on 2027-11-22T12:00:00Z"), ("2026-11-01", "not valid before 2026-11-22")]
)
def test_out_of_its_dates(certkit, files, at, said):
    """Expired and not yet valid are critical, and the chain is judged for itself."""
    verified = certkit("verify", "acme.pem", "--ca", "root.pem", "--at", at, "--json")
    assert verified.code == 2
    assert verified.checks()["chain"] == "ok"
    [validity] = [check for check in verified.json["checks"] if check["id"] == "validity"]
    assert validity["status"] == "critical"
    assert said in validity["message"]


def test_another_key(certkit, files, tmp_path):
    """A key that does not belong: critical, with both fingerprints."""
    made = certkit("key", "generate", "--out", "other.key", "--json").json
    verified = verify(certkit, "--key", "other.key")
    [match] = [check for check in verified.json["checks"] if check["id"] == "key-match"]
    assert match["status"] == "critical"
    assert made["spki_sha256"] in match["message"]
    assert certkit("inspect", "acme.pem", "--json").json[0]["key"]["spki_sha256"] in match["message"]


def test_intermediates_from_the_file_or_untrusted(certkit, root, tmp_path):
    """A chain is found with the intermediate beside the leaf, or in a file of its own; its absence is named."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    middle = root.intermediate()
    pair = middle.issue()
    (tmp_path / "acme.pem").write_bytes(pair.pem)
    (tmp_path / "middle.pem").write_bytes(middle.pem)
    missing = verify(certkit)
    assert missing.code == 2
    said = "the certificate of CN=Partner Issuing CA,O=Partner, which issued CN=acme-client-id,O=Acme Ltd, is missing"
    assert said in missing.out
    assert verify(certkit, "--untrusted", "middle.pem").checks()["chain"] == "ok"
    (tmp_path / "acme.pem").write_bytes(pair.pem + middle.pem)
    assert verify(certkit).checks()["chain"] == "ok"


def test_only_cas_are_anchors(certkit, files, tmp_path):
    """A certificate that is not a CA's is no anchor: exit 3 alone, passed over beside a CA."""
    alone = certkit("verify", "acme.pem", "--ca", "acme.pem", *AT)
    assert alone.code == 3
    assert alone.err == (
        "certkit: error: cannot trust acme.pem: it contains no CA certificate (RFC 5280 section 4.2.1.9). Give the"
        " partner's CA certificate; certkit verify --pin trusts exactly one certificate, CA or not\n"
    )
    (tmp_path / "cas").mkdir()
    for name in ("acme.pem", "root.pem"):
        (tmp_path / "cas" / name).write_bytes((tmp_path / name).read_bytes())
    beside = certkit("verify", "acme.pem", "--ca", "cas", *AT)
    assert beside.code == 0
    assert "└─ CN=Partner Root CA,O=Partner" in beside.out


def test_a_pinned_certificate(certkit, files, root, tmp_path):
    """--pin trusts exactly the certificate itself, and nothing else."""
    pinned = certkit("verify", "acme.pem", "--pin", "acme.pem", *AT, "--json")
    assert (pinned.code, pinned.checks()["chain"]) == (0, "ok")
    assert '"pinned: CN=acme-client-id,O=Acme Ltd is the one that --pin trusts"' in pinned.out
    root.issue().write(tmp_path, "other")
    other = certkit("verify", "acme.pem", "--pin", "other.pem", *AT, "--json")
    assert other.checks()["chain"] == "critical"
    assert "CN=acme-client-id,O=Acme Ltd is not the certificate that --pin trusts" in other.out
    assert certkit("verify", "acme.pem", "--pin", "root.pem", *AT, "--json").checks()["chain"] == "critical"


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ("-addreject clientAuth", "critical"),
        ("-addtrust serverAuth", "critical"),
        ("-addtrust clientAuth", "ok"),
        ("-addreject serverAuth", "ok"),
    ],
)
def test_trust_settings_of_a_trusted_certificate(certkit, files, tmp_path, setting, status):
    """A CA that OpenSSL's trust settings reject for the purpose is not trusted."""
    openssl("x509", "-in", tmp_path / "root.pem", "-trustout", *setting.split(), "-out", tmp_path / "trusted.pem")
    verified = certkit("verify", "acme.pem", "--ca", "trusted.pem", *AT, "--json")
    assert verified.checks()["chain"] == status
    assert ("is marked as untrusted for this purpose" in verified.out) == (status == "critical")


def test_a_directory_of_cas(certkit, files, tmp_path):
    """--ca takes a directory."""
    (tmp_path / "cas").mkdir()
    (tmp_path / "root.pem").rename(tmp_path / "cas" / "root.pem")
    assert certkit("verify", "acme.pem", "--ca", "cas", *AT).code == 0


def test_every_file_may_be_a_pipe(files, tmp_path):
    """Each file is read once, so the shell's <(COMMAND) can stand for it."""
    verified = subprocess.run(
        ["bash", "-c", '"$0" verify <(cat acme.pem) --ca <(cat root.pem) --key <(cat acme.key) "$@"', *command(), *AT],
        capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False,
    )  # fmt: skip
    assert verified.stderr == ""
    assert verified.returncode == 0


def test_another_ca_of_the_same_name(certkit, files, tmp_path):
    """The sandbox's CA for production's: the name fits, the signature does not, and that is said."""
    (tmp_path / "root.pem").write_bytes(pki.root().pem)
    said = (
        "the trusted CA CN=Partner Root CA,O=Partner did not sign CN=acme-client-id,O=Acme Ltd: the signature does not"
    )
    assert said in verify(certkit).out


@pytest.mark.parametrize(
    ("extensions", "status"),
    [
        ([], "ok"),
        ([pki.CLIENT], "ok"),
        ([pki.SERVER], "critical"),
        ([x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")])], "warning"),
        ([pki.CLIENT, pki.key_usage(digital_signature=True)], "ok"),
        ([pki.CLIENT, pki.key_usage(key_encipherment=True)], "critical"),
    ],
)
def test_purpose(certkit, root, tmp_path, extensions, status):
    """Client certificates may have no extended key usage; one for servers only is refused, and any is a warning."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    root.issue(extensions=extensions).write(tmp_path, "acme")
    assert verify(certkit).checks()["purpose"] == status


def test_the_client_id_is_the_common_name(certkit, files):
    """Another client id than the CN is critical."""
    verified = verify(certkit, "--client-id", "someone-else")
    assert verified.checks()["name"] == "critical"
    assert "CN is acme-client-id, not the client id someone-else" in verified.out


def test_longer_than_the_partner_promises(certkit, root, tmp_path):
    """Two years from Wise are not Wise's: `policy`, critical."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    root.issue(end=pki.NOW + 2 * pki.YEAR).write(tmp_path, "acme")
    assert verify(certkit, "--policy", "wise-sandbox").checks()["policy"] == "critical"
    assert verify(certkit).checks()["policy"] == "skipped"


def test_a_weak_key(certkit, root, tmp_path):
    """RSA-1024 in the certificate is critical."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    weak = rsa.generate_private_key(65537, 1024)
    root.issue(key=weak).write(tmp_path, "acme")
    assert verify(certkit).checks()["key-type"] == "critical"


def test_it_answers_the_csr(certkit, root, tmp_path):
    """--csr compares key and organization."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    certkit("csr", "create", "--organization", "Acme Ltd", "--key-out", "k", "--out", "acme.csr")
    request = x509.load_pem_x509_csr((tmp_path / "acme.csr").read_bytes())
    (tmp_path / "acme.pem").write_bytes(root.issue(public_key=request.public_key()).pem)
    assert verify(certkit, "--csr", "acme.csr").checks()["subject"] == "ok"
    other = root.issue(pki.name(O="Other", CN="x"))
    (tmp_path / "acme.pem").write_bytes(other.pem)
    checks = verify(certkit, "--csr", "acme.csr").checks()
    assert (checks["key-match"], checks["subject"]) == ("critical", "critical")


def test_the_text_says_what_to_do(certkit, files):
    """Each finding that is not good has its hint under it; quiet leaves out the good ones."""
    said = certkit("verify", "acme.pem", "--ca", "root.pem", "--at", "2028-01-01", "-q").out
    assert said == (
        "acme.pem for general: critical\n"
        "  critical  validity             expired on 2027-11-22T12:00:00Z (RFC 5280 section 4.1.2.5)\n"
        "                                 -> get a new certificate\n"
    )


@pytest.mark.parametrize("wrong", ["acme.key", "empty", "missing.pem"])
def test_what_is_no_certificate_is_an_error(certkit, files, tmp_path, wrong):
    """A key, an empty file, no file: exit 3, and in JSON an error object."""
    (tmp_path / "empty").touch()
    refused = certkit("verify", wrong, "--json")
    assert refused.code == 3
    assert refused.json["status"] == "unknown"
    assert refused.json["error"].keys() == {"message", "hint"}


def test_a_bundle_with_the_root_first(certkit, root, tmp_path):
    """Whatever the order of a bundle, the client's certificate is judged and not a CA's."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    (tmp_path / "acme.pem").write_bytes(root.pem + root.issue().pem)
    assert verify(certkit).json["subject"] == "CN=acme-client-id,O=Acme Ltd"


def test_a_pkcs12_bundle(certkit, root, tmp_path):
    """Certificate, key and intermediates from one file; its key is matched; without the passphrase, exit 3."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    middle = root.intermediate()
    pair = middle.issue()
    locked = pkcs12.serialize_key_and_certificates(
        b"x", pair.key, pair.certificate, [middle.certificate], BestAvailableEncryption(b"s")
    )
    (tmp_path / "acme.pem").write_bytes(locked)
    (tmp_path / "s").write_text("s")
    checks = verify(certkit, "--passphrase-file", "s").checks()
    assert (checks["chain"], checks["key-match"]) == ("ok", "ok")
    assert verify(certkit).code == 3


def test_a_java_key_store_of_another_version_is_refused_with_the_way_out(certkit, tmp_path):
    """Only the two versions that Java writes are read; keytool converts others."""
    (tmp_path / "store.jks").write_bytes(b"\xfe\xed\xfe\xed" + bytes(100))
    refused = certkit("verify", "store.jks")
    assert refused.code == 3
    assert "it is a Java key store of an unknown version. Convert it: keytool -importkeystore" in refused.err


def test_revocation_lists(certkit, root, tmp_path):
    """On no list: ok; on one: critical with its date and reason; no list for the CA: unknown, exit 3."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    pair = root.issue()
    pair.write(tmp_path, "acme")
    empty = x509.CertificateRevocationListBuilder(root.certificate.subject, pki.NOW - pki.DAY, pki.NOW + pki.DAY)
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(pair.certificate.serial_number)
        .revocation_date(pki.NOW - pki.DAY)
        .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
    )
    lists = {"empty": empty, "full": empty.add_revoked_certificate(entry.build())}
    for name, builder in lists.items():
        (tmp_path / name).write_bytes(builder.sign(root.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    assert verify(certkit, "--crl", "empty").code == 0
    revoked = verify(certkit, "--crl", "full")
    assert revoked.code == 2
    assert "has been revoked since 2026-11-22T12:00:00Z (keyCompromise)" in revoked.out
    other = pki.root(pki.name(CN="Other CA"))
    builder = x509.CertificateRevocationListBuilder(other.certificate.subject, pki.NOW - pki.DAY, pki.NOW + pki.DAY)
    (tmp_path / "other").write_bytes(builder.sign(other.key, hashes.SHA256()).public_bytes(Encoding.DER))
    missing = verify(certkit, "--crl", "other")
    assert (missing.code, missing.checks()["revocation"]) == (3, "unknown")


def test_the_path_is_drawn(certkit, root, tmp_path):
    """Leaf, intermediate and root with their dates, and until when the verdict holds."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    middle = root.intermediate()
    (tmp_path / "acme.pem").write_bytes(middle.issue().pem + middle.pem)
    assert certkit("verify", "acme.pem", "--ca", "root.pem", *AT).out.splitlines()[-4:] == [
        "  CN=acme-client-id,O=Acme Ltd        2026-11-22 to 2027-11-22",
        "  └─ CN=Partner Issuing CA,O=Partner  2024-11-23 to 2031-11-22",
        "     └─ CN=Partner Root CA,O=Partner  2021-11-24 to 2036-11-20",
        "  The chain is valid until 2027-11-22T12:00:00Z.",
    ]
    late = certkit("verify", "acme.pem", "--ca", "root.pem", "--at", "2027-12-01")
    assert late.out.splitlines()[-1] == "  The chain was valid until 2027-11-22T12:00:00Z."


def test_a_wrong_key_is_not_hidden_by_the_right_csr(certkit, root, tmp_path):
    """Of one check, what is bad outweighs what is good: there is one key-match, and it is critical."""
    (tmp_path / "root.pem").write_bytes(root.pem)
    certkit("csr", "create", "--organization", "Acme Ltd", "--key-out", "k", "--out", "acme.csr")
    certkit("key", "generate", "--out", "other")
    request = x509.load_pem_x509_csr((tmp_path / "acme.csr").read_bytes())
    (tmp_path / "acme.pem").write_bytes(root.issue(public_key=request.public_key()).pem)
    verified = verify(certkit, "--csr", "acme.csr", "--key", "other")
    assert [check["status"] for check in verified.json["checks"] if check["id"] == "key-match"] == ["critical"]
    [match] = [check for check in verify(certkit, "--csr", "acme.csr").json["checks"] if check["id"] == "key-match"]
    assert match["status"] == "ok"
