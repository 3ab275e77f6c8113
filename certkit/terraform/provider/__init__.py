"""The Terraform provider `certkit/certkit`: resources and data sources over the use cases, one file for each.

No private key, token or passphrase is an attribute of anything here, so none gets into a plan, a state or an output.
"""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> int:
    """Answer Terraform's requests until it ends the process, and return the exit code.

    Terraform starts this process several times for each command.
    """
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
    serve(CertkitProvider())
    gc.freeze()
    return 0
