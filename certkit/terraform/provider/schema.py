"""Declarations of attributes, and types of values with several equivalent spellings."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from tf.schema import Attribute, Schema
from tf.types import List, String, Unknown

from certkit.errors import InputError
from certkit.printable import is_utf8, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tf.types import TfType

State = dict[str, Any]
Config = dict[str, Any]

_PRIVATE_KEY = "PRIVATE KEY-----"


class Text(String):
    """A text; an empty one is no value. `meaning` returns one form for all spellings of a value, or raises."""

    def __init__(self, meaning: Callable[[str], str | None] = str) -> None:
        self._meaning = meaning

    def meaning(self, value: str | None) -> str | None:
        """Return a value in one form for all its spellings.

        Raises:
            InputError: if the value is invalid.
        """
        return self._meaning(value) if value else None

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Return whether both mean the same; an unknown value may be anything."""
        if a_decoded is Unknown or b_decoded is Unknown:
            return a_decoded is b_decoded
        try:
            return self.meaning(a_decoded) == self.meaning(b_decoded)
        except InputError:
            return bool(a_decoded == b_decoded)


class Texts(List):
    """A list of texts; an empty list is no value."""

    def __init__(self) -> None:
        super().__init__(String())

    def meaning(self, value: list[str] | None) -> tuple[str, ...]:
        """Return the texts."""
        return tuple(value or ())

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        """Return whether both mean the same; an unknown value may be anything."""
        if a_decoded is Unknown or b_decoded is Unknown:
            return a_decoded is b_decoded
        return self.meaning(a_decoded) == self.meaning(b_decoded)


def argument(
    name: str,
    description: str,
    kind: TfType | None = None,
    *,
    required: bool = False,
    default: Any = None,
    fixed: bool = True,
) -> Attribute:
    """Declare an argument of a resource, a text by default; omitted, it stays unchanged.

    A `fixed` one forces a new resource.
    """
    return Attribute(
        name,
        kind or Text(),
        description,
        required=required,
        optional=not required,
        computed=not required,
        requires_replace=fixed,
        default=default,
    )


def option(name: str, description: str, kind: TfType | None = None, *, required: bool = False) -> Attribute:
    """Declare an argument that may change at any time."""
    return Attribute(name, kind or Text(), description, required=required, optional=not required)


def computed(name: str, description: str, kind: TfType | None = None) -> Attribute:
    """Declare an attribute that the provider computes."""
    return Attribute(name, kind or String(), description, computed=True)


def schema(description: str, *attributes: Attribute | Iterable[Attribute]) -> Schema:
    """Return the schema of a resource or data source."""
    listed = [each for part in attributes for each in ([part] if isinstance(part, Attribute) else part)]
    return Schema(attributes=listed, version=0, description=description)


def removable(text: str) -> str | None:
    """Return the text, or None if it is `none`, which removes a setting: an omitted argument leaves it unchanged."""
    return None if text == "none" else text


def hook(text: str) -> str | None:
    """Return a deploy hook; the path of a program becomes absolute.

    Raises:
        InputError: if it cannot be split as a shell does.
    """
    from certkit.identity import programs

    return shlex.join(programs.absolute(text)) if programs.is_path(text) else removable(text)


def certificates_only(text: str) -> str:
    """Return the certificates in a PEM text, and nothing else.

    Raises:
        InputError: if there is no certificate, or one cannot be read.
    """
    from certkit.x509 import objects
    from certkit.x509.certificate import to_pem

    return to_pem(objects.certificates(text.encode(), name="the argument `ca`")).decode("ascii")


def utf8(text: str) -> str:
    """Return the text if it is UTF-8: a path from the system need not be.

    Raises:
        InputError: if it is not.
    """
    if not is_utf8(text):
        raise InputError(f"not UTF-8: {printable(text)}", hint="use a directory whose name is UTF-8")
    return text


def require_public(values: Mapping[str, Any]) -> None:
    """Refuse a private key in place of something public: every argument gets into the state.

    Raises:
        InputError: if a value contains a private key.
    """
    for name, value in values.items():
        if isinstance(value, str) and _PRIVATE_KEY in value:
            raise InputError(
                f"{name}: there is a private key in it, which Terraform would write into its state",
                hint="give the certificates or the request alone; keys live in the store",
            )
