"""A strict reader of the protocol of Terraform's data source `external`, by its documentation and source.

That provider cannot be downloaded where the tests run. The rules are those of
https://registry.terraform.io/providers/hashicorp/external/latest/docs/data-sources/external and of the `Read` of
`internal/provider/data_source.go`, which decodes with Go's `json.Unmarshal` into a map of strings.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class ExternalError(Exception):
    """The error that Terraform shows instead of a result."""


def external(
    program: Sequence[str], query: Mapping[str, str | None], *, folder: Path, env: Mapping[str, str]
) -> dict[str, str]:
    """The result of the data source: the program runs without a shell, and reads the query without what is null."""
    sent = json.dumps({key: value for key, value in query.items() if value is not None}).encode()
    arguments = [each for each in program if each]
    done = subprocess.run(arguments, input=sent, capture_output=True, cwd=folder, env=env, timeout=60, check=False)
    if done.returncode != 0:
        assert done.stdout == b""
        raise ExternalError(done.stderr.decode("utf-8"))
    return result_of(done.stdout)


def result_of(stdout: bytes) -> dict[str, str]:
    """The one JSON object of strings that the output must be, in UTF-8, and not a byte more."""
    pairs = json.loads(stdout.decode("utf-8"), object_pairs_hook=list)
    assert isinstance(pairs, list)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in pairs)
    assert len({key for key, _ in pairs}) == len(pairs)
    for _, value in pairs:
        value.encode("utf-8")
    return dict(pairs)
