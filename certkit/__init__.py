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
    from certkit.api.checks import NewRequest, Report, check_csr, create_csr, inspect, verify, verify_webhook
    from certkit.api.context import IdentityContext
    from certkit.api.identities import Identity, identity
    from certkit.api.scanning import ExpiryRow, scan
    from certkit.api.store import IdentityStore, store
    from certkit.errors import CertkitError as Error
    from certkit.errors import ConflictError, InputError, PassphraseError, PolicyError, RefusedError, StoreError
    from certkit.findings import Finding, Status


__all__ = [
    "ConflictError",
    "Error",
    "ExpiryRow",
    "Finding",
    "Identity",
    "IdentityContext",
    "IdentityStore",
    "InputError",
    "NewRequest",
    "PassphraseError",
    "PolicyError",
    "RefusedError",
    "Report",
    "Status",
    "StoreError",
    "TokenAuth",
    "__version__",
    "check_csr",
    "create_csr",
    "identity",
    "inspect",
    "scan",
    "store",
    "verify",
    "verify_webhook",
]

_CHECKS = ("NewRequest", "Report", "check_csr", "create_csr", "inspect", "verify_webhook")
# Where each public name is defined: those not listed are errors.
_MODULES = {
    "ExpiryRow": "certkit.api.scanning",
    "Finding": "certkit.findings",
    "Identity": "certkit.api.identities",
    "IdentityContext": "certkit.api.context",
    "IdentityStore": "certkit.api.store",
    "Status": "certkit.findings",
    "scan": "certkit.api.scanning",
    "store": "certkit.api.store",
    "TokenAuth": "certkit.api.auth",
    **dict.fromkeys(_CHECKS, "certkit.api.checks"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_MODULES.get(name, "certkit.errors"))
    value = getattr(module, "CertkitError" if name == "Error" else name)
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

    @property
    def verify(self) -> Any:
        from certkit.api.checks import verify

        return verify

    @verify.setter
    def verify(self, _: types.ModuleType) -> None: ...


sys.modules[__name__].__class__ = _Package
