"""`certkit.stores.sealing`: keys at rest, sealed or not."""

from __future__ import annotations

import base64

import pytest

from certkit.errors import InputError, PassphraseError, StoreError
from certkit.secret import Secret
from certkit.stores import sealing
from certkit.stores.base import Document, SealedError
from certkit.stores.file.store import FileStore
from certkit.stores.opening import findings_of
from certkit.stores.sealing import PassphraseWrapping, TransitWrapping
from certkit.x509.keys import KEY_TYPES, KeySpec, to_pem
from tests.conftest import openssl
from tests.stores.contract import CSR, FIELDS, OTHERS, PAIRS, RECORD, enroll, key

PASSPHRASE = PassphraseWrapping(Secret(b"correct horse"))


class Reversed:
    """A wrapping like Vault's Transit engine: bytes in, text with a prefix out."""

    prefix = b"vault:v1:"

    def seal(self, key_pem):
        """The key, in a form that does not look like one."""
        return self.prefix + base64.b64encode(key_pem.reveal()[::-1])

    def open(self, data, *, name):
        """The key again."""
        return Secret(base64.b64decode(data.removeprefix(self.prefix))[::-1])

    def seal_text(self, data):
        """A document, in the same form."""
        return self.seal(data).decode()

    def open_text(self, sealed, *, name):
        """The document again."""
        return self.open(sealed.encode(), name=name)


def stored(store):
    """The bytes of the key in the store."""
    return (store.root / "acme" / "generations" / "0001" / "key.pem").read_bytes()


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_key_under_a_passphrase(kind):
    """Is encrypted PKCS#8 that OpenSSL opens, and comes back byte by byte."""
    pem = to_pem(KeySpec(kind).generate())
    sealed = PASSPHRASE.seal(pem)
    assert sealed.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert openssl("pkey", "-passin", "pass:correct horse", stdin=sealed).stdout == pem.reveal()
    assert PASSPHRASE.open(sealed, name="key.pem") == pem


@pytest.mark.parametrize("wrapped", [PASSPHRASE, Reversed()])
def test_a_sealed_key_in_a_store(tmp_path, wrapped):
    """The file begins with the prefix, and holds nothing of the key."""
    store = FileStore(tmp_path, wrapped)
    enroll(store, pending=1)
    assert stored(store).startswith(wrapped.prefix)
    assert PAIRS[0].key_pem.splitlines()[1] not in stored(store)
    assert store.key("acme", "0001") == key(0)
    assert [finding for finding in findings_of(store) if not finding.is_good] == []


def test_a_wrong_passphrase(tmp_path):
    """Is reported as such, with the name of the file and what to check."""
    enroll(FileStore(tmp_path, PASSPHRASE), pending=1)
    with pytest.raises(PassphraseError) as refused:
        FileStore(tmp_path, PassphraseWrapping(Secret(b"wrong"))).key("acme", "0001")
    path = tmp_path / "acme" / "generations" / "0001" / "key.pem"
    assert refused.value.message == (
        f"cannot read {path}: a private key at line 1: the passphrase is wrong or the file is damaged"
    )
    assert "check the first line of the passphrase file" in refused.value.hint


def test_a_missing_passphrase(tmp_path):
    """Is asked for by the name of its option; all but the key can be read."""
    enroll(FileStore(tmp_path, PASSPHRASE), issued=1)
    store = FileStore(tmp_path)
    with pytest.raises(PassphraseError) as refused:
        store.key("acme", "0001")
    assert refused.value.message.endswith("key.pem: the private key is encrypted")
    assert refused.value.hint == "give its passphrase with --passphrase-file"
    assert len(store.load("acme").generations) == 1
    assert [finding for finding in findings_of(store) if not finding.is_good] == []


@pytest.mark.parametrize("wrapped", [PASSPHRASE, Reversed()])
def test_a_plain_key_where_keys_are_sealed(tmp_path, wrapped):
    """Can be read, for it was there before; a check tells of it."""
    enroll(FileStore(tmp_path), pending=1)
    store = FileStore(tmp_path, wrapped)
    assert store.key("acme", "0001") == key(0)
    path = tmp_path / "acme" / "generations" / "0001" / "key.pem"
    assert [(each.id, each.message) for each in findings_of(store) if not each.is_good] == [
        ("identity:acme", f"{path} is not sealed, as new keys are")
    ]


@pytest.mark.parametrize("wrapped", [None, PASSPHRASE])
def test_a_key_wrapped_by_vault(tmp_path, wrapped):
    """Cannot be read without Vault, and the hint says so."""
    enroll(FileStore(tmp_path, Reversed()), pending=1)
    with pytest.raises(StoreError) as refused:
        FileStore(tmp_path, wrapped).key("acme", "0001")
    assert refused.value.message.endswith("key.pem: the private key is wrapped by Vault")
    assert (
        refused.value.hint == "name the store with the Transit key that it was wrapped with: file:DIR?transit=MOUNT/KEY"
    )


def test_an_encrypted_key_where_vault_wraps(tmp_path):
    """Wants its passphrase."""
    enroll(FileStore(tmp_path, PASSPHRASE), pending=1)
    with pytest.raises(PassphraseError):
        FileStore(tmp_path, Reversed()).key("acme", "0001")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (bytes(100), "it contains only whitespace or NULs"),
        (b"x", "it contains no PEM block and is not DER"),
        (PAIRS[0].pem, "it holds something else"),
        (PAIRS[0].key_pem[:100], "its END line is missing"),
        (b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n", "it is not valid base64"),
    ],
    ids=["empty", "NULs", "text", "a certificate", "cut short", "not base64"],
)
@pytest.mark.parametrize("wrapped", [None, PASSPHRASE, Reversed()])
def test_what_is_no_key(data, why, wrapped):
    """Is reported, with what it is instead."""
    with pytest.raises(StoreError) as refused:
        sealing.unseal(data, wrapped, name="key.pem")
    assert refused.value.message == f"cannot read key.pem: expected a private key: {why}"
    assert refused.value.hint == "restore it from a backup"


@pytest.mark.parametrize("data", [b"", b"\n!\n-----END ENCRYPTED PRIVATE KEY-----\n", b"\nMAA=\n"])
def test_a_damaged_encrypted_key(data):
    """Is always an error of certkit's own."""
    with pytest.raises(InputError):
        PASSPHRASE.open(b"-----BEGIN ENCRYPTED PRIVATE KEY-----" + data, name="key.pem")


def test_what_is_no_key_is_not_sealed(tmp_path):
    """Nothing is written."""
    store = FileStore(tmp_path, PASSPHRASE)
    store.create("acme", RECORD)
    with pytest.raises(InputError):
        store.add("acme", "0001", key=Secret(b"x"), csr=CSR)
    assert store.load("acme").generations == ()


def test_an_older_form_of_encryption():
    """Is recognised, for it may have been put there by hand: PEM with headers (RFC 1421)."""
    plain = openssl("genrsa", "-traditional", "2048").stdout
    data = openssl("rsa", "-aes256", "-traditional", "-passout", "pass:x", stdin=plain).stdout
    assert b"DEK-Info" in data
    with pytest.raises(PassphraseError, match="the private key is encrypted"):
        sealing.unseal(data, None, name="key.pem")


def test_no_secret_is_shown():
    """Printing a wrapping shows no passphrase."""
    assert repr(PASSPHRASE) == "PassphraseWrapping(passphrase=Secret(hidden))"


# Secret documents


def document_of(store):
    """The bytes of a document in the store."""
    return (store.root / "acme" / "tokens" / "x.json").read_bytes()


@pytest.mark.parametrize("wrapped", [PASSPHRASE, Reversed()])
def test_sealed_documents(tmp_path, wrapped):
    """A sealed store keeps no token in the clear, and gives it back to whoever can open the store."""
    store = FileStore(tmp_path, wrapped)
    enroll(store)
    version = store.put_document("acme", "x", FIELDS, over=None)
    assert store.document("acme", "x") == Document(fields=FIELDS, version=version)
    assert b"token" not in document_of(store)
    store.put_document("acme", "x", OTHERS, over=version)
    assert store.document("acme", "x").fields == OTHERS
    assert [finding for finding in findings_of(store) if not finding.is_good] == []
    assert [finding for finding in findings_of(FileStore(tmp_path)) if not finding.is_good] == []


def test_a_document_without_its_passphrase(tmp_path):
    """The refusal names the file and the option; a wrong passphrase is called wrong; nothing is written in clear."""
    store = FileStore(tmp_path, PASSPHRASE)
    enroll(store)
    version = store.put_document("acme", "x", FIELDS, over=None)
    before = document_of(store)
    plain, wrong = FileStore(tmp_path), FileStore(tmp_path, PassphraseWrapping(Secret(b"wrong")))
    for work, message in (
        (lambda: plain.document("acme", "x"), "x.json: it is encrypted"),
        (lambda: plain.put_document("acme", "x", OTHERS, over=version), "x is encrypted"),
        (lambda: plain.put_document("acme", "y", OTHERS, over=None), "x is encrypted"),
        (lambda: wrong.document("acme", "x"), "x.json: the passphrase is wrong or the file is damaged"),
    ):
        with pytest.raises(PassphraseError) as refused:
            work()
        assert refused.value.message.endswith(message)
        assert "passphrase" in refused.value.hint
    assert (document_of(store), plain.documents("acme")) == (before, ["x"])
    with pytest.raises(SealedError):
        FileStore(tmp_path, TransitWrapping(None, "x")).document("acme", "x")


def test_documents_from_before(tmp_path):
    """Documents that version 0.1.0 left unencrypted are read, reported, and sealed when next written."""
    store = FileStore(tmp_path, PASSPHRASE)
    enroll(store, pending=1)
    (tmp_path / "acme" / "tokens").mkdir(mode=0o700)
    (tmp_path / "acme" / "tokens" / "x.json").write_text('{"access_token": "first-token"}\n')
    (tmp_path / "acme" / "tokens" / "x.json").chmod(0o600)
    found = store.document("acme", "x")
    assert found.fields == {"access_token": Secret(b"first-token")}
    [finding] = [each for each in findings_of(store) if not each.is_good]
    assert finding.message == f"{tmp_path}/acme/tokens/x.json is not sealed, as new documents are"
    store.put_document("acme", "x", FIELDS, over=found.version)
    assert b"token" not in document_of(store)


@pytest.mark.parametrize("rounds", ["999999999", "6000001", "0", "x", "", "-1"])
def test_a_document_cannot_keep_us_busy(tmp_path, rounds):
    """Its number of rounds is bounded before any is made."""
    store = FileStore(tmp_path, PASSPHRASE)
    enroll(store)
    store.put_document("acme", "x", FIELDS, over=None)
    text = document_of(store).decode().replace("600000", rounds)
    (tmp_path / "acme" / "tokens" / "x.json").write_text(text)
    with pytest.raises(PassphraseError):
        store.document("acme", "x")
