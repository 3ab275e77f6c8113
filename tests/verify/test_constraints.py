"""Name constraints fail closed: what is malformed permits nothing, excludes everything, and satisfies nothing."""

from __future__ import annotations

import pytest

from certkit.verify import constraints
from certkit.verify.constraints import Limits
from certkit.x509 import extensions as kinds
from certkit.x509 import general_names
from tests.verify.shapes import wrap

TAGS = {"email": 0x81, "DNS": 0x82, "URI": 0x86, "IP": 0x87, "RID": 0x88}


def name(kind: str, value: bytes, *, is_constraint: bool = False) -> general_names.GeneralName:
    """A general name from its bytes."""
    data = wrap(TAGS[kind], value)
    return general_names.read(data, (data[0], 0, 2, len(data)), is_constraint=is_constraint)


def refused(kind: str, value: bytes, *, permitted: bytes | None = None, excluded: bytes | None = None) -> bool:
    """Return whether a name is refused below one tree of its kind."""
    trees = [
        None if tree is None else (kinds.Subtree(name(kind, tree, is_constraint=True)),)
        for tree in (permitted, excluded)
    ]
    limits = Limits.of(kinds.NameConstraints(*trees))
    return constraints.violation([constraints.parsed(name(kind, value))], limits) is not None


# How an IPv4 address begins that is written as an IPv6 one (RFC 4291 section 2.5.5.2).
MAPPED = bytes(10) + b"\xff\xff"

PERMITTED = [
    ("DNS", b"a.example", b"example", False),
    ("DNS", b"A.Example", b"example", False),
    ("DNS", b"a.example.", b"example", True),
    ("DNS", b"a.example", b"example.", True),
    ("email", b"me@a.example.", b"a.example", True),
    ("URI", b"https://a.example./x", b"a.example", True),
    ("DNS", b"aexample", b"example", True),
    ("DNS", b"example", b".example", True),
    ("DNS", b"a.example", b".example", False),
    ("DNS", b"anything.test", b"", False),
    ("DNS", b"*.example", b"example", False),
    ("DNS", b"a.example", b"*.example", True),
    ("DNS", b"a.example", b"exam ple", True),
    ("DNS", b"a b.example", b"example", True),
    ("DNS", b"a..example", b"example", True),
    ("DNS", b"a\0.example", b"example", True),
    ("email", b"me@a.example", b"a.example", False),
    ("email", b"me@b.a.example", b"a.example", True),
    ("email", b"me@b.a.example", b".a.example", False),
    ("email", b"Me@a.example", b"me@a.example", True),
    ("email", b"me@anything.test", b"", False),
    ("email", b"a@b@a.example", b"a.example", True),
    ("email", b"a.example", b"a.example", True),
    ("email", b"\xff@a.example", b"a.example", True),
    ("URI", b"https://a.example/x", b"a.example", False),
    ("URI", b"https://b.a.example/x", b"a.example", True),
    ("URI", b"https://anything.test", b"", False),
    ("URI", b"https://a.example@evil.test/", b"a.example", True),
    ("URI", b"https://evil.test\\@a.example/", b"a.example", True),
    ("URI", b"https://evil.test?@a.example", b"a.example", True),
    ("URI", b"https://192.0.2.1/", b"", True),
    ("URI", b"https://[2001:db8::1]/", b"", True),
    ("URI", b"urn:a:b", b"", True),
    ("IP", bytes([192, 0, 2, 1]), bytes([192, 0, 2, 0, 255, 255, 255, 0]), False),
    ("IP", bytes([192, 0, 2, 1]), bytes([192, 0, 2, 7, 255, 255, 255, 0]), False),
    ("IP", bytes([192, 0, 2, 1]), bytes([192, 0, 2, 0, 255, 0, 255, 0]), True),
    ("IP", bytes([192, 0, 2, 1]), bytes([192, 0, 2, 0]), True),
    ("IP", bytes([192, 0, 2]), bytes(8), True),
    ("IP", MAPPED + bytes([192, 0, 2, 1]), bytes([192, 0, 2, 0, 255, 255, 255, 0]), True),
    ("RID", b"\x2a\x03", b"\x2a\x03", True),
]


@pytest.mark.parametrize(("kind", "value", "tree", "is_refused"), PERMITTED)
def test_permitted_trees(kind: str, value: bytes, tree: bytes, is_refused: bool) -> None:  # noqa: FBT001  by the table
    """A name is within a permitted tree, or refused."""
    assert refused(kind, value, permitted=tree) == is_refused


EXCLUDED = [
    ("DNS", b"a.example", b"example", True),
    ("DNS", b"a.example.", b"a.example", True),
    ("DNS", b"*.example", b"a.example", True),
    ("DNS", b"*.example", b"b.a.example", False),
    ("DNS", b"example", b".example", False),
    ("DNS", b"a.test", b"example", False),
    ("DNS", b"a.test", b"", True),
    ("DNS", b"a.test", b"*.example", True),
    ("DNS", b"a b.test", b"example", True),
    ("email", b"me@test", b"", True),
    ("email", b"me@test", b"other.test", False),
    ("email", b"me@test", b"a@b@c", True),
    ("URI", b"https://a.test", b"", True),
    ("URI", b"urn:a:b", b"example", True),
    ("URI", b"https://a.test", b"https://a.test", True),
    ("IP", bytes([192, 0, 2, 1]), bytes([10, 0, 0, 0, 255, 0, 0, 0]), False),
    ("IP", bytes([192, 0, 2, 1]), bytes([10, 0, 0, 0, 255, 0, 255, 0]), True),
    ("IP", MAPPED + bytes([192, 0, 2, 1]), bytes([192, 0, 2, 0, 255, 255, 255, 0]), False),
    ("RID", b"\x2a\x03", b"\x2a\x04", True),
]


@pytest.mark.parametrize(("kind", "value", "tree", "is_refused"), EXCLUDED)
def test_excluded_trees(kind: str, value: bytes, tree: bytes, is_refused: bool) -> None:  # noqa: FBT001  by the table
    """A name is outside of an excluded tree, or refused."""
    assert refused(kind, value, excluded=tree) == is_refused


def test_a_tree_with_bounds_permits_nothing() -> None:
    """Minimum and maximum, which RFC 5280 forbids, make a tree malformed."""
    tree = kinds.Subtree(name("DNS", b"example", is_constraint=True), minimum=1)
    limits = Limits.of(kinds.NameConstraints((tree,), None))
    parsed = [constraints.parsed(name("DNS", b"a.example"))]
    assert constraints.violation(parsed, limits) == "DNS:a.example"


@pytest.mark.parametrize(
    ("common_name", "said"),
    [
        ("a.example", "CN=a.example"),
        ("A.EXAMPLE", "CN=A.EXAMPLE"),
        ("a.test", None),
        ("Example Inc.", None),
        ("example", None),
    ],
)
def test_a_common_name_counts_against_excluded_trees_only(common_name: str, said: str | None) -> None:
    """A host name as common name is held to what is excluded, and never to what is permitted."""
    tree = kinds.Subtree(name("DNS", b"example", is_constraint=True))
    excluded, permitted = kinds.NameConstraints(None, (tree,)), kinds.NameConstraints((tree,), None)
    assert constraints.violation([], Limits.of(excluded), common_name=common_name) == said
    assert constraints.violation([], Limits.of(permitted), common_name="other.test") is None
