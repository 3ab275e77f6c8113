"""A folder with a configuration, and the real Terraform in it; it can be searched for what must not be there."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conftest import environment, require_program
from tests.terraform.secrets import places_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# The faketime program orphans what it starts.
LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
SOURCE = "certkit.local/certkit/certkit"
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
        """Return the environment of Terraform and the provider: a home of their own, and logs of everything."""
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
        color = () if command in {"state", "workspace"} else ("-no-color",)
        return self.finish(self.start(command, *color, *arguments))

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

    def holds(self, secrets: Iterable[bytes]) -> set[str]:
        """The files of what Terraform wrote and said in which one of some secrets is, in whatever form."""
        return places_with(secrets, self.folder)


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
