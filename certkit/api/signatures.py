"""Arguments of public functions: those of a wrong type are refused by name, and errors name arguments, not options."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from certkit.errors import CertkitError, InputError
from certkit.printable import with_arguments
from certkit.secret import Secret

T = TypeVar("T")


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds) and (type(value) is not bool or bool in kinds)


def _are(is_one: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a test of each value; an iterator, which can be read once only, is not looked into."""

    def test(values: Any) -> bool:
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            return False
        return not isinstance(values, list | tuple) or all(map(is_one, values))

    return test


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_secret(value: Any) -> bool:
    return isinstance(value, bytes | Secret) or (isinstance(value, str) and _is_encodable(value))


_is_data = _is(bytes, Path)
_LIST = "give a list, even of one"
_TESTS: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "str": (_is(str), "text", ""),
    "bool": (_is(bool), "True or False", ""),
    "int": (_is(int), "a whole number", ""),
    "float": (lambda value: _is(int, float)(value) and value >= 0, "a number of seconds", "0 or more"),
    "bytes": (_is(bytes, bytearray, memoryview), "bytes", ""),
    "datetime": (
        lambda value: isinstance(value, datetime) and value.tzinfo is not None,
        "a datetime with a time zone",
        "such as 2026-01-31T00:00:00+00:00",
    ),
    "str | Path": (
        lambda value: isinstance(value, str | Path) and "\0" not in str(value) and _is_encodable(str(value)),
        "a path: text without NUL characters, or a pathlib.Path",
        "",
    ),
    "Passphrase": (_is_secret, "text or bytes", "text that UTF-8 can encode"),
    "Passphrase | Callable[[], Passphrase | None]": (
        lambda value: _is_secret(value) or callable(value),
        "text or bytes, or a function that returns them",
        "",
    ),
    "Data": (_is_data, "bytes or a pathlib.Path", "pathlib.Path(…) reads a file, and .encode() makes bytes of text"),
    "Sequence[Data]": (_are(_is_data), "a list of bytes or pathlib.Path", _LIST),
    "Iterable[Data]": (_are(_is_data), "a list of bytes or pathlib.Path", _LIST),
    "Sequence[Data | str]": (_are(_is(bytes, Path, str)), "a list of bytes or paths", _LIST),
    "Iterable[str]": (_are(_is(str)), "a list of texts", _LIST),
    "str | Sequence[str]": (
        lambda value: isinstance(value, str) or _are(_is(str))(value),
        "text or a list of texts",
        "",
    ),
    "Mapping[str, str]": (_is(Mapping), "a mapping of texts", ""),
    "bytes | Mapping[str, str]": (_is(bytes, Mapping), "a mapping or JSON", ""),
    "Data | Iterable[Mapping[str, Any]]": (
        lambda value: _is_data(value) or _are(_is(Mapping))(value),
        "a list of mappings, or JSON as bytes or a pathlib.Path",
        "",
    ),
    "IdentityStore": (lambda value: type(value).__name__ == "IdentityStore", "a store", "certkit.store(uri)"),
    "Callable[[], datetime]": (callable, "a function", "that returns the present as a datetime with a time zone"),
    "Callable[[CertkitError], None]": (callable, "a function", ""),
}
"""For each annotation the test of a value, what it is in words, and a hint."""


_NAMES = {
    "cert": "certificate",
    "client-secret-file": "client_secret",
    "crl": "crls",
    "key-out": "key_path",
    "out": "csr_path",
    "out-dir": "directory",
    "passphrase-file": "passphrase",
    "pin": "pins",
    "profile": "profile_id",
    "token-file": "token",
    "type": "key_type",
    "unit": "units",
}
"""Arguments that have another name than the option of the command."""


def public(item: T) -> T:
    """Have a function, or each public method of a class, check its arguments by its annotations.

    Annotations that are not in the table are not checked. Errors name arguments, unless the command calls the function.
    """
    if isinstance(item, type):
        for name, method in list(vars(item).items()):
            if isinstance(method, types.FunctionType) and not name.startswith("_"):
                setattr(item, name, public(method))
        return item
    assert isinstance(item, types.FunctionType)  # noqa: S101  there is nothing else
    code = item.__code__
    names = code.co_varnames[: code.co_argcount]
    tests = {name: _TESTS.get(text.removesuffix(" | None")) for name, text in item.__annotations__.items()}
    may_be_none = {name for name, text in item.__annotations__.items() if text.endswith(" | None")}

    @functools.wraps(item)
    def checked(*arguments: Any, **options: Any) -> Any:
        for name, value in (*zip(names, arguments, strict=False), *options.items()):
            found = tests.get(name)
            if found is not None and not (value is None and name in may_be_none) and not found[0](value):
                _, words, hint = found
                kind = "None" if value is None else type(value).__name__
                raise InputError(
                    f"{item.__name__}(): {name} must be {words}, not {kind}",
                    hint=hint or f"see help(certkit.{item.__qualname__})",
                )
        try:
            return item(*arguments, **options)
        except CertkitError as error:
            if not CertkitError.names_options:
                error.message, error.hint = (with_arguments(each, _NAMES) for each in (error.message, error.hint))
                error.args = (error.message,)
            raise

    return checked  # type: ignore[return-value]
