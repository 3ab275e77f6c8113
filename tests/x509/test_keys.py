"""`certkit.x509.keys` and reading keys: those that openssl writes, and those made to do harm."""

from __future__ import annotations

import contextlib
import functools
import time

import pytest

from certkit.errors import InputError, PassphraseError
from certkit.secret import Secret
from certkit.x509 import der, keys, objects, pem, private
from certkit.x509.containers import to_pkcs12
from certkit.x509.items import Item
from certkit.x509.keys import KeySpec
from tests.conftest import openssl

RIGHT = Secret("correct horse ü".encode())
WRONG = Secret(b"wrong")


def load(data: bytes, passphrase: Secret | None = None):
    """The private key in some bytes."""
    return objects.private_key(data, name="KEY", passphrase=passphrase).value


def spki(data: bytes) -> str:
    """Return openssl's SHA-256 of a private key's SubjectPublicKeyInfo."""
    public = openssl("pkey", "-pubout", "-outform", "DER", stdin=data).stdout
    return openssl("dgst", "-sha256", "-r", stdin=public).stdout.decode().split()[0]


@functools.cache
def generated(*arguments: str) -> bytes:
    """What openssl prints, the same key for each test."""
    return openssl(*arguments).stdout


@pytest.fixture(params=["ec", "rsa"])
def pair(request, tmp_path):
    """A key made by openssl, with the path of its file."""
    options = {
        "ec": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        "rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    }
    (tmp_path / "key").write_bytes(generated("genpkey", "-algorithm", *options[request.param]))
    return tmp_path / "key"


@pytest.mark.parametrize("name", keys.KEY_TYPES)
def test_every_type_is_made_as_named(name):
    """Type, size and public key are what openssl reads in the file."""
    key = KeySpec.parse(name).generate()
    facts = keys.key_facts(key.public_key())
    assert (facts.type, facts.bits) == (name, int(name[-4:] if name.startswith("rsa") else name[-3:]))
    assert facts.spki_sha256 == spki(keys.to_pem(key).reveal())


def test_the_types_are_those_of_the_contract():
    """P-256 first, for it is the default."""
    assert keys.KEY_TYPES == ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096")


@pytest.mark.parametrize("name", ["", "rsa", "rsa-1024", "rsa-2560", "RSA-2048", "ec-p521", "ed25519", "ec-p256 "])
def test_other_types_are_bad_usage(name):
    """The hint lists those that certkit makes."""
    with pytest.raises(InputError) as refused:
        KeySpec.parse(name)
    assert refused.value.message == f"unknown key type {name!r}"
    assert refused.value.hint == "choose one of ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096"


@pytest.mark.parametrize(
    ("options", "name", "bits"),
    [
        (("RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "rsa-1024", 1024),
        (("RSA", "-pkeyopt", "rsa_keygen_bits:2560"), "rsa-2560", 2560),
        (("EC", "-pkeyopt", "ec_paramgen_curve:P-521"), "ec-p521", 521),
        (("EC", "-pkeyopt", "ec_paramgen_curve:P-224"), "ec-p224", 224),
        (("EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "ec-secp256k1", 256),
        (("EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"), "ec-brainpoolp256r1", 256),
        (("ED25519",), "ed25519", 256),
        (("ED448",), "ed448", 456),
        (("X25519",), "x25519", 256),
    ],
)
def test_other_peoples_keys_are_named(options, name, bits):
    """Types that certkit does not make are spelt the same way."""
    facts = keys.key_facts(load(openssl("genpkey", "-algorithm", *options).stdout).public_key())
    assert (facts.type, facts.bits) == (name, bits)


def test_a_dsa_key_is_named(tmp_path):
    """As `dsa-2048`."""
    openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out", tmp_path / "p")
    key = load(openssl("genpkey", "-paramfile", tmp_path / "p").stdout)
    assert keys.key_facts(key.public_key()).type == "dsa-2048"


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize("traditional", [(), ("-traditional",)], ids=["pkcs8", "traditional"])
def test_plain_keys_are_read(pair, form, traditional):
    """PKCS#8, PKCS#1 and SEC1, in PEM and DER."""
    data = openssl("pkey", "-in", pair, "-outform", form, *traditional).stdout
    assert keys.key_facts(load(data).public_key()).spki_sha256 == spki(pair.read_bytes())


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"),
        ("-v2", "des3"),
        ("-v1", "PBE-SHA1-3DES"),
        ("-scrypt",),
    ],
    ids=["default", "sha512", "3des", "pkcs12-kdf", "scrypt"],
)
def test_encrypted_pkcs8_is_read(pair, form, options):
    """However openssl encrypted it; with a passphrase in UTF-8."""
    secret = pair.with_name("secret")
    secret.write_bytes(RIGHT.reveal())
    locked = openssl("pkcs8", "-topk8", "-in", pair, "-outform", form, "-passout", f"file:{secret}", *options).stdout
    assert keys.key_facts(load(locked, RIGHT).public_key()).spki_sha256 == spki(pair.read_bytes())


@pytest.mark.parametrize("cipher", ["-aes256", "-aes128", "-des3"])
def test_traditional_encryption_is_read(pair, cipher):
    """PEM with Proc-Type and DEK-Info lines."""
    locked = openssl("pkey", "-in", pair, "-traditional", cipher, "-passout", "pass:x").stdout
    assert b"Proc-Type: 4,ENCRYPTED" in locked
    assert keys.key_facts(load(locked, Secret(b"x")).public_key()).spki_sha256 == spki(pair.read_bytes())
    with pytest.raises(PassphraseError):
        load(locked, WRONG)
    with pytest.raises(PassphraseError):
        load(locked)


def test_genrsa_traditional_is_read():
    """The `BEGIN RSA PRIVATE KEY` of old guides."""
    data = openssl("genrsa", "-traditional", "2048").stdout
    assert data.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert keys.key_facts(load(data).public_key()).type == "rsa-2048"


def test_the_parameters_before_an_ec_key_are_passed_over():
    """`openssl ecparam -genkey` writes EC PARAMETERS first."""
    data = openssl("ecparam", "-name", "prime256v1", "-genkey").stdout
    assert data.startswith(b"-----BEGIN EC PARAMETERS-----")
    assert keys.key_facts(load(data).public_key()).type == "ec-p256"


def test_text_around_a_key_is_passed_over(pair):
    """As `openssl pkey -text` and PKCS#12 exports leave it."""
    data = openssl("pkey", "-in", pair, "-text").stdout
    assert keys.key_facts(load(b"Bag Attributes\n" + data).public_key()).spki_sha256 == spki(pair.read_bytes())


def test_a_locked_key_without_a_passphrase_says_so(pair):
    """Naming the option."""
    locked = openssl("pkcs8", "-topk8", "-in", pair, "-passout", "pass:x").stdout
    with pytest.raises(PassphraseError) as refused:
        load(locked)
    assert refused.value.message == "cannot read KEY: the private key is encrypted"
    assert refused.value.hint == "give its passphrase with --passphrase-file"


def test_a_wrong_passphrase_says_so(pair):
    """And never shows either passphrase."""
    locked = openssl("pkcs8", "-topk8", "-in", pair, "-passout", "pass:x").stdout
    with pytest.raises(PassphraseError) as refused:
        load(locked, WRONG)
    assert refused.value.message == (
        "cannot read KEY: a private key at line 1: the passphrase is wrong or the file is damaged"
    )


def test_a_passphrase_that_is_not_needed_is_not_used(pair):
    """A plain key is read all the same."""
    assert load(pair.read_bytes(), RIGHT)


def test_two_keys_in_a_file_are_one_too_many(pair):
    """Which one is meant is not guessed."""
    with pytest.raises(InputError, match="it contains 2 private keys"):
        load(pair.read_bytes() * 2)


@pytest.mark.parametrize("change", [lambda pfx: pfx[:300], lambda pfx: pfx + b"and more"], ids=["cut off", "longer"])
def test_a_damaged_bundle_says_what_it_is(root, change):
    """Its keys are counted where it can be read so far, and the file is named all the same."""
    pair = root.issue()
    pfx = to_pkcs12(Secret(pair.key_pem), objects.certificates(pair.pem, name="C")[0], (), RIGHT)
    with pytest.raises(InputError, match="cannot read KEY as a private key: it is a PKCS#12 bundle"):
        load(change(pfx.reveal()))


def test_a_file_without_a_key_says_what_it_holds(pair):
    """Not only what it lacks."""
    with pytest.raises(InputError, match="cannot read KEY as a private key: it is a CSR"):
        load(openssl("req", "-new", "-key", pair, "-subj", "/O=Acme").stdout)


def test_an_openssh_key_gets_a_hint(tmp_path):
    """How to go on: `ssh-keygen` leaves an Ed25519 key in OpenSSH's format, and changes the file itself."""
    with pytest.raises(InputError) as refused:
        load(b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n")
    assert refused.value.hint == (
        "create a key: certkit key generate; or convert a copy of an RSA or ECDSA key: ssh-keygen -p -m PKCS8 -f COPY"
    )


def test_a_written_key_is_pkcs8():
    """One block, readable by openssl."""
    data = keys.to_pem(KeySpec("ec-p256").generate()).reveal()
    assert data.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert data.endswith(b"-----END PRIVATE KEY-----\n")
    assert openssl("pkey", "-check", "-noout", stdin=data).stdout == b"Key is valid\n"


def test_a_passphrase_encrypts_what_is_written(tmp_path):
    """The plain key is not in it, and openssl opens it with that passphrase only."""
    data = keys.to_pem(KeySpec("ec-p256").generate(), Secret(b"x")).reveal()
    assert data.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert openssl("pkey", "-noout", "-passin", "pass:x", stdin=data).returncode == 0
    assert openssl("pkey", "-noout", "-passin", "pass:y", stdin=data, check=False).returncode == 1


def test_a_secret_does_not_print():
    """Not by itself, and not within a value that holds it."""
    secret = Secret(b"hunter2")
    assert (repr(secret), str([secret]), f"{secret}") == ("Secret(hidden)", "[Secret(hidden)]", "Secret(hidden)")


# --- keys that ask for work without end


def tlv(tag: int, *values: bytes) -> bytes:
    """One DER element."""
    body = b"".join(values)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width) + body


def integer(value: int) -> bytes:
    """A DER INTEGER."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def oid(digits: str) -> bytes:
    """A DER OBJECT IDENTIFIER from the hex of its content."""
    return tlv(0x06, bytes.fromhex(digits))


SALT = tlv(0x04, b"saltsalt")
AES_256_CBC = tlv(0x30, oid("60864801650304012a"), tlv(0x04, b"i" * 16))


def pbes2(derivation: bytes) -> bytes:
    """An encrypted PKCS#8 key (RFC 8018 section 6.2) whose derivation is given."""
    scheme = tlv(0x30, oid("2a864886f70d01050d"), tlv(0x30, derivation, AES_256_CBC))
    return tlv(0x30, scheme, tlv(0x04, b"c" * 144))


def pbkdf2(count: int) -> bytes:
    """PBKDF2 with HMAC-SHA-256."""
    prf = tlv(0x30, oid("2a864886f70d0209"), b"\x05\x00")
    return pbes2(tlv(0x30, oid("2a864886f70d01050c"), tlv(0x30, SALT, integer(count), prf)))


def pbkdf2_with_length(count: int) -> bytes:
    """PBKDF2 that names the key's length too."""
    return pbes2(tlv(0x30, oid("2a864886f70d01050c"), tlv(0x30, SALT, integer(count), integer(32))))


def scrypt(n: int, r: int = 8, p: int = 1) -> bytes:
    """Scrypt (RFC 7914 section 7)."""
    return pbes2(tlv(0x30, oid("2b06010401da47040b"), tlv(0x30, SALT, integer(n), integer(r), integer(p))))


def pbes1(count: int) -> bytes:
    """PKCS#12's own derivation, as openssl's -v1 writes it."""
    scheme = tlv(0x30, oid("2a864886f70d010c0103"), tlv(0x30, SALT, integer(count)))
    return tlv(0x30, scheme, tlv(0x04, b"c" * 144))


def pem_of(data: bytes) -> bytes:
    """The same in PEM."""
    return pem.encode("ENCRYPTED PRIVATE KEY", data)


@pytest.mark.parametrize(
    "data",
    [
        pbkdf2(2**31 - 1),
        pbkdf2(2**62),
        pbkdf2(2**200),
        pbkdf2_with_length(2**31 - 1),
        pbes1(2**31 - 1),
        scrypt(2**30),
        scrypt(2**14, r=2**20),
        scrypt(2**14, p=2**20),
    ],
    ids=["pbkdf2", "64-bit", "200-bit", "with-length", "pbes1", "scrypt-n", "scrypt-r", "scrypt-p"],
)
@pytest.mark.parametrize("form", [bytes, pem_of], ids=["der", "pem"])
@pytest.mark.parametrize("passphrase", [None, WRONG], ids=["no-passphrase", "passphrase"])
def test_a_giant_derivation_count_is_refused_at_once(data, form, passphrase):
    """Before any of that work is done."""
    start = time.process_time()
    with pytest.raises(InputError) as refused:
        load(form(data), passphrase)
    assert time.process_time() - start < 1
    assert "requires more than 10,000,000 key derivation rounds" in refused.value.message
    assert not isinstance(refused.value, PassphraseError)


@pytest.mark.parametrize(
    "data",
    [pbkdf2(600_000), pbkdf2_with_length(600_000), pbes1(2048), scrypt(16384)],
    ids=["pbkdf2", "with-length", "pbes1", "scrypt"],
)
def test_a_usual_derivation_count_is_tried(data):
    """The same files with the counts that password managers use are only locked."""
    with pytest.raises(PassphraseError, match="the passphrase is wrong or the file is damaged"):
        load(data, WRONG)


def test_a_giant_key_is_refused_at_once():
    """Loading RSA of 16384 bits would take half a minute."""
    start = time.process_time()
    with pytest.raises(InputError, match="more than an RSA key of 8192 bits"):
        load(tlv(0x30, integer(0), integer(2**16383), integer(65537), *[integer(2**8191)] * 6))
    assert time.process_time() - start < 1


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b"\x30", b"\x30\x82", b"-----BEGIN PRIVATE KEY-----", b"hello"])
def test_what_is_no_key_is_bad_input(data):
    """Empty, NULs, beginnings, text."""
    with pytest.raises(InputError):
        load(data)


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_a_damaged_key_is_bad_input(pair, at):
    """One flipped byte gives an error or another key, never a crash."""
    data = bytearray(openssl("pkey", "-in", pair, "-outform", "DER").stdout)
    data[at] ^= 0xFF
    with contextlib.suppress(InputError):
        load(bytes(data))


def test_a_curve_written_out_is_refused():
    """RFC 5480 section 2.1.1: partners and OpenSSL's own verifier refuse such keys."""
    made = openssl("ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit").stdout
    with pytest.raises(InputError, match="the key's curve is given by explicit parameters"):
        load(made)


def test_a_key_for_pss_only_is_refused():
    """The library would make a plain RSA key of it, and a certificate for that does not work with the file."""
    made = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048").stdout
    with pytest.raises(InputError, match="the private key is for RSASSA-PSS only"):
        load(made)


@pytest.mark.parametrize(
    "made",
    [
        ("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
        ("ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit", "-noout"),
        ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        ("genpkey", "-algorithm", "ED25519"),
    ],
    ids=lambda made: made[2],
)
def test_the_fingerprint_of_a_key_is_that_of_its_own_bytes(made):
    """Whatever a library would make of its algorithm."""
    data = openssl(*made).stdout
    (item,) = (each for each in objects.read(data) if isinstance(each, Item))
    assert item.info.spki_sha256 == spki(data)


CHANGED = {
    "pss": (("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"), "is for RSASSA-PSS only"),
    "explicit": (
        ("ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit", "-noout"),
        "the key's curve is given by explicit parameters",
    ),
}
LOCKED = {
    "pbes2": ("pkcs8", "-topk8", "-passout", "pass:x"),
    "pkcs12-kdf": ("pkcs8", "-topk8", "-passout", "pass:x", "-v1", "PBE-SHA1-3DES"),
    "der": ("pkcs8", "-topk8", "-passout", "pass:x", "-outform", "DER"),
    "traditional": ("ec", "-aes128", "-passout", "pass:x"),
    "bundle": ("pkcs12", "-export", "-nocerts", "-passout", "pass:x", "-inkey", "/dev/stdin"),
    "3des bundle": (
        *("pkcs12", "-export", "-nocerts", "-passout", "pass:x", "-inkey", "/dev/stdin"),
        *("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
    ),
    "open bundle": ("pkcs12", "-export", "-nocerts", "-keypbe", "NONE", "-passout", "pass:x", "-inkey", "/dev/stdin"),
}


# PKCS#1 has no keys for PSS only, and the library refuses a bundle with a written-out curve that is not encrypted.
KEPT = {(kind, lock) for kind in CHANGED for lock in LOCKED} - {("pss", "traditional"), ("explicit", "open bundle")}


@pytest.mark.parametrize(("kind", "lock"), sorted(KEPT))
def test_a_locked_key_stays_what_it_is(kind, lock):
    """Decrypted, it is still a key for PSS only or with a written-out curve: so it is described, and refused."""
    made, reason = CHANGED[kind]
    plain = generated(*made)
    locked = openssl(*LOCKED[lock], stdin=plain).stdout
    [item] = objects.read(locked, passphrase=Secret(b"x"))
    info = item.info if "bundle" not in lock else item.value.info
    assert info.spki_sha256 == spki(plain)
    assert (info.is_pss, info.has_explicit_curve) == (kind == "pss", kind == "explicit")
    if "bundle" not in lock:
        with pytest.raises(InputError, match=reason):
            load(locked, Secret(b"x"))


def test_an_unsupported_cipher_is_named(tmp_path):
    """Single DES is not a wrong passphrase."""
    key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,84AC30F989F7FAF8\n\nAAAA\n"
    with pytest.raises(InputError, match="it is encrypted with DES-CBC, which is not supported"):
        load(f"{key}-----END RSA PRIVATE KEY-----\n".encode(), Secret(b"x"))


def test_many_large_keys_are_described_without_checking_each():
    """One RSA-4096 key takes half a second to check, so a file of them would stall whoever looks at it."""
    made = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096").stdout
    began = time.process_time()
    found = list(objects.read(made * 30))
    assert time.process_time() - began < 10
    assert {(each.info.type, each.info.spki_sha256) for each in found} == {("rsa-4096", spki(made))}


@pytest.mark.parametrize("other", [b"\x02\x00", b"\x02\x02\x00\x01", b"\x02\x02\xff\xff"])
def test_a_private_key_without_its_numbers_has_no_outline(other):
    """It is damaged, whether the modulus or the exponent is empty or padded: the library says so."""
    number = b"\x02\x01\x03"
    for numbers in (other + number, number + other):
        body = b"\x02\x01\x00" + numbers + 6 * number
        pkcs1 = der.encode(0x30, body)
        algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
        for key in (pkcs1, der.sequence(b"\x02\x01\x00", algorithm, der.encode(0x04, pkcs1))):
            assert private.outline(key) is None
