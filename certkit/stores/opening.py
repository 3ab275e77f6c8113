"""Opening a store by the URI that names it: `file:DIR`, or `vault://MOUNT/PREFIX`."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.once import once
from certkit.printable import printable, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from certkit.config import HostConfiguration
    from certkit.errors import CertkitError
    from certkit.files.owners import Trust
    from certkit.findings import Finding
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.stores.record import Journal
    from certkit.stores.sealing import Wrapping
    from certkit.vault.client import Vault

FILE, VAULT = "file:", "vault://"
_TRANSIT = "?transit="
_SETTING = re.compile(r"\?\w*=", re.ASCII)
_VAULT_FORM = re.compile(r"vault://([^/?#]+)(?:/([^?#]*))?")


@dataclass(frozen=True)
class Opener:
    """Opens stores with the settings of one process: its environment, its clock, and its user.

    `warn` receives warnings about the settings, such as a disabled verification of Vault's certificate. `config_file`
    takes the place of the user's host configuration. `explain` receives which store is opened, and what chose it.
    """

    environment: Mapping[str, str]
    clock: Callable[[], datetime]
    warn: Callable[[str], None]
    config_file: Path | None = None
    explain: Callable[[str], None] = lambda _: None

    def warn_about(self, trouble: CertkitError | Finding) -> None:
        """Warn of a trouble and say what to do about it."""
        self.warn(sentences(trouble.message, trouble.hint))

    @once
    def host(self) -> HostConfiguration:
        """The host configuration, loaded on first use; files that others could have written are warnings.

        Raises:
            InputError: if a file cannot be understood.
        """
        from certkit import config

        found = config.load(self.environment, named=self.config_file)
        for fault in found.faults:
            self.warn_about(fault)
        if found.files:
            self.explain(f"host configuration: {', '.join(map(str, found.files))}")
        return found

    @contextlib.contextmanager
    def open(self, uri: str | None, *, passphrase: Secret | None = None) -> Iterator[Store]:
        """Open the store at a URI; without one, the store of CERTKIT_STORE or the user's default store.

        With a passphrase a file store keeps its keys encrypted; with `file:DIR?transit=MOUNT/KEY` Vault encrypts them.

        Raises:
            InputError: if the URI names no store, or Vault cannot be reached.
        """
        host = self.host
        if uri is None:
            uri = self.environment.get("CERTKIT_STORE") or host.store or f"{FILE}{_default_directory()}"
        self.explain(f"store {uri}")
        require_uri(uri)
        if uri.startswith(FILE):
            with self._file_store(uri, passphrase, host.trust) as store:
                yield store
        else:
            mount, prefix = vault_place(uri)
            with self.connect() as vault:
                from certkit.stores.vault.store import VaultStore

                yield VaultStore(
                    vault, mount, prefix, clock=self.clock, journal=self._journal(), allowed_hosts=host.hosts
                )

    @contextlib.contextmanager
    def connect(self) -> Iterator[Vault]:
        """Connect to Vault with the variables that the `vault` command reads.

        Raises:
            InputError: if a variable is invalid, or Vault cannot be reached.
        """
        from certkit.vault.client import Vault
        from certkit.vault.settings import VaultSettings

        settings = VaultSettings.from_environment(self.environment, _home())
        for warning in settings.warnings:
            self.warn(warning)
        namespace = f", namespace {settings.namespace}" if settings.namespace else ""
        self.explain(f"Vault at {settings.address}{namespace}")
        with Vault.connect(settings) as vault:
            yield vault

    @contextlib.contextmanager
    def _file_store(self, uri: str, passphrase: Secret | None, trust: Trust) -> Iterator[Store]:
        from certkit.stores.file.store import FileStore
        from certkit.stores.sealing import PassphraseWrapping, TransitWrapping

        directory, transit = _file_place(uri)
        with contextlib.ExitStack() as held:
            wrapping: Wrapping | None = None
            if transit is not None:
                mount, key = transit
                wrapping = TransitWrapping(held.enter_context(self.connect()), key, mount)
            elif passphrase is not None:
                wrapping = PassphraseWrapping(passphrase)
            yield FileStore(Path(directory), wrapping, journal=self._journal(), trust=trust)

    def _journal(self) -> Journal:
        """Return the author of changes: the user, by the real uid, which no variable can forge, and the host."""
        import os
        import pwd
        import socket

        from certkit.stores.record import Journal

        uid = os.getuid()
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:  # a uid without a passwd entry
            user = "uid"
        before = self.environment.get("SUDO_USER")
        sudo = f" (sudo: {before})" if before and uid == 0 else ""
        return Journal(f"{user}({uid})@{socket.gethostname()}{sudo}", self.clock)


def findings_of(store: Store) -> list[Finding]:
    """Check that a store of either kind can be used, and report what it lacks, in printable text."""
    from certkit.stores.file.store import FileStore

    if isinstance(store, FileStore):
        from certkit.stores.file import check as of_files

        found = of_files.check(store)
    else:
        from certkit.stores.vault import check as of_vault
        from certkit.stores.vault.store import VaultStore

        assert isinstance(store, VaultStore)  # noqa: S101  there are two kinds
        found = of_vault.check(store)
    return [replace(each, message=printable(each.message), hint=printable(each.hint)) for each in found]


def _home() -> Path:
    """Return the home directory; a nonexistent one for a uid without a passwd entry and without HOME."""
    try:
        return Path.home()
    except (RuntimeError, KeyError):
        return Path("/nonexistent")


def require_uri(uri: str) -> None:
    """Refuse text that is not the URI of a store.

    Raises:
        InputError: if it has another form.
    """
    if uri.startswith(FILE):
        _file_place(uri)
    elif uri.startswith(VAULT):
        vault_place(uri)
    else:
        import shlex

        is_path = "/" in uri and "://" not in uri
        hint = f"for a directory give {shlex.quote(FILE + uri)}" if is_path else "give file:DIR or vault://MOUNT/PREFIX"
        raise InputError(f"not a store: {uri or '(empty)'}", hint=hint)


def _file_place(uri: str) -> tuple[str, tuple[str, str] | None]:
    """Return the directory of `file:DIR`, and the mount and key of `?transit=MOUNT/KEY` after it.

    Raises:
        InputError: if the URI has another form.
    """
    directory, is_sealed, transit = uri.removeprefix(FILE).partition(_TRANSIT)
    mount, _, key = transit.rpartition("/")
    if not directory:
        raise InputError(f"not a store: {uri}", hint="name its directory: file:DIR")
    # A misspelt setting, or one without a value, must not leave keys unsealed.
    if _SETTING.search(directory):
        raise InputError(f"not a store: {uri}", hint=f"after the directory only {_TRANSIT}MOUNT/KEY may follow")
    if is_sealed and not (mount and key):
        raise InputError(f"not a store: {uri}", hint=f"give file:DIR{_TRANSIT}MOUNT/KEY")
    return directory, (mount, key) if is_sealed else None


def vault_place(uri: str) -> tuple[str, str]:
    """Return the mount and the prefix of `vault://MOUNT/PREFIX`.

    Raises:
        InputError: if the URI has another form.
    """
    match = _VAULT_FORM.fullmatch(uri)
    if match is None:
        raise InputError(
            f"{uri} does not name a mount in Vault", hint="give vault://MOUNT/PREFIX, such as vault://secret/certkit"
        )
    return match[1], (match[2] or "").strip("/")


def _default_directory() -> Path:
    import platformdirs

    try:
        return platformdirs.user_data_path("certkit") / "identities"
    except (RuntimeError, KeyError) as error:
        hint = "name the store with --store, or set CERTKIT_STORE"
        raise InputError("no default store: this user has no home directory", hint=hint) from error
