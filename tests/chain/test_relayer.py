"""The relayer on a real Anvil: each owed call once, in order, whatever the chain answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import HookedClient
from chain_node import CHAIN_ID, Stage

from chain.addresses import ZERO
from chain.client import ChainClient
from chain.contracts import encode_call
from chain.relayer import Relayer, enqueue
from returns.clock import system_clock
from returns.db import Database
from returns.errors import ChainMismatch, ChainUnavailable, LeaseLost
from returns.words import RelayState

pytestmark = pytest.mark.chain

Make = Callable[..., Relayer]


@pytest.fixture
def make(chain: Stage, books: Books, clock: MovingClock) -> Make:
    """Builds relayers of the operator's lane."""

    def build(**parts: Any) -> Relayer:
        given = {
            "database": books.database,
            "client": chain.client,
            "signer": chain.operator,
            "chain_id": CHAIN_ID,
            "clock": clock,
            **parts,
        }
        return Relayer(**given)

    return build


def run(relayer: Relayer, chain: Stage, clock: MovingClock, rounds: int = 6) -> None:
    """Let the relayer and the chain take turns."""
    for _ in range(rounds):
        relayer.run_once()
        chain.anvil.mine()
        clock.move(6)


def nonces(chain: Stage) -> list[int]:
    return [int(one["nonce"], 16) for one in chain.sent_by(chain.operator.address)]


def test_sends_a_call_once_and_confirms_it(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(7))
    run(make(confirmations=3), chain, clock)
    row = books.relay(relay_id)
    [sent] = chain.sent_by(chain.operator.address)
    assert (row.state, row.error, row.nonce) == (RelayState.CONFIRMED, None, 0)
    assert row.block_number == int(sent["blockNumber"], 16)
    assert [one.hash for one in books.attempts(relay_id)] == [sent["hash"]]
    assert chain.supply() == 7
    assert books.inbox() == []


def test_follows_a_call_through_every_state_and_confirms_only_at_its_depth(
    chain: Stage, books: Books, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    relayer, seen = make(confirmations=3), [books.relay(relay_id).state]
    for _ in range(4):
        relayer.run_once()
        seen.append(books.relay(relay_id).state)
        chain.anvil.mine()
    waiting = [RelayState.PENDING, RelayState.SUBMITTED]
    assert seen == [*waiting, RelayState.MINED, RelayState.MINED, RelayState.CONFIRMED]


def test_an_id_that_is_owed_twice_is_sent_once(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    with books.database.write() as session:
        enqueue(
            session,
            relay_id=relay_id,
            merchant_id=books.merchant_id,
            chain_id=CHAIN_ID,
            to=chain.dollar,
            data=chain.mint(2),
            now=clock(),
        )
    run(make(), chain, clock)
    assert chain.supply() == 1
    assert len(books.relays()) == 1


def test_mines_a_burst_of_fifty_in_order(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    books.owe(chain.dollar, *(chain.mint(1 + index) for index in range(50)))
    run(make(), chain, clock, 3)
    sent = chain.sent_by(chain.operator.address)
    assert [one["input"][2:] for one in sent] == [chain.mint(1 + i).hex() for i in range(50)]
    assert nonces(chain) == list(range(50))
    assert {row.state for row in books.relays()} == {RelayState.CONFIRMED}


def commit_of(line: bytes) -> bytes:
    """A commit of a line that nobody has deposited."""
    nobody = (line, *[ZERO] * 3, 7, 1, 0, ZERO, 1, ZERO, 1, 1, 1)
    return encode_call("ReturnEscrow", "commit", nobody, b"")


def test_a_call_that_would_revert_fails_without_a_nonce_and_says_why(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    line = bytes(31) + b"\x01"
    [bad] = books.owe(chain.deployment.escrow, commit_of(line))
    [good] = books.owe(chain.dollar, chain.mint(5))
    run(make(), chain, clock)
    row = books.relay(bad)
    assert (row.state, row.nonce) == (RelayState.FAILED, None)
    assert row.error == f"ReturnEscrowWrongState(0x{line.hex()}, 0)"
    assert books.told("relay.failed") == [{"relay": str(bad), "reason": row.error}]
    assert books.relay(good).nonce == 0
    assert len(chain.sent_by(chain.operator.address)) == 1


def test_a_call_that_is_mined_and_reverts_fails_at_its_depth(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    relayer = make(confirmations=2)
    relayer.run_once()
    chain.anvil.rpc("anvil_setCode", chain.dollar, "0x60006000fd")
    chain.anvil.mine()
    relayer.run_once()
    assert books.relay(relay_id).state is RelayState.MINED
    assert books.inbox() == []
    chain.anvil.mine()
    relayer.run_once()
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
        "eth_estimateGas",
        "eth_getBlockByNumber",
        "eth_sendRawTransaction",
        "eth_getTransactionReceipt",
        "eth_getTransactionCount",
    ],
)
def test_a_node_that_goes_away_at_any_call_is_waited_for(
    chain: Stage, books: Books, clock: MovingClock, make: Make, method: str
) -> None:
    def cut(methods: list[str]) -> None:
        if method in methods:
            raise ChainUnavailable(problem="it was cut off")

    books.owe(chain.dollar, chain.mint(1))
    away = HookedClient(chain.url, cut)
    with pytest.raises(ChainUnavailable):
        make(client=away).run_once()
    run(make(), chain, clock)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert books.inbox() == []


def test_another_chain_is_refused_and_nothing_is_written(books: Books, make: Make) -> None:
    books.owe("0x" + "11" * 20, b"")
    before = books.rows()
    with pytest.raises(ChainMismatch):
        make(chain_id=CHAIN_ID, client=_of_chain_one()).run_once()
    assert books.rows() == before
    assert [row.state for row in books.relays()] == [RelayState.PENDING]


def _of_chain_one() -> ChainClient:
    return HookedClient("http://127.0.0.1:1", lambda _methods: ["0x1"])


# -- the lease -------------------------------------------------------------------------------------


def test_a_lane_that_is_owned_is_left_alone(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))

    def meanwhile(methods: list[str]) -> None:
        if "eth_sendRawTransaction" in methods:
            assert make().run_once() is False

    make(client=HookedClient(chain.url, meanwhile)).run_once()
    assert books.relay(relay_id).state is RelayState.SUBMITTED
    assert len(books.attempts(relay_id)) == 1


@pytest.mark.parametrize(
    "method", ["eth_estimateGas", "eth_getBlockByNumber", "eth_sendRawTransaction"]
)
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
        make(client=HookedClient(chain.url, oversleep)).run_once()
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
        relayer = Relayer(
            database,
            ChainClient(chain.url),
            chain.operator,
            CHAIN_ID,
            system_clock,
            lease=timedelta(milliseconds=60),
        )
        try:
            for _ in range(40):
                _round(relayer)
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


def _round(relayer: Relayer) -> None:
    try:
        relayer.run_once()
    except LeaseLost:
        return


# -- nonces whose call has become impossible -------------------------------------------------------


def test_a_reserved_nonce_is_filled_when_its_call_has_become_impossible(
    chain: Stage, books: Books, clock: MovingClock, make: Make
) -> None:
    def break_it(methods: list[str]) -> None:
        # After the nonce was reserved and before its bytes are made.
        if "eth_estimateGas" in methods and books.relay(doomed).nonce is not None:
            raise ChainUnavailable(problem="it was cut off")

    line = bytes(31) + b"\x02"
    escrow = chain.deployment.escrow
    [doomed] = books.owe(escrow, commit_of(line))
    code = chain.anvil.rpc("eth_getCode", escrow, "latest")
    chain.anvil.rpc("anvil_setCode", escrow, "0x00")
    with pytest.raises(ChainUnavailable):
        make(client=HookedClient(chain.url, break_it)).run_once()
    assert books.relay(doomed).state is RelayState.SENT
    chain.anvil.rpc("anvil_setCode", escrow, code)
    [after] = books.owe(chain.dollar, chain.mint(3))
    run(make(confirmations=2), chain, clock)
    filler, mint = chain.sent_by(chain.operator.address)
    assert (filler["to"], filler["input"], filler["nonce"]) == (
        chain.operator.address,
        "0x",
        "0x0",
    )
    assert (mint["to"], mint["nonce"]) == (chain.dollar, "0x1")
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
    relayer = make(confirmations=10)
    snapshot = chain.anvil.snapshot()
    relayer.run_once()
    chain.anvil.mine(depth)
    relayer.run_once()
    assert {books.relay(one).state for one in ids} == {RelayState.MINED}
    hashes = [books.attempts(one)[0].hash for one in ids]
    undo(chain, snapshot, depth)
    assert chain.supply() == 0
    run(relayer, chain, clock, 14)
    assert [one["hash"] for one in chain.sent_by(chain.operator.address)] == hashes
    assert {books.relay(one).state for one in ids} == {RelayState.CONFIRMED}
    assert chain.supply() == 3
    assert books.inbox() == []
