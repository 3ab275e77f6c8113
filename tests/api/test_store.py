"""The life of identities from Python: what `certkit identity` does, with bytes and paths, over each kind of store."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import certkit
from certkit.secret import Secret
from certkit.x509 import containers
from tests import pki
from tests.api.conftest import PLACES
from tests.identity import conftest as life

ACME = {"policy": "wise-sandbox", "organization": "Acme Ltd", "country": "GB"}


@pytest.fixture(params=PLACES)
def place(request):
    """An empty store of each kind."""
    return PLACES[request.param](request)


@pytest.fixture
def store(place):
    """Such a store, opened by the public API at the time of the tests' certificates."""
    with certkit.store(place.uri, environment=place.environment, now=lambda: pki.NOW) as found:
        yield found


@pytest.fixture
def directory(request):
    """A directory, opened so."""
    place = PLACES["file"](request)
    with certkit.store(place.uri, environment=place.environment, now=lambda: pki.NOW) as found:
        yield found


def answer(store, name="acme"):
    """Return the certificate that the partner issues for the pending request."""
    from cryptography import x509

    request = x509.load_pem_x509_csr(store.show(name).pending.csr.encode())
    made = life.ISSUING.issue(pki.name(O="Acme Ltd", CN="acme-client-id"), public_key=request.public_key())
    return made.pem + life.ISSUING.pem


def use(store, name="acme"):
    """Enroll an identity, install its certificate and activate it."""
    store.enroll(name, ca=life.ROOT.pem, **ACME)
    return store.install(name, answer(store, name))


def test_from_the_request_to_the_end(place, store):
    """Enroll, install, renew, activate, roll back, retire, prune, log and remove, as a cron job or a service would."""
    made = store.enroll("acme", ca=life.ROOT.pem, **ACME)
    assert (made.changed, made.status, made.pending.state) == (True, "unknown", "pending")
    assert "Developer Hub" in made.portal
    assert made.pending.csr.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert store.enroll("acme", ca=life.ROOT.pem, **ACME).changed is False
    done = store.install("acme", answer(store))
    assert (done.changed, done.status, done.active.generation, done.pending) == (True, "ok", "0001", None)
    assert done.active.not_after > pki.NOW
    assert {each.id for each in done.findings} >= {"chain", "validity"}

    assert store.renew("acme").outcome.message.startswith("acme: nothing is due before ")
    assert store.renew("acme", force=True, dry_run=True).changed is False
    assert store.renew("acme", force=True).pending.generation == "0002"
    assert store.install("acme", answer(store), no_activate=True).pending.state == "issued"
    assert store.activate("acme").active.generation == "0002"
    assert store.rollback("acme").active.generation == "0001"
    assert store.activate("acme", "2").previous.generation == "0001"
    assert store.renew("acme", force=True).pending.generation == "0003"
    assert store.discard("acme").pending is None
    assert store.retire("acme", "0001").changed
    assert store.prune("acme", keep=0, dry_run=True) == ("0001", "0003")
    assert store.prune("acme", keep=0) == ("0001", "0003")
    assert [each.generation for each in store.show("acme").generations] == ["0002"]

    assert store.names() == ("acme",)
    assert [each.what for each in store.log("acme")][:2] == ["created", "requested"]
    with certkit.identity("acme", store=place.uri, environment=place.environment) as acme:
        assert acme.generation == "0002"
    with pytest.raises(certkit.RefusedError, match="refusing to remove acme"):
        store.remove("acme")
    assert store.remove("acme", force=True)
    assert store.remove("acme", force=True) is False
    with pytest.raises(certkit.StoreError):
        store.show("acme")


def test_hooks_of_a_directory_with_a_question_mark_in_its_name(tmp_path):
    """The hooks beside an identity run, whatever the name of the store's directory."""
    with certkit.store(f"file:{tmp_path}/what?", environment={}, now=lambda: pki.NOW) as store:
        store.enroll("acme", ca=life.ROOT.pem, **ACME)
        hooks = tmp_path / "what?" / "acme" / "hooks" / "deploy.d"
        hooks.mkdir(parents=True)
        hook = hooks / "reload"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
        store.install("acme", answer(store))
    assert (tmp_path / "ran").exists()


def test_values_are_frozen_and_keep_no_secret(directory):
    """Returned values cannot be changed and print no key; an open store is not pickled."""
    found = use(directory)
    with pytest.raises(FrozenInstanceError):
        found.status = "critical"
    with pytest.raises(FrozenInstanceError):
        found.active.state = "retired"
    assert "PRIVATE" not in repr((found, directory))
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(directory)


def test_settings_change(directory, tmp_path):
    """`update` changes what is given, and `none` removes; CAs are added unless they replace."""
    use(directory)
    other = pki.root(pki.name(CN="Next CA"))
    path = tmp_path / "next.pem"
    path.write_bytes(other.pem)
    assert directory.update("acme", ca=path, client_id="acme-client-id").changed
    assert directory.update("acme", ca=path, client_id="acme-client-id").changed is False
    with pytest.raises(certkit.RefusedError):
        directory.update("acme", ca=other.pem, replace_ca=True)
    assert directory.update("acme", probe="https://api.example/").changed
    assert directory.update("acme", probe="none").changed
    with pytest.raises(certkit.InputError, match="`replace_ca` needs"):
        directory.update("acme", replace_ca=True)


def test_only_cas_are_trusted(directory):
    """`enroll`, `update` and `install` leave out other certificates, self-signed or not; without a CA they refuse."""
    own, key = pki.name(CN="Not a CA"), pki.new_key()
    dates = {"begin": pki.NOW - pki.DAY, "end": pki.NOW + pki.DAY}
    self_signed = pki.sign(subject=own, issuer=own, public_key=key.public_key(), signing_key=key, **dates)
    certificates = pki.Pair(self_signed, key).pem + life.ISSUING.issue().pem
    with pytest.raises(certkit.InputError, match="no CA certificate"):
        directory.enroll("acme", ca=certificates, **ACME)
    directory.enroll("acme", **ACME)
    issued = answer(directory)
    for change in (lambda ca: directory.update("acme", ca=ca), lambda ca: directory.install("acme", issued, ca=ca)):
        with pytest.raises(certkit.InputError, match="no CA certificate"):
            change(certificates)
    directory.install("acme", issued, ca=certificates + life.ROOT.pem)
    assert directory.update("acme", ca=life.ROOT.pem).changed is False


def test_a_pair_in_use_is_adopted(directory, tmp_path):
    """As bytes, as files, or as PKCS#12; a key of another certificate is refused."""
    pair = life.ISSUING.issue(pki.name(O="Acme Ltd", CN="acme-client-id"))
    options = {"policy": "wise-sandbox", "ca": life.ROOT.pem, "untrusted": [life.ISSUING.pem]}
    assert directory.import_("bytes", pair.pem, key=pair.key_pem, **options).active.state == "active"
    (tmp_path / "key.pem").write_bytes(pair.key_pem)
    (tmp_path / "cert.pem").write_bytes(pair.pem)
    found = directory.import_("acme", tmp_path / "cert.pem", key=tmp_path / "key.pem", **options)
    assert found.active.fingerprint_sha256 == directory.show("bytes").active.fingerprint_sha256
    bundle = containers.to_pkcs12(Secret(pair.key_pem), pair.value, [], Secret(b"correct horse")).reveal()
    adopted = directory.import_("bundle", bundle, passphrase="correct horse", **options)
    assert adopted.active.fingerprint_sha256 == found.active.fingerprint_sha256
    with pytest.raises(certkit.PassphraseError):
        directory.import_("locked", bundle, **options)
    with pytest.raises(certkit.InputError, match="contains no private key"):
        directory.import_("none", tmp_path / "cert.pem", **options)
    with pytest.raises(certkit.RefusedError, match="key-match"):
        directory.import_("foreign", pair.pem, key=life.ISSUING.issue().key_pem, **options)


def test_an_identity_that_cannot_be_loaded_stops_no_other(directory, tmp_path):
    """It is an `Unread` with its error in `list`, and an exception for whoever names it."""
    use(directory, "good")
    directory.enroll("broken", **ACME)
    (tmp_path / "store" / "broken" / "identity.json").write_text("{")
    broken, good = directory.list()
    assert (broken.name, broken.status, good.name, good.status) == ("broken", "unknown", "good", "ok")
    assert broken.error.hint
    with pytest.raises(certkit.StoreError):
        directory.show("broken")


def test_an_expired_pair_is_exported_with_a_warning(directory, tmp_path, caplog):
    """The files are written, and `status` tells that they are of no use."""
    use(directory)
    assert directory.export("acme", tmp_path / "tls").status == "ok"
    with certkit.store(directory.uri, now=lambda: pki.NOW + 2 * pki.YEAR) as later:
        done = later.export("acme", tmp_path / "later")
    assert (done.status, done.changed) == ("critical", True)
    assert "acme: the exported certificate expired on 2027-11-22T12:00:00Z. Renew it: certkit identity renew acme" in (
        caplog.text
    )


def test_a_damaged_request_stops_no_export(directory, tmp_path):
    """What is exported is the active pair, and nothing else of the identity is judged for it."""
    use(directory)
    directory.renew("acme", force=True)
    (tmp_path / "store" / "acme" / "generations" / "0002" / "csr.pem").write_text("damaged")
    done = directory.export("acme", tmp_path / "tls")
    assert (done.status, done.changed, done.generation) == ("ok", True, "0001")


def test_a_copy_and_an_export(directory, tmp_path):
    """To another store, and to a directory; both again change nothing."""
    use(directory)
    with certkit.store(f"file:{tmp_path}/other", environment={}, now=lambda: pki.NOW) as other:
        assert directory.copy("acme", other).changed
        assert directory.copy("acme", other).changed is False
        assert other.show("acme").active.generation == "0001"
    done = directory.export("acme", tmp_path / "tls", format="nginx")
    assert (done.changed, done.generation) == (True, "0001")
    assert (tmp_path / "tls" / "nginx.conf").exists()
    assert directory.export("acme", str(tmp_path / "tls"), format="nginx").changed is False
    with pytest.raises(certkit.InputError, match="no such group: nobody-at-all"):
        directory.export("acme", tmp_path / "tls", group="nobody-at-all")


def test_an_issuer_that_answers_at_once_and_a_hook(directory, tmp_path):
    """`enroll` has the request answered by a program, activates the certificate and runs the deploy hook."""
    ca = tmp_path / "ca"
    ca.mkdir()
    (ca / "ca.pem").write_bytes(life.ISSUING.pem)
    (ca / "key.pem").write_bytes(life.ISSUING.key_pem)
    signer = tmp_path / "sign"
    extensions = "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n"
    (ca / "ext").write_text(extensions)
    arguments = f"-CA {ca}/ca.pem -CAkey {ca}/key.pem -set_serial 7 -days 90 -extfile {ca}/ext"
    signer.write_text(f"#!/bin/sh\nexec openssl x509 -req {arguments}\n")
    signer.chmod(0o755)
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho $CERTKIT_NAME >> {tmp_path}/ran\n")
    hook.chmod(0o755)
    # The certificate is signed at the real time.
    with certkit.store(directory.uri, environment={"PATH": "/usr/bin:/bin"}) as now:
        options = {"policy": "general", "organization": "Acme Ltd", "ca": life.ISSUING.pem}
        made = now.enroll("acme", issuer=f"command:{signer}", deploy_hook=str(hook), **options)
    assert made.active.generation == "0001"
    assert (tmp_path / "ran").read_text() == "acme\n"


def test_a_probe(place, store, server):
    """The certificate of an identity is tried at a server; the report has each check and what was negotiated."""
    use(store)
    found = store.probe("acme", server.url)
    assert found.verdict_on_certificate().status == "ok"
    assert found.tls_version == "TLSv1.3"
    assert {each.id for each in found.findings} >= {"dns", "connect", "server-chain", "client-certificate", "http"}


def test_a_store_is_checked(store):
    """`check` returns a report about the store."""
    use(store)
    report = store.check()
    assert report.subject == store.uri
    assert [each.id for each in report]


def test_a_missing_store_is_an_error(tmp_path):
    """As on the command line: a wrong URI must not look like an empty store."""
    with certkit.store(f"file:{tmp_path}/nowhere", environment={}) as store, pytest.raises(certkit.StoreError):
        store.list()
    with pytest.raises(certkit.InputError):
        certkit.store("ftp://x", environment={}).names()


def test_the_variables_of_the_process(monkeypatch, tmp_path):
    """CERTKIT_STORE and CERTKIT_PASSPHRASE are used unless an environment is given."""
    monkeypatch.setenv("CERTKIT_STORE", f"file:{tmp_path}/sealed")
    monkeypatch.setenv("CERTKIT_PASSPHRASE", "correct horse")
    with certkit.store() as store:
        store.enroll("acme", **ACME)
    assert b"ENCRYPTED" in Path(tmp_path, "sealed/acme/generations/0001/key.pem").read_bytes()


def test_every_method_does_what_its_command_does():
    """No command of `certkit identity` is missing, and each method is documented."""
    from certkit.cli.identity import identity

    names = {each if each != "import" else "import_" for each in identity.lazy}
    assert names <= set(vars(certkit.IdentityStore))
    public = [value for name, value in vars(certkit.IdentityStore).items() if not name.startswith("_")]
    assert all(value.__doc__ for value in public)
