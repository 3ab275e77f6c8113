"""The provider: its configuration, resources and data sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf.iface import DataSource, Provider, Resource

from certkit.stores.opening import require_uri
from certkit.terraform.provider import mirror
from certkit.terraform.provider.boundary import Boundary
from certkit.terraform.provider.certificate import CertificateResource
from certkit.terraform.provider.data import CsrCheckDataSource, ExpiryDataSource, IdentityDataSource
from certkit.terraform.provider.identity import IdentityResource
from certkit.terraform.provider.schema import option, schema
from certkit.terraform.provider.services import Host

if TYPE_CHECKING:
    from tf.schema import Schema
    from tf.utils import Diagnostics

    from certkit.terraform.provider.schema import Config

_DESCRIPTION = (
    "Keys, CSRs and client certificates for mutual TLS with a partner. Private keys are made in a store and stay there:"
    " a directory, HashiCorp Vault or OpenBao. No key, token or passphrase is in a configuration, a plan or a state."
)


class CertkitProvider(Host, Provider):
    """The provider `certkit.local/certkit/certkit`."""

    def get_model_prefix(self) -> str:
        """The prefix of all type names."""
        return "certkit_"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:  # noqa: ARG002  tf gives it
        """The arguments of the provider's block."""
        return schema(
            _DESCRIPTION,
            option(
                "store",
                "Where identities are kept: `file:DIR` or `vault://MOUNT/PREFIX`. By default `CERTKIT_STORE`, else a"
                " directory of the user's. Vault is configured by the variables that the `vault` command reads.",
            ),
            option(
                "passphrase_file",
                "The path of a file whose first line is the passphrase of the keys in a directory. By default"
                " `CERTKIT_PASSPHRASE`, else keys are not encrypted.",
            ),
        )

    def full_name(self) -> str:
        """The provider's address."""
        return mirror.SOURCE

    def validate_config(self, diags: Diagnostics, config: Config) -> None:
        """Refuse what is not the URI of a store; the store is opened on first use."""
        with Boundary(diags):
            if isinstance(config["store"], str):
                require_uri(config["store"])

    def configure_provider(self, diags: Diagnostics, config: Config) -> None:
        """Read the provider's block, and refuse a URI of the environment that is not that of a store."""
        with Boundary(diags) as boundary:
            self.configuration = config
            self.require_store(boundary)

    def get_data_sources(self) -> list[type[DataSource]]:
        """The data sources."""
        return [IdentityDataSource, ExpiryDataSource, CsrCheckDataSource]

    def get_resources(self) -> list[type[Resource]]:
        """The resources."""
        return [IdentityResource, CertificateResource]
