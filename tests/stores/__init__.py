"""Stores of identities; what every one of them must pass is in `contract`."""

import pytest

pytest.register_assert_rewrite("tests.stores.contract")
