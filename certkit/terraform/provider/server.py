"""The process that Terraform starts: go-plugin's handshake, and the provider behind a socket of its own.

`tf` brings a server too, which keeps an RSA key of 1024 bits for its transport in the user's cache. This one makes a
key for its own lifetime, in memory, and ends with the Terraform that started it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import tempfile
import threading
import time
from concurrent import futures
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import tf.utils
from tf.gen import grpc_controller_pb2, grpc_controller_pb2_grpc, grpc_stdio_pb2_grpc, tfplugin_pb2, tfplugin_pb2_grpc
from tf.provider import ProviderServicer
from tf.types import Unknown
from tf.utils import Diagnostics, read_dynamic_value, to_dynamic_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from tf.iface import Provider

# Terraform also sends what it knows of an unknown value, such as its prefix, and `tf` would take that for a value.
tf.utils._msgpack_ext_hook = lambda *_: Unknown  # noqa: SLF001

# What Terraform sets, and a person who starts the program by hand does not.
MAGIC = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")

_HANDSHAKE_VERSION, _PROTOCOL_VERSION = 1, 6
_WORKERS = 10
_WATCH_SECONDS = 1
_GRACE_SECONDS = 1
# The key lives as long as the process, whatever the clock says.
_VALID = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def serve(provider: Provider) -> None:
    """Print the address, and serve Terraform until it shuts the provider down or exits."""
    parent = os.getppid()
    reader, writer = os.pipe()

    def end(*_: object) -> None:
        os.write(writer, b".")

    def watch() -> None:
        """End with Terraform, even if it was killed."""
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        end()

    signal.signal(signal.SIGTERM, end)
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS))
    tfplugin_pb2_grpc.add_ProviderServicer_to_server(_Servicer(provider), server)
    grpc_controller_pb2_grpc.add_GRPCControllerServicer_to_server(_Controller(end), server)
    grpc_stdio_pb2_grpc.add_GRPCStdioServicer_to_server(_Output(), server)
    certificate, credentials = _transport()
    with tempfile.TemporaryDirectory(prefix="certkit-") as folder:
        socket = f"{folder}/socket"
        server.add_secure_port(f"unix://{socket}", credentials)
        server.start()
        shown = base64.b64encode(certificate).decode().rstrip("=")
        sys.stdout.write(f"{_HANDSHAKE_VERSION}|{_PROTOCOL_VERSION}|unix|{socket}|grpc|{shown}\n")
        sys.stdout.flush()
        threading.Thread(target=watch, daemon=True).start()
        os.read(reader, 1)
        server.stop(_GRACE_SECONDS)


class _Servicer(ProviderServicer):
    """What `tf` answers, and what it does not: what it means to destroy something, and what an older state means."""

    def GetProviderSchema(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  gRPC's name
        """The schemas, and that plans to destroy are welcome."""
        answer = super().GetProviderSchema(request, context)
        answer.server_capabilities.plan_destroy = True
        return answer

    def UpgradeResourceState(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802  as above
        """Convert a state that another version of the provider wrote to the attributes of this one."""
        known = json.loads(request.raw_state.json)
        schema = self._get_res_cls(request.type_name).get_schema()
        state = {each.name: known.get(each.name) for each in schema.attributes}
        return tfplugin_pb2.UpgradeResourceState.Response(upgraded_state=to_dynamic_value(state))

    def PlanResourceChange(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  gRPC's name
        """Plan a change; a plan to destroy warns of what stays behind."""
        if read_dynamic_value(request.proposed_new_state) is not None:
            return super().PlanResourceChange(request, context)
        diagnostics = Diagnostics()
        resource: Any = self.app.new_resource(self._get_res_cls(request.type_name))
        resource.plan_to_destroy(diagnostics, read_dynamic_value(request.prior_state))
        response = tfplugin_pb2.PlanResourceChange.Response
        return response(planned_state=request.proposed_new_state, diagnostics=diagnostics.to_pb())


class _Controller(grpc_controller_pb2_grpc.GRPCControllerServicer):
    """The service by which Terraform ends the process."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.end = end

    def Shutdown(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802  gRPC's signature
        """End the process after responding."""
        context.add_callback(self.end)
        return grpc_controller_pb2.Empty()


class _Output(grpc_stdio_pb2_grpc.GRPCStdioServicer):
    """go-plugin's stream of output, which stays empty: Terraform reads the process's standard error."""

    def StreamStdio(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802  gRPC's signature
        """Send nothing."""
        return iter(())


def _transport() -> tuple[bytes, grpc.ServerCredentials]:
    """Return a certificate for the socket (DER), and the credentials of the server.

    Terraform's own certificate is on a curve that gRPC's TLS does not verify; the directory excludes other users.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair = (key_pem, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate.public_bytes(serialization.Encoding.DER), grpc.ssl_server_credentials([pair])
