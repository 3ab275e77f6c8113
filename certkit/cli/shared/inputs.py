"""The input of commands: files and standard input, passphrases, keys, policies, the time."""

from __future__ import annotations

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
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from click.shell_completion import CompletionItem

    from certkit.csr.keyfile import HeldKey
    from certkit.findings import Finding
    from certkit.net.tls import Credentials
    from certkit.policy.rules import Policy
    from certkit.x509.certificate import Certificate
    from certkit.x509.names import SubjectOptions

Read = TypeVar("Read")
STDIN, STANDARD_INPUT = "-", "standard input"
SYSTEM = "system"
DEFAULT_POLICY = "general"
_CHUNK = 1024 * 1024
_MAX_SECRET_FILE = 64 * 1024
_MAX_CLIENT_SECRET = 1024
_MAX_TOKEN = 64 * 1024
# A terminal hands over lines of at most 4,096 bytes, and what is pasted arrives at once.
_MAX_LINE = 8192
_PAUSE_SECONDS = 0.3
_ALONE = "put the access token alone on one line"

passphrase_option = click.option(
    "--passphrase-file",
    metavar="FILE",
    help="Read the passphrase from this file's first line (or CERTKIT_PASSPHRASE).",
)


def complete_policies(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shell completion of policies: the names that are built in, and files."""
    from click.shell_completion import CompletionItem

    from certkit.policy import catalogue

    found = [CompletionItem(name) for name in catalogue.names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


policy_option = click.option(
    "--policy",
    "policy_name",
    metavar="POLICY",
    default=DEFAULT_POLICY,
    show_default=True,
    shell_complete=complete_policies,
    help="A policy's name (`certkit policy list`) or the path of a TOML file.",
)

policies_option = click.option(
    "--policy",
    "policy_names",
    metavar="POLICY",
    multiple=True,
    default=(DEFAULT_POLICY,),
    show_default=True,
    shell_complete=complete_policies,
    help="A policy's name (`certkit policy list`) or the path of a TOML file; may be repeated.",
)


class FileName(click.Path):
    """The name of a file, or `-`; whether it can be used is found out where it is used, by name."""

    def __init__(self) -> None:
        super().__init__(path_type=str, allow_dash=True, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name; an empty one, as from a variable that is not set, is bad usage."""
        if value in {"", b""}:
            self.fail("the file name is empty", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A number of seconds, within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; what calls itself not a number (NaN) is within no bounds, and none."""
        found = super().convert(value, param, ctx)
        if found != found:  # noqa: PLR0124  that is how NaN tells
            self.fail("not a number", param, ctx)
        return found


def timeout_option(words: str, *, most: float = 3600, **attributes: Any) -> Callable[[Any], Any]:
    """The option for how long others may take."""
    seconds = Seconds(min=0.1, max=most)
    return click.option(
        "--timeout", metavar="SECONDS", type=seconds, default=10.0, show_default=True, help=words, **attributes
    )


def _use_proxy(context: click.Context, _: click.Parameter, url: str | None) -> None:
    """Have every connection of this command use a proxy, as CERTKIT_PROXY does; an empty URL means none.

    Raises:
        InputError: if it holds a user and a password, for every user of this machine can read arguments.
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


def subject_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what a CSR contains."""
    for option in reversed(_SUBJECT):
        command = option(command)
    return command


_SUBJECT = (
    click.option("--organization", default="", metavar="O", help="The organization's legal name."),
    click.option("--country", default="", metavar="C", help="Country code, such as GB."),
    click.option("--state", default="", metavar="ST", help="State or province."),
    click.option("--locality", default="", metavar="L", help="City."),
    click.option("--unit", "units", multiple=True, metavar="OU", help="Organizational unit; may be repeated."),
    click.option("--common-name", default="", metavar="CN", help="Common name; some partners replace it."),
    click.option("--email", default="", metavar="ADDRESS", help="E-mail address in the subject."),
    click.option(
        "--subject",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any attribute by name or OID, in this order, instead of the options above; may be repeated.",
    ),
    click.option(
        "--san",
        multiple=True,
        metavar="NAME",
        help="Alternative name: DNS:x, IP:x, email:x, URI:x or others; may be repeated.",
    ),
    click.option(
        "--key-usage", multiple=True, metavar="USAGE", help="Key usage, such as digitalSignature; may be repeated."
    ),
    click.option(
        "--extended-key-usage",
        multiple=True,
        metavar="USAGE",
        help="Extended key usage, such as clientAuth, or an OID; may be repeated.",
    ),
    click.option(
        "--qc-type", multiple=True, metavar="TYPE", help="Type of a qualified certificate: web, eseal or esign."
    ),
    click.option(
        "--psd2-role",
        multiple=True,
        metavar="ROLE",
        help="PSD2 role: PSP_AS, PSP_PI, PSP_AI or PSP_IC; may be repeated.",
    ),
    click.option("--psd2-authority", default="", metavar="NAME", help="Name of the competent authority (PSD2)."),
    click.option(
        "--psd2-authority-id", default="", metavar="ID", help="Id of the competent authority, such as GB-FCA."
    ),
)
SUBJECT_OPTIONS = (
    *("organization", "country", "state", "locality", "units", "common_name", "email", "subject", "san"),
    *("key_usage", "extended_key_usage", "qc_type", "psd2_role", "psd2_authority", "psd2_authority_id"),
)


def subject(options: Mapping[str, Any]) -> SubjectOptions:
    """Return what those options ask for.

    Raises:
        InputError: if a value cannot be part of a CSR.
    """
    from certkit.x509 import names

    found = names.SubjectOptions(**{name: options[name] for name in SUBJECT_OPTIONS})
    for san in found.san:
        names.parse_san(san)
    return found


def file_argument(name: str, **attributes: Any) -> Callable[[Any], Any]:
    """An argument that names files; `-` is standard input."""
    return click.argument(name, type=FileName(), **attributes)


def file_option(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option that names a file."""
    return click.option(*names, type=FileName(), **attributes)


def now() -> datetime:
    """The time of day, in UTC."""
    return datetime.now(UTC)


def read(reference: str) -> bytes:
    """The bytes of a file, or of standard input for `-`.

    Raises:
        InputError: if it cannot be read.
    """
    from certkit.files import reading

    explain(f"reading {'standard input' if reference == STDIN else reference}")
    if reference != STDIN:
        return reading.read(reference)
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", hint="name a file")
    if is_terminal():
        return _pasted()
    try:
        return reading.read_stream(sys.stdin.buffer, name="standard input")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read standard input: {reason}", hint="name a file") from error


def _pasted() -> bytes:
    """What a person pastes: PEM up to its last END line, or anything up to one Ctrl-D."""
    click.echo("Paste the text, then press Ctrl-D (a PEM block ends at its END line):", err=True)
    lines: list[bytes] = []
    while line := sys.stdin.buffer.readline(_MAX_LINE):
        lines.append(line)
        # The rest of what was pasted at once is here already; a further block follows without a pause.
        if line.strip().startswith(b"-----END ") and not select.select([sys.stdin], [], [], _PAUSE_SECONDS)[0]:
            break
        if not line.endswith(b"\n"):  # Ctrl-D after a text without a line ending
            break
    return b"".join(lines)


def data(reference: str | None) -> Any:
    """What a file option names, for `certkit.api`: a path, the bytes of standard input, or None."""
    from pathlib import Path

    if reference is None or reference == STDIN:
        return reference and read(STDIN)
    explain(f"reading {reference}")
    return Path(reference)


def typed(text: str) -> str:
    """A text of the command line, or what standard input has for `-`."""
    return read(STDIN).decode("utf-8", "replace").strip() if text == STDIN else text


def chunks() -> Iterator[bytes]:
    """Standard input, a chunk at a time.

    Raises:
        InputError: if standard input is closed.
    """
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", hint="name a file")
    waiting: list[bytes] = []
    while chunk := _next_bytes(sys.stdin.fileno()):
        waiting.append(chunk)
        if sum(map(len, waiting)) >= _CHUNK:
            yield b"".join(waiting)
            waiting = []
    yield b"".join(waiting)


def _next_bytes(file: int) -> bytes:
    """What comes next; waits for it, also where the other end of the pipe made it one that does not wait."""
    while True:
        try:
            return os.read(file, _CHUNK)
        except BlockingIOError:
            select.select([file], [], [])


def policy(reference: str) -> Policy:
    """Return the policy of that name or at that path; a retired one is pointed out once.

    Raises:
        PolicyError: if there is none, or it breaks the format.
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


def anchors(references: Sequence[str]) -> list[Certificate] | None:
    """The certificates to trust: those of files, of directories, or of the system; None where nothing was named.

    Raises:
        InputError: if one cannot be read, or holds no certificate.
    """
    from certkit.api import arguments

    return arguments.anchors(map(trusted, references)) if references else None


def trusted(reference: str) -> Any:
    """What --ca names, for `certkit.api`: a path, bytes of standard input, or `system`."""
    return reference if reference == SYSTEM else data(reference)


def passphrase(file: str | None) -> Secret | None:
    """The passphrase from a file's first line or from CERTKIT_PASSPHRASE; None if there is neither.

    Raises:
        InputError: if the file cannot be read, or the passphrase is empty or too long.
    """
    from certkit.secret import MAX_PASSPHRASE_BYTES

    return _secret(file, "CERTKIT_PASSPHRASE", "passphrase", limit=MAX_PASSPHRASE_BYTES)


def _secret(file: str | None, variable: str, what: str, *, limit: int = _MAX_SECRET_FILE) -> Secret | None:
    """The first line of a file, or a variable; None if there is neither."""
    if file is not None:
        from certkit.files import reading

        data = read(file) if file == STDIN else reading.read(file, limit=_MAX_SECRET_FILE)
        return _checked(data.split(b"\n", 1)[0].removesuffix(b"\r"), file, what, limit=limit)
    if os.environ.get(variable):
        return _checked(os.fsencode(os.environ[variable]), variable, what, limit=limit)
    return None


def _checked(value: bytes, where: str, what: str, *, limit: int) -> Secret:
    if not value:
        raise InputError(f"the {what} in {where} is empty", hint=f"put the {what} in the first line")
    if len(value) > limit:
        raise InputError(f"the {what} in {where} is longer than {limit} bytes", hint="check that it is the right file")
    return Secret(value)


def client_secret(file: str | None) -> Secret | None:
    """The client secret from a file's first line or from CERTKIT_CLIENT_SECRET; None if there is neither.

    Raises:
        InputError: if the file cannot be read, or the secret is empty or too long.
    """
    return _secret(file, "CERTKIT_CLIENT_SECRET", "client secret", limit=_MAX_CLIENT_SECRET)


def required_client_secret(file: str | None) -> Secret:
    """The same, asked for on a terminal where there is neither.

    Raises:
        InputError: if there is no terminal, or the secret is empty or too long.
    """
    secret = client_secret(file)
    if secret is not None:
        return secret
    if not is_terminal():
        hint = "give --client-secret-file FILE, or set CERTKIT_CLIENT_SECRET"
        raise InputError("no client secret given, and no terminal to ask for it", hint=hint)
    asked = click.prompt("Client secret", hide_input=True, err=True, default="", show_default=False)
    given = asked.encode("utf-8", "surrogateescape")
    return _checked(given, "the terminal", "client secret", limit=_MAX_CLIENT_SECRET)


def private_key(reference: str, secret: Secret | None) -> HeldKey:
    """Return the private key of a file or standard input, and the finding about the file.

    Raises:
        PassphraseError: if it is locked, and the passphrase is missing or wrong.
        InputError: if it cannot be read or used.
    """
    from certkit.api import arguments

    given = data(reference)
    return _unlocked(lambda known: arguments.held_key(given, known, STANDARD_INPUT), secret, reference)


def pair(cert: str, key: str | None, secret: Secret | None) -> tuple[bytes, HeldKey]:
    """Return certificates (PEM) and their private key, of two files or of one, and the finding about the key's file.

    Raises:
        PassphraseError: if one is locked, and the passphrase is missing or wrong.
        InputError: if one cannot be read or used.
    """
    from certkit.api import arguments
    from certkit.identity.install import pem

    given, other = data(cert), None if key in {None, cert} else data(key)
    chain, held = _unlocked(lambda known: arguments.pair(given, other, known), secret, key or cert)
    return pem(chain), held


def _unlocked(read: Callable[[Secret | None], Read], secret: Secret | None, name: str) -> Read:
    """Return what is read with a passphrase; a person at a terminal is asked for one that is missing."""
    try:
        return read(secret)
    except PassphraseError:
        if secret is not None or name == STDIN or not is_terminal():
            raise
    asked: str = click.prompt(f"Passphrase of {name}", hide_input=True, err=True)
    return read(Secret(asked.encode("utf-8", "surrogateescape")))


def credentials(cert: str, key: str, secret: Secret | None) -> tuple[Credentials, Finding]:
    """Return a client certificate with those above it and its private key, and the finding about the key's file.

    Raises:
        InputError: if one cannot be read, or they do not belong together.
    """
    from certkit.net.tls import Credentials
    from certkit.x509 import objects

    chain, held = pair(cert, key, secret)
    return Credentials.of(held.key, objects.certificates(chain, name=cert)), held.file


def token(file: str | None) -> Secret | None:
    """The access token from a file's first line or from CERTKIT_TOKEN; None if there is neither.

    Raises:
        InputError: if the file cannot be read, or does not contain a token.
    """
    found = _secret(file, "CERTKIT_TOKEN", "token", limit=_MAX_TOKEN)
    if found is not None and not found.is_one_word:
        raise InputError(f"the token in {file or 'CERTKIT_TOKEN'} is not one word of visible ASCII", hint=_ALONE)
    return found


def is_terminal() -> bool:
    """Return whether there is a terminal to ask a person on."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()
