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
    from certkit.api.checks import ChainLink, Report, check_csr, inspect, probe, verify
    from certkit.api.context import IdentityContext
    from certkit.api.csrs import NewRequest, create_csr, generate_key, write_csr, write_csrs, write_key
    from certkit.api.external import terraform_query
    from certkit.api.host import check_host_configuration, host_configuration
    from certkit.api.identities import Identity
    from certkit.api.rules import PolicyInfo, new_policy, policies, show_policy, validate_policy, which_policy
    from certkit.api.scanning import ExpiryRow, scan
    from certkit.api.setup import WiseSetup
    from certkit.api.store import IdentityStore, identity, store
    from certkit.api.tokens import WiseTokens, authorize_url
    from certkit.api.webhooks import WiseWebhooks, check_webhook, verify_webhook, webhook_ca, webhooks
    from certkit.config import HostConfiguration
    from certkit.csr.check import PolicyFit
    from certkit.csr.create import MadeRequest
    from certkit.csr.keyfile import MadeKey
    from certkit.errors import CertkitError as Error
    from certkit.errors import ConflictError, InputError, PassphraseError, PolicyError, RefusedError, StoreError
    from certkit.findings import Finding, Status
    from certkit.identity.export import Exported
    from certkit.identity.overview import GenerationView, Overview, Unread
    from certkit.probe import Probe
    from certkit.stores.record import Event
    from certkit.wise.ca_bundle import CaBundle
    from certkit.wise.tokens import TokenInfo


__all__ = [
    "CaBundle",
    "ChainLink",
    "ConflictError",
    "Error",
    "Event",
    "ExpiryRow",
    "Exported",
    "Finding",
    "GenerationView",
    "HostConfiguration",
    "Identity",
    "IdentityContext",
    "IdentityStore",
    "InputError",
    "MadeKey",
    "MadeRequest",
    "NewRequest",
    "Overview",
    "PassphraseError",
    "PolicyError",
    "PolicyFit",
    "PolicyInfo",
    "Probe",
    "RefusedError",
    "Report",
    "Status",
    "StoreError",
    "TokenAuth",
    "TokenInfo",
    "Unread",
    "WiseSetup",
    "WiseTokens",
    "WiseWebhooks",
    "__version__",
    "authorize_url",
    "check_csr",
    "check_host_configuration",
    "check_webhook",
    "create_csr",
    "generate_key",
    "host_configuration",
    "identity",
    "inspect",
    "new_policy",
    "policies",
    "probe",
    "scan",
    "show_policy",
    "store",
    "terraform_query",
    "validate_policy",
    "verify",
    "verify_webhook",
    "webhook_ca",
    "webhooks",
    "which_policy",
    "write_csr",
    "write_csrs",
    "write_key",
]

# Where each public name is defined: those not listed are errors.
_DEFINED = {
    "certkit.api.auth": "TokenAuth",
    "certkit.api.checks": "ChainLink Report check_csr inspect probe verify",
    "certkit.api.context": "IdentityContext",
    "certkit.api.csrs": "NewRequest create_csr generate_key write_csr write_csrs write_key",
    "certkit.api.external": "terraform_query",
    "certkit.api.host": "check_host_configuration host_configuration",
    "certkit.api.identities": "Identity",
    "certkit.api.rules": "PolicyInfo new_policy policies show_policy validate_policy which_policy",
    "certkit.api.scanning": "ExpiryRow scan",
    "certkit.api.setup": "WiseSetup",
    "certkit.api.store": "IdentityStore identity store",
    "certkit.api.tokens": "WiseTokens authorize_url",
    "certkit.api.webhooks": "WiseWebhooks check_webhook verify_webhook webhook_ca webhooks",
    "certkit.config": "HostConfiguration",
    "certkit.csr.check": "PolicyFit",
    "certkit.csr.create": "MadeRequest",
    "certkit.csr.keyfile": "MadeKey",
    "certkit.findings": "Finding Status",
    "certkit.identity.export": "Exported",
    "certkit.identity.overview": "GenerationView Overview Unread",
    "certkit.probe": "Probe",
    "certkit.stores.record": "Event",
    "certkit.wise.ca_bundle": "CaBundle",
    "certkit.wise.tokens": "TokenInfo",
}
_MODULES = {name: module for module, names in _DEFINED.items() for name in names.split()}


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

    def __setattr__(self, name: str, value: object) -> None:
        if name not in __all__ or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
