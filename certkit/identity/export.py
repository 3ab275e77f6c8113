"""Exporting the active generation to a directory, for the programs of a host; repeatable, as from cron."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from certkit.errors import InputError
from certkit.files import release
from certkit.files.content import Access
from certkit.files.owners import DEFAULT_TRUST
from certkit.findings import Status
from certkit.identity import credentials, overview
from certkit.identity.hooks import notify
from certkit.identity.programs import Program, absolute
from certkit.printable import printable
from certkit.secret import Secret
from certkit.stores.base import Location
from certkit.x509 import containers, keys, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from certkit.files.content import Content
    from certkit.files.owners import Trust
    from certkit.stores.base import Issued, Store, StoredIdentity

Key: TypeAlias = "Callable[[], Secret]"
KEY, CERTIFICATE, FULLCHAIN, CA = "key.pem", "certificate.pem", "fullchain.pem", "ca.pem"
BUNDLE = "bundle.p12"
CURL, NGINX, SECRET, GHOSTUNNEL = "curl.conf", "nginx.conf", "secret.yaml", "ghostunnel.args"
# The file with the options of a program, a line of it, the options for chain, key and CAs, and what else it needs.
_OPTIONS = {
    "curl": (CURL, '{} = "{}"\n', ("cert", "key", "cacert"), ""),
    "nginx": (
        NGINX,
        '{} "{}";\n',
        ("proxy_ssl_certificate", "proxy_ssl_certificate_key", "proxy_ssl_trusted_certificate"),
        # Without a trust bundle, nginx still needs to know what to trust.
        "proxy_ssl_verify on;\nproxy_ssl_server_name on;\n",
    ),
    # Its parser (kingpin) reads a file of arguments, one in each line: ghostunnel client @DIR/ghostunnel.args
    # --listen … --target … (ghostunnel's main.go, read on 2026-11-30).
    "ghostunnel": (GHOSTUNNEL, "--{}={}\n", ("cert", "key", "cacert"), ""),
}
# The formats that consist of one file.
_ALONE = {"pkcs12": BUNDLE, "kubernetes": SECRET}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedExport:
    """The export that a host wants: the directory, the format, the group, and the hook to run after a change.

    `passphrase` protects a PKCS#12 bundle. `program` finds the program of a hook, and `environment` is what it gets.
    `trust` says which owners' directories are safe to export into.
    """

    directory: Path
    form: str = "pem"
    group: int | None = None
    passphrase: Secret | None = None
    hook: str | None = None
    environment: Mapping[str, str]
    program: Callable[[str], Program] = lambda text: Program(absolute(text))
    trust: Trust = DEFAULT_TRUST


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export: the directory, the number of the active generation, and whether anything changed.

    `status` is critical if the certificate has expired: the files are written all the same.
    """

    directory: Path
    generation: str
    changed: bool
    status: Status = Status.OK


def export(store: Store, identity: StoredIdentity, wanted: WantedExport) -> Exported:
    """Make a directory hold the active generation.

    Current files are not touched; otherwise all files are switched by one rename, and then the hook runs. A hook that
    failed is run again the next time.

    Raises:
        InputError: if there is no active generation, or the directory was not written by certkit.
        HookError: if the hook failed; the files are in place.
    """
    name, number = identity.name, identity.record.active
    if number is None:
        raise overview.none_active(identity)
    generation = overview.generation(identity, number)
    if generation.issued is None:
        raise InputError(f"{name}: generation {number} has no certificate", hint=f"see certkit identity show {name}")
    if wanted.form not in _FORMS:
        raise InputError(f"unknown format {wanted.form!r}", hint=f"formats: {', '.join(_FORMS)}")
    key = functools.partial(_key, store, identity, number, wanted)
    issued = replace(generation.issued, trust_bundle=overview.trust_bundle(identity, generation))
    contents = _FORMS[wanted.form](key, issued, wanted, name)
    directory, trust = wanted.directory, wanted.trust
    changed = release.switch(directory, contents, Access(wanted.group), task=wanted.hook, trust=trust)
    if (mark := release.mark(directory, trust=trust)) is not None and (hook := wanted.hook or mark.task):
        notify(
            [wanted.program(hook)],
            wanted.environment,
            name=name,
            certificate=overview.certificate(generation),
            where=_location(wanted),
            changed=changed,
        )
        release.unmark(directory, mark, trust=trust)
    return Exported(directory, number, changed)


def _key(store: Store, identity: StoredIdentity, number: str, wanted: WantedExport) -> Secret:
    """Return the key of a generation: from the previous export if it matches, else from the store.

    So an export that changes nothing reads no key from Vault.
    """
    held = release.read(wanted.directory, SECRET if wanted.form == "kubernetes" else KEY)
    if held is not None and wanted.form == "kubernetes":
        found = re.search(rb"^  tls\.key: ([A-Za-z0-9+/=]+)$", held, re.MULTILINE)
        held = base64.b64decode(found[1]) if found else None
    with contextlib.suppress(InputError, ValueError):
        if held and keys.to_pem(keys.load_private_key(held)) == (exported := Secret(held)):
            credentials.require_pair(identity, number, exported)
            return exported
    key = store.key(identity.name, number)
    credentials.require_pair(identity, number, key)
    return key


def _location(wanted: WantedExport) -> Location:
    """Return where the programs of this host find the generation."""

    def path(file: str) -> str:
        return str(wanted.directory.absolute() / _ALONE.get(wanted.form, file))

    return Location(
        lineage=str(wanted.directory.absolute()),
        key=path(KEY),
        certificate=path(CERTIFICATE),
        fullchain=path(FULLCHAIN),
        ca=path(CA),
        is_directory=True,
    )


def _pem(key: Key, issued: Issued, wanted: WantedExport, _: str) -> dict[str, Content]:
    """Return the pair as files, and the options that make a program use them, each with a path."""
    contents: dict[str, Content] = {KEY: key(), CERTIFICATE: issued.certificate, FULLCHAIN: issued.fullchain}
    if issued.trust_bundle:
        contents[CA] = issued.trust_bundle
    if wanted.form in _OPTIONS:
        file, line, options, more = _OPTIONS[wanted.form]
        named = [each for each in zip(options, (FULLCHAIN, KEY, CA), strict=True) if each[1] in contents]
        lines = (line.format(option, _quoted(wanted.directory / name)) for option, name in named)
        contents[file] = "".join([*lines, more]).encode()
    return contents


def _pkcs12(key: Key, issued: Issued, wanted: WantedExport, _: str) -> dict[str, Content]:
    leaf, *chain = objects.certificates(issued.fullchain, name="the certificate")
    known = release.read(wanted.directory, BUNDLE)
    if known is not None and containers.is_pkcs12_of(known, leaf, chain, wanted.passphrase):
        return {BUNDLE: Secret(known)}  # its salt would differ each time
    try:
        return {BUNDLE: containers.to_pkcs12(key(), leaf, chain, wanted.passphrase)}
    except ValueError as error:
        reason = objects.short_reason(error)
        raise InputError(f"cannot write {BUNDLE}: {reason}", hint="check the pair: certkit store check") from error


def _kubernetes(key: Key, issued: Issued, _: WantedExport, name: str) -> dict[str, Content]:
    """Return a Secret of type kubernetes.io/tls; its ca.crt is the CA of the server, not that of the client."""
    data = {"tls.crt": issued.fullchain, "tls.key": key().reveal()}
    if issued.trust_bundle:
        data["ca.crt"] = issued.trust_bundle
    lines = [f"  {file}: {base64.b64encode(content).decode('ascii')}\n" for file, content in sorted(data.items())]
    # RFC 1123: labels of lower-case letters, digits and hyphens, at both ends a letter or digit.
    labels = (re.sub(r"[^a-z0-9-]+", "-", label).strip("-") for label in name.lower().split("."))
    called = ".".join(label for label in labels if label)
    head = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {json.dumps(called)}\ntype: kubernetes.io/tls\ndata:\n"
    return {SECRET: Secret((head + "".join(lines)).encode("ascii"))}


def _quoted(path: Path) -> str:
    """Return a path in double quotes for a configuration file."""
    text = str(path.absolute())
    if printable(text) != text or '"' in text or "\\" in text or "$" in text:
        hint = "choose a directory name without quotes, backslashes, dollar signs and control characters"
        raise InputError(f"cannot write {text}: its name cannot be written into a configuration file", hint=hint)
    return text


_FORMS: dict[str, Callable[[Key, Issued, WantedExport, str], dict[str, Content]]] = {
    "pem": _pem,
    "pkcs12": _pkcs12,
    "curl": _pem,
    "nginx": _pem,
    "kubernetes": _kubernetes,
    "ghostunnel": _pem,
}
FORMS = tuple(_FORMS)
