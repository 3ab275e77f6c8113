"""Fixtures for tests of programs that use certkit, offline: a CA, an mTLS server, and a stand-in for Wise.

With pytest they are there once certkit is installed: `certkit_ca`, `certkit_server`, `certkit_rehearsal` and
`certkit_identity` (`certkit.testing.plugin`). Without pytest, use `CA`, `serving` and `rehearsing` as context managers.

None of the keys and certificates is of use anywhere else.
"""

from certkit.testing.ca import CA
from certkit.testing.rehearsal import Rehearsal, rehearsing
from certkit.testing.server import Server, serving

__all__ = ["CA", "Rehearsal", "Server", "rehearsing", "serving"]
