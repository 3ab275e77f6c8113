"""What Vault says when it refuses, in plain words, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certkit.vault.errors import CasMismatch, Kind, VaultError
from certkit.vault.response import without_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.vault.fields import Rule

_CAS = "did not match the current version"


def refusal(document: Mapping[str, Any], what: str, rule: Rule | None) -> VaultError:
    """What it means that the server refuses, by the document that `response.understood` made of its answer.

    `what` begins the message, and `rule` is the ACL rule that would have allowed it.
    """
    errors, status = document.get("errors", []), document.get("status", 0)
    said = "; ".join(map(without_count, errors)) or f"the server answers with status {status}"
    if status == 403:
        return _denied(errors, what, rule)
    if status == 400 and _CAS in said:
        return CasMismatch(f"{what}: it has changed meanwhile", hint="look at what is there now, and try again")
    if status == 404 and not errors:
        return VaultError(f"{what}: it does not exist", hint="check the path", kind=Kind.ABSENT)
    kind, hint = _kind(status, said)
    return VaultError(f"{what}: {said}", hint=hint, kind=kind)


def _denied(errors: list[str], what: str, rule: Rule | None) -> VaultError:
    # Vault says so of a token that it does not know; of one whose ACL policies do not allow it, it says
    # "1 error occurred: * permission denied".
    if errors == ["permission denied"] or any("invalid token" in error for error in errors):
        return VaultError(
            f"{what}: permission denied, and the server does not seem to know the token",
            hint="log in again, and set VAULT_TOKEN; check VAULT_NAMESPACE",
            kind=Kind.BAD_TOKEN,
        )
    said = "; ".join(map(without_count, errors)) or "permission denied"
    hint = f"an ACL policy of the token must hold: {rule}" if rule else "ask for an ACL policy that allows it"
    return VaultError(f"{what}: {said}", hint=hint, kind=Kind.DENIED)


def _kind(status: int, said: str) -> tuple[Kind, str]:
    """What kind of refusal it is, and what to do about it."""
    if "namespace not found" in said:
        return Kind.NO_NAMESPACE, "check VAULT_NAMESPACE"
    if "no handler for route" in said:
        return Kind.NO_MOUNT, "check the mount: `bao secrets list` shows those that exist"
    if "is sealed" in said:
        return Kind.SEALED, "unseal the server: `bao operator unseal`"
    if "active cluster node not found" in said or status in {502, 503, 504}:
        return Kind.UNAVAILABLE, "try again once the cluster has a leader"
    kinds = {
        400: (Kind.BAD_REQUEST, "see what the server says"),
        404: (Kind.NOT_FOUND, "check the path"),
        429: (Kind.RATE_LIMITED, "try again later, or ask for a higher quota"),
    }
    return kinds.get(status, (Kind.SERVER, "look in the server's log"))
