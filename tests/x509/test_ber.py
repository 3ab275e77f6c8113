"""`certkit.x509.ber`: what OpenSSL and Windows write in BER becomes DER."""

from __future__ import annotations

import pytest

from certkit.x509 import ber
from certkit.x509.der import DerError


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("30 80 02 01 05 00 00", "30 03 02 01 05"),
        ("30 80 30 80 00 00 04 00 00 00", "30 04 30 00 04 00"),
        ("30 04 30 80 00 00", "30 02 30 00"),
        ("24 80 04 01 61 04 01 62 00 00", "04 02 61 62"),
        ("30 81 03 02 01 05", "30 03 02 01 05"),
    ],
)
def test_lengths_become_definite_and_short(data, expected):
    """Also those of parts, and strings in pieces become one."""
    assert ber.to_der(bytes.fromhex(data)) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    "data",
    [
        "30 01 30 80 00 00",  # the length of the inner element
        "30 02 30 80 00 00",  # its end
        "30 03 30 80 00 00",  # half of its end
        "30 04 30 80 30 80 00 00 00 00",  # the ends of two
        "30 80 30 03 02 02 05 00 00 00",  # the value of the innermost
    ],
)
def test_no_part_reaches_beyond_its_whole(data):
    """What lies outside of an element is not taken for a part of it, even in a file that may continue."""
    with pytest.raises(DerError):
        ber.to_der(bytes.fromhex(data), may_continue=True)
