"""Fork the command `certkit`, or Terraform's provider, from an interpreter that has imported its modules; a script.

The second argument is the package whose `main` is to run: `certkit.cli` or `certkit.terraform.provider`. Each
connection to the Unix socket named by the first argument is a request: standard input, output and error as
descriptors, and as one line of JSON the arguments, directory, environment and umask. The command is a process of its
own. It leaves this file by its last lines, and ends as `finish` says. The server sends the process id at once, and the
status of `os.waitpid` at the end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

_MOST_BYTES = 1 << 20

# Commands do not use gRPC; `__main__` runs the command.
_LEFT_OUT = ("certkit.__main__", "certkit.terraform.provider")

# What they import on first use; in each child, that would take longer than most commands do.
_ON_USE = """
    asyncio click.shell_completion concurrent.futures.thread difflib email.utils encodings.ascii encodings.idna
    encodings.utf_8_sig fnmatch h11 icalendar jinja2.ext OpenSSL.SSL OpenSSL.crypto pickle platformdirs.unix
    prometheus_client pwd queue runpy traceback unicodedata urllib.request yaml
"""


def import_everything(run: str) -> None:
    """Import the modules of certkit and of cryptography, and what they need, for the package that is to run."""
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # as in the provider itself; no thread of gRPC runs yet
    for package in (importlib.import_module("certkit"), importlib.import_module("cryptography")):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(_LEFT_OUT) or found.name.startswith(run):
                importlib.import_module(found.name)
    for name in _ON_USE.split():
        importlib.import_module(name)


def serve(address: str) -> dict[str, Any]:
    """Fork for each request until the tests end; return the request, in each child."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen()
    os.rename(f"{address}.new", address)  # now a connection is accepted
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)  # at its end when the process that runs the tests ends
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                os._exit(0)
            if key.fileobj is not listener:
                _report_end(waiting, key)
                continue
            connection = listener.accept()[0]
            data, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 3)
            while not data.endswith(b"\n"):
                data += connection.recv(_MOST_BYTES)
            child = os.fork()
            if child == 0:
                running = [each.data[0] for each in waiting.get_map().values() if each.data]
                # Closed by their objects: one that ends later would close a descriptor of the command.
                for each in (*running, waiting, listener, connection):
                    each.close()
                for number, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, number)
                os.closerange(3, 1024)
                return json.loads(data)
            for descriptor in descriptors:
                os.close(descriptor)
            connection.sendall(b"%d\n" % child)
            waiting.register(os.pidfd_open(child), selectors.EVENT_READ, (connection, child))


def _report_end(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    waiting.unregister(key.fileobj)
    os.close(key.fd)
    connection, child = key.data
    status = os.waitpid(child, 0)[1]
    with connection:
        try:
            connection.sendall(b"%d\n" % status)
        except BrokenPipeError:
            return


def become(asked: dict[str, Any]) -> None:
    """Take over what a process gets from the one that starts it."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    os.umask(asked["umask"])
    time.tzset()
    words = asked["argv"]
    sys.argv = words[2:] if words[1:3] == ["-m", "certkit"] else words
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        first = getattr(sys, name)
        buffering = 0 if isinstance(first.buffer, io.RawIOBase) else -1
        raw = open(descriptor, "wb" if descriptor else "rb", buffering, closefd=False)  # noqa: SIM115 - until the end
        stream = io.TextIOWrapper(
            raw,
            encoding=first.encoding,
            errors=first.errors,
            newline="\n" if descriptor else None,
            line_buffering=raw.isatty() or descriptor == 2,
            write_through=first.write_through,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def finish(code: int) -> NoReturn:
    """End as the interpreter does: wait for threads, run what is registered with `atexit`, and flush the streams.

    Taking the modules apart, which the interpreter does last, would write to each page that the command shares with
    the server, and take three times as long as most commands do.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.path[0] = os.path.dirname(sys.executable)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that runs the tests
    import_everything(sys.argv[2])
    gc.collect()
    gc.freeze()
    request = serve(sys.argv[1])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main = sys.modules[sys.argv[2]].main
    become(request)
    try:
        sys.exit(main())
    except SystemExit as ended:
        finish(ended.code)
