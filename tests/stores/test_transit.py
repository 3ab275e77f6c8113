"""Keys of a file store under a key of Vault's secrets engine Transit, on a real OpenBao."""

from __future__ import annotations

import pytest

from certkit.errors import StoreError
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.sealing import PassphraseWrapping, TransitWrapping, is_sealed
from certkit.vault.client import Vault
from tests.stores.contract import StoreContract, enroll, key
from tests.stores.lossy import Fate, network


@pytest.fixture(scope="session")
def transit(openbao):
    """Transit, with keys of several kinds; its path."""
    openbao.api("POST", "sys/mounts/wrapping", {"type": "transit"})
    for name, fields in {
        "certkit": {},
        "other": {},
        "signing": {"type": "ed25519"},
        "derived": {"derived": True},
    }.items():
        openbao.api("POST", f"wrapping/keys/{name}", fields)
    return "wrapping"


@pytest.fixture
def connect(openbao):
    """Connect with some changes to the settings."""
    opened = []

    def connect(**changes):
        opened.append(Vault.connect(openbao.settings(**changes)))
        return opened[-1]

    yield connect
    for vault in opened:
        vault.close()


@pytest.fixture
def wrapping(connect, transit):
    """Return a wrapping of keys, with no more rights than it needs."""
    return TransitWrapping(connect(), "certkit", transit)


@pytest.fixture
def store(tmp_path, wrapping):
    """An empty store whose keys are wrapped."""
    return FileStore(tmp_path / "store", wrapping)


class TestContract(StoreContract):
    """The contract of every store, with wrapped keys."""


def refused(work):
    """The error that some work ends with."""
    with pytest.raises(StoreError) as caught:
        work()
    return caught.value


def test_the_file_is_what_transit_answers(store, openbao, transit):
    """Other tools can open it with `bao write wrapping/decrypt/certkit ciphertext=@key.pem`."""
    enroll(store, pending=1)
    content = (store.root / "acme/generations/0001/key.pem").read_bytes()
    assert content.startswith(b"vault:v1:")
    assert is_sealed(content)
    answer = openbao.api("POST", f"{transit}/decrypt/certkit", {"ciphertext": content.decode()})
    assert set(answer["data"]) == {"plaintext"}
    assert store.key("acme", "0001") == key(0)


def test_rights_to_encrypt_and_decrypt_are_enough(openbao, connect, transit):
    """Creating keys needs no right to read them, and reading them none to create any."""

    def with_right(work):
        acl = f'path "{transit}/{work}/certkit" {{ capabilities = ["update"] }}'
        return TransitWrapping(connect(token=Secret(openbao.token_for(acl).encode())), "certkit", transit)

    maker, reader = with_right("encrypt"), with_right("decrypt")
    sealed = maker.seal(key(0))
    assert reader.open(sealed, name="x") == key(0)
    error = refused(lambda: maker.open(sealed, name="x"))
    assert error.message == "cannot decrypt vault://wrapping/decrypt/certkit: permission denied"
    rule = 'path "wrapping/decrypt/certkit" { capabilities = ["update"] }'
    assert error.hint == f"an ACL policy of the token must contain: {rule}"
    error = refused(lambda: reader.seal(key(0)))
    assert error.message == "cannot encrypt vault://wrapping/encrypt/certkit: permission denied"


def test_a_key_of_transit_may_be_rotated(openbao, connect, transit):
    """Keys wrapped earlier open, and new ones use the new version."""
    openbao.api("POST", f"{transit}/keys/rotated", {})
    wrapping = TransitWrapping(connect(), "rotated", transit)
    before = wrapping.seal(key(0))
    openbao.api("POST", f"{transit}/keys/rotated/rotate", {})
    after = wrapping.seal(key(1))
    assert (before[:9], after[:9]) == (b"vault:v1:", b"vault:v2:")
    assert [wrapping.open(data, name="x") for data in (before, after)] == [key(0), key(1)]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("signing", "message encryption not supported for key type ed25519"),
        ("derived", "missing 'context' for key derivation"),
    ],
)
def test_a_key_that_does_not_encrypt_is_refused(connect, transit, name, why):
    """With what the server says, and no more."""
    error = refused(lambda: TransitWrapping(connect(), name, transit).seal(key(0)))
    assert why in error.message
    assert "PRIVATE" not in f"{error!r} {error.hint}"


def test_another_key_does_not_open_it(connect, transit, wrapping):
    """Nor does one that is not there."""
    sealed = wrapping.seal(key(0))
    error = refused(lambda: TransitWrapping(connect(), "other", transit).open(sealed, name="x"))
    assert error.message == "cannot decrypt vault://wrapping/decrypt/other: cipher: message authentication failed"
    error = refused(lambda: TransitWrapping(connect(), "nowhere", transit).open(sealed, name="x"))
    assert error.message == "cannot decrypt vault://wrapping/decrypt/nowhere: encryption key not found"


@pytest.mark.parametrize(
    "data",
    [b"vault:v", b"vault:v1:", b"vault:v1:!!", b"vault:v1:AAAA\nvault:v1:AAAA", b"vault:v1:\xff\xfe", b"vault:vx:AA"],
)
def test_what_only_begins_like_it_is_refused_here(wrapping, data):
    """Before anything is asked."""
    error = refused(lambda: wrapping.open(data, name="key.pem"))
    assert error.message == "cannot read key.pem: it looks like a key wrapped by Vault, but cannot be parsed"


@pytest.mark.parametrize("data", [b"vault:v1:AAAA", b"vault:v999999999:AAAA", b"vault:v0:AAAA"])
def test_what_is_damaged_is_refused_there(wrapping, data):
    """The server's reason is shown."""
    assert refused(lambda: wrapping.open(data, name="key.pem")).message.startswith("cannot decrypt vault://wrapping/")


def test_a_store_without_it_asks_for_it(store):
    """A key that is wrapped is not taken for anything else."""
    enroll(store, pending=1)
    for other in (None, PassphraseWrapping(Secret(b"x"))):
        error = refused(lambda other=other: FileStore(store.root, other).key("acme", "0001"))
        assert error.message.endswith("key.pem: the private key is wrapped by Vault")
        assert error.hint.endswith("the Transit key that it was wrapped with: file:DIR?transit=MOUNT/KEY")


def test_a_lost_answer_is_asked_for_again(openbao, connect, transit):
    """To encrypt twice does no harm."""
    with network(openbao.address) as made:
        made.fate = lambda number, _: Fate.ANSWER_IS_LOST if number in {1, 3} else Fate.ARRIVES
        wrapping = TransitWrapping(connect(address=made.address), "certkit", transit)
        assert wrapping.open(wrapping.seal(key(0)), name="x") == key(0)
    assert len(made.lines) == 4


def test_nothing_of_a_key_is_shown(wrapping):
    """Neither the key nor what wraps it."""
    shown = f"{wrapping!r} {wrapping.open(wrapping.seal(key(0)), name='x')!r}"
    assert "PRIVATE" not in shown
    assert "root-token" not in shown
