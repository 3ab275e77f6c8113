"""`certkit.expiry.sources.kubeconfig`: certificates in kubeconfig files."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import time

import pytest
import yaml
from cryptography.x509 import load_pem_x509_certificates
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certkit.errors import InputError
from certkit.expiry.sources import kubeconfig
from certkit.expiry.sources.kubeconfig import Kubeconfig

SOME = settings(deadline=None, derandomize=True, max_examples=200)
KEY = "c2VjcmV0IGtleQ=="
HINT = "compare it with the output of `kubectl config view`"

# As `kubeadm init` writes it.
KUBEADM = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authorities}
    server: https://192.0.2.10:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {{}}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: {client}
    client-key-data: {key}
"""

# As people merge them: minikube's files, a cloud's plug-in, a token, and a comment above it all.
MERGED = """\
# merged on Monday

---
apiVersion: v1
kind: Config
current-context: minikube
preferences: {}
clusters:
  - name: minikube
    cluster:
      certificate-authority: /home/me/.minikube/ca.crt
      extensions:
        - extension:
            last-update: Mon, 23 Nov 2026 12:00:00 UTC
            provider: minikube.sigs.k8s.io
          name: cluster_info
      server: https://192.0.2.2:8443
  - name: arn:aws:eks:eu-west-1:111122223333:cluster/prod
    cluster:
      server: https://example.gr7.eu-west-1.eks.amazonaws.com
      certificate-authority-data: ""
  - name: local
    cluster: {server: "http://localhost:8080", insecure-skip-tls-verify: true}
users:
  - name: minikube
    user:
      client-certificate: profiles/minikube/client.crt
      client-key: profiles/minikube/client.key
  - name: arn:aws:eks:eu-west-1:111122223333:cluster/prod
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1beta1
        command: aws
        args: [eks, get-token, --cluster-name, prod]
        env: null
        provideClusterInfo: false
  - name: robot
    user:
      token: abc.def
  - name: nobody
    user: {}
contexts: []
"""


@pytest.fixture(params=["libyaml", "python"])
def either_parser(request, monkeypatch):
    """PyYAML with and without the C library that it may have been built with."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CBaseLoader", raising=False)


def encoded(data: bytes) -> str:
    """Bytes as they are embedded."""
    return base64.b64encode(data).decode()


def users(*entries: dict) -> bytes:
    """A kubeconfig of those users, in JSON."""
    return json.dumps({"kind": "Config", "users": entries}).encode()


def test_certificates_of_users_and_clusters(either_parser, root):
    """Embedded certificates are found unchanged, several together; the key is not read."""
    client, intermediate = root.issue(), root.intermediate()
    bundle = intermediate.pem + root.pem
    text = KUBEADM.format(authorities=encoded(bundle), client=encoded(client.pem), key=KEY)
    found = kubeconfig.read(text.encode())
    assert found == Kubeconfig(
        embedded=[
            ("user kubernetes-admin", client.pem),
            ("cluster kubernetes", bundle),
        ]
    )
    assert [len(load_pem_x509_certificates(data)) for _, data in found.embedded] == [1, 2]
    assert "secret key" not in repr(found)


def test_files_are_named(either_parser):
    """Paths are handed on as they are written; plug-ins, tokens and empty data have no certificates."""
    assert kubeconfig.read(MERGED.encode()) == Kubeconfig(
        references=[
            ("user minikube", "profiles/minikube/client.crt"),
            ("cluster minikube", "/home/me/.minikube/ca.crt"),
        ]
    )


def test_data_wins_over_a_path():
    """As kubectl does it."""
    both = {"client-certificate": "a.crt", "client-certificate-data": encoded(b"PEM")}
    assert kubeconfig.read(users({"name": "a", "user": both})).embedded == [("user a", b"PEM")]
    empty = {"client-certificate": "a.crt", "client-certificate-data": ""}
    assert kubeconfig.read(users({"name": "a", "user": empty})).references == [("user a", "a.crt")]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_as_well(monkeypatch, indent):
    """However it is laid out, and without PyYAML."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    document = {"users": [{"name": "größe\U0001f600", "user": {"client-certificate-data": encoded(b"PEM")}}], "n": 1}
    data = json.dumps(document, indent=indent).encode()
    assert kubeconfig.is_kubeconfig(data)
    assert kubeconfig.read(data).embedded == [("user größe\U0001f600", b"PEM")]


def test_yaml_that_begins_like_json(either_parser):
    """A flow mapping without quotes."""
    data = b"{kind: Config, users: [{name: a, user: {client-certificate: a.crt}}]}"
    assert kubeconfig.is_kubeconfig(data)
    assert kubeconfig.read(data).references == [("user a", "a.crt")]


def test_yaml_in_its_other_clothes(either_parser):
    """A byte order mark, CRLF, quotes, folded data, anchors, and scalars that are no text to other readers."""
    lines = [
        "\ufeff'kind': Config",
        '"users":',
        "- name: 2026-11-23",
        "  user:",
        "    client-certificate-data: &shared >-",
        "      UEVN",
        "      UEVN",
        "- name: 0o17",
        "  user: {client-certificate-data: *shared}",
        "clusters: ~",
    ]
    data = "\r\n".join(lines).encode()
    assert kubeconfig.is_kubeconfig(data)
    assert kubeconfig.read(data) == Kubeconfig(embedded=[("user 2026-11-23", b"PEMPEM"), ("user 0o17", b"PEMPEM")])


def test_pyyaml_may_be_missing(monkeypatch):
    """One sentence says what to do."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError) as refused:
        kubeconfig.read(MERGED.encode())
    assert refused.value.message == "reading a kubeconfig requires PyYAML, which is not installed"
    assert refused.value.hint == "install it beside certkit: pip install pyyaml"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("users: [{name: a, user: {client-certificate-data: '%'}}]", "user a: client-certificate-data is not base64"),
        ("users: [{name: a, user: {client-certificate-data: abc}}]", "user a: client-certificate-data is not base64"),
        ("users: [{name: a, user: {client-certificate-data: ä}}]", "user a: client-certificate-data is not base64"),
        ("users: [{name: a, user: {client-certificate-data: [a]}}]", "user a: client-certificate-data is not text"),
        ("users: [{name: a, user: {client-certificate: {a: b}}}]", "user a: client-certificate is not text"),
        (
            f"users: [{{user: {{client-certificate: {'a' * 4097}}}}}]",
            "user (without a name): client-certificate is longer than any path",
        ),
        ("users: [{name: a, user: [b]}]", "user a is not a mapping"),
        ("users: [{name: [a], user: {}}]", "user number 1: its name is not a string"),
        ("users: [a]", "user number 1 is not a mapping"),
        ("clusters: {name: a}", "clusters is not a list"),
        (
            "clusters: [{name: a, cluster: {<<: {certificate-authority: a}}}]",
            "cluster a has a merge key (<<), which is not read",
        ),
        ("<<: {users: [a]}", "the kubeconfig has a merge key (<<), which is not read"),
        ("users: [{name: a}, {name: a}]", "user a: the name appears twice"),
        ("users: []\nusers: []", "the key users appears twice"),
        ('{"users": [], "users": []}', "the key users appears twice"),
        ("users: []\n---\nusers: []", "it has more than one document, of which only the first is read"),
    ],
)
def test_what_is_wrong_does_not_hide_the_rest(either_parser, text, problem):
    """The error is in words, and the valid entries are read."""
    data = text.encode() if text.startswith("{") else f"kind: Config\n{text}\n".encode()
    found = kubeconfig.read(data)
    assert found.problems == [problem]
    if text.startswith("users: [{") and "twice" not in problem:
        more = text.replace("users: [", "users: [{name: z, user: {client-certificate: z.crt}}, ").replace(
            "number 1", "number 2"
        )
        assert kubeconfig.read(more.encode()).references == [("user z", "z.crt")]


def test_names_are_safe_to_show():
    """Control and bidi characters are escaped, and a name of any length is cut."""
    names = ["a\x1b[31m\u202eb", "n" * 300, "\ud800", ""]
    data = users(*({"name": name, "user": {"client-certificate": "c"}} for name in names))
    shown = [entry for entry, _ in kubeconfig.read(data).references]
    assert shown == [r"user a\1B[31m\E2\80\AEb", f"user {'n' * 200}…", r"user \ED\A0\80", "user (without a name)"]


def test_problems_are_not_endless():
    """The first twenty are enough to begin with."""
    assert len(kubeconfig.read(users(*("a" for _ in range(100)))).problems) == 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"kind: Config\nusers: ]\n", "the kubeconfig is not YAML, see line 2"),
        (b"kind: Config\ntoken: @secret\nusers: []", "the kubeconfig is not YAML, see line 2"),
        (b"users: []\ntoken: *secret", "the kubeconfig is not YAML, see line 2"),
        (b"users: []\ntoken: !secret!secret x", "the kubeconfig is not YAML, see line 2"),
        (b"users: []\ntoken: \x07", "the kubeconfig is not YAML"),
        (b"users: \xff", "the kubeconfig is not UTF-8 text"),
        ("kind: Config".encode("utf-16"), "the kubeconfig is not UTF-8 text"),
        (b"- users:\n", "the kubeconfig is not a mapping"),
        (b"", "the kubeconfig is not a mapping"),
        (b"---\n---\nusers: []", "the kubeconfig is not a mapping"),
        (b"#" * (4 * 1024 * 1024 + 1), "the kubeconfig is larger than 4,194,304 bytes"),
        (b"users: " + b"[" * 100_000, "the kubeconfig is nested deeper than 64 levels"),
        (b"users: " + b"{a: " * 100_000, "the kubeconfig is nested deeper than 64 levels"),
        (b"users:\n" + b"- " * 100_000, "the kubeconfig is nested deeper than 64 levels"),
        (b'{"users": ' + b"[" * 100_000, "the kubeconfig is nested deeper than 64 levels"),
        (b"users: [" + b"a," * 200_000 + b"]", "the kubeconfig has more than 200,000 values"),
    ],
)
def test_what_cannot_be_read(either_parser, data, message):
    """The reason, as it follows `cannot read FILE: `, which never quotes the file."""
    began = time.monotonic()
    with pytest.raises(InputError) as refused:
        kubeconfig.read(data)
    assert refused.value.message == message
    assert "secret" not in refused.value.message
    assert refused.value.hint == HINT
    assert time.monotonic() - began < 20


def test_bombs(either_parser):
    """Repeated aliases, merges and cycles cost no more than the text that is written."""
    levels = "".join(f"l{at}: &l{at} [{', '.join([f'*l{at - 1}'] * 9)}]\n" for at in range(1, 40))
    laughs = f"l0: &l0 [a]\n{levels}users: *l39\n"
    assert kubeconfig.read(laughs.encode()).problems == [f"user number {at} is not a mapping" for at in range(1, 10)]
    merges = "".join(f"l{at}: &l{at} {{<<: [*l{at - 1}, *l{at - 1}]}}\n" for at in range(1, 40))
    assert kubeconfig.read(f"l0: &l0 {{a: b}}\n{merges}users: [*l39]".encode()).problems == [
        "user number 1 has a merge key (<<), which is not read"
    ]
    assert len(kubeconfig.read(b"users: &u [*u, *u]").problems) == 2
    sixties = "n: 1" + ":1" * 1_000_000 + "\nusers: []"
    assert kubeconfig.read(sixties.encode()) == Kubeconfig()


def test_a_certificate_shared_by_too_many(either_parser):
    """Through aliases a few bytes could stand for any number of certificates; no more are made than fit in a file."""
    shared = f"a: &a {{client-certificate-data: {'A' * 1_000_000}}}\nusers:\n"
    few, many = (shared + "- user: *a\n" * count for count in (4, 1000))
    assert len(kubeconfig.read(few.encode()).embedded) == 4
    with pytest.raises(InputError, match="the kubeconfig has too many certificates"):
        kubeconfig.read(many.encode())


@pytest.mark.parametrize(
    "text",
    [
        KUBEADM,
        MERGED,
        "kind: Config\nusers: []\n",
        "users:\n- name: a\n  user:\n    client-certificate-data: YQ==\n",
        "clusters:\r\n- cluster:\r\n    certificate-authority: ca.crt\r\n",
        '{"kind":"Config","clusters":[]}',
        '\n{\n  "clusters": [{"cluster": {"certificate-authority-data": "YQ=="}}]\n}',
        "# a comment\n%YAML 1.2\n--- # and another\n'apiVersion': v1\n'kind': 'Config'\n'users': []\n",
        "apiVersion: v1\nkind: Config # yes\nclusters: null\n",
    ],
)
def test_kubeconfigs_are_recognised(text):
    """YAML and JSON, with the file's parts in any order."""
    assert kubeconfig.is_kubeconfig(text.encode())


MANIFEST = "apiVersion: v1\nkind: ConfigMap\ndata:\n  kubeconfig: |\n    " + KUBEADM.replace("\n", "\n    ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "users",
        "-----BEGIN CERTIFICATE-----\nusers: kind: Config\n-----END CERTIFICATE-----\n",
        "# Title\n\nWrite this:\n\n" + KUBEADM,
        "certificate-authority-data: YQ==\n",
        "apiVersion: skaffold/v4beta11\nkind: Config\nbuild: {}\n",
        "users:\n- name: me\n  groups: wheel\n",
        '{"users": [{"name": "me"}]}',
        MANIFEST,
        "{" * 100_000 + "users",
        "#\n" * 100_000 + "users",
        " " * 100_000 + "clusters",
    ],
)
def test_other_files_are_not_taken_for_kubeconfigs(text):
    """Certificates, manuals, manifests with a kubeconfig inside, other tools' files."""
    assert not kubeconfig.is_kubeconfig(text.encode())


@SOME
@example(b"\xef\xbb\xbfusers: [\xf0\x90]")
@given(st.binary(max_size=200))
def test_rubbish(data):
    """Whatever the bytes, there is a result or a reason."""
    kubeconfig.is_kubeconfig(data)
    with contextlib.suppress(InputError):
        kubeconfig.read(data)


VALUES = st.recursive(
    st.none() | st.text(max_size=8) | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "user", "cluster"]), inner),
    max_leaves=8,
)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": VALUES,
            "user": VALUES | st.fixed_dictionaries({"client-certificate-data": VALUES}),
            "cluster": VALUES | st.fixed_dictionaries({"certificate-authority": VALUES}),
        },
    )
    | VALUES,
    max_size=4,
)


@SOME
@given(st.fixed_dictionaries({}, optional={"users": ENTRIES | VALUES, "clusters": ENTRIES | VALUES}))
def test_any_shape(document):
    """Whatever stands where, as YAML and as JSON, there is a result, and it is safe to show."""
    as_yaml = yaml.safe_dump(document, allow_unicode=True, default_flow_style=False).encode()
    for data in (as_yaml, json.dumps(document).encode()):
        found = kubeconfig.read(data)
        assert all(problem.isprintable() for problem in found.problems)
        assert all(isinstance(path, str) for _, path in found.references)


@SOME
@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1), st.binary(min_size=1)),
        unique_by=lambda item: item[0],
    ),
)
def test_what_is_embedded_comes_out(pairs):
    """Whatever the names are, and however PyYAML writes them."""
    entries = [{"name": name, "user": {"client-certificate-data": encoded(data)}} for name, data in pairs]
    found = kubeconfig.read(yaml.safe_dump({"kind": "Config", "users": entries}, allow_unicode=True).encode())
    assert [data for _, data in found.embedded] == [data for _, data in pairs]


def test_the_quick_look_is_quick(root):
    """A certificate is passed over in microseconds, and the largest file in no time."""
    pem, large = root.pem * 2, b"users clusters " + b"# users: \n" * 2_000_000
    began = time.process_time()
    for _ in range(10_000):
        kubeconfig.is_kubeconfig(pem)
    kubeconfig.is_kubeconfig(large)
    assert time.process_time() - began < 5
