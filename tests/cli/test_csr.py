"""`certkit csr`: the contract of making and checking requests, on the installed command."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
import subprocess

import pytest
from cryptography import x509

from tests.conftest import command as installed
from tests.conftest import openssl, openssl_verifies, require_program

CREATE = ("csr", "create", "--policy", "wise-sandbox", "--organization", "Acme Ltd", "--country", "GB")
FILES = ("--key-out", "acme.key", "--out", "acme.csr")


def test_a_key_and_a_csr_are_made(certkit, tmp_path):
    """The main job: a P-256 key of mode 0600 and a CSR that openssl verifies."""
    made = certkit(*CREATE, *FILES)
    assert made.code == 0
    assert stat.S_IMODE((tmp_path / "acme.key").stat().st_mode) == 0o600
    shown = openssl("req", "-in", tmp_path / "acme.csr", "-noout", "-subject", "-nameopt", "RFC2253")
    assert shown.stdout.decode() == "subject=O=Acme Ltd,C=GB\n"
    assert openssl_verifies((tmp_path / "acme.csr").read_bytes())


def test_the_json_of_create_is_the_contracts(certkit):
    """Scripts find path, policy, subject and key where the contract says."""
    made = certkit(*CREATE, *FILES, "--json").json
    assert made | {"key": None, "checks": None} == {
        "changed": True,
        "csr_path": "acme.csr",
        "key_path": "acme.key",
        "policy": "wise-sandbox",
        "subject": "O=Acme Ltd,C=GB",
        "key": None,
        "status": "ok",
        "checks": None,
    }
    assert made["key"].keys() == {"type", "bits", "spki_sha256"}
    assert made["key"]["type"] == "ec-p256"


def test_the_csr_is_one_pem_block_and_nothing_else(certkit, tmp_path):
    """Wise refuses anything but the block itself."""
    certkit(*CREATE, *FILES)
    lines = (tmp_path / "acme.csr").read_text().splitlines()
    assert lines[0] == "-----BEGIN CERTIFICATE REQUEST-----"
    assert lines[-1] == "-----END CERTIFICATE REQUEST-----"
    assert (tmp_path / "acme.csr").read_bytes().endswith(b"-----\n")


@pytest.mark.parametrize("key_type", ["rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384"])
def test_every_type_of_key_passes_its_own_check(certkit, key_type):
    """A CSR that certkit creates is one that it accepts."""
    certkit(*CREATE, *FILES, "--type", key_type)
    checked = certkit("csr", "check", "acme.csr", "--policy", "wise-sandbox", "--key", "acme.key", "--json")
    assert checked.code == 0
    assert set(checked.checks().values()) == {"ok"}


def test_subject_options_arrive_in_the_csr(certkit, tmp_path):
    """Every option is there, in its order, in UTF-8, with all units and names."""
    certkit(
        "csr", "create", "--organization", "Škoda & Söhne 株式会社", "--country", "EU", "--state", "Bayern",
        "--locality", "München", "--unit", "Eins", "--unit", "Zwei", "--common-name", "client",
        "--email", "ops@example.com", "--san", "client.example.com", "--san", "IP:192.0.2.1", *FILES,
    )  # fmt: skip
    text = openssl("req", "-in", tmp_path / "acme.csr", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus").stdout
    assert (
        "Subject: C=EU,ST=Bayern,L=München,O=Škoda & Söhne 株式会社,OU=Eins,OU=Zwei,CN=client,"
        "emailAddress=ops@example.com" in text.decode()
    )
    assert "DNS:client.example.com, IP Address:192.0.2.1" in text.decode()


def test_a_key_at_hand_is_used(certkit, tmp_path):
    """--key makes no new key, and the CSR belongs to it."""
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", tmp_path / "old.key")
    made = certkit(*CREATE, "--key", "old.key", "--out", "acme.csr", "--json").json
    assert made["key_path"] == "old.key"
    assert made["key"]["type"] == "rsa-2048"
    checked = certkit("csr", "check", "acme.csr", "--policy", "wise-sandbox", "--key", "old.key", "--json")
    assert checked.checks()["key-match"] == "ok"


def test_a_weak_key_is_refused_before_anything_is_written(certkit, tmp_path):
    """RSA-1024 is a refusal (2), and no CSR appears."""
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", tmp_path / "weak.key")
    refused = certkit(*CREATE, "--key", "weak.key", "--out", "acme.csr")
    assert refused.code == 2
    assert "rsa-1024 is too small" in refused.err
    assert not (tmp_path / "acme.csr").exists()


def test_a_refused_subject_leaves_nothing(certkit, tmp_path):
    """A country of three letters is refused before a key is made."""
    refused = certkit("csr", "create", "--policy", "wise-sandbox", "--organization", "Acme", "--country", "GBR", *FILES)
    assert refused.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_missing_organization_is_bad_usage(certkit):
    """Wise requires an organization, so leaving it out is exit 3 with a hint."""
    refused = certkit("csr", "create", "--policy", "wise-sandbox", *FILES)
    assert refused.code == 3
    assert refused.err == (
        "certkit: error: --organization is missing; Wise Platform (sandbox) requires it."
        " Give the organization's legal name\n"
    )


def test_nothing_is_overwritten(certkit, tmp_path):
    """A key that is there is not touched, and no CSR is made for it."""
    (tmp_path / "acme.key").write_text("precious")
    refused = certkit(*CREATE, *FILES)
    assert refused.code == 3
    assert (tmp_path / "acme.key").read_text() == "precious"
    assert not (tmp_path / "acme.csr").exists()


def test_force_keeps_the_old_key(certkit, tmp_path):
    """--force makes a new pair; the old key lives on beside it, 0600, and is named."""
    certkit(*CREATE, *FILES)
    old = (tmp_path / "acme.key").read_bytes()
    forced = certkit(*CREATE, *FILES, "--force")
    kept = [path for path in tmp_path.iterdir() if path.name.startswith("acme.key.old-")]
    assert forced.code == 0
    assert [path.read_bytes() for path in kept] == [old]
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600
    assert kept[0].name in forced.err
    assert (tmp_path / "acme.key").read_bytes() != old


def test_force_never_destroys_a_key_that_the_csr_would_replace(certkit, tmp_path):
    """--out by mistake on a private key keeps that key too."""
    certkit("key", "generate", "--out", "precious.key")
    old = (tmp_path / "precious.key").read_bytes()
    certkit(*CREATE, "--key-out", "new.key", "--out", "precious.key", "--force")
    assert [path.read_bytes() for path in tmp_path.glob("precious.key.old-*")] == [old]


def test_if_absent_changes_nothing_the_second_time(certkit, tmp_path):
    """Existing files that match stay, byte for byte."""
    first = certkit(*CREATE, *FILES, "--if-absent", "--json").json
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = certkit(*CREATE, *FILES, "--if-absent", "--json")
    assert second.code == 0
    assert (first["changed"], second.json["changed"]) == (True, False)
    assert first | {"changed": False} == second.json
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_if_absent_completes_a_missing_csr(certkit, tmp_path):
    """Killed between key and CSR: the key stays, the CSR is made for it."""
    certkit("key", "generate", "--out", "acme.key")
    key = (tmp_path / "acme.key").read_bytes()
    made = certkit(*CREATE, *FILES, "--if-absent", "--json")
    assert made.json["changed"] is True
    assert (tmp_path / "acme.key").read_bytes() == key
    assert certkit("csr", "check", "acme.csr", "--key", "acme.key").code == 0


@pytest.mark.parametrize(
    "other",
    [
        ("--organization", "Other Ltd"),
        ("--country", "FR"),
        ("--type", "rsa-2048"),
        ("--san", "DNS:a.example"),
        ("--unit", "Payments"),
    ],
)
def test_if_absent_refuses_what_differs(certkit, tmp_path, other):
    """Another subject, type or name than what is there: exit 3, and nothing changes."""
    certkit(*CREATE, *FILES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = certkit(*CREATE, *other, *FILES, "--if-absent")
    assert again.code == 3
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_csr_goes_to_standard_output_on_request(certkit):
    """--out - prints the CSR and nothing else there."""
    made = certkit(*CREATE, "--key-out", "acme.key", "--out", "-")
    assert made.out.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    assert made.out.endswith("-----END CERTIFICATE REQUEST-----\n")


def test_a_passphrase_encrypts_the_new_key(certkit, tmp_path):
    """The file's first line, without its line end, opens the key in openssl."""
    (tmp_path / "secret").write_bytes(b"correct horse\r\nsecond line\n")
    certkit(*CREATE, *FILES, "--passphrase-file", "secret")
    assert (tmp_path / "acme.key").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    opened = openssl("pkey", "-in", tmp_path / "acme.key", "-passin", "pass:correct horse", "-noout")
    assert opened.returncode == 0
    checked = certkit("csr", "check", "acme.csr", "--key", "acme.key", "--passphrase-file", "secret")
    assert checked.code == 0


def test_no_prompt_without_a_terminal(certkit, tmp_path):
    """A locked key and no passphrase: exit 3, naming the option, at once."""
    (tmp_path / "secret").write_text("x")
    certkit(*CREATE, *FILES, "--passphrase-file", "secret")
    checked = certkit("csr", "check", "acme.csr", "--key", "acme.key")
    assert checked.code == 3
    assert "--passphrase-file" in checked.err


def test_a_key_that_others_can_read_is_a_warning(certkit, tmp_path):
    """The finding `key-file` makes the check's exit 1."""
    certkit(*CREATE, *FILES)
    (tmp_path / "acme.key").chmod(0o640)
    checked = certkit("csr", "check", "acme.csr", "--key", "acme.key", "--json")
    assert checked.code == 1
    assert checked.checks()["key-file"] == "warning"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda pem: b"Certificate Request:\n" + pem, "text outside the PEM block (line 1)"),
        (lambda pem: pem + b"# made by hand\n", "text outside the PEM block"),
        (lambda pem: pem + pem, "contains 2 PEM objects"),
        (lambda pem: b"\xef\xbb\xbf" + pem, "a byte order mark outside the PEM block (line 1)"),
        (lambda pem: pem.replace(b"\n", b"\n  "), "has other text on it"),
        (lambda pem: b"  " + pem, "does not begin at the start of a line"),
        (lambda pem: pem.replace(b"\n", b""), "has other text on it"),
        (lambda pem: pem.replace(b"\n", b"\n\n", 2), "whitespace inside the PEM block"),
        (lambda pem: pem.replace(b"\n", b"\r"), "CR alone"),
        (lambda pem: pem.replace(b"\n", b"").replace(b"T-----M", b"T-----\nM").replace(b"-----E", b"\n-----E"), "76"),
    ],
)
def test_anything_beside_the_block_is_critical_for_wise(certkit, tmp_path, spoil, said):
    """Text, comments, a second object: `encoding`, critical, exit 2."""
    certkit(*CREATE, *FILES)
    (tmp_path / "bad.csr").write_bytes(spoil((tmp_path / "acme.csr").read_bytes()))
    checked = certkit("csr", "check", "bad.csr", "--policy", "wise-sandbox", "--json")
    assert checked.code == 2
    assert checked.checks()["encoding"] == "critical"
    assert any(said in check["message"] for check in checked.json["checks"])


def test_a_private_key_in_the_file_is_critical_everywhere(certkit, tmp_path):
    """Key and CSR in one file: refused under the general policy too, and the key is not shown."""
    certkit(*CREATE, *FILES)
    key = (tmp_path / "acme.key").read_bytes()
    (tmp_path / "both.pem").write_bytes(key + (tmp_path / "acme.csr").read_bytes())
    checked = certkit("csr", "check", "both.pem", "--json")
    assert checked.code == 2
    assert checked.checks()["encoding"] == "critical"
    assert key.splitlines()[1].decode() not in checked.out + checked.err


def test_der_is_a_finding_and_not_an_error(certkit, tmp_path):
    """A DER CSR can be read, and is not what Wise takes: exit 2; the general policy takes it."""
    certkit(*CREATE, *FILES)
    openssl("req", "-in", tmp_path / "acme.csr", "-outform", "DER", "-out", tmp_path / "acme.der")
    assert certkit("csr", "check", "acme.der", "--policy", "wise-sandbox").code == 2
    assert certkit("csr", "check", "acme.der").code == 0


def test_all_findings_are_told_at_once(certkit, tmp_path):
    """A weak key, a missing organization and text outside: three findings, not the first."""
    key, request = tmp_path / "weak.key", tmp_path / "weak.csr"
    openssl(
        "req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-text", "-subj", "/C=GB", "-out", request
    )  # fmt: skip
    checked = certkit("csr", "check", "weak.csr", "--policy", "wise-sandbox", "--json")
    bad = {check for check, status in checked.checks().items() if status == "critical"}
    assert bad == {"encoding", "key-type", "subject"}


def test_a_changed_csr_does_not_verify(certkit, tmp_path):
    """One changed byte in the subject: `signature`, critical."""
    certkit(*CREATE, *FILES)
    openssl("req", "-in", tmp_path / "acme.csr", "-outform", "DER", "-out", tmp_path / "acme.der")
    changed = (tmp_path / "acme.der").read_bytes().replace(b"Acme Ltd", b"Acne Ltd")
    (tmp_path / "changed.der").write_bytes(changed)
    checked = certkit("csr", "check", "changed.der", "--json")
    assert checked.checks()["signature"] == "critical"


def test_a_batch_makes_all_or_nothing(certkit, tmp_path):
    """One bad line, and no file is written; the error names the line."""
    (tmp_path / "batch").write_text('{"name": "a", "organization": "A"}\n{"name": "b", "organisation": "B"}\n')
    refused = certkit("csr", "create", "--policy", "wise-sandbox", "--batch", "batch", "--out-dir", "out")
    assert refused.code == 3
    assert "line 2: unknown key 'organisation'" in refused.err
    assert not (tmp_path / "out").exists()


def test_a_batch_is_advised_about_its_own_keys(certkit, tmp_path):
    """Hints name keys of the batch file, not options that --batch excludes; a warning names its entries, once."""
    create = ("csr", "create", "--batch", "batch", "--out-dir", "out", "--policy")
    batch = tmp_path / "batch"
    batch.write_text('{"name": "a"}\n')
    assert "rejects a: O is missing; " in (refused := certkit(*create, "wise-sandbox")).err
    assert refused.err.endswith('. Set it with "organization"\n')
    batch.write_text('{"name": "a", "organization": "Acme Ltd"}\n')
    assert certkit(*create, "obwac", "--json").json["error"]["hint"] == (
        'give the whole subject with "subject": ["C=VALUE", "O=Acme Ltd", "organizationIdentifier=VALUE", "CN=VALUE"]'
    )
    batch.write_text("".join(f'{{"name": "n{n}", "organization": "A", "country": "gb"}}\n' for n in range(5)))
    made = certkit(*create, "wise-sandbox")
    assert (made.code, made.err) == (
        0,
        "certkit: warning: n0, n1, n2 and 2 more: C=gb is not an ISO 3166 country code. Did you mean GB?\n",
    )


def test_a_batch_is_repeatable(certkit, tmp_path):
    """Each entry gets NAME.key and NAME.csr; the second run with --if-absent adds what is missing."""
    batch = tmp_path / "batch"
    batch.write_text('{"name": "a", "organization": "A"}\n')
    command = ("csr", "create", "--policy", "wise-sandbox", "--batch", "batch", "--out-dir", "out", "--if-absent")
    assert certkit(*command).code == 0
    batch.write_text(batch.read_text() + '{"name": "b", "organization": "B", "unit": ["x", "y"], "type": "rsa-2048"}\n')
    second = certkit(*command, "--json").json
    assert [(one["name"], one["changed"], one["key"]["type"]) for one in second] == [
        ("a", False, "ec-p256"),
        ("b", True, "rsa-2048"),
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csr", "a.key", "b.csr", "b.key"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").glob("*.key")}
    assert modes == {0o600}


def test_a_large_batch_is_made_by_every_processor(certkit, tmp_path):
    """Five hundred keys, all different, in the order of the lines; a refused line leaves nothing."""
    lines = [f'{{"name": "client-{number}", "organization": "Acme Ltd"}}' for number in range(500)]
    (tmp_path / "batch").write_text("\n".join(lines))
    made = certkit("csr", "create", "--policy", "wise-sandbox", "--batch", "batch", "--out-dir", "out", "--json").json
    assert [one["name"] for one in made] == [f"client-{number}" for number in range(500)]
    assert len({one["key"]["spki_sha256"] for one in made}) == 500
    assert len(list((tmp_path / "out").iterdir())) == 1000
    assert {path.name for path in tmp_path.iterdir()} == {"batch", "out"}


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "x" * 65, "a\\nb"])
def test_a_batch_refuses_names_that_are_paths(certkit, tmp_path, name):
    """A name is a file's stem, never a way out of the directory."""
    (tmp_path / "batch").write_text(f'{{"name": "{name}", "organization": "A"}}\n')
    refused = certkit("csr", "create", "--policy", "wise-sandbox", "--batch", "batch", "--out-dir", "out")
    assert refused.code == 3
    assert "line 1: `name` must be" in refused.err


def test_a_batch_needs_no_permission_above_its_directory(tmp_path):
    """It writes into a directory that exists, such as a home directory, whoever owns the one above."""
    home = tmp_path / "home"
    home.mkdir()
    tmp_path.chmod(0o555)
    powerless = [require_program("setpriv"), "--bounding-set=-dac_override", "--inh-caps=-all"]
    create = [*(powerless if os.geteuid() == 0 else []), *installed(), "csr", "create", "--batch", "-", "--out-dir"]
    made, refused = (
        subprocess.run([*create, out], input=b'{"name": "a", "organization": "A"}', capture_output=True, check=False)
        for out in (home, tmp_path / "new")
    )
    tmp_path.chmod(0o755)  # or pytest could not remove it
    assert (made.returncode, sorted(path.name for path in home.iterdir())) == (0, ["a.csr", "a.key"]), made.stderr
    assert (refused.returncode, b"no permission to write in" in refused.stderr) == (3, True), refused.stderr


@pytest.mark.parametrize("twice", ['"name": "b"', '"organization": "B"', '"organization": "A"'])
def test_a_batch_refuses_a_key_that_appears_twice(certkit, tmp_path, twice):
    """JSON leaves open which of the values counts."""
    (tmp_path / "batch").write_text(f'{{"name": "a", "organization": "A", {twice}}}\n')
    refused = certkit("csr", "create", "--policy", "wise-sandbox", "--batch", "batch", "--out-dir", "out")
    key = twice.split('"')[1]
    assert (refused.code, (tmp_path / "out").exists()) == (3, False)
    assert f"line 1: the key '{key}' appears more than once" in refused.err


def test_force_replaces_files_only(certkit, tmp_path):
    """A device, a pipe or a directory is not a file to replace, and is not waited for."""
    certkit("key", "generate", "--out", "k")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    device = ["/dev/null"] if os.access("/dev", os.W_OK) else []
    for name in (*device, "pipe", "link", "folder"):
        refused = certkit("csr", "create", "--organization", "A", "--key", "k", "--out", name, "--force")
        assert refused.code == 3
        assert "not a regular file" in refused.err
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_csr_never_takes_the_place_of_its_own_key(certkit, tmp_path):
    """--key and --out of the same name are a mistake, even with --force."""
    certkit("key", "generate", "--out", "k")
    key = (tmp_path / "k").read_bytes()
    assert certkit("csr", "create", "--organization", "A", "--key", "k", "--out", "k", "--force").code == 3
    assert (tmp_path / "k").read_bytes() == key


def test_an_empty_name_of_a_file_is_bad_usage(certkit, tmp_path):
    """A variable that is not set must not mean the current directory."""
    (tmp_path / "batch").write_text('{"name": "a", "organization": "A"}\n')
    assert certkit("csr", "create", "--batch", "batch", "--out-dir", "").code == 3
    assert certkit("csr", "create", "--organization", "A", "--key-out", "k", "--out", "").code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]


def test_many_at_once_with_if_absent(certkit, tmp_path):
    """Ten runs at the same moment: one makes the pair, the others find it."""
    command = [*installed(), *CREATE, *FILES, "--if-absent"]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(10)]
    assert [process.wait(timeout=60) for process in running] == [0] * 10
    assert certkit("csr", "check", "acme.csr", "--key", "acme.key").code == 0


def test_a_killed_batch_is_cleaned_up_by_the_next(certkit, tmp_path):
    """Leftovers of a killed run are removed; those that another run is using stay."""
    left = tmp_path / ".out.0123456789ab.tmp"
    used = tmp_path / ".out.ba9876543210.tmp"
    for folder in (left, used):
        folder.mkdir()
        (folder / "a.key").touch()
    (tmp_path / "batch").write_text('{"name": "a", "organization": "A"}\n')
    descriptor = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert certkit("csr", "create", "--batch", "batch", "--out-dir", "out").code == 0
    finally:
        os.close(descriptor)
    assert {path.name for path in tmp_path.iterdir()} == {"batch", "out", used.name}


PSD2 = (
    *("--subject", "C=GB", "--subject", "O=Acme Ltd", "--subject", "organizationIdentifier=PSDGB-FCA-123456"),
    *("--subject", "2.5.4.3=0123456789abcdef", "--psd2-role", "PSP_AI", "--psd2-role", "PSP_PI"),
    *("--psd2-authority", "Financial Conduct Authority", "--psd2-authority-id", "GB-FCA"),
)


def test_a_csr_for_an_eidas_certificate(certkit, tmp_path):
    """Any attribute by name or OID, in order; what the policy demands is filled in."""
    made = certkit("csr", "create", "--policy", "obwac", *PSD2, "--key-out", "k", "--out", "c", "--json")
    assert (made.code, made.json["status"], made.json["key"]["type"]) == (0, "ok", "rsa-2048")
    shown = openssl("req", "-in", tmp_path / "c", "-noout", "-subject", "-nameopt", "RFC2253,sname").stdout.decode()
    assert shown == "subject=CN=0123456789abcdef,organizationIdentifier=PSDGB-FCA-123456,O=Acme Ltd,C=GB\n"
    [shown] = certkit("inspect", "c", "--json").json
    assert (shown["organization_identifier"], shown["qualified_types"]) == ("PSDGB-FCA-123456", ["web"])
    assert (shown["psd2_roles"], shown["psd2_authority_id"]) == (["PSP_AI", "PSP_PI"], "GB-FCA")
    assert "authority    Financial Conduct Authority" in certkit("inspect", "c").out
    again = certkit(
        "csr", "create", "--policy", "obwac", *PSD2, "--key-out", "k", "--out", "c", "--json", "--if-absent"
    )
    assert again.json["changed"] is False
    other = (*PSD2, "--key-usage", "digitalSignature", "--key-usage", "nonRepudiation")
    refused = certkit("csr", "create", "--policy", "obwac", *other, "--key-out", "k2", "--out", "c2")
    assert refused.code == 2
    assert "the key usage has nonRepudiation" in refused.err


@pytest.mark.parametrize(
    ("policy", "values"),
    [
        ("obwac", {"organizationIdentifier": "PSDGB-FCA-123456", "CN": "0123456789abcdef"}),
        ("obseal", {"organizationIdentifier": "PSDGB-FCA-123456", "CN": "0123456789abcdef"}),
        ("brazil-brseal", {"UID": "acme", "OU": "unit", "CN": "Acme Ltd"}),
    ],
)
def test_the_hint_about_missing_attributes_can_be_pasted(certkit, policy, values):
    """Where an attribute has no option of its own, the hint gives the whole subject, in order, with --subject."""
    start = ("csr", "create", "--policy", policy, "--key-out", "k", "--out", "c")
    psd2 = ("--psd2-role", "PSP_AI", "--psd2-authority", "Financial Conduct Authority", "--psd2-authority-id", "GB-FCA")
    more = psd2 if policy.startswith("ob") else ()
    refused = certkit(*start, *more, "--organization", "Acme Ltd", "--country", "GB", "--json")
    assert refused.code == 2
    _, _, pasted = refused.json["error"]["hint"].partition("give the whole subject with ")
    words = shlex.split(pasted.partition(";")[0])
    filled = [word.replace("VALUE", values.get(word.partition("=")[0], "")) for word in words]
    made = certkit(*start, *more, *filled, "--json")
    assert (made.code, made.json["status"]) == (0, "ok")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--subject", "organisation=x"), "unknown subject attribute: 'organisation=x'. Did you mean organization"),
        (("--subject", "O="), "the subject attribute O has no value"),
        (
            ("--subject", "O=x", "--organization", "y"),
            "--subject and options such as --organization exclude each other",
        ),
        (("--organization", "x", "--key-usage", "signing"), "unknown key usage 'signing'"),
        (("--organization", "x", "--extended-key-usage", "client"), "unknown extended key usage 'client'"),
        (("--organization", "x", "--qc-type", "tls"), "unknown qualified type 'tls'"),
        (("--organization", "x", "--psd2-role", "PSP_AI"), "a PSD2 statement needs roles, the authority and its id"),
    ],
)
def test_what_no_csr_can_contain_is_bad_usage(certkit, options, said):
    """An unknown name, an empty value, a usage that does not exist."""
    refused = certkit("csr", "create", *options, "--key-out", "k", "--out", "c")
    assert (refused.code, said in refused.err) == (3, True), refused.err


def test_several_policies_at_once(certkit):
    """Each is checked, and the worst decides."""
    certkit("csr", "create", "--organization", "Acme", "--key-out", "k", "--out", "c")
    policies = ("--policy", "wise-sandbox", "--policy", "swish")
    checked = certkit("csr", "check", "c", *policies, "--json")
    assert checked.code == 2
    assert checked.json["policies"] == [
        {"policy": "wise-sandbox", "status": "ok"},
        {"policy": "swish", "status": "critical"},
    ]
    assert {each["policy"] for each in checked.json["checks"]} == {"wise-sandbox", "swish"}
    assert "c for wise-sandbox: ok" in certkit("csr", "check", "c", *policies).out
    assert certkit("csr", "check", "c", *policies, *policies, "--json").json == checked.json


def test_what_is_given_twice_is_requested_once(certkit):
    """Usages by name and by OID, types and roles: no value is repeated in a CSR."""
    asked = ("--extended-key-usage", "clientAuth", "--extended-key-usage", "1.3.6.1.5.5.7.3.2", "--qc-type", "web")
    roles = ("--psd2-role", "PSP_AI", "--psd2-authority", "FCA", "--psd2-authority-id", "GB-FCA")
    create = ("csr", "create", "--organization", "A", "--policy", "general", "--key-out", "k", "--out", "-")
    once = certkit(*create, *asked[2:], *roles)
    twice = certkit(*create[:-4], "--key", "k", *create[-2:], *asked, *asked, *roles, *roles[:2])
    first, second = (list(x509.load_pem_x509_csr(ran.out.encode()).extensions) for ran in (once, twice))
    assert first == second


def test_rules_for_the_key_that_no_csr_shows(certkit):
    """A key in a file where hardware is demanded, and one without a passphrase, are rejected."""
    organization = ("--organization", "Acme", "--key-out", "k", "--out", "c")
    hardware = certkit("csr", "create", "--policy", "clearbank", *organization)
    assert (hardware.code, "requires a key created in an HSM of FIPS 140-2 level 2" in hardware.err) == (2, True)
    plain = certkit("csr", "create", "--policy", "swish", *organization)
    assert (plain.code, "requires a passphrase on the private key" in plain.err) == (2, True)
    sealed = certkit("csr", "create", "--policy", "swish", *organization, env={"CERTKIT_PASSPHRASE": "secret"})
    assert sealed.code == 0
    assert (
        certkit("csr", "check", "c", "--policy", "swish", "--key", "k", env={"CERTKIT_PASSPHRASE": "secret"}).code == 0
    )


def test_a_batch_with_any_attribute(certkit, tmp_path):
    """The same options as in `csr create`."""
    (tmp_path / "b.jsonl").write_text(
        '{"name": "a", "subject": ["C=GB", "O=A", "organizationIdentifier=PSDGB-FCA-1", "CN=x"], "psd2_role": "PSP_AI",'
        ' "psd2_authority": "Financial Conduct Authority", "psd2_authority_id": "GB-FCA"}\n'
    )
    assert certkit("csr", "create", "--policy", "obseal", "--batch", "b.jsonl", "--out-dir", "out").code == 0
    assert certkit("csr", "check", "out/a.csr", "--policy", "obseal", "--key", "out/a.key").code == 0
