"""Hosts: names and IP addresses, as resolved and as sent to servers."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_MAX_NAME = 253


def parse(text: str) -> str | None:
    """Return a host in the form to resolve: an IP address, or a name in ASCII; None if the text is neither."""
    if text.startswith("["):
        return text[1:-1] if is_address(text[1:-1], 6) else None
    return text if is_address(text, 4) else name(text)


def is_address(text: str, version: int | None = None) -> bool:
    """Return whether a text is an IP address of that version."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return version in {None, address.version}


def name(text: str) -> str | None:
    """Return a host name in lower case and ASCII (RFC 3490); None if it is no host name or ends in a number."""
    if len(text) > _MAX_NAME:
        return None
    try:
        made = text.lower() if text.isascii() else text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = made.removesuffix(".").split(".")
    is_name = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit() and len(made) <= _MAX_NAME
    return made if is_name else None


def server_name(host: str) -> str | None:
    """Return the server name for a host (RFC 6066 section 3): without a final dot; None for an IP address."""
    return None if is_address(host) else host.removesuffix(".")


def with_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
