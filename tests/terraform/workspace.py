"""A configuration of Terraform in a folder of its own, which uses the module, and a store of identities for it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from certkit.identity.enroll import enroll
from certkit.policy import catalogue
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.stores.sealing import PassphraseWrapping
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.x509.names import SubjectOptions
from tests import forked, pki
from tests.conftest import Ran, command, environment, require_program
from tests.stores.vault_roles import acl
from tests.terraform.secrets import forms, forms_of_key, places_with

if TYPE_CHECKING:
    from contextlib import ExitStack

    from certkit.stores.base import Store
    from tests.openbao import Server

MODULE = Path(__file__).parents[2] / "scripts" / "terraform"
PASSPHRASE = "the passphrase of these tests"
NAME = "wise-sandbox"
OUTPUTS = ("certificate_path", "csr", "key_reference", "ready_for_renewal", "state", "subject", "validity_end_time")

_PREFIXES = itertools.count()


@dataclass(frozen=True)
class Place:
    """A store as Terraform names it, the environment that opens it, and the same store with all permissions."""

    uri: str
    env: dict[str, str]
    store: Store
    secrets: tuple[str, ...]
    folder: Path | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """Where the certificate and the private key of the first generation are, once it is in use."""
        if self.folder:
            return f"{self.folder}/{NAME}/active/certificate.pem", f"{self.folder}/{NAME}/active/key.pem"
        first = f"{self.uri}/{NAME}/generations/0001"
        return f"{first}/certificate", f"{first}/key"

    def numbers(self) -> list[str]:
        """The generations of the identity."""
        return [each.number for each in self.store.load(NAME).generations]

    def private_keys(self) -> list[bytes]:
        """The private keys of the identity, if it is there."""
        if NAME not in self.store.names():
            return []
        return [self.store.key(NAME, number).reveal() for number in self.numbers()]


def file_place(folder: Path) -> Place:
    """A directory whose keys are encrypted."""
    wrapping = PassphraseWrapping(Secret(PASSPHRASE.encode()))
    env = {"CERTKIT_PASSPHRASE": PASSPHRASE}
    return Place(f"file:{folder}", env, FileStore(folder, wrapping), (PASSPHRASE,), folder)


def vault_place(server: Server, closing: ExitStack) -> Place:
    """A prefix of a real server, for which Terraform has the ACL policy of a provisioner and no other."""
    prefix = f"module-{next(_PREFIXES)}"
    token = server.token_for(acl("provisioner", prefix=prefix), no_default_policy=True, ttl="1h")
    vault = closing.enter_context(Vault.connect(server.settings()))
    env = {"VAULT_ADDR": server.address, "VAULT_TOKEN": token}
    return Place(f"vault://secret/{prefix}", env, VaultStore(vault, "secret", prefix), (token,))


@dataclass
class Workspace:
    """A folder with a configuration; what Terraform says and logs is kept in files in it."""

    folder: Path
    place: Place
    arguments: dict[str, Any] = field(default_factory=dict)
    state: Path | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "bin").mkdir()
        forked.program(self.folder / "bin", command())
        self.configure()
        self.run("init")

    def script(self, name: str, text: str) -> None:
        """A program that Terraform finds before others."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def configure(self, **changes: Any) -> None:
        """Use the module, with these arguments from now on."""
        self.arguments |= changes
        told = {
            "source": str(MODULE),
            "identity": NAME,
            "store": self.place.uri,
            "policy": "wise-sandbox",
            "subject": {"organization": "Acme Ltd", "country": "GB"},
            **self.arguments,
        }
        document = {
            "module": {"wise": {name: _literal(value) for name, value in told.items()}},
            "output": {name: {"value": f"${{module.wise.{name}}}"} for name in OUTPUTS},
        }
        if self.state:
            document["terraform"] = {"backend": {"local": {"path": str(self.state)}}}
        (self.folder / "main.tf.json").write_text(json.dumps(document))

    @property
    def env(self) -> dict[str, str]:
        """The environment of Terraform, which logs all that it can."""
        own = {name: value for name, value in environment().items() if not name.startswith(("TF_", "VAULT_", "BAO_"))}
        path = f"{self.folder}/bin{os.pathsep}{own['PATH']}"
        log = {"TF_LOG": "TRACE", "TF_LOG_PATH": str(self.folder / "trace.log")}
        return {**own, **log, **self.place.env, "PATH": path, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Begin a command of Terraform; what it says goes to a file."""
        program = [require_program("terraform"), arguments[0], "-no-color", *arguments[1:]]
        with (self.folder / "said.log").open("ab") as said:
            return subprocess.Popen(
                program, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **options
            )

    def run(self, *arguments: str, code: int | None = 0) -> Ran:
        """Run a command of Terraform; it must end with that exit code."""
        program = [require_program("terraform"), arguments[0], "-no-color", *arguments[1:]]
        options: dict[str, Any] = {"cwd": self.folder, "env": self.env, "stdin": subprocess.DEVNULL, "timeout": 120}
        done = subprocess.run(program, capture_output=True, check=False, **options)
        with (self.folder / "said.log").open("ab") as said:
            said.write(done.stdout + done.stderr)
        assert code is None or done.returncode == code, (done.stdout + done.stderr).decode()
        return Ran(done.returncode, done.stdout.decode(), " ".join(done.stderr.decode().replace("│", "").split()))

    def apply(self, **changes: Any) -> Ran:
        """Apply, with these arguments of the module from now on."""
        if changes:
            self.configure(**changes)
        return self.run("apply", "-auto-approve")

    def is_settled(self) -> bool:
        """Return whether a plan has nothing to do."""
        return self.run("plan", "-detailed-exitcode", code=None).code == 0

    def outputs(self) -> dict[str, Any]:
        """The outputs of the module."""
        return {name: each["value"] for name, each in self.run("output", "-json").json.items()}

    def answer(self, ca: pki.CA, *, days: float = 300, name: str = "answer.pem") -> str:
        """Have the last request signed, valid for so many days from now; the answer, beside the configuration."""
        now = datetime.now(UTC)
        csr = self.place.store.load(NAME).generations[-1].csr
        assert csr is not None
        key = x509.load_pem_x509_csr(csr).public_key()
        issued = ca.issue(public_key=key, begin=now - pki.DAY, end=now + days * pki.DAY + pki.DAY / 2)
        (self.folder / name).write_bytes(issued.pem)
        (self.folder / "ca.pem").write_bytes(ca.pem)
        if self.place.folder is None:  # in Vault the operator says whom to trust, not the provisioner
            bundle = ca.pem.decode()
            self.place.store.change(
                NAME, lambda record: replace(record, settings=replace(record.settings, trust_bundle=bundle))
            )
        return name

    def activate(self, ca: pki.CA, *, days: float = 300) -> None:
        """Put a certificate to use for a request that was made before Terraform came."""
        settings = Settings(policy="wise-sandbox", subject=SubjectOptions(organization="Acme Ltd", country="GB"))
        enroll(self.place.store, NAME, settings, catalogue.load("wise-sandbox"), now=datetime.now(UTC))
        self.apply(certificate=self.answer(ca, days=days), ca="ca.pem")

    def places_with_secrets(self) -> set[str]:
        """The files beside the store that hold a private key, the token or the passphrase, in any form."""
        texts = (form for text in self.place.secrets for form in forms(text.encode()))
        keys = (form for key in self.place.private_keys() for form in forms_of_key(key))
        return places_with({*texts, *keys}, self.folder.parent, but=self.place.folder)


def _literal(value: Any) -> Any:
    """A value as the configuration spells it: `${` would begin an expression."""
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return value.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else value
