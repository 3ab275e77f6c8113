"""Random graphs of cross-signed CAs and random name constraints, judged by the verifier and by brute force.

The brute force knows how each certificate was made and never looks into one. A seed that fails is the whole report:
`random_graph(seed)` and `random_chain(seed)` make the same case again.
"""

from __future__ import annotations

import functools
import ipaddress
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from certkit.findings import Status
from certkit.policy import catalogue
from certkit.verify import Question, verify
from tests import pki
from tests.conftest import openssl
from tests.pki import DAY, NOW, YEAR
from tests.verify import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GRAPHS, CONSTRAINTS, BATCH = 300, 300, 50

_SERVER, _CLIENT, _CODE, _ANY = "1", "2", "3", "2.5.29.37.0"
_USAGES: tuple[tuple[str, ...], ...] = ((_SERVER,), (_CLIENT,), (_SERVER, _CLIENT), (_CODE,), (_CODE, _ANY))
_ECDSA_SHA1 = shapes.wrap(0x30, bytes.fromhex("06072a8648ce3d0401"))
_RSA_SHA1 = shapes.wrap(0x30, bytes.fromhex("06092a864886f70d010105") + b"\x05\x00")
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
_HOST = "host.inside.example"


@functools.cache
def pooled_key(number: int) -> Any:
    """One of a few keys, made once."""
    return pki.new_key()


# --- graphs: how they are made --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A CA: a name and a key. Two of one name are a CA and its next key, or a CA and an impostor."""

    name: str
    number: int
    is_weak: bool = False

    @property
    def key(self) -> Any:
        """The private key; RSA-1024 if weak."""
        return shapes.rsa_key(1024, self.number) if self.is_weak else pooled_key(self.number)


@dataclass(frozen=True)
class Plan:
    """How a certificate is made, and with which defect, if any.

    `signer` is the CA whose key signs: another than the issuer's where the signature is wrong.
    """

    subject: Node
    issuer: Node
    signer: Node
    defect: str = ""
    path_length: int | None = None
    usage: tuple[str, ...] = ()
    excludes: str = ""
    has_identifiers: bool = True

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject.name == self.issuer.name


@dataclass(frozen=True)
class Graph:
    """Plans of a leaf, of anchors and of the others, and what is asked."""

    leaf: Plan
    anchors: tuple[Plan, ...]
    others: tuple[Plan, ...]
    purpose: str


CA_DEFECTS = ("expired", "early", "no constraints", "no CA", "no signing", "forged", "sha1", "unknown critical")
LEAF_DEFECTS = ("expired", "early", "forged", "sha1", "unknown critical")
# A trusted certificate's own signature proves nothing, whatever it is.
HARMLESS_IN_ANCHORS = {"forged", "sha1"}


def random_graph(seed: int) -> Graph:
    """A graph by its seed."""
    chance = random.Random(seed)
    nodes = random_nodes(chance)
    defects = chance.choice((0.15, 0.4, 0.7))
    anchors = [random_plan(chance, node, node, nodes, defects / 2) for node in nodes[: chance.randint(1, 3)]]
    others = []
    for node in nodes:
        count = chance.randint(0, 3)
        others += [random_plan(chance, node, chance.choice(nodes), nodes, defects) for _ in range(count)]
    others += chance.choices([*others, *anchors], k=chance.randint(0, 3))
    stranger = Node("Stranger", 10)
    others += [random_plan(chance, stranger, chance.choice([stranger, *nodes]), nodes, 0)] * chance.randint(0, 2)
    chance.shuffle(others)
    return Graph(random_leaf(chance, nodes), tuple(anchors), tuple(others), chance.choice(("client", "server")))


def random_nodes(chance: random.Random) -> list[Node]:
    """CAs, of which some share a name, and some have a weak key."""
    nodes: list[Node] = []
    for number in range(chance.randint(3, 8)):
        name = chance.choice(nodes).name if nodes and chance.random() < 0.12 else f"CA {number}"
        nodes.append(Node(name, number, is_weak=chance.random() < 0.04))
    return nodes


def random_plan(chance: random.Random, subject: Node, issuer: Node, nodes: Sequence[Node], defects: float) -> Plan:
    """A CA's certificate, with one defect or limit at most."""
    kind = chance.choice((*CA_DEFECTS, "length", "usage", "usage", "excludes")) if chance.random() < defects else ""
    wrong = chance.choice([each for each in (*nodes, Node("Spare", 11)) if each.name != issuer.name])
    return Plan(
        subject,
        issuer,
        wrong if kind == "forged" else issuer,
        defect=kind if kind in CA_DEFECTS else "",
        path_length=chance.choice((0, 0, 1, 2)) if kind == "length" else None,
        usage=chance.choice(_USAGES) if kind == "usage" else (),
        excludes=chance.choice(("inside.example", "elsewhere.example")) if kind == "excludes" else "",
        has_identifiers=chance.random() < 0.7,
    )


def random_leaf(chance: random.Random, nodes: Sequence[Node]) -> Plan:
    """The certificate to judge."""
    issuer, defect = chance.choice(nodes), chance.choice(LEAF_DEFECTS) if chance.random() < 0.1 else ""
    signer = Node("Spare", 11) if defect == "forged" else issuer
    usage = chance.choice(_USAGES) if chance.random() < 0.15 else (_SERVER, _CLIENT)
    return Plan(Node("Leaf", 9), issuer, signer, defect=defect, usage=usage)


def built(plan: Plan, *, is_leaf: bool = False) -> x509.Certificate:
    """The certificate of a plan."""
    begin, end = NOW - YEAR / 2, NOW + YEAR / 2
    begin, end = {"expired": (begin, NOW - DAY), "early": (NOW + DAY, end)}.get(plan.defect, (begin, end))
    builder = (
        x509.CertificateBuilder(pki.name(O="Partner", CN=plan.issuer.name), pki.name(O="Partner", CN=plan.subject.name))
        .public_key(plan.subject.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension, is_critical in extensions_of(plan, is_leaf=is_leaf):
        builder = builder.add_extension(extension, critical=is_critical)
    certificate = builder.sign(plan.signer.key, hashes.SHA256())
    if plan.defect != "sha1":
        return certificate
    algorithm = _RSA_SHA1 if plan.signer.is_weak else _ECDSA_SHA1
    return shapes.recut(certificate, plan.signer.key, lambda fields: fields, digest=hashes.SHA1(), algorithm=algorithm)


def extensions_of(plan: Plan, *, is_leaf: bool) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """The extensions of a plan's certificate, and whether they are critical."""
    if is_leaf:
        yield shapes.alternative(_HOST), False
    else:
        if plan.defect != "no constraints":
            yield x509.BasicConstraints(ca=plan.defect != "no CA", path_length=plan.path_length), True
        yield pki.key_usage(key_cert_sign=plan.defect != "no signing", crl_sign=True), True
    if plan.usage:
        yield shapes.usage_of(*plan.usage), False
    if plan.excludes:
        yield shapes.excluding(plan.excludes), True
    if plan.defect == "unknown critical":
        yield _UNKNOWN, True
    if plan.has_identifiers:
        yield shapes.key_identifier(plan.subject.key), False
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(plan.signer.key.public_key()), False


# --- graphs: what is right ------------------------------------------------------------------------------------------


def has_sound_path(graph: Graph) -> bool:
    """Return whether any way from the leaf to an anchor is sound, by trying them all.

    A way that comes back to a CA is never better than the one without the detour.
    """
    leaf = graph.leaf
    if leaf.defect or not serves(leaf, graph.purpose):
        return False
    return any(is_sound(way) for way in ways(graph, (leaf,)))


def ways(graph: Graph, way: tuple[Plan, ...]) -> Iterator[tuple[Plan, ...]]:
    """All ways that go on from one, without the certificates that no way can use."""
    last, seen = way[-1], {plan.subject for plan in way}
    for anchor in graph.anchors:
        if signs(anchor, last) and anchor.defect in {"", *HARMLESS_IN_ANCHORS}:
            yield (*way, anchor)
    for plan in dict.fromkeys(graph.others):
        if signs(plan, last) and not plan.defect and serves(plan, graph.purpose) and plan.subject not in seen:
            yield from ways(graph, (*way, plan))


def signs(above: Plan, below: Plan) -> bool:
    """Return whether a certificate is the named issuer's, with the key that signed, of sufficient size."""
    return (
        above.subject.name == below.issuer.name and above.subject.key is below.signer.key and not above.subject.is_weak
    )


def serves(plan: Plan, purpose: str) -> bool:
    """Return whether a certificate's extended key usage allows a purpose."""
    return not plan.usage or bool({_ANY, _SERVER if purpose == "server" else _CLIENT} & set(plan.usage))


def is_sound(way: Sequence[Plan]) -> bool:
    """Return whether the limits of the CAs in a way are kept."""
    for position, ca in enumerate(way[1:], start=1):
        below = sum(not each.is_self_issued for each in way[1:position])
        if ca.excludes == "inside.example" or (ca.path_length is not None and below > ca.path_length):
            return False
    return True


def is_accepted(
    leaf: x509.Certificate, anchors: Sequence[x509.Certificate], untrusted: Sequence[x509.Certificate], **asked: Any
) -> bool:
    """Return whether the verifier takes a certificate."""
    policy = catalogue.load("general")
    ends, others = list(map(pki.value, anchors)), list(map(pki.value, untrusted))
    question = Question(leaf=pki.value(leaf), anchors=ends, untrusted=others, at=NOW, policy=policy, **asked)
    return verify(question).status in {Status.OK, Status.WARNING}


def graph_is_accepted(graph: Graph) -> bool:
    """Return the verifier's verdict on a graph."""
    made = {plan: built(plan) for plan in (*graph.anchors, *graph.others)}
    hostname = _HOST if graph.purpose == "server" else None
    anchors, others = [made[plan] for plan in graph.anchors], [made[plan] for plan in graph.others]
    return is_accepted(built(graph.leaf, is_leaf=True), anchors, others, purpose=graph.purpose, hostname=hostname)


@pytest.mark.parametrize("start", range(0, GRAPHS, BATCH))
def test_a_path_is_found_if_and_only_if_there_is_one(start: int) -> None:
    """Whatever CAs signed each other, the verdict is that of trying every way."""
    graphs = {seed: random_graph(seed) for seed in range(start, start + BATCH)}
    assert [seed for seed, graph in graphs.items() if graph_is_accepted(graph) != has_sound_path(graph)] == []


OPPONENTS = 60
# Why an engine refuses a path that certkit found, by its own words.
_EXPLAINED = {
    "CA certificate must not have extended key usage": "the Web PKI's rule; RFC 5280 lets CAs limit what is below",
    "max path length": "cryptography counts self-issued CAs; RFC 5280 section 6.1.4 does not",
    "path length": "as above",
    "authorityKeyIdentifier": "the Web PKI asks for identifiers in CAs; RFC 5280 lets a verifier do without",
    "missing required extension": "as above, for the subject key identifier and key usage",
    "incorrect criticality": "the Web PKI's criticality",
    "unsuitable certificate purpose": "anyExtendedKeyUsage alone: certkit warns, openssl refuses",
}


def test_the_paths_that_are_found_are_confirmed_by_other_engines(tmp_path: Path) -> None:
    """With nothing but the certificates of certkit's path, openssl finds it too, and so does cryptography."""
    failures = []
    for seed in range(OPPONENTS):
        graph = random_graph(seed)
        hostname = _HOST if graph.purpose == "server" else None
        question = Question(
            leaf=pki.value(built(graph.leaf, is_leaf=True)),
            anchors=[pki.value(built(plan)) for plan in graph.anchors],
            untrusted=[pki.value(built(plan)) for plan in graph.others],
            at=NOW,
            policy=catalogue.load("general"),
            purpose=graph.purpose,
            hostname=hostname,
        )
        verdict = verify(question)
        if verdict.status not in {Status.OK, Status.WARNING}:
            continue
        path = [found for each in verdict.path if (found := each.cryptography())]
        said = {"openssl": openssl_says(path, graph.purpose, tmp_path)}
        if graph.purpose == "client":
            said["cryptography"] = cryptography_says(path)
        failures += [
            f"{seed}: {engine}: {words}"
            for engine, words in said.items()
            if words and not any(known in words for known in _EXPLAINED)
        ]
    assert failures == []


def openssl_says(path: Sequence[x509.Certificate], purpose: str, folder: Path) -> str:
    """Return the objection of `openssl verify` to a path; empty if it accepts it."""
    parts = {"leaf": path[:1], "between": path[1:-1] or path[-1:], "anchor": path[-1:]}
    for name, certificates in parts.items():
        (folder / name).write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    asked = ("verify", "-partial_chain", "-purpose", f"ssl{purpose}", "-attime", str(int(NOW.timestamp())))
    files = ("-CAfile", folder / "anchor", "-untrusted", folder / "between", folder / "leaf")
    ran = openssl(*asked, *files, check=False)
    return "" if ran.returncode == 0 else " ".join((ran.stdout + ran.stderr).decode(errors="replace").split())


def cryptography_says(path: Sequence[x509.Certificate]) -> str:
    """Return the objection of cryptography's verifier to a path; empty if it accepts it."""
    builder = PolicyBuilder().store(Store([path[-1]])).time(NOW.replace(tzinfo=None))
    policies = ExtensionPolicy.webpki_defaults_ca(), ExtensionPolicy.permit_all()
    builder = builder.extension_policies(ca_policy=policies[0], ee_policy=policies[1])
    try:
        builder.build_client_verifier().verify(path[0], list(path[1:-1]))
    except VerificationError as error:
        return " ".join(str(error).split())
    return ""


def test_the_graphs_are_of_both_kinds() -> None:
    """At least a quarter of the graphs has a sound path, and a quarter has none."""
    sound = sum(has_sound_path(random_graph(seed)) for seed in range(GRAPHS))
    assert GRAPHS / 4 < sound < GRAPHS * 3 / 4


ROOT, OTHER_KEY, NEXT_KEY = Node("Root", 0), Node("Root", 1), Node("Root", 2)


def plain(subject: Node, issuer: Node, **more: Any) -> Plan:
    """A certificate without key identifiers."""
    return Plan(subject, issuer, issuer, has_identifiers=False, **more)


GRAPH_CORNERS = {
    "an anchor without basic constraints that signed itself again": Graph(
        plain(Node("Leaf", 9), ROOT), (plain(ROOT, ROOT, defect="no constraints"),), (plain(ROOT, ROOT),), "client"
    ),
    "a next key with name constraints": Graph(
        plain(Node("Leaf", 9), NEXT_KEY),
        (plain(ROOT, ROOT),),
        (plain(NEXT_KEY, ROOT, excludes="elsewhere.example"), plain(NEXT_KEY, ROOT, excludes="inside.example")),
        "client",
    ),
    "two next keys below a path length of 0": Graph(
        plain(Node("Leaf", 9), NEXT_KEY),
        (plain(ROOT, ROOT),),
        (plain(OTHER_KEY, ROOT, path_length=0), plain(NEXT_KEY, OTHER_KEY)),
        "client",
    ),
    "an anchor for another purpose that signed itself with SHA-1": Graph(
        plain(Node("Leaf", 9), ROOT),
        (plain(ROOT, ROOT, usage=(_SERVER,)),),
        (plain(ROOT, ROOT, defect="sha1"),),
        "client",
    ),
}


@pytest.mark.parametrize("name", GRAPH_CORNERS)
def test_corners_of_path_building_hold(name: str) -> None:
    """Shapes that random graphs seldom have: the verdict is that of trying every path."""
    assert graph_is_accepted(GRAPH_CORNERS[name]) == has_sound_path(GRAPH_CORNERS[name])


# --- constraints: how they are made ---------------------------------------------------------------------------------

NAMES: dict[str, tuple[str, ...]] = {
    "dns": (
        "example", "a.example", "A.example", "b.example", "x.a.example", "y.x.a.example", "xa.example",
        "a.example.test", "*.example", "*.a.example", "*.x.a.example", "*.test",
    ),
    "ip": ("192.0.2.1", "192.0.2.200", "10.1.2.3", "198.51.100.7", "2001:db8::1", "2001:db8:1::1", "2001:db9::1"),
    "email": ("me@a.example", "you@a.example", "me@A.Example", "me@x.a.example", "me@example", "Me@a.example"),
    "uri": (
        "https://a.example/x", "https://A.EXAMPLE", "spiffe://x.a.example/me", "https://b.example:8443/", "urn:a:b",
        "https://me@a.example/",
    ),
    "dir": ("", "Acme Ltd", "acme  ltd", "Acme Ltd/Sales", "Acme Ltd/Sales/North", "Other", "Acme"),
}  # fmt: skip
TREES: dict[str, tuple[str, ...]] = {
    "dns": ("example", "a.example", "A.EXAMPLE", "b.example", "x.a.example", "test"),
    "ip": ("192.0.2.0/24", "192.0.2.128/25", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "2001:db8:1::/48", "::/0"),
    "email": ("me@a.example", "a.example", "A.EXAMPLE", ".example", ".a.example", "example"),
    "uri": ("a.example", ".example", ".a.example", "b.example"),
    "dir": ("Acme Ltd", "ACME LTD", "Acme Ltd/Sales", "Other", "Partner"),
}


@dataclass(frozen=True)
class Limits:
    """The name constraints of one CA, as pairs of kind and text."""

    permitted: tuple[tuple[str, str], ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    is_critical: bool = True


@dataclass(frozen=True)
class Chain:
    """A chain, anchor first: the limits and organizations of its CAs, and the leaf's names."""

    limits: tuple[Limits, ...]
    organizations: tuple[str, ...]
    subject: str
    names: tuple[tuple[str, str], ...]
    purpose: str


def random_chain(seed: int) -> Chain:
    """A chain by its seed."""
    chance = random.Random(seed)
    kinds = chance.sample(list(NAMES), k=chance.choice((1, 1, 2, 3)))
    size = chance.randint(2, 4)
    constrained = set(chance.sample(range(size), k=chance.randint(1, min(size, 3))))
    limits = tuple(random_limits(chance, kinds) if number in constrained else Limits() for number in range(size))
    organizations = tuple(chance.choice(("Partner", "Partner", "Partner", "Acme Ltd")) for _ in range(size))
    alternatives = [*kinds, *kinds, *NAMES]
    names = tuple(
        (kind, chance.choice(NAMES[kind] if kind != "dir" else NAMES[kind][1:]))
        for kind in chance.choices(alternatives, k=chance.choice((0, 1, 1, 2, 3)))
    )
    return Chain(limits, organizations, chance.choice(NAMES["dir"]), names, chance.choice(("client", "server")))


def random_limits(chance: random.Random, kinds: Sequence[str]) -> Limits:
    """Some subtrees of some kinds."""

    def trees(most: int) -> tuple[tuple[str, str], ...]:
        chosen = chance.choices(kinds, k=chance.randint(0, most))
        return tuple(dict.fromkeys((kind, chance.choice(TREES[kind])) for kind in chosen))

    permitted, excluded = trees(3), trees(2)
    return Limits(permitted, excluded, is_critical=chance.random() < 0.7)


def directory(text: str, **more: str) -> x509.Name:
    """A name from an organization and units with slashes between."""
    kinds = (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
    found = [x509.NameAttribute(kind, part) for kind, part in zip(kinds, text.split("/"), strict=False) if part]
    return x509.Name([*found, *pki.name(**more)])


def general(kind: str, text: str) -> x509.GeneralName:
    """A name or a subtree of a kind."""
    if kind == "dir":
        return x509.DirectoryName(directory(text))
    return shapes.general(text if kind == "dns" else f"{kind}:{text}") if text else x509.DNSName("")


def chain_built(chain: Chain) -> list[x509.Certificate]:
    """The certificates of a chain, anchor first."""
    made = []
    names = [directory(each, CN=f"CA {number}") for number, each in enumerate(chain.organizations)]
    for number, limits in enumerate(chain.limits):
        above = max(number - 1, 0)
        basic = [(x509.BasicConstraints(ca=True, path_length=None), True), (shapes.CA_USAGE, True)]
        made.append(signed(names[number], names[above], number, above, [*basic, *constraints_of(limits)]))
    subject, last = directory(chain.subject), len(names) - 1
    own: list[tuple[x509.ExtensionType, bool]] = [(shapes.usage_of(_SERVER, _CLIENT), False)]
    if chain.names:
        own.append((x509.SubjectAlternativeName([general(*each) for each in chain.names]), not chain.subject))
    made.append(signed(subject, names[-1], last + 1, last, own))
    return made


def constraints_of(limits: Limits) -> list[tuple[x509.ExtensionType, bool]]:
    """The extension for limits, if there are any."""
    permitted, excluded = [general(*each) for each in limits.permitted], [general(*each) for each in limits.excluded]
    if not permitted and not excluded:
        return []
    return [(x509.NameConstraints(permitted or None, excluded or None), limits.is_critical)]


def signed(
    subject: x509.Name, issuer: x509.Name, key: int, signer: int, extensions: Sequence[tuple[x509.ExtensionType, bool]]
) -> x509.Certificate:
    """A certificate by the numbers of its key and of the signer's."""
    builder = x509.CertificateBuilder(issuer, subject, pooled_key(key).public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(pooled_key(signer), hashes.SHA256())


# --- constraints: what is right -------------------------------------------------------------------------------------


def is_permitted(chain: Chain) -> bool:
    """Return whether every name below a CA is one that it permits and does not exclude (RFC 5280 section 4.2.1.10)."""
    for number, limits in enumerate(chain.limits):
        below = [("dir", f"{each}//CA") for each in chain.organizations[number + 1 :]]
        below += [*([("dir", chain.subject)] if chain.subject else []), *chain.names]
        if not all(keeps(limits, kind, text) for kind, text in below):
            return False
    return True


def keeps(limits: Limits, kind: str, text: str) -> bool:
    """Return whether limits let a name pass."""
    permitted = [tree for of, tree in limits.permitted if of == kind]
    excluded = [tree for of, tree in limits.excluded if of == kind]
    if kind == "uri" and (permitted or excluded) and host_of(text) is None:
        return False
    if any(is_within(kind, text, tree) or could_match(kind, text, tree) for tree in excluded):
        return False
    return not permitted or any(is_within(kind, text, tree) for tree in permitted)


def is_within(kind: str, text: str, tree: str) -> bool:
    """Return whether a name, and for a wildcard all that it matches, is in a subtree."""
    match kind:
        case "ip":
            return ipaddress.ip_address(text) in ipaddress.ip_network(tree)
        case "dir":
            wanted, parts = folded(tree), folded(text)
            return parts[: len(wanted)] == wanted
        case "dns":
            return is_below(text.removeprefix("*.").removesuffix("."), tree)
        case "email" if "@" in tree:
            return mailbox(text) == mailbox(tree)
    host = mailbox(text)[1] if kind == "email" else host_of(text) or ""
    return host.endswith(tree.lower()) if tree.startswith(".") else host == tree.lower()


def is_below(name: str, tree: str) -> bool:
    """Return whether a DNS name is another one or below it; all are below the empty one."""
    return not tree or f".{name}".lower().endswith(f".{tree}".lower())


def could_match(kind: str, text: str, tree: str) -> bool:
    """Return whether a wildcard, which stands for one label, could match the very name of a subtree."""
    return kind == "dns" and text.startswith("*.") and tree.lower().partition(".")[2] == text[2:].lower()


def folded(text: str) -> list[str]:
    """The parts of a directory name as they are compared."""
    return [" ".join(part.lower().split()) for part in text.split("/")]


def mailbox(text: str) -> tuple[str, str]:
    """A mailbox in comparable parts: only the host's case does not matter."""
    local, _, host = text.rpartition("@")
    return local, host.lower()


def host_of(uri: str) -> str | None:
    """The host of a URI, where it is a name."""
    _, found, rest = uri.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
    return host if found and not host.replace(".", "").isdigit() else None


def hostname_of(chain: Chain) -> str | None:
    """A host that the leaf is for; None if it has no host name."""
    hosts = [
        text.replace("*", "w") for kind, text in chain.names if kind == "ip" or (kind == "dns" and "." in text[2:])
    ]
    return hosts[0] if hosts else None


def chain_is_accepted(chain: Chain) -> bool:
    """Return the verifier's verdict on a chain."""
    anchor, *others, leaf = chain_built(chain)
    hostname = hostname_of(chain) if chain.purpose == "server" else None
    return is_accepted(leaf, [anchor], others, purpose=chain.purpose, hostname=hostname)


@pytest.mark.parametrize("start", range(0, CONSTRAINTS, BATCH))
def test_name_constraints_hold(start: int) -> None:
    """Whatever CAs permit and exclude, the verdict on a leaf's names is that of RFC 5280 section 4.2.1.10."""
    chains = {seed: random_chain(seed) for seed in range(start, start + BATCH)}
    assert [seed for seed, chain in chains.items() if chain_is_accepted(chain) != is_permitted(chain)] == []


def test_the_chains_are_of_both_kinds() -> None:
    """At least a quarter of the chains keeps to its constraints, and a quarter does not."""
    kept = sum(is_permitted(random_chain(seed)) for seed in range(CONSTRAINTS))
    assert CONSTRAINTS / 4 < kept < CONSTRAINTS * 3 / 4


def limited(*names: tuple[str, str], **trees: tuple[tuple[str, str], ...]) -> Chain:
    """A client's chain in which a CA below the anchor has limits."""
    return Chain((Limits(), Limits(**trees)), ("Partner", "Partner"), "Acme Ltd", names, "client")


_OTHER_MAILBOX = ("email", "me@b.example")
CHAINS = {
    "a wildcard that matches an excluded name, beside an address": limited(
        ("dns", "*.a.example"), _OTHER_MAILBOX, excluded=(("dns", "x.a.example"), ("email", "a.example"))
    ),
    "an excluded name with a dot at its end, beside an address": limited(
        ("dns", "a.example."), _OTHER_MAILBOX, excluded=(("dns", "a.example"), ("email", "a.example"))
    ),
    "a URI with an address for its host": limited(("uri", "https://192.0.2.1/"), excluded=(("uri", "a.example"),)),
    "every DNS name permitted": limited(("dns", "a.example"), permitted=(("dns", ""),)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_corners_of_name_constraints_hold(name: str) -> None:
    """Shapes that random chains seldom have: the verdict is that of RFC 5280 section 4.2.1.10."""
    assert chain_is_accepted(CHAINS[name]) == is_permitted(CHAINS[name])
