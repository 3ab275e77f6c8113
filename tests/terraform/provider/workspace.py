"""A folder with a configuration, and the real Terraform in it; it can be searched for what must not be there."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from tests.conftest import environment, require_program

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = "certkit/certkit"
HEADER = f"""\
terraform {{
  required_providers {{
    certkit = {{ source = "{SOURCE}" }}
  }}
}}
"""


@dataclass(frozen=True)
class Ran:
    """A finished Terraform command."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that was said, without the frames that Terraform draws, in one line."""
        return re.sub(r"[\s│╷╵]+", " ", self.out + self.err)


@dataclass
class Workspace:
    """A folder of its own, with all that Terraform writes; `variables` are added to its environment."""

    folder: Path
    cli_configuration: Path
    variables: dict[str, str] = field(default_factory=dict)
    commands: int = 0

    def write(self, configuration: str) -> None:
        """Write the configuration."""
        (self.folder / "main.tf").write_text(HEADER + configuration)

    def environment(self) -> dict[str, str]:
        """What Terraform and the provider see: a home of their own, and logs of everything."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        self.commands += 1
        foreign = ("VAULT_", "BAO_", "TF_", "XDG_")
        own = {name: value for name, value in environment().items() if not name.startswith(foreign)}
        return own | {
            "HOME": str(home),
            "TF_CLI_CONFIG_FILE": str(self.cli_configuration),
            "TF_LOG": "TRACE",
            "TF_LOG_PATH": str(self.folder / f"trace-{self.commands}.log"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            **self.variables,
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Terraform as the leader of a group of its own, so that all of it can be killed."""
        return subprocess.Popen(
            [require_program("terraform"), *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[bytes]) -> Ran:
        """Wait for Terraform."""
        out, err = process.communicate(timeout=120)
        with (self.folder / "said.log").open("ab") as log:
            log.write(out + err)
        ran = Ran(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in ran.said, ran.said
        assert "panic:" not in ran.said, ran.said
        assert "rpc error" not in ran.said, ran.said
        return ran

    def run(self, command: str, *arguments: str) -> Ran:
        """Run a command of Terraform."""
        return self.finish(self.start(command, "-no-color", *arguments))

    def apply(self) -> Ran:
        """Apply what the configuration says; it must succeed."""
        done = self.run("apply", "-auto-approve")
        assert done.code == 0, done.said
        return done

    def apply_in_two_steps(self) -> Ran:
        """Plan into a file, and apply that; what the plan said."""
        planned = self.run("plan", "-out=saved.tfplan")
        assert planned.code == 0, planned.said
        done = self.run("apply", "saved.tfplan")
        assert done.code == 0, done.said
        return planned

    def plan(self, *arguments: str) -> Ran:
        """A plan; its code is 0 if nothing is to be done, 2 if something is, and 1 on failure."""
        return self.run("plan", "-detailed-exitcode", *arguments)

    def state(self, address: str) -> dict[str, Any]:
        """The attributes of a resource or data source in the state."""
        document = json.loads((self.folder / "terraform.tfstate").read_text())
        for each in document["resources"]:
            prefix = "data." if each["mode"] == "data" else ""
            if f"{prefix}{each['type']}.{each['name']}" == address:
                return each["instances"][0]["attributes"]
        raise AssertionError(f"{address} is not in the state")

    def forget(self, address: str, attribute: str) -> None:
        """Remove an attribute from the state."""
        path = self.folder / "terraform.tfstate"
        document = json.loads(path.read_text())
        for each in document["resources"]:
            if f"{each['type']}.{each['name']}" == address:
                del each["instances"][0]["attributes"][attribute]
        path.write_text(json.dumps(document))

    def holds(self, *secrets: bytes) -> list[str]:
        """What Terraform wrote or said in which one of some secrets is, in whatever form."""
        forms = [form for secret in secrets for form in spellings(secret)]
        return [name for name, data in self._written() if any(form in data for form in forms)]

    def _written(self):
        """Every file below the folder, and the members of plans, which are archives."""
        for path in filter(Path.is_file, self.folder.rglob("*")):
            yield path.name, path.read_bytes()
            if zipfile.is_zipfile(path):
                archive = zipfile.ZipFile(path)
                yield from ((f"{path.name}:{name}", archive.read(name)) for name in archive.namelist())


def spellings(secret: bytes) -> list[bytes]:
    """The forms in which a secret may be found: as it is, in hexadecimal, and in base64 at every offset."""
    found = [secret, secret.hex().encode()]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret)
        # The first and the last characters depend on what stands beside.
        found.append(encoded[4 if offset else 0 : -4])
    return found


def forms_of_key(pem: bytes) -> list[bytes]:
    """A private key as PEM, as its lines, as DER, and as its number."""
    key = serialization.load_pem_private_key(pem, None)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    lines = [line for line in pem.splitlines() if len(line) > 40]
    numbers = key.private_numbers()
    number = numbers.p if hasattr(numbers, "p") else numbers.private_value
    return [pem, der, *lines, number.to_bytes((number.bit_length() + 7) // 8, "big")]


def overridden(folder: Path, certkit: Any) -> Path:
    """A configuration of Terraform's command line that takes the provider from a mirror, without `init`."""
    done = certkit("terraform", "install-provider", "--mirror", folder / "mirror", "--dev-override", "--quiet")
    assert done.code == 0, done.err
    path = folder / "override.tfrc"
    path.write_text(done.out)
    return path


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
