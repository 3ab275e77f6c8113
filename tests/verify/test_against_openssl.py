"""The same shapes judged by `openssl verify`: it agrees, or the disagreement has a reason."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certkit.findings import Status
from tests.conftest import openssl
from tests.pki import NOW
from tests.verify.test_shapes import SHAPES, Shape, judge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.verify.shapes import Made

# What openssl cannot be asked: these are about the partner, the request, the key, and the letter.
BEYOND = {"client_id", "policy", "key", "strict", "needs_chain"}

_ANY = "openssl does not take anyExtendedKeyUsage for a purpose; RFC 5280 section 4.2.1.12 does"
_CLOCK = "this openssl counts the last second of a validity as after it; RFC 5280 section 4.1.2.5 includes it"
_NO_WAY_BACK = "openssl takes the first issuer that fits, and does not come back when the way is closed"
_POLICIES = "openssl processes certificate policies only when asked (-policy_check)"
_PARTIAL = "with -partial_chain openssl takes any certificate as an anchor; certkit takes CAs (--pin is for others)"
_KIND = "openssl judges a key by its strength alone; certkit takes the kinds that the policy names"

REASONS = {
    "client: EKU any": _ANY,
    "nesting: CA with any": _ANY,
    "client: key usage keyAgreement only": "a TLS client proves possession by a signature (RFC 8446 section 4.4.3)",
    "server: trailing dot asked": "openssl compares host names by letter; a trailing dot names the same host",
    "server: wildcard and an empty label": "openssl takes a leading dot to ask for any name below a domain",
    "server: partial wildcard": "openssl takes partial wildcards; RFC 9525 section 6.3 does not",
    "server: never the CN": "openssl falls back to the common name; RFC 9525 section 6.2 does not",
    "path: cross-sign to an untrusted root beside the way": _NO_WAY_BACK,
    "path: detour with a name constraint in the way": _NO_WAY_BACK,
    "path: detour with an unknown critical extension": _NO_WAY_BACK,
    "path: detour with the wrong extended key usage": _NO_WAY_BACK,
    "path: detour signed with SHA-1": _NO_WAY_BACK,
    "revocation: delta list revokes": "openssl reads delta lists only for certificates that announce them",
    "revocation: signer of lists": "openssl wants the list's signer to be a CA's certificate",
    "key: DSA leaf": _KIND,
    "key: secp256k1 leaf": _KIND,
    "key: brainpool leaf": _KIND,
    "key: DSA root": _KIND,
    "key: DSA root above Ed25519": _KIND,
    "key: secp256k1 intermediate": _KIND,
    "hostname: letters of another script": "openssl compares host names by letter; the xn-- form names the same host",
    "hostname: IPv6 in brackets": "openssl wants addresses without the brackets of a URL",
    "hostname: a wildcard is none": "a wildcard is a pattern and no host to ask about",
    "path: detour with a directory name in the way": _NO_WAY_BACK,
    "Ed25519: detour with a constraint in the way": _NO_WAY_BACK,
    "policies: one is required, none is there": _POLICIES,
    "policies: one is required, and the certificates differ": _POLICIES,
    "key: secp256k1 intermediate above Ed25519": _KIND,
    "path: the leaf named as an anchor": _PARTIAL,
    "path: self-signed leaf, trusted itself": _PARTIAL,
    "revocation: revoked later than the moment": "openssl takes an entry that is dated later than the moment, too",
    "revocation: without a next update": "a list that never ends says nothing of today (RFC 5280 section 5.1.2.5)",
    "revocation: delta list takes back": "openssl is not asked to use deltas here",
    "its CA's name, and no key identifier": "openssl takes it for self-signed; certkit warns of that",
    "dates: the last second": _CLOCK,
    "dates: the intermediate's last second": _CLOCK,
    "dates: the list's last second": _CLOCK,
}


COMPARABLE = [
    shape
    for shape in SHAPES
    if not BEYOND & shape.asked.keys()
    and not shape.name.startswith("csr: ")
    and shape.name not in {"path: no CA given", "path: no anchors in the list"}
]


def write(path: Path, objects: Iterable[Any]) -> Path:
    """The objects as PEM in one file."""
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in objects))
    return path


def accepted_by_openssl(made: Made, asked: dict[str, Any], folder: Path) -> bool:
    """Return whether `openssl verify` accepts the certificate."""
    options: list[object] = ["-auth_level", 2, "-partial_chain", "-no-CAfile", "-no-CApath", "-no-CAstore"]
    options += ["-attime", int(asked.get("at", NOW).timestamp()), "-verify_depth", asked.get("max_depth", 8)]
    options += [
        "-purpose",
        {"client": "sslclient", "server": "sslserver", "any": "any"}[asked.get("purpose", "client")],
    ]
    if "hostname" in asked:
        options += ["-verify_ip" if is_address(asked["hostname"]) else "-verify_hostname", asked["hostname"]]
    if "email" in asked:
        options += ["-verify_email", asked["email"]]
    options += ["-trusted", write(folder / "anchors.pem", made.anchors)]
    if made.untrusted:
        options += ["-untrusted", write(folder / "untrusted.pem", made.untrusted)]
    if made.crls:
        options += ["-CRLfile", write(folder / "lists.pem", made.crls), "-extended_crl", "-use_deltas", "-crl_check"]
        options += ["-crl_check_all"] if asked.get("revocation_of_chain", True) else []
    done = openssl("verify", *options, write(folder / "leaf.pem", [made.leaf]), check=False)
    return done.returncode == 0


def is_address(text: str) -> bool:
    """Return whether a host is named by its IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("shape", COMPARABLE, ids=lambda shape: shape.name)
def test_openssl_agrees(shape: Shape, tmp_path: Path) -> None:
    """OpenSSL accepts what certkit accepts and refuses what it refuses, but for the listed reasons."""
    made = shape.build()
    ours = judge(made, **shape.asked).status in {Status.OK, Status.WARNING}
    theirs = accepted_by_openssl(made, shape.asked, tmp_path)
    assert (ours != theirs) == (shape.name in REASONS)


def test_reasons_are_of_shapes() -> None:
    """Every listed disagreement belongs to a shape that there is."""
    assert REASONS.keys() <= {shape.name for shape in COMPARABLE}
