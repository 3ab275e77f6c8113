"""The progress of `wise setup`, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certkit.findings import Status
from certkit.printable import printable
from certkit.wise import guide
from certkit.wise.guide import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.wise.guide import Situation

_LABEL_WIDTH = len("later")
_STEP_WIDTH = max(map(len, Step))


def document(found: Situation, *, command: str) -> dict[str, Any]:
    """The situation as JSON."""
    return {
        "identity": found.identity.name,
        "environment": found.environment,
        "done": [step.value for step in found.done],
        "next": {"step": found.next.value, "message": guide.advice(found), "command": command, "url": found.url},
        "changed": found.changed,
        "status": status(found).value,
    }


def status(found: Situation) -> Status:
    """OK once Wise has answered a call, unknown before."""
    return Status.OK if found.is_answered else Status.UNKNOWN


def text(found: Situation, *, command: str, paint: Callable[[str, Status], str]) -> str:
    """The situation as text: what is done, next and later, with the page or the command for the next step."""
    lines = [f"{found.identity.name} for {printable(found.policy.title)}"]
    done = found.done
    for step in found.wanted:
        label = "done" if step in done else "later"
        if step is found.next:
            label = "todo" if step is Step.REMINDERS else "next"
        painted = paint(label.ljust(_LABEL_WIDTH), Status.OK if step in done else Status.SKIPPED)
        lines.append(f"  {painted}  {step.ljust(_STEP_WIDTH)}  {printable(_fact(found, step))}".rstrip())
    if found.next is Step.REMINDERS:
        lines += ["The set-up is complete. Last step: schedule reminders:", f"  {printable(command)}"]
        return "".join(f"{line}\n" for line in lines)
    lines.append(f"Next: {printable(guide.advice(found))}.")
    if found.url is not None:
        lines.append(found.url)
    if found.next is Step.REQUEST:
        steps = (*found.policy.portal.request_steps, *found.policy.portal.trust_steps)
        lines += [f"  {number}. {printable(step)}" for number, step in enumerate(steps, 1)]
    pending = found.overview.pending
    if found.next is Step.REQUEST and pending is not None and pending.csr:
        lines.append(pending.csr.rstrip())
    lines.append(f"Then: {printable(command)}")
    return "".join(f"{line}\n" for line in lines)


def _fact(found: Situation, step: Step) -> str:
    """Return the known fact about a completed step."""
    overview, token = found.overview, found.token.token if found.token else None
    match step:
        case Step.CLIENT if found.client_id:
            return f"client id {found.client_id}"
        case Step.TOKEN if token:
            return token.grant + (f", profile {token.profile_id}" if token.profile_id else "")
        case Step.ENROLL if overview.generations:
            return f"generation {overview.generations[-1].generation}, a key and a CSR"
        case Step.CERTIFICATE if overview.active:
            return f"generation {overview.active.generation}, {overview.active.days_left} days left"
        case Step.CALL if found.is_answered:
            return "answered 200"
    return ""
