"""The relayer on a real Anvil: each owed call once, in order, whatever the chain answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import SilentSigner
from chain_node import CHAIN_ID, Stage
from chain_relay import nonces, owe_commit, relayer, run

from chain.client import ChainClient
from chain.relay.queue import Intent, enqueue
from chain.relay.relayer import Relayer
from returns.clock import system_clock
from returns.db import Database
from returns.errors import ChainMismatch, ChainUnavailable, LeaseLost, SignerUnavailable
from returns.words import RelayState, SlotState

pytestmark = pytest.mark.chain

Make = Callable[..., Relayer]


@pytest.fixture
def make(chain: Stage, books: Books, clock: MovingClock) -> Make:
    """Builds relayers of the operator's lane."""

    def build(hook: Any = None, **parts: Any) -> Relayer:
        return relayer(chain, books, clock, hook, **parts)

    return build


def test_sends_a_call_once_and_confirms_it(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(7))
    run(make(confirmations=3), chain, clock)
    row = books.relay(relay_id)
    [sent] = chain.sent_by(chain.operator.address)
    slot = books.slot(relay_id)
    assert slot is not None
    assert (row.state, row.error, slot.state) == (RelayState.CONFIRMED, None, SlotState.CONFIRMED)
    assert (slot.nonce, slot.block_number) == (0, int(sent["blockNumber"], 16))
    assert (slot.mined_hash, slot.block_hash) == (sent["hash"], sent["blockHash"])
    assert [one.hash for one in books.attempts(relay_id)] == [sent["hash"]]
    assert chain.supply() == 7
    assert books.inbox() == []


def test_follows_a_call_through_every_state_and_confirms_only_at_its_depth(
    chain: Stage, books: Books, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one, seen = make(confirmations=3), [books.shown(relay_id)]
    for _ in range(4):
        one.run_once()
        seen.append(books.shown(relay_id))
        chain.anvil.mine()
    assert seen == ["pending", "submitted", "mined", "mined", "confirmed"]


def test_an_id_that_is_owed_twice_is_sent_once(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    with books.database.write() as session:
        other = Intent(relay_id, books.merchant_id, CHAIN_ID, chain.dollar, chain.mint(2))
        enqueue(session, other, clock())
    run(make(), chain, clock)
    assert chain.supply() == 1
    assert len(books.relays()) == 1


def test_mines_a_burst_of_fifty_in_order(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    books.owe(chain.dollar, *(chain.mint(1 + index) for index in range(50)))
    run(make(), chain, clock, 9)
    sent = chain.sent_by(chain.operator.address)
    assert [one["input"][2:] for one in sent] == [chain.mint(1 + i).hex() for i in range(50)]
    assert nonces(chain) == list(range(50))
    assert {row.state for row in books.relays()} == {RelayState.CONFIRMED}


def test_a_call_that_would_revert_fails_without_a_nonce_and_says_why(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    line = bytes(31) + b"\x01"
    bad = owe_commit(books, chain, line)
    [good] = books.owe(chain.dollar, chain.mint(5))
    run(make(), chain, clock)
    row = books.relay(bad)
    assert (row.state, row.slot_id) == (RelayState.FAILED, None)
    assert row.error == f"ReturnEscrowWrongState(0x{line.hex()}, 0)"
    assert books.told("relay.failed") == [{"relay": str(bad), "reason": row.error}]
    assert books.relay(good).state is RelayState.CONFIRMED
    assert len(chain.sent_by(chain.operator.address)) == 1


def test_a_call_that_is_mined_and_reverts_fails_at_its_depth(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = make(confirmations=2)
    one.run_once()
    chain.anvil.rpc("anvil_setCode", chain.dollar, "0x60006000fd")
    chain.anvil.mine()
    one.run_once()
    assert books.shown(relay_id) == "mined"
    assert books.inbox() == []
    chain.anvil.mine()
    one.run_once()
    assert books.relay(relay_id).state is RelayState.FAILED
    assert books.told("relay.failed") == [
        {"relay": str(relay_id), "reason": "the transaction was mined and reverted"}
    ]


def test_a_node_that_is_away_changes_no_row(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    before = books.relay(relay_id)
    with pytest.raises(ChainUnavailable):
        make(client=ChainClient("http://127.0.0.1:1", timeout=0.5)).run_once()
    assert books.relay(relay_id) == before
    run(make(), chain, clock)
    assert chain.supply() == 1


@pytest.mark.parametrize(
    "method",
    [
        "eth_chainId",
        "eth_getTransactionCount",
        "eth_feeHistory",
        "eth_simulateV1",
        "eth_getBalance",
        "eth_getBlockByNumber",
        "eth_sendRawTransaction",
        "eth_getBlockReceipts",
    ],
)
def test_a_node_that_goes_away_at_any_call_is_waited_for(
    chain: Stage, books: Books, clock: MovingClock, make: Make, method: str
) -> None:
    def cut(methods: list[str]) -> None:
        if method in methods:
            raise ChainUnavailable(problem="it was cut off")

    books.owe(chain.dollar, chain.mint(1))
    away = make(cut)
    with pytest.raises(ChainUnavailable):
        run(away, chain, clock)
    run(make(), chain, clock)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert books.inbox() == []


def test_another_chain_is_refused_and_nothing_is_written(books: Books, make: Make) -> None:
    books.owe("0x" + "11" * 20, b"")
    before = books.rows()
    with pytest.raises(ChainMismatch):
        make(lambda _methods: ["0x1"]).run_once()
    assert books.rows() == before
    assert [row.state for row in books.relays()] == [RelayState.PENDING]


# -- the lease -------------------------------------------------------------------------------------


def test_a_lane_that_is_owned_is_left_alone(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))

    def meanwhile(methods: list[str]) -> None:
        if "eth_sendRawTransaction" in methods:
            assert make().run_once() is False

    make(meanwhile).run_once()
    assert books.shown(relay_id) == "submitted"
    assert len(books.attempts(relay_id)) == 1


@pytest.mark.parametrize("method", ["eth_simulateV1", "eth_getBalance", "eth_sendRawTransaction"])
def test_whoever_overslept_its_lease_writes_nothing(
    chain: Stage, books: Books, clock: MovingClock, make: Make, method: str
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    slept = []

    def oversleep(methods: list[str]) -> None:
        if method in methods and not slept:
            slept.append(True)
            clock.move(11)
            assert make().run_once() is True
            slept.append(books.relay(relay_id))

    with pytest.raises(LeaseLost):
        make(oversleep).run_once()
    assert books.relay(relay_id) == slept[1]
    assert len(books.attempts(relay_id)) == 1
    run(make(), chain, clock)
    assert (chain.supply(), nonces(chain)) == (1, [0])


def test_two_relayers_at_once_send_nothing_twice(chain: Stage, books: Books) -> None:
    books.owe(chain.dollar, *(chain.mint(1) for _ in range(12)))
    chain.anvil.rpc("evm_setIntervalMining", 1)
    faults: list[BaseException] = []

    def work() -> None:
        database = Database(books.database.url)
        own, client = Books(database, books.merchant_id), ChainClient(chain.url)
        lease = timedelta(milliseconds=60)
        one = relayer(chain, own, system_clock, client=client, lease=lease)
        try:
            for _ in range(40):
                _round(one)
        except BaseException as fault:  # noqa: BLE001
            faults.append(fault)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain.anvil.rpc("evm_setIntervalMining", 0)
    chain.anvil.mine()
    assert faults == []
    assert nonces(chain) == list(range(12))
    assert chain.supply() == 12
    assert all(len(books.attempts(row.id)) == 1 for row in books.relays())


def _round(one: Relayer) -> None:
    try:
        one.run_once()
    except LeaseLost:
        return


# -- nonces whose call has become impossible -------------------------------------------------------


def test_a_reserved_nonce_is_filled_when_its_call_has_become_impossible(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    line = bytes(31) + b"\x02"
    escrow = chain.deployment.escrow
    doomed = owe_commit(books, chain, line)
    code = chain.anvil.rpc("eth_getCode", escrow, "latest")
    chain.anvil.rpc("anvil_setCode", escrow, "0x00")
    with pytest.raises(SignerUnavailable):
        # After the nonce was reserved and before its bytes are made.
        make(signer=SilentSigner(chain.operator)).run_once()
    assert books.shown(doomed) == "sent"
    chain.anvil.rpc("anvil_setCode", escrow, code)
    [after] = books.owe(chain.dollar, chain.mint(3))
    run(make(confirmations=2), chain, clock)
    sent = {one["nonce"]: one for one in chain.sent_by(chain.operator.address)}
    assert sorted(sent) == ["0x0", "0x1"]
    assert (sent["0x0"]["to"], sent["0x0"]["input"]) == (chain.operator.address, "0x")
    assert sent["0x1"]["to"] == chain.dollar
    reason = f"ReturnEscrowWrongState(0x{line.hex()}, 0)"
    assert books.relay(doomed).state is RelayState.FAILED
    assert books.told("relay.failed") == [{"relay": str(doomed), "reason": reason}]
    assert books.relay(after).state is RelayState.CONFIRMED


# -- reorgs ----------------------------------------------------------------------------------------


def _by_snapshot(chain: Stage, snapshot: str, depth: int) -> None:
    chain.anvil.revert(snapshot)
    chain.anvil.mine(depth + 1)


def _by_anvil(chain: Stage, snapshot: str, depth: int) -> None:
    chain.anvil.rpc("anvil_reorg", depth, [])
    chain.anvil.rpc("anvil_dropAllTransactions")
    chain.anvil.mine()


@pytest.mark.parametrize("undo", [_by_snapshot, _by_anvil])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_transaction_that_a_reorg_threw_out_is_sent_again_with_the_same_bytes(
    chain: Stage, books: Books, clock: MovingClock, make: Make, undo: Any, depth: int
) -> None:
    ids = books.owe(chain.dollar, chain.mint(1), chain.mint(2))
    one = make(confirmations=10)
    snapshot = chain.anvil.snapshot()
    one.run_once()
    chain.anvil.mine(depth)
    one.run_once()
    assert [books.shown(relay_id) for relay_id in ids] == ["mined", "mined"]
    hashes = [books.attempts(relay_id)[0].hash for relay_id in ids]
    undo(chain, snapshot, depth)
    assert chain.supply() == 0
    run(one, chain, clock, 14)
    assert [sent["hash"] for sent in chain.sent_by(chain.operator.address)] == hashes
    assert {books.relay(relay_id).state for relay_id in ids} == {RelayState.CONFIRMED}
    assert chain.supply() == 3
    assert books.inbox() == []
