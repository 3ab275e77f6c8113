"""Text for a terminal of a given width: wrapped between words, with commands that can still be pasted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIN_WIDTH = 40
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FINGERPRINT = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")
_CELL = re.compile(r" {2,}(?=\S)")
_MARK = re.compile(r"(?:-> |[0-9]+\. |- |\[[0-9*]+\] )")
# A command to paste is kept together: up to the punctuation that ends it, or between backquotes.
_COMMAND = re.compile(
    r"`[^`]+`"
    r"|(?<![\w/.=-])(?:(?:certkit|openssl|runuser|sudo|bao) [a-z-]|(?:chmod|chown|setfacl|ln) [-\w])(?:[^;`,]|,(?! ))*"
)


def wrapped(text: str, width: int) -> str:
    """Return text whose lines fit into a width, if their words do.

    A continuation line is indented to the last column of the line, as in a table. A command that does not fit is
    continued with a backslash, as a shell reads it.
    """
    width = max(width, _MIN_WIDTH)
    return "".join(
        line if _length(line) <= width else "".join(f"{part}\n" for part in _folded(line, width))
        for line in text.splitlines(keepends=True)
    )


def with_short_fingerprints(text: str) -> str:
    """Return text with the fingerprints in it (SHA-256) cut to their first half of a line; JSON has them whole."""
    return _FINGERPRINT.sub(r"\1…", text)


def _length(text: str) -> int:
    return len(_COLOUR.sub("", text).rstrip("\n"))


def _folded(line: str, width: int) -> Iterator[str]:
    line = line.rstrip("\n")
    gap = next((each for each in reversed([*_CELL.finditer(line)]) if each.end() > width // 2), None)
    if gap is not None and _length(close := f"{line[: gap.start()]}  {line[gap.end() :]}") <= width:
        yield close  # a table too wide for the terminal: without its padding the row still fits
        return
    indent = _indent(line, width)
    at = _start(line, indent)
    current, is_empty = line[:at], True
    for unit in _units(line[at:], width - indent):
        if is_empty or _length(current) + _length(unit) <= width:
            current += unit
        else:
            yield current
            current = " " * indent + unit.lstrip(" ")
        is_empty = False
    yield current


def _indent(line: str, width: int) -> int:
    """The column at which the last cell of a line begins, unless hardly anything would fit after it."""
    plain = _COLOUR.sub("", line)
    ends = [found.end() for found in _CELL.finditer(plain)]
    indent = next((end for end in reversed(ends) if end <= width // 2), len(plain) - len(plain.lstrip()))
    if (mark := _MARK.match(plain, indent)) is not None:
        return mark.end()
    return indent or 2


def _start(line: str, indent: int) -> int:
    """The place in a line, colours included, of a column."""
    at = seen = 0
    while seen < indent and at < len(line):
        if (colour := _COLOUR.match(line, at)) is not None:
            at = colour.end()
        else:
            at, seen = at + 1, seen + 1
    return at


def _units(text: str, width: int) -> Iterator[str]:
    """The words of a text, each with the space before it; a command is one, or several lines of one."""
    at = 0
    for found in _COMMAND.finditer(text):
        command = found.group().rstrip()
        command += text[found.start() + len(command) :][:1].strip(" \n")  # the punctuation after it
        before = text[at : found.start()]
        yield from _words(before.rstrip(" "))
        gap = " " * (len(before) - len(before.rstrip(" ")))
        yield from [gap + command] if len(command) <= width else _continued(gap, command, width)
        at = found.start() + len(command)
    yield from _words(text[at:])


def _words(text: str) -> list[str]:
    return re.findall(r" *[^ ]+", text)


def _continued(gap: str, command: str, width: int) -> Iterator[str]:
    if " --" not in command:
        yield from re.findall(r" *(?:'[^']*'|[^ ])+", gap + command)  # a quoted word stays in one piece
        return
    line = gap
    for option in re.split(r" (?=--)", command):
        if line.strip() and len(line) + len(option) + 3 > width:
            yield f"{line} \\"
            line = f"  {option}"
        else:
            line += f" {option}" if line.strip() else option
    yield line
