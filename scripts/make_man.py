"""The build hook of the wheel (see pyproject.toml): manual pages from the help texts, and the bill of materials."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parents[1]))  # the project that is built, which is not installed yet

from certkit.__about__ import __version__
from scripts import command_tree, make_sbom

EXIT_CODES = (
    ("0", "OK: everything was checked and is fine, or the change is made."),
    ("1", "Warning: it works today and needs attention."),
    ("2", "Critical: a check failed, something has expired, or the partner or a policy refuses it."),
    ("3", "Unknown: bad usage, unreadable input, or something that could not be checked."),
)


class ManualPages(BuildHookInterface):
    """The build hook that adds a page for each command and a bill of materials to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files, and name them to hatchling. An editable installation has none."""
        if version == "editable":
            return
        self.folder = Path(tempfile.mkdtemp(prefix="certkit-man-"))
        for name, page in pages():
            (self.folder / f"{name}.1").write_text(page, encoding="utf-8")
            build_data["shared_data"][str(self.folder / f"{name}.1")] = f"share/man/man1/{name}.1"
        bill = self.folder / "certkit.cdx.json"
        bill.write_text(make_sbom.document(self.metadata), encoding="utf-8")
        build_data["sbom_files"].append(str(bill))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  hatchling gives them
        """Remove the files, which are in the wheel now."""
        if version != "editable":
            shutil.rmtree(self.folder)


def pages() -> list[tuple[str, str]]:
    """Every command's name (`certkit-csr-create`) and its page."""
    return [(context.command_path.replace(" ", "-"), _page(context)) for context in command_tree.commands()]


def _page(context: click.Context) -> str:
    path, command = context.command_path, context.command
    title = path.replace(" ", "-")
    lines = [
        f'.TH "{title.upper()}" "1" "" "certkit {__version__}" "certkit manual"',
        ".SH NAME",
        rf"{_escape(title)} \- {_escape(command.get_short_help_str(limit=100))}",
        ".SH SYNOPSIS",
        rf"\fB{_escape(path)}\fR {_escape(command_tree.synopsis(context))}",
        ".SH DESCRIPTION",
    ]
    for text, stands in command_tree.paragraphs(command):
        lines += [".PP", ".nf", *map(_escape, text.split("\n")), ".fi"] if stands else [".PP", _escape(text)]
    lines += [".SH OPTIONS", *(line for record in command_tree.options(context) for line in _entry(*record))]
    if isinstance(command, click.Group):
        lines += [".SH COMMANDS"]
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            lines += _entry(f"{title}-{name}(1)", below.get_short_help_str(limit=100))
    lines += [".SH EXIT STATUS", *(line for code in EXIT_CODES for line in _entry(*code))]
    return "\n".join(lines) + "\n"


def _entry(term: str, text: str) -> list[str]:
    return [".TP", rf"\fB{_escape(term)}\fR", _escape(text)]


def _escape(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
