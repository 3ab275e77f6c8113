"""The encoding of a CSR: PEM, and anything else in the file that will be handed to a partner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, warning
from certkit.policy.values import Answer
from certkit.x509 import objects, pem
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.policy.rules import CsrRules

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# RFC 7468 writes 64; older encoders wrote 76, which is read everywhere.
_MAX_PEM_LINE = 76


def findings(data: bytes, rules: CsrRules, partner: str) -> list[Finding]:
    """Return the findings `encoding`: one for each thing the partner rejects or may reject, or one if there is none."""
    blocks = list(pem.blocks(data))
    if not blocks:
        hint = "convert it: openssl req -inform DER -in CSR -out CSR.pem"
        refusal = critical("encoding", f"the CSR is DER; {partner} requires PEM", hint)
        return [ok("encoding", "DER") if "der" in rules.forms else refusal]
    problems = [*_around(data, blocks, rules, partner), *_inside(data, blocks, rules, partner)]
    if problems:
        return problems
    is_bare = len(blocks) == 1 and not (data[: blocks[0].start] + data[blocks[0].end :]).strip()
    accepted = "PEM; the partner accepts text around it and further objects"
    return [ok("encoding", "one PEM block, nothing else" if is_bare else accepted)]


def _around(data: bytes, blocks: list[pem.Block], rules: CsrRules, partner: str) -> Iterator[Finding]:
    """Yield findings about what the file contains besides the CSR."""
    private = [block for block in blocks if block.is_private_key]
    if private:
        yield critical(
            "encoding",
            f"the file contains a private key (line {private[0].line}), which must never be shared",
            "keep the key and the CSR in separate files; if you sent this file to anyone, create a new key",
        )
    others = len(blocks) - len(private)
    if others > 1:
        yield from _ruled(
            rules.further_objects, f"the file contains {others} PEM objects", partner, "keep the CSR alone in its file"
        )
    at = 0
    for start, end in [*((block.start, block.end) for block in blocks), (len(data), len(data))]:
        between = data[at:start]
        rest = between.lstrip()  # white space does not count
        at = end
        if not rest:
            continue
        line = pem.line_number(data, start - len(rest))
        what = "a byte order mark" if data.startswith(_BYTE_ORDER_MARK) else "text"
        hint = "remove it: openssl req -in CSR -out CLEAN (without -text)"
        yield from _ruled(rules.surrounding_text, f"there is {what} outside the PEM block (line {line})", partner, hint)
        break


def _inside(data: bytes, blocks: list[pem.Block], rules: CsrRules, partner: str) -> Iterator[Finding]:
    """Yield findings about the form of the CSR's own PEM block."""
    request = next((block for block in blocks if objects.kind_of(block) is Kind.CSR), blocks[0])
    rewrite = "rewrite it: openssl req -in CSR -out CLEAN"
    if request.label == pem.NEW_CERTIFICATE_REQUEST:
        hint = "rewrite it with the current label: openssl req -in CSR -out CLEAN"
        yield from _ruled(rules.new_label, "the label is NEW CERTIFICATE REQUEST", partner, hint)
    if request.has_headers:
        yield critical("encoding", "there are header lines inside the PEM block", rewrite)
    if b"\r\n" in data[request.start : request.end]:
        yield from _ruled(rules.crlf, "the lines end with CR LF", partner, "convert them: sed -i 's/\\r$//' CSR")
    layout = _bad_layout(data, request)
    if layout and not request.has_headers:
        yield critical(
            "encoding", f"{layout}, which openssl and others cannot read", "create it again: certkit csr create"
        )


def _bad_layout(data: bytes, block: pem.Block) -> str:
    """Return why strict readers reject a PEM block that lenient ones read (RFC 7468 section 3); empty if none do."""
    text = data[block.start : block.end].replace(b"\r\n", b"\n")
    if b"\r" in text:
        return "the lines end with CR alone"
    before, after = data[: block.start], data[block.end :]
    if before and before[-1:] not in b"\r\n" and before != _BYTE_ORDER_MARK:
        return "the BEGIN line does not begin at the start of a line"
    first, *body, last = [*text.split(b"\n"), b""] if b"\n" not in text else text.split(b"\n")
    if not first.endswith(b"-----") or not last.startswith(b"-----") or after[:1].strip():
        return "a BEGIN or END line has other text on it"
    if any(not line or b" " in line or b"\t" in line for line in body):
        return "there is whitespace inside the PEM block"
    if any(len(line) > _MAX_PEM_LINE for line in body):
        return f"a line has more than {_MAX_PEM_LINE} characters"
    return ""


def _ruled(answer: Answer, fact: str, partner: str, hint: str) -> Iterator[Finding]:
    """Yield a finding by the partner's rule: none, a refusal, or a warning that its documentation does not say."""
    if answer is Answer.NO:
        yield critical("encoding", f"{fact}; {partner} rejects this", hint)
    elif answer is Answer.UNKNOWN:
        yield warning("encoding", f"{fact}; the documentation of {partner} does not say whether this is accepted", hint)
