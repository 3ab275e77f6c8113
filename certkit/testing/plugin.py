"""A pytest plugin with fixtures for programs that use certkit. pytest loads it by itself once certkit is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import certkit
    from certkit.testing import CA, Rehearsal, Server


@pytest.fixture
def certkit_ca() -> CA:
    """A CA for this test: `certkit_ca.pem`, `.server(host…)`, `.sign(csr)`."""
    from certkit.testing import CA

    return CA()


@pytest.fixture
def certkit_server(certkit_ca: CA) -> Iterator[Server]:
    """An mTLS server whose clients need a certificate of `certkit_ca`: `.url`, `.requests`, `.answers`."""
    from certkit.testing import serving

    with serving(certkit_ca) as server:
        yield server


@pytest.fixture
def certkit_rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A stand-in for Wise: `.api_mtls`, `.client_id`, `.identity(name)`, `.renew(name)`."""
    from certkit.testing import rehearsing

    with rehearsing(tmp_path_factory.mktemp("certkit")) as rehearsal:
        yield rehearsal


@pytest.fixture
def certkit_identity(certkit_rehearsal: Rehearsal) -> Iterator[certkit.Identity]:
    """An identity with a certificate and a token of `certkit_rehearsal`."""
    with certkit_rehearsal.identity() as identity:
        yield identity
