"""A cluster of three OpenBao servers with Raft, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.openbao import RefusedError, Server, free_port, running, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

_NODES = 3
# Settings for requests that are to outlast an election, which a busy machine may cause at any time.
PATIENT = {"max_retries": 9, "pause": 0.2}


@dataclass
class Cluster:
    """Three servers that hold the same; KV version 2 is mounted at `secret`."""

    nodes: list[Server]
    stack: contextlib.ExitStack

    @contextlib.contextmanager
    def without(self, *nodes: Server) -> Iterator[None]:
        """Kill some nodes for the time of the block, and start them again."""
        for node in nodes:
            node.process.kill()
            node.process.wait(20)
        try:
            yield
        finally:
            for node in nodes:
                process = self.stack.enter_context(_started(node.folder))
                self.nodes[self.nodes.index(node)] = replace(node, process=process)
            self.wait()

    def wait(self) -> None:
        """Wait until there is a leader, every node passes writes on to it, and answers with what is written."""
        for node in (self.leader(), *self.nodes):
            until(lambda node=node: node.api("POST", "secret/data/ready", {"data": {}}))
            until(lambda node=node: node.api("GET", "secret/data/ready"))

    def leader(self) -> Server:
        """The node that leads; waits for one."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for node in self.nodes:
                with contextlib.suppress(OSError, RefusedError):
                    if node.process.poll() is None and node.api("GET", "sys/leader")["is_self"]:
                        return node
            time.sleep(0.1)
        raise AssertionError("nobody leads the cluster")

    def followers(self) -> list[Server]:
        """The nodes that run and do not lead."""
        leader = self.leader()
        return [node for node in self.nodes if node is not leader and node.process.poll() is None]


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """The cluster; it ends with the block."""
    (folder / "seal.key").write_bytes(os.urandom(32))
    ports = [(free_port(), free_port()) for _ in range(_NODES)]
    with contextlib.ExitStack() as stack:
        nodes = []
        for number in range(_NODES):
            home = folder / f"node{number}"
            (home / "data").mkdir(parents=True)
            (home / "openbao.hcl").write_text(_config(number, ports, folder))
            process = stack.enter_context(_started(home))
            nodes.append(Server(f"http://127.0.0.1:{ports[number][0]}", process, home))
        keys = until(lambda: nodes[0].api("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}))
        made = Cluster([replace(node, token=keys["root_token"]) for node in nodes], stack)
        # By default a node that has joined may vote after ten seconds.
        patience = {"server_stabilization_time": "1s"}
        until(lambda: made.leader().api("POST", "sys/storage/raft/autopilot/configuration", patience))
        _grow(made)
        yield made


def _started(home: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return running(home, f"-config={home / 'openbao.hcl'}")


def _config(number: int, ports: list[tuple[int, int]], folder: Path) -> str:
    api, inner = ports[number]
    joins = "".join(
        f'  retry_join {{\n    leader_api_addr = "http://127.0.0.1:{port}"\n  }}\n'
        for other, (port, _) in enumerate(ports)
        if other != number
    )
    return f"""\
disable_mlock = true
api_addr = "http://127.0.0.1:{api}"
cluster_addr = "https://127.0.0.1:{inner}"
listener "tcp" {{
  address = "127.0.0.1:{api}"
  cluster_address = "127.0.0.1:{inner}"
  tls_disable = true
}}
seal "static" {{
  current_key_id = "test"
  current_key = "file://{folder}/seal.key"
}}
storage "raft" {{
  path = "{folder}/node{number}/data"
  node_id = "node{number}"
  performance_multiplier = 1
{joins}}}
"""


def _grow(made: Cluster) -> None:
    """Wait until every node has joined and votes."""
    leader = made.leader()
    leader.api("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})

    def vote() -> None:
        servers = leader.api("GET", "sys/storage/raft/configuration")["data"]["config"]["servers"]
        if len(servers) < _NODES or not all(server["voter"] for server in servers):
            raise RefusedError("not all nodes vote")

    until(vote)
    made.wait()


# The process that distributes the tests knows no more of them than their names.
_CLUSTER_FILES = re.compile(r"test_(cluster|failover)\.py::")
# What is made for all tests of such a file takes seconds; each process that runs one of them would make it.
_WHOLE_FILES = re.compile(r"test_(macos|package|reference|requests|windows)\.py::")
_RUNNING = pytest.StashKey[tuple[contextlib.ExitStack, Cluster]]()


@pytest.fixture
def openbao_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """One cluster for all tests that need it; building it takes 12 seconds."""
    stash = request.config.stash
    if _RUNNING not in stash:
        stack = contextlib.ExitStack()
        stash[_RUNNING] = stack, stack.enter_context(cluster(tmp_path_factory.mktemp("openbao-cluster")))
    return stash[_RUNNING][1]


def _needs_cluster(item: pytest.Item) -> bool:
    return "openbao_cluster" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the cluster's tests before all others."""
    items.sort(key=lambda item: not _needs_cluster(item))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have pytest-xdist give all tests of the cluster to one process, and others by function, or by file."""
    from xdist.scheduler import LoadScopeScheduling

    class ByScope(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if _CLUSTER_FILES.search(nodeid):
                return "cluster"
            return nodeid.partition("::" if _WHOLE_FILES.search(nodeid) else "[")[0]

    config.option.loadscopereorder = False
    return ByScope(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Let `-n auto` start one process more than there are processors, as some tests wait for clocks and servers."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the cluster after the last test that needs it: three idle nodes take a fifth of a processor."""
    if _RUNNING in item.config.stash and not (nextitem and _needs_cluster(nextitem)):
        item.config.stash[_RUNNING][0].close()
        del item.config.stash[_RUNNING]
