"""`certkit wise rehearse`: a stand-in for Wise on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

DEFAULT_PORT = 8790
_CLIENT_ID = re.compile(r"[!-9;-~]{1,64}")
# Without query and fragment, because the code is appended to the path.
_REDIRECT_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]{1,1000}")
_FURTHEST_BACK, _FURTHEST_ON = timedelta(days=-4 * 365), timedelta(days=15 * 365)


@click.command()
@inputs.named_option(
    "--dir",
    "directory",
    metavar="DIR",
    help="Directory of the rehearsal, created or resumed.  [default: in the user's state directory]",
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65533),
    default=DEFAULT_PORT,
    show_default=True,
    help="First of three consecutive ports; 0 uses free ones.",
)
@click.option("--client-id", metavar="ID", help="Client id to accept.  [default: rehearsal-client]")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    metavar="URI",
    help="Redirect URI to accept; may be repeated.  [default: a page of the rehearsal]",
)
@click.option(
    "--clock-offset",
    default="0d",
    metavar="DURATION",
    help="Move the rehearsal's clock forward (330d) or back (-330d).",
)
@inputs.named_output_option(
    "--ready-file", metavar="FILE", help="Write the output of --json to this file once the rehearsal is ready."
)
@reporting
def rehearse(output: Output, *, directory: str | None, port: int, ready_file: str | None, **options: Any) -> int:
    """Run a stand-in for Wise on this machine, to rehearse the whole migration without Wise.

    It has the authorization page, the token endpoint, Developer Hub, and an API with mTLS, and behaves as Wise
    documents. It listens on 127.0.0.1 only, prints its addresses, and runs until Ctrl-C or SIGTERM. Its CA, client
    secret and state stay in DIR: start it again to continue. They are useless anywhere else.

    \b
    Example:
      certkit wise rehearse --dir rehearsal --port 0
    """
    import platformdirs

    from certkit.wise.rehearsal import server

    client_id, redirect_uris = options["client_id"], options["redirect_uris"]
    offset = _offset(options["clock_offset"])
    _require_usable(client_id, redirect_uris)
    # Blocked before the first thread starts: threads inherit the mask, so only `sigwait` receives the signals.
    hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # as nohup sets it
    ending = {signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    path = Path(directory).absolute() if directory else platformdirs.user_state_path("certkit") / "wise-rehearsal"
    with server.running(
        path,
        port=port,
        client_id=client_id,
        redirect_uris=redirect_uris,
        clock=lambda: inputs.now() + offset,
        log=output.say if output.verbose else lambda _: None,
    ) as found:
        facts = _facts(found)
        line = json.dumps(facts) + "\n"
        with _ready(ready_file, line):
            if output.as_json:
                output.result(line)
            elif not output.quiet:
                output.text(_text(facts))
            ended_by = signal.sigwait(ending)
    return 128 + ended_by if ended_by == signal.SIGHUP else 0


@contextlib.contextmanager
def _ready(ready_file: str | None, line: str) -> Iterator[None]:
    """Keep a file with the facts in place while the rehearsal is listening."""
    from certkit.files import reading, writing

    if ready_file is None:
        yield
        return
    writing.write_report(Path(ready_file), [line])
    try:
        yield
    finally:
        if not reading.is_special(ready_file):
            with contextlib.suppress(OSError):
                os.unlink(ready_file)


def _facts(found: WiseRehearsal) -> dict[str, Any]:
    return {
        "rehearsal": "not Wise",
        "web": found.web,
        "api": found.api,
        "api_mtls": found.api_mtls,
        "client_id": found.state.client_id,
        "client_secret_file": str(found.client_secret_file),
        "redirect_uris": list(found.redirect_uris),
        "ca_file": str(found.ca_file),
        "policy": str(found.policy_file),
        "directory": str(found.path),
        "pid": os.getpid(),
    }


def _text(facts: dict[str, Any]) -> str:
    rows = (
        ("Web pages", facts["web"]),
        ("API", facts["api"]),
        ("API with mTLS", facts["api_mtls"]),
        ("Client id", facts["client_id"]),
        ("Client secret", f"in {facts['client_secret_file']}"),
        ("Redirect URI", ", ".join(facts["redirect_uris"])),
        ("CA certificate", facts["ca_file"]),
        ("Policy", facts["policy"]),
    )
    listed = "".join(f"  {name:<15} {value}\n" for name, value in rows)
    return f"A rehearsal on this machine, not Wise. Start with its web pages; Ctrl-C ends it.\n\n{listed}"


def _offset(text: str) -> timedelta:
    from certkit.durations import Duration

    sign = -1 if text.startswith("-") else 1
    length = Duration.parse(text.lstrip("+-")).fixed
    hint = "give, for example, 330d, or -330d for a clock that is behind"
    if length is None:
        raise InputError(f"--clock-offset must be a duration, not {text!r}", hint=hint)
    if not _FURTHEST_BACK <= sign * length <= _FURTHEST_ON:
        raise InputError("--clock-offset is more than 4 years back or 15 years ahead", hint=hint)
    return sign * length


def _require_usable(client_id: str | None, redirect_uris: tuple[str, ...]) -> None:
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        hint = "use up to 64 letters, digits and signs without a colon"
        raise InputError("--client-id is not a valid client id", hint=hint)
    for uri in redirect_uris:
        if not _REDIRECT_URI.fullmatch(uri) or set("?#") & set(uri):
            hint = "give an address such as http://127.0.0.1:9000/callback, without ? and #"
            raise InputError(f"--redirect-uri cannot be used: {uri!r}", hint=hint)
