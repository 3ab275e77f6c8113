"""Three OpenBao servers: reads that see our writes, races, and a leader that dies."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from certkit.vault.errors import CasMismatch, Fault, UncertainWrite, VaultError
from certkit.vault.kv import Kv
from tests.odd_http import odd_server, reply, secret
from tests.openbao_cluster import PATIENT


def test_a_follower_answers_with_what_was_just_written(connect, openbao_cluster):
    """Without the state of the write it would answer with less, nearly always."""
    secrets = connect(openbao_cluster.followers()[0].settings(**PATIENT)).kv("secret/fresh")
    for number in range(50):
        secrets.write(str(number), {"number": str(number)})
        assert secrets.read(str(number)).data == {"number": str(number)}
        secrets.write(str(number), {}, cas=1)
        assert secrets.read_metadata(str(number)).version == 2


def test_of_writes_through_all_nodes_one_wins(connect, openbao_cluster):
    """Check-and-set holds across the cluster."""
    stores = [connect(node.settings(**PATIENT)).kv("secret/raced") for node in openbao_cluster.nodes] * 2
    for round_number in range(5):
        won, lost = [], []
        start = threading.Barrier(len(stores))

        def write(number, round_number=round_number, won=won, lost=lost, start=start):
            start.wait(10)
            try:
                won.append((number, stores[number].write(str(round_number), {"winner": str(number)})))
            except CasMismatch:
                lost.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(len(stores))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (len(won), len(lost)) == (1, 5)
        assert openbao_cluster.leader().api("GET", f"secret/data/raced/{round_number}")["data"]["data"] == {
            "winner": str(won[0][0])
        }


def test_a_write_survives_the_death_of_the_leader(connect, openbao_cluster):
    """The usual pauses are enough for an election; a write whose outcome is uncertain may be made again."""
    follower = openbao_cluster.followers()[0]
    secrets = connect(follower.settings(pause=1.0)).kv("secret/survives")
    with openbao_cluster.without(openbao_cluster.leader()):
        for _ in range(3):
            try:
                assert secrets.write("x", {"a": "b"}) == 1
            except UncertainWrite:
                continue
            except CasMismatch:  # the uncertain one was made
                pass
            break
        found = secrets.read("x")
        assert (found.version, found.data) == (1, {"a": "b"})


def test_a_write_that_a_follower_cannot_hand_over_is_uncertain(connect, openbao_cluster):
    """It may have handed it over before the leader died, unless it says that it knows of no leader any more."""
    follower, leader = openbao_cluster.followers()[0], openbao_cluster.leader()
    secrets = connect(follower.settings(max_retries=0)).kv("secret/dead")
    with openbao_cluster.without(leader), pytest.raises(VaultError) as caught:
        secrets.write("x", {"a": "b"})
    is_refusal = "active cluster node not found" in caught.value.message
    assert caught.value.kind is (Fault.UNAVAILABLE if is_refusal else Fault.UNCERTAIN)


def test_without_a_quorum_nothing_is_said_to_be_written(connect, openbao_cluster):
    """A write is refused, or its outcome is uncertain; it is in no case reported as done."""
    leader = openbao_cluster.leader()
    secrets = connect(leader.settings(timeout=5)).kv("secret/quorum")
    with openbao_cluster.without(*openbao_cluster.followers()):
        with pytest.raises(VaultError) as caught:
            secrets.write("x", {"a": "b"})
        assert caught.value.kind in {
            Fault.UNCERTAIN,
            Fault.UNAVAILABLE,
            Fault.CONNECTION,
            Fault.TIMED_OUT,
        }


def index(value, cluster="ours"):
    """A state as OpenBao writes it."""
    return base64.b64encode(json.dumps({"cluster": cluster, "value": value}).encode()).decode()


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        ([index("9"), index("10")], index("10")),
        ([index("10"), index("9")], index("10")),
        ([index("10"), index("9", cluster="other")], index("9", cluster="other")),
        (["opaque", "newer"], "newer"),
        ([index("10"), "bad header\x7f"], index("10")),
    ],
)
def test_the_latest_state_is_kept(odd_vault, states, kept):
    """Whatever the order in which the answers to parallel writes come in."""
    written = [reply(200, {"data": {"version": 1}}, X_Vault_Index=state) for state in states]
    with odd_server(*written, secret()) as server:
        secrets = Kv(odd_vault(server).transport, "secret")
        for _ in states:
            secrets.write("x", {})
        secrets.read("x")
    assert server.asked[-1].headers["x-vault-index"] == kept
