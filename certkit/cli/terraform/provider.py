"""`terraform-provider-certkit`, the process that Terraform starts several times for each command."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certkit.terraform.provider.services import Services


def main() -> int:
    """Answer Terraform's requests until it ends the process, and return the exit code."""
    gc.set_threshold(50_000)
    # Child processes read PKCS#12 files and exit; gRPC's fork handlers would make some of them fail.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    from certkit.terraform.provider.provider import CertkitProvider
    from certkit.terraform.provider.server import MAGIC, serve

    name, value = MAGIC
    if os.environ.get(name) != value:
        sys.stderr.write("certkit: error: this program is started by Terraform. See `certkit terraform --help`\n")
        return 3
    # Ctrl-C reaches every process of the terminal; Terraform decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(CertkitProvider(_services), announce=_announce)
    gc.freeze()
    return 0


def _services() -> Services:
    from certkit.cli.terraform.services import services

    return services()


def _announce(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
