"""Fixtures: workspaces of Terraform over each kind of store, and a partner who answers requests."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from certkit.identity import install as answer
from certkit.identity import overview, retire
from certkit.policy.catalogue import load
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.record import State
from certkit.stores.sealing import PassphraseWrapping
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests import forked, pki
from tests.conftest import Command, require_program
from tests.stores import vault_roles
from tests.terraform.provider.workspace import Workspace, overridden
from tests.terraform.secrets import forms, forms_of_key

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIXES = itertools.count()
SECRET = {"CERTKIT_PASSPHRASE", "VAULT_TOKEN"}
PASSPHRASE = b"correct horse battery staple"


@dataclass
class Place:
    """A store as the test sees it, with all rights, and as Terraform does: by its address and its environment."""

    store: Any
    uri: str
    variables: dict[str, str]

    @property
    def secrets(self) -> set[bytes]:
        """All that must not come into Terraform: keys of every identity, the token, the passphrase."""
        numbers = [(name, each.number) for name in self.store.names() for each in self.store.load(name).generations]
        assert numbers
        keys = [forms_of_key(self.store.key(*number).reveal()) for number in numbers]
        return set().union(*keys, *(forms(value.encode()) for name, value in self.variables.items() if name in SECRET))


def file_place(request) -> Place:
    """A directory, whose keys are encrypted with a passphrase from the environment."""
    root = request.getfixturevalue("tmp_path") / "store"
    variables = {"CERTKIT_PASSPHRASE": PASSPHRASE.decode()}
    return Place(FileStore(root, PassphraseWrapping(Secret(PASSPHRASE))), f"file:{root}", variables)


def vault_place(request, *, more: str = "") -> Place:
    """A prefix on a real server, where Terraform has the role of the provisioner and nothing else but `more`."""
    server = request.getfixturevalue("openbao")
    prefix = f"terraform-{next(PREFIXES)}"
    vault = Vault.connect(server.settings())
    request.addfinalizer(vault.close)
    token = server.token_for(vault_roles.acl("provisioner", prefix=prefix) + more, no_default_policy=True, ttl="1h")
    variables = {"VAULT_ADDR": server.address, "VAULT_TOKEN": token}
    return Place(VaultStore(vault, "secret", prefix), f"vault://secret/{prefix}", variables)


@pytest.fixture(scope="session")
def installed_provider(tmp_path_factory):
    """The configuration of Terraform's command line with the provider as it is installed."""
    require_program("terraform")
    folder = tmp_path_factory.mktemp("provider")
    return overridden(folder, Command(folder))


@pytest.fixture(scope="session")
def cli_configuration(installed_provider):
    """The same with the provider forked, without the start-up that Terraform waits for three times in a plan."""
    [directory] = re.findall(r'= "(/.*)"\n', installed_provider.read_text())
    [program] = Path(directory).iterdir()
    forked_folder = installed_provider.parent / "forked"
    forked_folder.mkdir()
    forked.program(forked_folder, [str(program)], name=program.name, run="certkit.terraform.provider")
    path = installed_provider.with_name("forked.tfrc")
    path.write_text(installed_provider.read_text().replace(directory, str(forked_folder)))
    return path


@pytest.fixture
def file(request):
    """A store in a directory."""
    return file_place(request)


@pytest.fixture
def vault(request):
    """A prefix on a real server."""
    return vault_place(request)


@pytest.fixture(params=[file_place, vault_place], ids=["file", "vault"])
def place(request):
    """A store of each kind."""
    return request.param(request)


@pytest.fixture
def workspaces(tmp_path, cli_configuration) -> Callable[[Place], Workspace]:
    """A function that makes a workspace over a store."""
    numbers = itertools.count()

    def make(place: Place) -> Workspace:
        folder = tmp_path / f"work-{next(numbers)}"
        folder.mkdir()
        return Workspace(folder, cli_configuration, place.variables)

    return make


def provider(place: Place) -> str:
    """The provider's block."""
    return f'provider "certkit" {{\n  store = "{place.uri}"\n}}\n'


def identity(name: str = "acme", more: str = "", *, label: str = "acme") -> str:
    """An identity for Wise's sandbox, whose CA is in `ca.pem`."""
    return f"""\
resource "certkit_identity" "{label}" {{
  name         = "{name}"
  policy       = "wise-sandbox"
  organization = "Acme Ltd"
  country      = "GB"
  ca           = file("ca.pem")
  {more}
}}
"""


def certificate(more: str = "") -> str:
    """The certificate of that identity, which is in `acme.pem`."""
    return f"""\
resource "certkit_certificate" "acme" {{
  identity    = certkit_identity.acme.name
  certificate = file("acme.pem")
  {more}
}}
"""


@dataclass(frozen=True)
class Partner:
    """A partner's CA, valid on the day of the test."""

    ca: pki.CA

    def answer(self, csr: str, *, days: int = 200) -> pki.Pair:
        """The certificate for a CSR, which ends in so many days."""
        now = datetime.now(UTC)
        key = x509.load_pem_x509_csr(csr.encode()).public_key()
        begin = now - pki.YEAR + (days + 1) * pki.DAY
        return self.ca.issue(public_key=key, begin=begin, end=now + days * pki.DAY)

    @property
    def secrets(self) -> set[bytes]:
        """The forms of the CA's private key."""
        return forms_of_key(self.ca.key_pem)

    @staticmethod
    def end(days: int) -> datetime:
        """The moment when a certificate ends that has so many days left, today's midnight included."""
        return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + days * pki.DAY

    @staticmethod
    def csr() -> bytes:
        """A CSR that certkit did not create."""
        builder = x509.CertificateSigningRequestBuilder(pki.name(CN="acme"))
        return builder.sign(pki.new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def bundle(self) -> bytes:
        """A PKCS#12 bundle that the passphrase opens."""
        pair = self.ca.issue(end=self.end(300))
        encryption = serialization.BestAvailableEncryption(PASSPHRASE)
        return pkcs12.serialize_key_and_certificates(None, pair.key, pair.certificate, None, encryption)

    def install(self, place: Place, name: str = "acme", *, days: int = 200) -> str:
        """Answer the request that waits, without Terraform; the generation that is in use then."""
        found = place.store.load(name)
        waiting = overview.in_state(found, State.PENDING)[-1]
        pasted = self.answer(waiting.csr.decode(), days=days).pem
        now = datetime.now(UTC)
        _, number = answer.install(place.store, found, pasted, load("wise-sandbox"), now=now)
        found = place.store.load(name)
        retire.change(place.store, found, lambda record: record.activate(number))
        return number


@pytest.fixture(scope="session")
def partner():
    """A partner."""
    return Partner(pki.root(begin=datetime.now(UTC) - 2 * pki.YEAR, end=datetime.now(UTC) + 2 * pki.YEAR))
