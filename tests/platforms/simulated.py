"""Run certkit as if on another system: what that system lacks is taken away.

`python -m tests.platforms.simulated windows|macos` reads a JSON list of commands and their standard inputs, and prints
their exit codes and outputs in the same order. Every command runs in a process that has imported nothing of certkit.
"""

from __future__ import annotations

import builtins
import errno
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback

# What the standard library and others need of a real system is imported before it goes.
NEEDED = "asyncio click concurrent.futures ctypes cryptography.x509 getpass h11 logging multiprocessing OpenSSL.SSL"
NEEDED += " platformdirs shutil subprocess tomllib urllib.request uuid"
for needed in NEEDED.split():
    importlib.import_module(needed)

POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
OF_OS = """
    O_ACCMODE O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC
    O_TMPFILE RTLD_NOW WNOHANG chown chroot environb fchdir fchmod fchown fork forkpty fsencodeb getegid geteuid getgid
    getgroups getloadavg getpgid getpgrp getresuid getsid getuid getxattr initgroups kill_pg killpg lchown listxattr
    major makedev memfd_create minor mkfifo mknod nice openpty pathconf pidfd_open pipe2 posix_fadvise posix_fallocate
    posix_spawn pread preadv pwrite register_at_fork removexattr sched_getaffinity sched_yield sendfile setegid seteuid
    setgid setgroups setpgid setpriority setregid setresuid setsid setuid setxattr statvfs sync sysconf tcgetpgrp
    ttyname uname wait wait3 wait4 waitid
"""
OF_SIGNAL = """
    ITIMER_PROF ITIMER_REAL SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGPROF SIGQUIT SIGUSR1 SIGUSR2 SIGSTOP SIGTSTP
    SIGWINCH SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm getitimer pause pthread_kill pthread_sigmask setitimer sigpending
    sigwait sigwaitinfo
"""
O_BINARY = 1 << 30

_fork, _waitpid, _exit, _open, _read = os.fork, os.waitpid, os._exit, os.open, os.read
_AF_UNIX = socket.AF_UNIX
_text_mode = set()


class _NotThere:
    """Refuse to find the modules of POSIX."""

    def find_spec(self, name, path=None, target=None):
        if name in POSIX_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _windows_open(path, flags, mode=0o777, *, dir_fd=None):
    """Open as Windows does: no directory, relative to none, and as text unless told otherwise."""
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    file = _open(path, flags & ~O_BINARY, mode)
    (_text_mode.discard if flags & O_BINARY else _text_mode.add)(file)
    return file


def _windows_read(file, length):
    """Read as Windows does: in text mode, line ends are translated, and Ctrl-Z is the end."""
    data = _read(file, length)
    return data.partition(b"\x1a")[0].replace(b"\r\n", b"\n") if file in _text_mode else data


def _only_paths(function):
    """Take a function the arguments that Windows does not know."""

    def guarded(path=".", *arguments, dir_fd=None, follow_symlinks=True, **more):
        if dir_fd is not None or isinstance(path, int):
            raise NotImplementedError("descriptors of directories are unavailable on this platform")
        if not follow_symlinks:
            more["follow_symlinks"] = False
        return function(path, *arguments, **more)

    return guarded


def _take(module, names):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)


def become_windows():
    """Take away what Windows lacks."""
    for name in POSIX_MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _NotThere())
    pair = socket.socketpair  # asyncio's own, made of AF_UNIX here
    socket.socketpair = lambda *_: pair(_AF_UNIX)
    _take(os, OF_OS)
    _take(signal, OF_SIGNAL)
    _take(socket, "AF_UNIX send_fds recv_fds SO_REUSEPORT")
    _take(select, "poll epoll")
    os.O_BINARY = O_BINARY
    os.open, os.read = _windows_open, _windows_read
    for name in ("scandir", "listdir", "mkdir", "unlink", "rmdir", "readlink"):
        setattr(os, name, _only_paths(getattr(os, name)))
    os.supports_dir_fd.clear()


ONLY_LINUX = """
    O_DIRECT O_NOATIME O_PATH O_TMPFILE epoll_create getrandom getresuid getxattr listxattr memfd_create pidfd_open
    pipe2 posix_fadvise posix_fallocate removexattr sched_getaffinity setns setresuid setxattr splice unshare
"""


def _without_proc(function):
    """Have a function find nothing below /proc."""

    def guarded(path=".", *arguments, **more):
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith("/proc"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return function(path, *arguments, **more)

    return guarded


def become_macos():
    """Take away what macOS lacks: files without a name or in memory, /proc, programs of util-linux and systemd."""
    _take(os, ONLY_LINUX)
    _take(select, "epoll")
    for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink", "link"):
        setattr(os, name, _without_proc(getattr(os, name)))
    builtins.open = _without_proc(builtins.open)


BECOME = {"windows": become_windows, "macos": become_macos}


def run(system, argv, stdin):
    """Run a command; return its exit code and what it printed."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        child = _fork()
        if child == 0:
            code = 70
            try:
                for number, stream in enumerate((given, out, err)):
                    os.dup2(stream.fileno(), number)
                BECOME[system]()
                sys.argv = ["certkit", *argv]
                from certkit.cli import main

                main()
            except SystemExit as end:
                code = end.code
            except BaseException:  # noqa: BLE001  a traceback is what the tests look for
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                _exit(code)
        _, status = _waitpid(child, 0)
        for stream in (out, err):
            stream.seek(0)
        return os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()


if __name__ == "__main__":
    sys.stdout.write(json.dumps([run(sys.argv[1], *each) for each in json.load(sys.stdin)]))
