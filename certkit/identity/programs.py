"""The programs that may run for an identity, and their environment: the host decides, not the record.

In a file store that belongs to the effective user a record may name a program by its absolute path. Everywhere else
(Vault, another user's store) a record may only name an entry of the host configuration. Only the variables listed here
are passed on; secrets must be named by the entry.
"""

from __future__ import annotations

import errno
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from certkit.errors import InputError
from certkit.files import reading
from certkit.files.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from certkit.config import HostConfiguration
    from certkit.files.owners import Trust

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HANDED_ON = (
    *("HOME", "LANG", "TZ"),
    *("https_proxy", "HTTPS_PROXY", "http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "CERTKIT_PROXY"),
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that may run: its arguments, and its variables in addition to those of every program."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """Return the program as a person types it."""
        return shlex.join(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The programs of this host for one store.

    `own` is the directory of the store if it is one of files, and None for Vault. `environment` is that of certkit.
    """

    host: HostConfiguration
    environment: Mapping[str, str] = field(repr=False)
    own: Path | None

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every program: a fixed path, and harmless variables of this process."""
        return {"PATH": PATH, **self._some(_HANDED_ON)}

    def stored(self, kind: Literal["issuer", "hook"], text: str, *, identity: str) -> Program:
        """Return the program that a record names as its deploy hook, or as its issuer in `command:TEXT`.

        Raises:
            InputError: if the program may not run here.
        """
        entries = self.host.issuers if kind == "issuer" else self.host.hooks
        is_entry = text in entries or (not is_path(text) and (self.own is None or not _found(text)))
        if is_entry:
            return self._entry(kind, text, identity)
        if self.own is None:
            message = f"cannot run {text!r} for identity {identity!r}: a record in Vault must not contain a path"
            raise InputError(message, hint=f"define it as [{kind}s.NAME] in the host configuration, and use NAME")
        with Folder.open(self.own, trust=self.host.trust) as store, store.inside(identity) as folder:
            folder.require_safe(self.host.trust)
        arguments = absolute(_found(text) or text)
        require_unchangeable(Path(arguments[0]), self.host.trust)
        return Program(arguments)

    def typed_hook(self, text: str, *, identity: str) -> Program:
        """Return the program of a deploy hook that the user names for one run: a path, or a NAME of this host.

        Raises:
            InputError: if there is no hook of that name.
        """
        if text in self.host.hooks:
            return self._entry("hook", text, identity)
        if is_path(text):
            return Program(absolute(text))
        import shutil  # imports every way to compress

        found = shutil.which(text, path=self.environment.get("PATH"))
        return Program((os.path.abspath(found),)) if found else self._entry("hook", text, identity)

    def deploy_d(self, directory: Path) -> list[Program]:
        """Return the programs of a directory of hooks, sorted by name; none if there is no such directory.

        Hidden files, those whose names end in `~`, and what cannot be run (`unusable`) are skipped.

        Raises:
            InputError: if the directory cannot be read, or others could have written a program.
        """
        found = [path for path in _hooks(directory) if _is_executable(path)]
        for path in found:
            require_unchangeable(path, self.host.trust)
        return [Program((os.path.abspath(path),)) for path in found]

    def _entry(self, kind: Literal["issuer", "hook"], name: str, identity: str) -> Program:
        entry = self.host.entry(kind, name, identity=identity)
        return Program(entry.command, self._some(entry.environment))

    def _some(self, names: Iterable[str]) -> dict[str, str]:
        return {name: self.environment[name] for name in names if name in self.environment}


def is_path(text: str) -> bool:
    """Return whether a text names a program by its path, and not an entry of the host configuration."""
    return os.sep in text.split(maxsplit=1)[0] if text.strip() else False


def storable_hook(text: str, own: Path | None, host: HostConfiguration) -> str:
    """Return a deploy hook as a record may hold it: a NAME, or in a store of files an absolute path with arguments.

    Raises:
        InputError: if it is a path, and the store is Vault.
    """
    if text in host.hooks or not (is_path(text) or _found(text)):
        return text
    if own is None:
        raise InputError(
            f"cannot store the hook {text!r}: a record in Vault must not contain a path",
            hint="define it as [hooks.NAME] in the host configuration, and give --deploy-hook NAME",
        )
    return shlex.join(absolute(_found(text) or text))


def _found(text: str) -> str | None:
    """Return a command whose program is named without a path, with the path where the system has it; else None."""
    program, _, rest = text.strip().partition(" ")
    if is_path(text) or not program:
        return None
    import shutil

    where = shutil.which(program, path=PATH)
    return None if where is None else f"{shlex.quote(where)} {rest}".strip()


def absolute(text: str) -> tuple[str, ...]:
    """Return the program and the arguments of a command, split as a shell does; the program as an absolute path.

    The path of an existing file is one program, whatever characters it has.

    Raises:
        InputError: if the text cannot be split.
    """
    if os.path.isfile(text):
        return (os.path.abspath(text),)
    try:
        program, *rest = shlex.split(text)
    except ValueError as error:
        raise InputError(f"not a command: {text!r}: {str(error).lower()}", hint="quote it as for a shell") from error
    return (os.path.abspath(program), *rest)


def unusable(directory: Path) -> list[tuple[Path, str]]:
    """Return the hooks of a directory that never run, and why: not executable, or a link that leads nowhere.

    Raises:
        InputError: if the directory cannot be read.
    """
    return [
        (path, "it is not executable" if path.exists() else "it is a broken symlink")
        for path in _hooks(directory)
        if not path.is_dir() and not _is_executable(path)
    ]


def require_unchangeable(path: Path, trust: Trust) -> None:
    """Refuse a program that others could replace or have written."""
    target = Path(os.path.realpath(path))
    if not os.path.lexists(target):
        raise reading.failure("cannot run", path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    with Folder.open(target.parent, about=path, trust=trust, then=target.name) as folder:
        folder.require_safe_file(target.name, trust)


def _hooks(directory: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise reading.failure("cannot read", directory, error) from error
    return [directory / name for name in names if not name.startswith(".") and not name.endswith("~")]


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
