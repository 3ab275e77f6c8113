"""How certkit speaks: words that no text uses, options that hints name, lines that fit into a terminal."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from pathlib import Path

import click
import pytest

from certkit.cli.shared.commands import certkit as program
from certkit.report.hints import with_store
from certkit.report.wrapping import wrapped

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "certkit"

# Words that are hardly ever the right ones, and what to write instead.
WORDS = {
    (
        r"(?:cannot|could not|can't) (?:read|write|use|find|look|tell|reach|connect|judge|trust|check|install)\b,"
        r" (?!or|nor|by)"
    ): ("no comma between verb and object"),
    r"^(?:refused|usage), ": "name what was refused",
    r"(?<!there )\b(?:is|are) none\b": "name the thing: is not a client id",
    r"\b[Nn]obody\b": "no one, or the passive",
    r"\b[Ss]omebody\b": "someone, another user, another process",
    r"\btold\b(?! apart)": "reported, given",
    r"\blest\b": "so that … not",
    r"\banew\b": "again",
    r"\bbe it\b": "whether",
    r"\bmend\b": "fix",
    r"\ball in all\b": "in total",
    r"\bagain and again\b": "repeatedly",
    r"\bpass(?:es|ed)? over\b": "skip",
    r"\b(?:one )?of both(?=[.,;:)\"]|$)": "of the two",
    r"\b(?:looked|look) at\b(?! the clock)": "checked, read",
    r"\b(?:ends?|ended|all is|what is|is) well\b(?! known)": "OK, succeeds",
    r"\bcome(?:s)? to light\b": "is found",
    r"(?m)^ +[A-Z]\w*Error: (?:it|there|they|one|nothing|what)\b": "name the condition: if …",
}


def text_of(node: ast.expr) -> str | None:
    """The text of a string, with `{}` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    return None


def strings(source: str) -> list[str]:
    """Every string of a module, docstrings included; an f-string once, as a whole."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.expr) and id(node) not in parts)
    return [text for node in nodes if (text := text_of(node))]


def comments(source: str) -> list[str]:
    """Every comment of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


@functools.cache
def texts() -> list[tuple[str, str]]:
    """Every string and comment of the package, with its module."""
    sources = {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    return [(name, text) for name, source in sources.items() for text in [*strings(source), *comments(source)]]


@pytest.mark.parametrize("pattern", WORDS)
def test_words_that_no_text_uses(pattern):
    """Neither a message, a hint, a help text, a docstring nor a comment."""
    found = [
        f"{name}: …{text[max(0, match.start() - 40) : match.end() + 40]!r}…"
        for name, text in texts()
        for match in re.finditer(pattern, text)
    ]
    assert not found, f"{WORDS[pattern]}:\n" + "\n".join(found)


def docstrings(source: str) -> list[str]:
    """The docstrings of a module, its classes and its functions."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


# Of the words above, those that docstrings and comments of tests do not use either.
TESTED = re.compile(
    r"\b(?:[Nn]obody|[Ss]omebody|lest|anew|be it|mends?|(?<!there )is none)\b"
    r"|\btold\b(?! (?:to|otherwise))|\b(?:what|all|rest) is well\b"
)


def test_words_that_no_test_is_described_with():
    """In docstrings and comments; data and names of tests are free."""
    sources = {path: path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)}
    found = [
        f"{path.relative_to(TESTS)}: {text}"
        for path, source in sorted(sources.items())
        for text in [*docstrings(source), *comments(source)]
        if TESTED.search(text)
    ]
    assert not found, "\n".join(found)


def commands(command: click.Command = program, path: str = "certkit") -> list[tuple[str, click.Context]]:
    """Every command with its path."""
    context = click.Context(command, info_name=path, terminal_width=80)
    found = [(path, context)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += commands(below, f"{path} {name}")
    return found


def options(command: click.Command) -> set[str]:
    """The options of a command."""
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}


def test_commands_in_texts_exist_and_have_the_options_they_are_shown_with():
    """In hints, help texts and docstrings alike."""
    known = {path: options(context.command) for path, context in commands()}
    wrong = []
    for name, text in texts():
        for match in re.finditer(r"(?<![\w./-])certkit ([a-z][a-z -]*)([^`;\n]*)", text):
            words = match[1].split(" ")
            depth = next((n for n in range(len(words), 0, -1) if " ".join(["certkit", *words[:n]]) in known), 0)
            if not depth:
                continue
            path = " ".join(["certkit", *words[:depth]])
            named = re.findall(r"(?<=[ (])--[a-z][a-z-]*", re.split(r", or |\bwithout\b|\. ", match[0])[0])
            wrong += [f"{name}: {path} has no {each}" for each in named if each not in known[path]]
    assert not wrong, "\n".join(wrong)


def test_options_in_texts_exist():
    """A message never advises an option that no command of certkit's or of the tools it names has."""
    known = set().union(*(options(context.command) for _, context in commands()))
    foreign = {"--listen", "--target"}  # of ghostunnel
    wrong = [
        f"{name}: {option}"
        for name, text in texts()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+(?![\w{:)-])", text)
        if option not in known | foreign
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("path", "context"), [pytest.param(*each, id=each[0]) for each in commands()])
def test_help_fits_into_a_terminal(path, context):
    """No line is longer than 80 columns, an example included; nor than 50, unless it has no place to break at."""
    long = [line for line in context.get_help().splitlines() if len(line) > 80]
    narrow = click.Context(context.command, info_name=path, terminal_width=50).get_help()
    long += [line for line in narrow.splitlines() if len(line) > 50 and not re.match(r" +(certkit (?!.* --)|--)", line)]
    assert not long, "\n".join(long)


def test_help_in_a_narrow_terminal_leaves_nothing_out():
    """A list of choices goes on after a |, what has none is broken anywhere, and an example can still be pasted."""
    formatter = click.Context(program).make_formatter()
    formatter.width = 20
    formatter.write_dl([("--type [one|two|three]", "Type."), ("--" + "x" * 30, "Other.")])
    formatter.write(
        "    certkit key generate \\\n        --type ec-p256 --out KEY\n    certkit completion bash > a/b\n"
    )
    assert formatter.getvalue().splitlines() == [
        "--type [one|two|",
        "three]",
        "  Type.",
        "--" + "x" * 18,
        "x" * 12,
        "  Other.",
        "    certkit key generate \\",
        "    --type ec-p256 --out KEY",
        "    certkit completion bash > a/b",
    ]


WIDE = """\
acme.pem for wise-sandbox: critical
  critical  chain                the chain ends at CN=Partner Root CA,O=Partner, which is not one of the trusted CAs
                                 -> check that the certificate and --ca belong to the same partner and environment
Then: certkit wise setup acme --environment sandbox --client-id acme --redirect-uri https://acme.example/wise
  1. Log in to Wise's Developer Hub for this environment and open the section Authentication.
"""
NARROW = """\
acme.pem for wise-sandbox: critical
  critical  chain                the chain ends at CN=Partner Root CA,O=Partner,
                                 which is not one of the trusted CAs
                                 -> check that the certificate and --ca belong
                                    to the same partner and environment
Then: certkit wise setup acme --environment sandbox --client-id acme \\
  --redirect-uri https://acme.example/wise
  1. Log in to Wise's Developer Hub for this environment and open the section
     Authentication.
"""


def test_text_is_wrapped():
    """Between words and under its column; a command goes on after a backslash, as in a shell."""
    assert wrapped(WIDE, 80) == NARROW
    assert wrapped(WIDE, 200) == WIDE
    sentence = f"-> start with certkit wise setup acme --store file:{'s' * 20}, unless the tokens are kept elsewhere\n"
    assert wrapped(sentence, 60).splitlines()[1:] == [
        f"   --store file:{'s' * 20}, unless the tokens are",
        "   kept elsewhere",
    ]
    quoted = "-> make it private: chmod 600 'my store/acme/generations/0001/key.pem'\n"
    assert "'my store/acme/generations/0001/key.pem'" in wrapped(quoted, 50)
    padded = f"STATUS  {'SOURCE':60}  SUBJECT\n"
    assert wrapped(padded, 70) == "STATUS  SOURCE  SUBJECT\n"
    assert wrapped(f"{'x' * 35}  CN=certkit test of names,O=Acme\n", 50).splitlines()[0].endswith("CN=certkit")


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        (
            "then: certkit identity install acme CERT",
            "then: certkit identity install acme CERT --store 'file:my store'",
        ),
        ("`certkit identity show acme`", "`certkit identity show acme --store 'file:my store'`"),
        ("certkit identity renew acme --force", "certkit identity renew acme --store 'file:my store' --force"),
        ("certkit wise token refresh, or", "certkit wise token refresh --store 'file:my store', or"),
        ("certkit store migrate --store file:x", "certkit store migrate --store file:x"),
        ("see `certkit identity renew --help`", "see `certkit identity renew --help`"),
        ("certkit csr create", "certkit csr create"),
    ],
)
def test_a_hint_repeats_the_store(hint, shown):
    """In the commands that take one, quoted for the shell."""
    assert with_store(hint, "file:my store") == shown
    assert with_store(hint, None) == hint
