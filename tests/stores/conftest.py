"""Real OpenBao servers for the stores that live there."""

import pytest

pytest.register_assert_rewrite("tests.openbao", "tests.openbao_cluster")

from tests import openbao as servers  # noqa: E402  the line above must come first
from tests import openbao_cluster as clusters  # noqa: E402  as above

openbao = servers.openbao
openbao_cluster = clusters.openbao_cluster
