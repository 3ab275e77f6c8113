"""Keys and CSRs in files, made by programs as the command makes them."""

from __future__ import annotations

import stat

import pytest

import certkit

ACME = {"policy": "wise-sandbox", "organization": "Acme Ltd", "country": "GB"}


def test_a_csr_and_its_key_are_written(tmp_path):
    """The key is private from the start; repeated with `if_absent` nothing changes, without it nothing is replaced."""
    files = {"csr_path": tmp_path / "acme.csr", "key_path": tmp_path / "acme.key"}
    made = certkit.write_csr(**files, **ACME)
    assert (made.changed, made.status, made.csr_path, made.key_path) == (True, "ok", *files.values())
    assert files["csr_path"].read_bytes() == made.csr.pem
    assert stat.S_IMODE(files["key_path"].stat().st_mode) == 0o600
    assert certkit.check_csr(files["csr_path"], policy="wise-sandbox", key=files["key_path"]).status == "ok"
    assert certkit.write_csr(**files, if_absent=True, **ACME).changed is False
    with pytest.raises(certkit.InputError, match="exists"):
        certkit.write_csr(**files, **ACME)
    again = certkit.write_csr(tmp_path / "again.csr", key=files["key_path"], **ACME)
    assert (again.key_path, again.csr.facts) == (files["key_path"], made.csr.facts)
    with pytest.raises(certkit.InputError, match="exclude each other"):
        certkit.write_csr(tmp_path / "x.csr", key=files["key_path"], key_path=tmp_path / "x.key", **ACME)


def test_many_at_once(tmp_path):
    """Mappings, or a file of the command: all are made, or none."""
    entries = [{"name": f"client-{number}", "organization": "Acme Ltd", "unit": ["A", "B"]} for number in range(3)]
    made = certkit.write_csrs(entries, tmp_path / "clients", policy="wise-sandbox", key_type="ec-p384")
    assert [each.name for each in made] == ["client-0", "client-1", "client-2"]
    assert made[0].csr.facts.type == "ec-p384"
    listed = tmp_path / "clients.jsonl"
    listed.write_text('{"name": "good", "organization": "Acme Ltd"}\n{"name": "bad"}\n')
    with pytest.raises(certkit.RefusedError, match="rejects bad"):
        certkit.write_csrs(listed, tmp_path / "clients", policy="wise-sandbox")
    assert not (tmp_path / "clients" / "good.key").exists()


def test_a_key_is_written(tmp_path):
    """Encrypted under a passphrase; a key of another type is not taken for it, and `force` keeps it."""
    path = tmp_path / "acme.key"
    made = certkit.write_key(path, key_type="ec-p384", passphrase="correct horse")
    assert (made.changed, made.path, made.facts.type) == (True, path, "ec-p384")
    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(certkit.InputError):
        certkit.write_key(path, key_type="ec-p256", passphrase="correct horse", if_absent=True)
    assert certkit.write_key(path, force=True).kept.read_bytes().startswith(b"-----BEGIN ENCRYPTED")
    with pytest.raises(certkit.InputError, match="exclude each other"):
        certkit.write_key(path, force=True, if_absent=True)
