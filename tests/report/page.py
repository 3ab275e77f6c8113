"""A page as it is read: by a parser, and by Chromium without a network."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from tests.conftest import require_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VOID = {"meta", "link", "input", "wbr", "br", "hr", "img"}


@dataclass
class Element:
    """A tag with its attributes and what is in it."""

    tag: str
    attributes: dict[str, str | None]
    parent: Element | None = None
    inner: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """All that is below it, in the order of the page."""
        for each in self.inner:
            if isinstance(each, Element):
                yield each
                yield from each

    @property
    def text(self) -> str:
        """The text in it, with every run of white space as one space."""
        parts = [each if isinstance(each, str) else each.text for each in self.inner]
        return " ".join("".join(parts).split())

    @property
    def classes(self) -> list[str]:
        """Its classes."""
        return (self.attributes.get("class") or "").split()

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements below it with that tag and those attributes (`class_` is one of the classes)."""
        wanted_class = attributes.pop("class_", None)
        return [
            each
            for each in self
            if each.tag == tag
            and (wanted_class is None or wanted_class in each.classes)
            and attributes.items() <= each.attributes.items()
        ]

    def one(self, tag: str, **attributes: str) -> Element:
        """The only such element."""
        [found] = self.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    """Builds the tree, and refuses what is not closed in the order in which it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.root = self.open = Element("", {})

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        element = Element(tag, dict(attrs), self.open)
        self.open.inner.append(element)
        if tag not in _VOID:
            self.open = element

    def handle_startendtag(self, tag, attrs):
        self.open.inner.append(Element(tag, dict(attrs), self.open))

    def handle_endtag(self, tag):
        assert tag == self.open.tag, f"</{tag}> where {self.open.tag} is open"
        self.open = self.open.parent

    def handle_data(self, data):
        self.open.inner.append(data)


def read(html: str) -> Element:
    """The page as a tree; it must be well-formed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open is reader.root, f"{reader.open.tag} is never closed"
    return reader.root


def in_chromium(url: str, folder: Path) -> str:
    """The page as it stands in headless Chromium once its scripts have run; no name of a host leads anywhere."""
    command = [
        *(require_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", f"--user-data-dir={folder / 'profile'}"),
        *("--virtual-time-budget=2000", "--dump-dom", url),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
