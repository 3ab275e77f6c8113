"""Policies as text: every rule with its source, and how a CSR or certificate fits each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.csr.check import PolicyFit
    from certkit.policy.rules import Policy

_CHOICE = "*"


def shown(policy: Policy, notes: Sequence[str]) -> str:
    """Return a policy with all its rules, each with the number of its source; `*` marks the author's own choices."""
    lines = [f"name: {policy.name}", f"title: {printable(policy.title)}"]
    facts = {"summary": policy.summary, "environment": policy.environment, "credential": policy.credential}
    lines += [f"{name}: {printable(fact)}" for name, fact in facts.items() if fact]
    if policy.companions:
        lines.append(f"see also: {', '.join(policy.companions)}")
    lines.append("rules:")
    numbers = {source: str(number) for number, source in enumerate(policy.sources, 1)}
    width = max((len(rule.name) for rule in policy.stated), default=0)
    for rule in policy.stated:
        marks = ",".join(numbers[source] for source in rule.sources) or _CHOICE
        value = rule.value if isinstance(rule.value, list) else [rule.value]
        between = f"\n{'':{width + 4}}" if any(" " in str(each) for each in value) else ", "
        text = between.join(map(_scalar, value))
        lines.append(f"  {rule.name.ljust(width)}  {text or 'none'}  [{marks}]")
    lines.append("sources:")
    for source, number in numbers.items():
        lines.append(f"  [{number}] {printable(source.title)}, read on {source.read}")
        lines += [f"      {source.url}"] if source.url else []
    if any(not rule.sources for rule in policy.stated):
        lines.append(f"  [{_CHOICE}] a choice of the policy's author")
    lines += [f"note: {printable(note)}" for note in notes]
    return "".join(f"{line}\n" for line in lines)


def compared(found: Sequence[PolicyFit], *, only_good: bool) -> str:
    """Return the policies with their status, a line each; of a policy that rejects, the first reason."""
    width = max((len(each.policy) for each in found), default=0)
    lines = []
    for each in found:
        if only_good and each.status in {"critical", "unknown"}:
            continue
        worst = next((bad for bad in each.reasons if bad.status is each.status), None)
        reason = f"  {printable(worst.message)}" if worst else ""
        more = f" (and {len(each.reasons) - 1} more)" if len(each.reasons) > 1 else ""
        lines.append(f"{each.status.value.ljust(8)}  {each.policy.ljust(width)}{reason}{more}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    first, *rest = str(value).strip().splitlines() or [""]
    return printable(first) + (" …" if rest else "")
