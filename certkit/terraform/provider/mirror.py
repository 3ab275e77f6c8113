"""Install the provider where Terraform finds it without a registry: in a filesystem mirror."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import content, writing
from certkit.files.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

# A host of our own: no one else can publish a provider under this address, and no registry is asked for it.
SOURCE = "certkit.local/certkit/certkit"
SOURCE_OF_0_1_0 = "registry.terraform.io/certkit/certkit"
_PROGRAM = "terraform-provider-certkit"

# Terraform's names of the processors that Python knows.
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# The length of a first line that kernels read (Linux before 5.1).
_LONGEST_FIRST_LINE = 126

_LAUNCHER = """\
# Written by `certkit terraform install-provider`.
import sys

from certkit.terraform.provider import main

sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """The path of the installed provider, and whether anything was written."""

    mirror: Path
    directory: Path
    version: str
    changed: bool


def install(mirror: Path, *, python: str, version: str) -> Installed:
    """Write the program that starts the provider with this interpreter; an identical one is not touched.

    Raises:
        InputError: if it cannot be written.
    """
    number = semantic(version)
    directory = mirror / SOURCE / number / system()
    path = directory / f"{_PROGRAM}_v{number}"
    program = launcher(python).encode()
    # Others must not write where Terraform looks for programs.
    writing.make_directory(directory, content.PROGRAM_MODE, about=path)
    with Folder.open(directory, about=path) as folder:
        changed = not folder.has(path.name) or not folder.holds(path.name, program)
    if changed:
        writing.publish(path, program, replace=True, mode=content.PROGRAM_MODE & ~content.umask())
    return Installed(mirror, directory, number, changed)


def launcher(python: str) -> str:
    """Return the program: its first line names the interpreter, or if that is impossible, a shell."""
    first = f"#!{python}"
    if len(first) <= _LONGEST_FIRST_LINE and not re.search(r"\s", python):
        return f"{first}\n{_LAUNCHER}"
    # A shell runs the second line; Python sees a text there.
    quoted = python.replace("'", "'\"'\"'")
    return f"#!/bin/sh\n'''exec' '{quoted}' \"$0\" \"$@\"\n' '''\n{_LAUNCHER}"


def semantic(version: str) -> str:
    """Return a version in Terraform's spelling: `0.2.0rc1` is `0.2.0-rc1`."""
    rest = version.lstrip("0123456789.")
    return f"{version.removesuffix(rest).rstrip('.')}-{rest}" if rest else version


def system() -> str:
    """Return Terraform's name of this system, such as `linux_amd64`.

    Raises:
        InputError: if Terraform has no name for it that is known here.
    """
    name, machine = platform.system().lower(), platform.machine().lower()
    if machine not in _MACHINES:
        raise InputError(f"cannot install the provider on {name} {machine}", hint="use `certkit terraform query` there")
    return f"{name}_{_MACHINES[machine]}"


# Once for each state that 0.1.0 has written.
REPLACE_PROVIDER = f"terraform state replace-provider {SOURCE_OF_0_1_0} {SOURCE}"


def mirror_block(installed: Installed) -> str:
    """Return the configuration (`~/.terraformrc`) that names the mirror."""
    return f"""\
# A state that certkit 0.1.0 has written needs this once: {REPLACE_PROVIDER}
provider_installation {{
  filesystem_mirror {{
    path    = {_quoted(installed.mirror)}
    include = ["{SOURCE}"]
  }}
  direct {{
    exclude = ["{SOURCE}"]
  }}
}}
"""


def override_block(installed: Installed) -> str:
    """Return the configuration (`~/.terraformrc`) that has Terraform use the provider without `init`."""
    return f"""\
provider_installation {{
  dev_overrides {{
    "{SOURCE}" = {_quoted(installed.directory)}
  }}
  direct {{}}
}}
"""


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
