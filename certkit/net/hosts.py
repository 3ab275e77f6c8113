"""Hosts: names and IP addresses, as resolved and as sent to servers."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_MAX_NAME = 253


def parse(text: str) -> str | None:
    """Return a host in the form to resolve: an IP address, or a name in ASCII; None if the text is neither."""
    if text.startswith("["):
        return text[1:-1] if isinstance(ip(text[1:-1]), ipaddress.IPv6Address) else None
    return text if isinstance(ip(text), ipaddress.IPv4Address) else name(text)


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a text as an IP address; None if it is something else."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


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
    return None if ip(host) else host.removesuffix(".")


def with_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
