"""Host configuration (`certkit.toml`): which programs and addresses this host trusts, and which directories.

Records of identities are data, often written by others. If a record may not name a program or an address itself, it
names an entry of this file, which belongs to the host. So the file must belong to root or the effective user, and
others must not be able to write to it.

    /etc/certkit/certkit.toml                  of the host; wins for the same name
    ~/.config/certkit/certkit.toml             of the user, or the file of --config or CERTKIT_CONFIG

It is a module at the top level because the command line, stores and use cases all read it, and it reads only files.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from certkit.errors import InputError, UnsafeDirectoryError
from certkit.files.folder import Folder
from certkit.files.owners import DEFAULT_TRUST, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOST_FILE = Path("/etc/certkit/certkit.toml")
FILE_NAME = "certkit.toml"
_MAX_BYTES = 1024 * 1024
_ENTRY_KEYS = {"command", "allow", "environment"}
# The tables of the file with their keys; those of `issuers` and `hooks` are names.
_KEYS: dict[str, set[str]] = {
    "hosts": {"allow"},
    "store": {"default", "safe_directories"},
    "issuers": set(),
    "hooks": set(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredProgram:
    """A program that records may name.

    `command` is the program with its arguments, `allow` the identities that may use it (None: all), `environment` the
    variables it gets beside the usual ones, and `source` the file that defines it.
    """

    name: str
    command: tuple[str, ...]
    allow: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    source: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfiguration:
    """The configuration of this host; `faults` are files that are ignored because others could have written them."""

    issuers: Mapping[str, ConfiguredProgram] = field(default_factory=dict)
    hooks: Mapping[str, ConfiguredProgram] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    store: str | None = None
    safe_directories: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    faults: tuple[InputError, ...] = ()

    @property
    def trust(self) -> Trust:
        """The owners whose directories are safe on this host."""
        return Trust(self.safe_directories)

    def entry(self, kind: Literal["issuer", "hook"], name: str, *, identity: str) -> ConfiguredProgram:
        """Return the issuer or hook of that name, for an identity that may use it.

        Raises:
            InputError: if there is none, the identity may not use it, or a file is unsafe.
        """
        for fault in self.faults:
            raise InputError(fault.message, hint=fault.hint)  # a new one, because callers complete its hint
        found = (self.issuers if kind == "issuer" else self.hooks).get(name)
        if found is None:
            raise InputError(
                f"no {kind} {name!r} in the host configuration",
                hint=f"add [{kind}s.{name}] with a command to {HOST_FILE}; see certkit config show",
            )
        if found.allow is not None and identity not in found.allow:
            raise InputError(
                f"identity {identity!r} may not use the {kind} {name!r}",
                hint=f"add it to `allow` of [{kind}s.{name}] in {found.source}",
            )
        return found


def load(
    environment: Mapping[str, str], *, named: Path | None = None, host_file: Path = HOST_FILE
) -> HostConfiguration:
    """Load the configuration of the host and of the user.

    A file that others could have written is a fault, and so is the user's own file if it may not be read.

    Raises:
        InputError: if a file cannot be read or understood, or `named`, the file of --config, does not exist.
    """
    named = named or (Path(environment["CERTKIT_CONFIG"]) if environment.get("CERTKIT_CONFIG") else None)
    safe = environment.get("CERTKIT_SAFE_DIRECTORY", "").split(os.pathsep)
    found = HostConfiguration(safe_directories=tuple(filter(None, safe)))
    own = named or user_directory() / FILE_NAME
    found = _added(found, own, must_exist=named is not None, may_be_denied=named is None)
    return _added(found, host_file)


def user_directory() -> Path:
    """Return the user's configuration directory; a nonexistent one for a uid without a home directory."""
    import platformdirs

    try:
        return platformdirs.user_config_path("certkit")
    except (RuntimeError, KeyError):
        return Path("/nonexistent")


def _added(
    known: HostConfiguration, path: Path, *, must_exist: bool = False, may_be_denied: bool = False
) -> HostConfiguration:
    """Return the configuration with another file, which takes precedence."""
    try:
        with Folder.open(path.parent, trust=DEFAULT_TRUST, then=path.name) as folder:
            content = folder.read(path.name, limit=_MAX_BYTES, trust=DEFAULT_TRUST)
    except UnsafeDirectoryError as error:
        hint = f"{error.hint.partition(', or trust it')[0]}; until then, the file is ignored"
        return replace(known, faults=(*known.faults, InputError(error.message, hint=hint)))
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError) and not must_exist:
            return known
        if isinstance(error.__cause__, PermissionError) and may_be_denied:  # HOME is another user's
            hint = "set HOME to a directory of this user, or name a file with --config; until then, it is ignored"
            return replace(known, faults=(*known.faults, InputError(error.message, hint=hint)))
        raise
    parsed = _parse(content, path)
    return replace(
        known,
        issuers={**known.issuers, **parsed.issuers},
        hooks={**known.hooks, **parsed.hooks},
        hosts=(*known.hosts, *parsed.hosts),
        store=parsed.store or known.store,
        safe_directories=(*known.safe_directories, *parsed.safe_directories),
        files=(*known.files, path),
    )


def _parse(content: bytes, path: Path) -> HostConfiguration:
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read {path}: not TOML: {reason}", hint=_check_hint(path)) from error
    for name, table in document.items():
        if name not in _KEYS:
            raise _unknown(path, f"table [{name}]", _KEYS)
        if not isinstance(table, dict):
            raise _wrong(path, f"[{name}] is not a table")
        known = _KEYS[name]
        for key in table:
            if known and key not in known:
                raise _unknown(path, f"key {key!r} in [{name}]", known)
    store, hosts = document.get("store", {}), document.get("hosts", {})
    default = store.get("default")
    if default is not None and not isinstance(default, str):
        raise _wrong(path, "`default` in [store] is not a string")
    safe = _strings(path, "store", "safe_directories", store.get("safe_directories", []))
    for each in safe:
        if not os.path.isabs(each) and each != "*":
            raise _wrong(path, f"`safe_directories` in [store]: {each!r} is not an absolute path")
    return HostConfiguration(
        issuers=_entries(path, "issuers", document.get("issuers", {})),
        hooks=_entries(path, "hooks", document.get("hooks", {})),
        hosts=_strings(path, "hosts", "allow", hosts.get("allow", [])),
        store=default,
        safe_directories=safe,
    )


def _entries(path: Path, kind: str, tables: dict[str, Any]) -> dict[str, ConfiguredProgram]:
    found = {}
    for name, table in tables.items():
        where = f"{kind}.{name}"
        if not isinstance(table, dict):
            raise _wrong(path, f"[{where}] is not a table")
        for key in table:
            if key not in _ENTRY_KEYS:
                raise _unknown(path, f"key {key!r} in [{where}]", _ENTRY_KEYS)
        command = _strings(path, where, "command", table.get("command", []))
        if not command or not os.path.isabs(command[0]):
            raise _wrong(path, f"`command` in [{where}] must begin with the absolute path of a program")
        allow = _strings(path, where, "allow", table["allow"]) if "allow" in table else None
        environment = _strings(path, where, "environment", table.get("environment", []))
        found[name] = ConfiguredProgram(name=name, command=command, allow=allow, environment=environment, source=path)
    return found


def _strings(path: Path, where: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each and "\0" not in each for each in value):
        raise _wrong(path, f"`{key}` in [{where}] is not a list of strings")
    return tuple(value)


def _unknown(path: Path, what: str, known: Iterable[str]) -> InputError:
    return InputError(f"cannot use {path}: unknown {what}", hint=f"use one of: {', '.join(sorted(known))}")


def _wrong(path: Path, why: str) -> InputError:
    return InputError(f"cannot use {path}: {why}", hint=_check_hint(path))


def _check_hint(path: Path) -> str:
    import shlex

    return f"fix it, then: certkit --config {shlex.quote(str(path))} config check"
