"""The input of commands: files, standard input, passphrases, keys, policies and the time."""

from __future__ import annotations

import functools
import os
import select
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from certkit.cli.shared.output import explain
from certkit.errors import InputError, PassphraseError
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.shell_completion import CompletionItem

    from certkit.cli.shared.output import Output
    from certkit.csr.keyfile import HeldKey
    from certkit.policy.rules import Policy

Read = TypeVar("Read")
STDIN = "-"
_STANDARD_OUTPUT = {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}
DEFAULT_POLICY = "general"
_CHUNK = 1024 * 1024
_MAX_CLIENT_SECRET = 1024
_MAX_SECRET = 64 * 1024
# A terminal returns at most 4,096 bytes of a line, and pasted text arrives without pauses.
_MAX_LINE = 8192
_PAUSE_SECONDS = 0.3


def complete_policies(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete policies in the shell: the built-in names, and files."""
    from click.shell_completion import CompletionItem

    from certkit.policy import catalogue

    found = [CompletionItem(name) for name in catalogue.names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


_policy_option = functools.partial(
    click.option, "--policy", metavar="POLICY", show_default=True, shell_complete=complete_policies
)
_POLICY_HELP = "A policy's name (`certkit policy list`) or the path of a TOML file"
policy_option = _policy_option("policy_name", default=DEFAULT_POLICY, help=f"{_POLICY_HELP}.")
policies_option = _policy_option(
    "policy_names", multiple=True, default=(DEFAULT_POLICY,), help=f"{_POLICY_HELP}; may be repeated."
)


class FileName(click.Path):
    """The name of a file, or `-` if the command reads or writes a stream. Its use checks whether it can be read."""

    def __init__(self, *, allow_dash: bool = True) -> None:
        super().__init__(path_type=str, allow_dash=allow_dash, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name; an empty one, as from an unset variable, is bad usage."""
        if value in {"", b""}:
            self.fail("the file name is empty", param, ctx)
        if value == STDIN and not self.allow_dash:
            where = param.get_error_hint(ctx).strip("'") if param and ctx else "it"
            raise InputError(f"{where} needs a name, not -", hint="give ./- if that is its name")
        return super().convert(value, param, ctx)


class OutputName(FileName):
    """The name of a file to write or replace."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name; that of a directory is refused."""
        from certkit.files.writing import file_path

        found = super().convert(value, param, ctx)
        file_path(found)
        return found


class NewFileName(OutputName):
    """The name of a file to create; `-` is standard output, and so is `/dev/stdout`, which cannot be created."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name."""
        return super().convert(STDIN if value in _STANDARD_OUTPUT else value, param, ctx)


def _filled(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return the value of an option; an empty one, as from an unset variable, is bad usage."""
    if value == "":
        raise click.BadParameter("it is empty", param=parameter)
    return value


filled_option = functools.partial(click.option, callback=_filled)
filled_argument = functools.partial(click.argument, callback=_filled)


class Seconds(click.FloatRange):
    """A number of seconds within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; NaN is rejected, although comparing it with the bounds would not."""
        found = super().convert(value, param, ctx)
        if found != found:  # noqa: PLR0124  that is how NaN tells
            self.fail("not a number", param, ctx)
        return found


def timeout_option(words: str, *, most: float = 3600, **attributes: Any) -> Callable[[Any], Any]:
    """Return the option --timeout, in seconds."""
    seconds = Seconds(min=0.1, max=most)
    return click.option(
        "--timeout", metavar="SECONDS", type=seconds, default=10.0, show_default=True, help=words, **attributes
    )


def _use_proxy(context: click.Context, _: click.Parameter, url: str | None) -> None:
    """Make every connection of this command use a proxy, as CERTKIT_PROXY does; an empty URL means none.

    Raises:
        InputError: if it contains a user and a password, because every user of this machine can read arguments.
    """
    if url is None:
        return
    if "@" in url:
        hint = "other users can read arguments: put the URL in CERTKIT_PROXY"
        raise InputError("--proxy contains a user name and a password", hint=hint)
    before = os.environ.get(_PROXY)
    os.environ[_PROXY] = url
    context.call_on_close(lambda: os.environ.pop(_PROXY) if before is None else os.environ.update({_PROXY: before}))


_PROXY = "CERTKIT_PROXY"
proxy_option = click.option(
    "--proxy",
    metavar="URL",
    expose_value=False,
    callback=_use_proxy,
    help="Proxy for all connections, http://HOST:PORT (default: CERTKIT_PROXY or https_proxy; empty: none).",
)


# The contents of a CSR: the option for each part, the placeholder of its value, and its help.
_SUBJECT = {
    "organization": ("--organization", "O", "The organization's legal name."),
    "country": ("--country", "C", "Country code, such as GB."),
    "state": ("--state", "ST", "State or province."),
    "locality": ("--locality", "L", "City."),
    "units": ("--unit", "OU", "Organizational unit; may be repeated."),
    "common_name": ("--common-name", "CN", "Common name; some partners replace it."),
    "email": ("--email", "ADDRESS", "E-mail address in the subject."),
    "subject": (
        "--subject",
        "NAME=VALUE",
        "Any attribute by name or OID, in this order, instead of the options above; may be repeated.",
    ),
    "san": ("--san", "NAME", "Alternative name: DNS:x, IP:x, email:x, URI:x or others; may be repeated."),
    "key_usage": ("--key-usage", "USAGE", "Key usage, such as digitalSignature; may be repeated."),
    "extended_key_usage": (
        "--extended-key-usage",
        "USAGE",
        "Extended key usage, such as clientAuth, or an OID; may be repeated.",
    ),
    "qc_type": ("--qc-type", "TYPE", "Type of a qualified certificate: web, eseal or esign."),
    "psd2_role": ("--psd2-role", "ROLE", "PSD2 role: PSP_AS, PSP_PI, PSP_AI or PSP_IC; may be repeated."),
    "psd2_authority": ("--psd2-authority", "NAME", "Name of the competent authority (PSD2)."),
    "psd2_authority_id": ("--psd2-authority-id", "ID", "Id of the competent authority, such as GB-FCA."),
}
_REPEATED = {"units", "subject", "san", "key_usage", "extended_key_usage", "qc_type", "psd2_role"}
SUBJECT_OPTIONS = tuple(_SUBJECT)


def subject_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for the contents of a CSR, named as in `SUBJECT_OPTIONS`."""
    for name, (option, metavar, text) in reversed(_SUBJECT.items()):
        repeated: dict[str, Any] = {"multiple": True} if name in _REPEATED else {"default": ""}
        command = click.option(option, name, metavar=metavar, help=text, **repeated)(command)
    return command


# An argument or option that names files; `-` is standard input, or standard output for a new file. A `named` one is a
# file or directory that no stream can stand for.
file_argument = functools.partial(click.argument, type=FileName())
file_option = functools.partial(click.option, type=FileName())
new_file_option = functools.partial(click.option, type=NewFileName())
named_option = functools.partial(click.option, type=FileName(allow_dash=False))
output_option = functools.partial(click.option, type=OutputName())
named_output_option = functools.partial(click.option, type=OutputName(allow_dash=False))


passphrase_option = file_option(
    "--passphrase-file",
    metavar="FILE",
    help="Read the passphrase from this file's first line (or CERTKIT_PASSPHRASE).",
)


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def read(reference: str) -> bytes:
    """Return the bytes of a file, or of standard input for `-`.

    Raises:
        InputError: if it cannot be read.
    """
    from certkit.files import reading

    explain(f"reading {'standard input' if reference == STDIN else reference}")
    if reference != STDIN:
        return reading.read(reference)
    if is_terminal():
        return _pasted()
    _require_unread()
    return reading.standard_input()


def _require_unread() -> None:
    """Refuse to read standard input a second time, when it is empty.

    Raises:
        InputError: if this command has read it.
    """
    context = click.get_current_context(silent=True)
    known = {} if context is None else context.meta
    if known.setdefault(__name__, 0):
        raise InputError("- is given more than once, and standard input can be read only once", hint="name a file")
    known[__name__] = 1


def _pasted() -> bytes:
    """Return pasted text: PEM up to its last END line, or anything up to one Ctrl-D."""
    click.echo("Paste the text, then press Ctrl-D (a PEM block ends at its END line):", err=True)
    lines: list[bytes] = []
    while line := sys.stdin.buffer.readline(_MAX_LINE):
        lines.append(line)
        # Pasted text arrives at once, so a pause after an END line means that no further block follows.
        if line.strip().startswith(b"-----END ") and not select.select([sys.stdin], [], [], _PAUSE_SECONDS)[0]:
            break
        if not line.endswith(b"\n"):  # Ctrl-D after a text without a line ending
            break
    return b"".join(lines)


class _StandardInput(bytes):
    """The bytes of standard input, which messages name so."""

    name = "standard input"


def data(reference: str | None) -> Any:
    """Return the value of a file option as `certkit.api` takes it: a path, the bytes of standard input, or None."""
    from pathlib import Path

    if reference is None:
        return None
    if reference == STDIN:
        return _StandardInput(read(STDIN))
    explain(f"reading {reference}")
    return Path(reference)


def require_no_json(output: Output) -> None:
    """Refuse --json for a result that `--out -` prints.

    Raises:
        InputError: if --json is given.
    """
    if output.as_json:
        raise InputError("--out - and --json both write to standard output", hint="give --out a file")


def typed(text: str) -> str:
    """Return an argument's value, or the text on standard input for `-`."""
    return read(STDIN).decode("utf-8", "replace").strip() if text == STDIN else text


def chunks() -> Iterator[bytes]:
    """Yield standard input chunk by chunk.

    Raises:
        InputError: if standard input is closed.
    """
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", hint="name a file")
    _require_unread()
    waiting: list[bytes] = []
    while chunk := _next_bytes(sys.stdin.fileno()):
        waiting.append(chunk)
        if sum(map(len, waiting)) >= _CHUNK:
            yield b"".join(waiting)
            waiting = []
    yield b"".join(waiting)


def _next_bytes(file: int) -> bytes:
    """Return the next bytes of standard input; wait for them even if another process made the pipe non-blocking."""
    while True:
        try:
            return os.read(file, _CHUNK)
        except BlockingIOError:
            select.select([file], [], [])


def policy(reference: str) -> Policy:
    """Return the policy with that name or at that path; warn once if it is retired.

    Raises:
        PolicyError: if there is no such policy, or the file breaks the format.
    """
    from certkit.policy import catalogue

    found = catalogue.load(reference)
    context = click.get_current_context(silent=True)
    shown = set() if context is None else context.find_root().meta.setdefault("certkit.policies", set())
    if found.name not in shown:
        shown.add(found.name)
        explain(f"policy {found.name}, {'built in' if found.name == reference else reference}: {found.title}")
        if found.retired is not None:
            click.echo(f"certkit: warning: {found.retirement}", err=True)
    return found


def trusted(reference: str) -> Any:
    """Return the value of --ca as `certkit.api` takes it: a path, the bytes of standard input, or `system`."""
    return reference if reference == "system" else data(reference)


def passphrase(file: str | None) -> Secret | None:
    """Return the passphrase from a file's first line, else from CERTKIT_PASSPHRASE, else None.

    Raises:
        InputError: if the file cannot be read, or the passphrase is empty or too long.
    """
    from certkit.secret import MAX_PASSPHRASE_BYTES

    return _secret(file, "CERTKIT_PASSPHRASE", "passphrase", limit=MAX_PASSPHRASE_BYTES)


def _secret(file: str | None, variable: str, what: str, *, limit: int = _MAX_SECRET) -> Secret | None:
    """Return the first line of a file or of standard input, else the value of a variable, else None."""
    if file is None and not os.environ.get(variable):
        return None
    if file == STDIN and is_terminal():
        return _asked(what, limit=limit)
    from certkit.api import arguments

    given = read(STDIN) if file == STDIN else None
    name = file if given is None else _StandardInput.name
    return arguments.secret_line(name, os.environ, variable, what, given=given, limit=limit)


def _asked(what: str, *, limit: int) -> Secret:
    """Return a secret that is typed at a hidden prompt."""
    from certkit.api import arguments

    asked = click.prompt(what.capitalize(), hide_input=True, err=True, default="", show_default=False)
    return arguments.checked_secret(asked.encode("utf-8", "surrogateescape"), "the terminal", what, limit=limit)


def client_secret(file: str | None) -> Secret | None:
    """Return the client secret from a file's first line, else from CERTKIT_CLIENT_SECRET, else None.

    Raises:
        InputError: if the file cannot be read, or the secret is empty or too long.
    """
    return _secret(file, "CERTKIT_CLIENT_SECRET", "client secret", limit=_MAX_CLIENT_SECRET)


def required_client_secret(file: str | None) -> Secret:
    """Return the client secret as `client_secret` does, but prompt for it on a terminal if there is none.

    Raises:
        InputError: if there is no terminal, or the secret is empty or too long.
    """
    secret = client_secret(file)
    if secret is not None:
        return secret
    if not is_terminal():
        hint = "give --client-secret-file FILE, or set CERTKIT_CLIENT_SECRET"
        raise InputError("no client secret given, and no terminal to ask for it", hint=hint)
    return _asked("client secret", limit=_MAX_CLIENT_SECRET)


def private_key(reference: str, secret: Secret | None) -> HeldKey:
    """Return the private key in a file or on standard input, and the finding about the file.

    Raises:
        PassphraseError: if the key is encrypted, and the passphrase is missing or wrong.
        InputError: if the key cannot be read or used.
    """
    from certkit.api import arguments

    given = data(reference)
    return _unlocked(lambda known: arguments.held_key(given, known, "standard input"), secret, reference)


def pair(cert: str, key: str | None, secret: Secret | None, **options: str) -> tuple[bytes, HeldKey]:
    """Return certificates (PEM) and their private key, from one or two files, and the finding about the key file.

    Raises:
        PassphraseError: if a file is encrypted, and the passphrase is missing or wrong.
        InputError: if a file cannot be read or used.
    """
    from certkit.api import arguments
    from certkit.x509.certificate import to_pem

    given, other = data(cert), None if key in {None, cert} else data(key)
    chain, held = _unlocked(lambda known: arguments.pair(given, other, known, **options), secret, key or cert)
    return to_pem(chain), held


def _unlocked(read: Callable[[Secret | None], Read], secret: Secret | None, name: str) -> Read:
    """Return the result of reading with a passphrase; on a terminal, prompt for a missing one."""
    try:
        return read(secret)
    except PassphraseError:
        if secret is not None or name == STDIN or not is_terminal():
            raise
    asked: str = click.prompt(f"Passphrase for {name}", hide_input=True, err=True)
    return read(Secret(asked.encode("utf-8", "surrogateescape")))


def token(file: str | None) -> Secret | None:
    """Return the access token from a file's first line, else from CERTKIT_TOKEN, else None.

    Raises:
        InputError: if the file cannot be read, or does not contain a token.
    """
    found = _secret(file, "CERTKIT_TOKEN", "token")
    if found is not None and not found.is_one_word:
        hint = "put the access token alone on one line"
        raise InputError(f"the token in {file or 'CERTKIT_TOKEN'} is not one word of visible ASCII", hint=hint)
    return found


def is_terminal() -> bool:
    """Return whether standard input and standard error are a terminal, so that a person can be prompted."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()
