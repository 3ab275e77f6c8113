"""The common part of the issuers here: one request to a partner's API, and the certificate in its response."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30
MOST_BYTES = 1024 * 1024
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def setting(name: str) -> str:
    """Return an environment variable; exit with an error if it is missing."""
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"{name} is not set; name it under `environment` of this issuer in certkit.toml")
    return value


def request_body(template: str, pem: str) -> object:
    """Return a JSON template with a CSR in place of `%CSR_PEM%` or `%CSR_BASE64%`; exit if there is neither, or no CSR.

    The template is what the partner's reference shows as the request; `%CSR_BASE64%` is DER in base64 on one line.
    """
    found = re.search(r"-----BEGIN CERTIFICATE REQUEST-----(.+?)-----END", pem, re.DOTALL)
    if found is None:
        sys.exit("expected a CSR on standard input")
    if not re.search("%CSR_(PEM|BASE64)%", template):
        sys.exit("the request has no place for the CSR: write %CSR_PEM% or %CSR_BASE64% where the reference has it")
    for place, text in (("%CSR_PEM%", pem), ("%CSR_BASE64%", "".join(found[1].split()))):
        template = template.replace(place, json.dumps(text)[1:-1])
    try:
        return json.loads(template)
    except ValueError as error:
        sys.exit(f"the request is not JSON: {error}")


def header(line: str) -> dict[str, str]:
    """Return the header in a line such as `Authorization: Basic …`; exit if the line is not a header."""
    name, separator, value = line.partition(":")
    if not separator or not name.strip() or not value.strip():
        sys.exit("the header with the API key is not of the form NAME: VALUE")
    return {name.strip(): value.strip()}


def post(url: str, body: object, headers: dict[str, str]) -> object:
    """Post JSON and return the JSON of the response; exit with the status if the request failed."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1"}:
        sys.exit(f"{url} is not an https:// URL")
    headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.loads(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        said = error.read(400).decode("utf-8", "replace").replace("\n", " ")
        sys.exit(f"{parts.hostname} answered with status {error.code}: {said}")
    except (OSError, ValueError) as error:
        sys.exit(f"cannot use the response of {parts.hostname}: {error}")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the API key is for this host only."""

    def redirect_request(self, *_: object) -> None:
        return None


def print_certificates(answer: object) -> None:
    """Print every certificate in a response (PEM, or base64 of DER, anywhere) as PEM; exit if there is none."""
    found = [pem for text in _texts(answer) for pem in _certificates(text)]
    if not found:
        sys.exit("the answer has no certificate")
    print("\n".join(dict.fromkeys(found)))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def _certificates(text: str) -> list[str]:
    if "-----BEGIN" in text:
        return _PEM.findall(text)
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return []
    if not re.match(rb"\x30(\x81.|\x82..)\x30", der, re.DOTALL):  # a sequence that begins with another one
        return []
    lines = "\n".join(re.findall(".{1,64}", base64.b64encode(der).decode()))
    return [f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----"]
