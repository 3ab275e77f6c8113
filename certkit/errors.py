"""The exceptions that certkit raises.

    CertkitError
    ├── InputError          bad usage, unreadable or malformed input
    │   ├── ExistsError       a file is there that is not overwritten
    │   ├── PassphraseError   a passphrase is missing or wrong
    │   ├── PolicyError       a policy file that cannot be used
    │   ├── UnsafeDirectoryError  a directory or program that others may change
    │   └── StoreError        a store that cannot be read or written (`certkit.stores.base` has its kinds)
    └── RefusedError        understood, and refused: a policy or a check says no

A check's result is a finding (`certkit.findings`), not an exception.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certkit.findings import Finding


class CertkitError(Exception):
    """A failure that a person can act upon: the problem, and a hint.

    Both are lower case without a full stop at the end; neither ever holds a secret. `is_changed` is whether something
    was done all the same, as where only the hook failed that ran afterwards.
    """

    is_changed = False
    names_options = False  # set by the command for all errors of its process; those of `certkit.api` name arguments

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def hint(self) -> str:
        """What a person can do about it; Python prints it below the message of a traceback."""
        return self._hint

    @hint.setter
    def hint(self, hint: str) -> None:
        self._hint = hint
        self.__notes__ = [f"hint: {hint}"] if hint else []

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by their positional arguments; a hint is not one of them.
        return _restore, (type(self), self.message, self.__dict__)


def _restore(kind: type[CertkitError], message: str, state: dict[str, object]) -> CertkitError:
    error = kind(message, hint="")
    error.__dict__.update(state)
    return error


@contextlib.contextmanager
def after(changed: bool) -> Iterator[None]:  # noqa: FBT001  it reads as `with after(done.changed)`
    """A context in which errors record whether anything was changed before (`CertkitError.is_changed`)."""
    try:
        yield
    except CertkitError as error:
        error.is_changed |= changed
        raise


class InputError(CertkitError):
    """Bad usage, or input that cannot be read or understood."""


class ExistsError(InputError):
    """A file is there that is not overwritten."""


class PassphraseError(InputError):
    """A key or PKCS#12 file is locked, and the passphrase is missing or wrong."""


class PolicyError(InputError):
    """A policy that does not exist or does not follow the policy format."""


class UnsafeDirectoryError(InputError):
    """A directory, or a program in it, that belongs to another user or that others may change."""


class StoreError(InputError):
    """A store that cannot be read or written."""


class ConflictError(StoreError):
    """Another process was first: a write-once item exists already, or the record has changed."""


class RefusedError(CertkitError):
    """A request that was understood and is refused; `findings` say why."""

    def __init__(self, message: str, *, hint: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)
