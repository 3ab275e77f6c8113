"""certkit: keys, CSRs and client certificates for mutual TLS with a partner.

What `__all__` names is the public API, imported on first use; everything else is private and may move.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from certkit.__about__ import __version__

if TYPE_CHECKING:
    from certkit.api.auth import TokenAuth
    from certkit.api.context import IdentityContext
    from certkit.api.identities import Identity, identity
    from certkit.errors import CertkitError as Error
    from certkit.errors import ConflictError, InputError, PassphraseError, PolicyError, RefusedError, StoreError


__all__ = [
    "ConflictError",
    "Error",
    "Identity",
    "IdentityContext",
    "InputError",
    "PassphraseError",
    "PolicyError",
    "RefusedError",
    "StoreError",
    "TokenAuth",
    "__version__",
    "identity",
]

# Where a public name is defined, if not under its own name in `certkit.errors`.
_PLACES = {
    "Error": "certkit.errors:CertkitError",
    "Identity": "certkit.api.identities:Identity",
    "IdentityContext": "certkit.api.context:IdentityContext",
    "TokenAuth": "certkit.api.auth:TokenAuth",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES.get(name, f"certkit.errors:{name}").partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(types.ModuleType):
    """This package, with functions under names that subpackages have too.

    The import system sets each imported subpackage as an attribute of its package. For these names it is ignored:
    `certkit.identity` is always the function, and `from certkit.identity import …` finds the subpackage all the same.
    """

    @property
    def identity(self) -> Any:
        from certkit.api.identities import identity

        return identity

    @identity.setter
    def identity(self, _: types.ModuleType) -> None: ...


sys.modules[__name__].__class__ = _Package
