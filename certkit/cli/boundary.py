"""The error boundary: turn every outcome of a command into output and an exit code."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import select
import signal
import sys
import warnings
from typing import TYPE_CHECKING

import click

from certkit.cli.shared.commands import CommandGroup, certkit
from certkit.errors import CertkitError, InputError, RefusedError
from certkit.printable import printable, sentences
from certkit.report.hints import with_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

OK, CRITICAL, UNKNOWN = 0, 2, 3

# Errors of the system when standard output cannot be written.
_OF_OUTPUT = {errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF}


class OutputError(CertkitError):
    """The result cannot be written."""


class _Terminated(BaseException):
    """A signal asked the process to end; raised so that temporary files are removed first."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code of the contract.

    0 OK, 1 warning, 2 critical or refused, 3 unknown or bad usage; 128 + n if signal n ended it.
    """
    CertkitError.names_options = True
    verbosity = _verbosity(arguments)
    if verbosity < 2:
        warnings.simplefilter("ignore")
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has only SIGTERM
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _terminate)
    if hasattr(signal, "SIGCHLD"):
        # If the parent ignores SIGCHLD, we inherit that and could not wait for our own child processes.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            # Print characters that the terminal's encoding lacks as escapes instead of failing.
            stream.reconfigure(errors="backslashreplace")
    code = _guarded(arguments, verbosity)
    return _flushed(code)


def _guarded(arguments: Sequence[str], verbosity: int) -> int:
    options = [*itertools.takewhile(lambda word: word != "--", arguments)]
    formats = [form for form in _given(options, "--format") if form in {"json", "nagios"}]
    form = "json" if "--json" in options else next(reversed(formats), "text")
    try:
        result = certkit.main(args=list(arguments), prog_name="certkit", standalone_mode=False)
    except CertkitError as error:
        code = CRITICAL if isinstance(error, RefusedError) else UNKNOWN
        error.hint = with_store(error.hint, next(reversed(_given(options, "--store")), None))
        return _report(error, code, form=form, verbosity=verbosity)
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        return UNKNOWN
    except click.ClickException as error:
        return _report(_usage(error), UNKNOWN, form=form, verbosity=verbosity)
    except (click.Abort, KeyboardInterrupt):
        _say("certkit: interrupted")
        return 128 + signal.SIGINT
    except _Terminated as error:
        return 128 + error.number
    except SystemExit as error:
        # click exits like this if the reader of its help has gone.
        return OK if error.code in {OK, None} else UNKNOWN
    except BaseException as error:  # noqa: BLE001  nothing may leave as a traceback, a Rust panic included
        if isinstance(error, OSError) and error.errno in _OF_OUTPUT:  # while click writes help
            error, form = _unwritable(error), "text"
        known = error if isinstance(error, OutputError) else _internal(error)
        return _report(known, UNKNOWN, form=form, verbosity=verbosity)
    return result if isinstance(result, int) else OK


def _usage(error: click.ClickException) -> InputError:
    message = " ".join(error.format_message().split())
    suggestion = re.search(r" \(?Did you mean (.*?)\)?$", message)
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "certkit"
    about = where.removeprefix("certkit").lstrip()
    hint = f"see `{where} --help`"
    if suggestion is not None:
        message, hint = message[: suggestion.start()], f"did you mean {suggestion[1]}"
    if (
        isinstance(error, click.NoSuchOption)
        and error.ctx is not None
        and isinstance(error.ctx.command, CommandGroup)
        and error.ctx.command.takes_below(error.option_name, error.ctx)
    ):
        hint = f"options follow the command: {where} COMMAND {error.option_name}"
    return InputError(f"{about and about + ': '}{message[:1].lower()}{message[1:].rstrip('.')}", hint=hint)


def _internal(error: BaseException) -> InputError:
    if isinstance(error, MemoryError):
        return InputError("out of memory", hint="the input is too large for this machine")
    if isinstance(error, FileNotFoundError):
        try:
            os.getcwd()
        except FileNotFoundError:
            return InputError("the current directory was removed", hint="change to one that exists")
    reason = " ".join(str(error).split())[:200]
    return InputError(
        f"internal error: {type(error).__name__}: {reason}",
        hint="please report it; CERTKIT_DEBUG=1 shows where it happened",
    )


def _report(error: CertkitError, code: int, *, form: str, verbosity: int) -> int:
    from certkit.report.wrapping import with_short_fingerprints

    if verbosity > 1:
        import traceback

        # A traceback also contains names of others, which must reach the terminal escaped.
        _say("\n".join(map(printable, traceback.format_exc().splitlines())))
    if form != "text" and not isinstance(error, OutputError):
        from certkit.report import nagios

        try:
            write_result(_document(error) if form == "json" else nagios.error(error))
        except OutputError as failed:
            error = failed
    line = f"certkit: error: {sentences(error.message, error.hint)}"
    _say(line if verbosity else with_short_fingerprints(line))
    return code


def _document(error: CertkitError) -> str:
    from certkit.report import json

    document = json.error(error)
    if isinstance(error, RefusedError) or error.is_changed:
        document["changed"] = error.is_changed
    if isinstance(error, RefusedError):
        document |= {"status": "critical", "checks": json.checks(error.findings)}
    return json.render(document)


def write_result(result: str | bytes) -> None:
    """Write a result to standard output in full.

    Raises:
        OutputError: if it cannot be written, because the device is full, the reader has gone, or standard output is
            closed.
    """
    data = result.encode("utf-8", "backslashreplace") if isinstance(result, str) else result
    if not data:
        return
    if sys.stdout is None:
        raise OutputError("cannot write to standard output: it is closed", hint="redirect it to a file or to /dev/null")
    try:
        sys.stdout.flush()
        # Not `sys.stdout.buffer`: unbuffered (python -u), its write may be partial without an error.
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(sys.stdout.fileno(), rest) :]
            except BlockingIOError:  # some parent processes make the pipe non-blocking
                select.select([], [sys.stdout.fileno()], [])
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> OutputError:
    """Point standard output at the null device, so that the final flush does not fail, and return what is wrong."""
    if sys.stdout is not None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    if isinstance(error, BrokenPipeError):
        hint = "the result may be incomplete"
        return OutputError("cannot write to standard output: its reader went away", hint=hint)
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write to standard output: {reason}", hint="free some space or redirect it")


def _flushed(code: int) -> int:
    """Flush standard output and return the exit code; click writes help and completion itself."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return _report(_unwritable(error), UNKNOWN, form="text", verbosity=0)
    return code


def _say(line: str) -> None:
    # If standard error is closed, there is nowhere to report it.
    with contextlib.suppress(OSError, ValueError):
        click.echo(line, err=True)


def _verbosity(arguments: Sequence[str]) -> int:
    """Return how often -v is given, in any spelling; CERTKIT_DEBUG counts as twice, which shows tracebacks."""
    if os.environ.get("CERTKIT_DEBUG", "0") not in {"", "0", "false"}:
        return 2
    flags = [word for word in arguments if re.fullmatch(r"-[qvh]+", word)]
    return sum(word.count("v") for word in flags) + arguments.count("--verbose")


def _given(arguments: Sequence[str], option: str) -> list[str]:
    """Return the values that the arguments give to an option, in either spelling, in order."""
    pairs = itertools.pairwise([*arguments, ""])
    return [
        following if word == option else word.removeprefix(f"{option}=")
        for word, following in pairs
        if word == option or word.startswith(f"{option}=")
    ]


def _terminate(number: int, _: FrameType | None) -> None:
    raise _Terminated(number)
