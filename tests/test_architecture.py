"""The shape of the code: directions of imports, and who may do what."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "certkit"


def calls(tree, name):
    """Every call of a name or attribute in a module."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) == name
    ]


def modules():
    """Every module of the package, parsed, by its path in the package."""
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


def test_imports_point_down():
    """import-linter holds the contracts of pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=PACKAGE.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_secrets_are_revealed_in_few_places():
    """A secret's bytes are wanted where it is written, sent, used as a passphrase, or printed on request."""
    found = {name for name, tree in modules().items() if calls(tree, "reveal")}
    assert found == {
        *("files/content.py", "x509/keys.py", "x509/containers.py"),
        "vault/transport.py",
        *("stores/sealing.py", "stores/file/documents.py"),
        *(f"wise/{name}.py" for name in ("oauth_answers", "oauth", "oauth_state", "tokens")),
        "net/proxy.py",
        *("api/tokens.py", "api/csrs.py"),
        *(f"testing/{name}.py" for name in ("ca", "rehearsal")),
        *(f"wise/rehearsal/{name}.py" for name in ("authority", "tokens")),
        "wise/webhooks.py",
        *("probe/__init__.py", "identity/credentials.py", "identity/export.py"),
    }


def test_the_time_of_day_and_the_environment_belong_to_the_entry_points():
    """Everything below gets time and settings as arguments; the machine's proxy is part of its network."""
    source = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    clock = {name for name, text in source.items() if "datetime.now(" in text or "time.time(" in text}
    environment = {name for name, text in source.items() if "os.environ" in text}
    assert clock == {"cli/shared/inputs.py", "api/arguments.py"}
    entries = ("cli/", "api/", "terraform/provider/__init__.py")
    assert all(name.startswith(entries) for name in environment - {"net/proxy.py"})


# What writes to the disk outside of files/, and why it may.
WRITERS = {
    "api/context.py": "a certificate with an encrypted key, for OpenSSL to load where there is no memfd",
    "cli/boundary.py": "the null device",
    "cli/wise/rehearse.py": "the end of a pipe that a supervisor named",
    "identity/hooks.py": "a nameless file for the standard input of a program",
    "processes.py": "a pipe",
    "terraform/provider/server.py": "a directory for a socket",
    "testing/server.py": "the key of a server in other people's tests",
}
WRITING = re.compile(
    r"\bos\.(?:rename|replace|unlink|remove|mkdir|makedirs|f?chmod|f?chown|link|symlink|truncate|open)\("
    r"|\.(?:write_text|write_bytes|mkdir|touch|chmod|unlink|symlink_to)\("
    r"|\btempfile\.|\bshutil\.(?:rmtree|copy|move)|(?<![.\w])open\([^)]*[\"'][wax]"
)


def test_files_are_written_by_few_modules():
    """Keys and reports are written by files/, by descriptor; every other place is listed with what it writes."""
    source = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    found = {name for name, text in source.items() if WRITING.search(text) and not name.startswith("files/")}
    assert found == set(WRITERS)


def test_a_class_name_has_one_meaning():
    """Of public classes no two have the same name, whatever their modules."""
    names = Counter(
        node.name
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == set()


def imported(tree, known):
    """The modules of certkit that a module imports anywhere, if only for its types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in known)
        if isinstance(node, ast.ImportFrom) and node.module in known:
            below = {f"{node.module}.{each.name}" for each in node.names}
            yield from (below & known) or {node.module}


def test_no_module_imports_itself_in_a_circle():
    """Neither at run time nor for types: what depends on each other is one thing."""
    trees = {
        "certkit." + name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): tree
        for name, tree in modules().items()
    }
    graph = {name: {each for each in imported(tree, trees.keys()) if each != name} for name, tree in trees.items()}
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_the_map_for_contributors_leads_somewhere():
    """Every path that CONTRIBUTING.md names exists, but for those with a placeholder in capitals."""
    named = re.findall(
        r"`((?:certkit|policies|scripts|tests)/[\w/.]+)`", (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    )
    real = [path for path in named if not re.search(r"GROUP|NAME", path)]
    assert len(real) > 30
    assert [path for path in real if not (PACKAGE.parent / path).exists()] == []
