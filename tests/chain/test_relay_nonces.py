"""Nonces that do not fit the chain: used outside, behind it, ahead of it, on a real Anvil."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from chain_books import Books, MovingClock
from chain_faults import BentClient
from chain_node import Stage
from chain_relay import look, nonces, relayer, run

from chain.client import RpcError
from chain.relay import queue
from chain.relay.relayer import Relayer
from returns.tables import RelayAttempt, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]


def rounds(one: Relayer, chain: Stage, clock: MovingClock, count: int = 6) -> None:
    """The lane is kept, as a process keeps it: one look is no proof, and the watchdog remembers."""
    for _ in range(count):
        look(one)
        chain.anvil.mine()
        clock.move(16)


def use_outside(chain: Stage, amount: int) -> str:
    """Somebody else has the key: another transaction takes the next nonce."""
    chain.anvil.rpc("anvil_dropAllTransactions")
    tx_hash = chain.send(chain.mint(amount))
    chain.anvil.mine()
    return tx_hash


# -- used outside ----------------------------------------------------------------------------------


def test_an_intent_whose_nonce_was_used_outside_is_executed_once_with_another(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock, confirmations=3)
    look(one)
    foreign = use_outside(chain, 100)
    slot = books.the_slot(relay_id)
    rounds(one, chain, clock, 9)
    assert (chain.supply(), nonces(chain)) == (101, [0, 1])
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert books.the_slot(relay_id).nonce == 1
    with books.database.read() as session:
        passed = session.get_one(RelaySlot, slot.id)
        assert (passed.state, passed.mined_hash) == (SlotState.CONFIRMED, foreign)
    assert books.inbox() == []


def test_it_gets_no_other_nonce_before_the_foreign_transaction_is_deep(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Until then a reorg could let both be mined."""
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock, confirmations=4)
    look(one)
    use_outside(chain, 100)
    for _ in range(6):
        clock.move(31)
        look(one)
    assert (books.relay(relay_id).state, books.the_slot(relay_id).nonce) == (RelayState.SENT, 0)
    chain.anvil.mine(2)
    for _ in range(3):
        clock.move(31)
        look(one)
    assert books.the_slot(relay_id).nonce == 0
    chain.anvil.mine()
    for _ in range(3):
        clock.move(31)
        look(one)
    assert books.the_slot(relay_id).nonce == 1
    rounds(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (101, [0, 1])


def test_a_foreign_transaction_that_a_reorg_throws_out_costs_the_intent_nothing(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, sqlite, clock, confirmations=4)
    look(one)
    before = chain.anvil.snapshot()
    use_outside(chain, 100)
    clock.move(31)
    look(one)
    chain.anvil.revert(before)
    chain.anvil.mine()
    rounds(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED
    assert sqlite.the_slot(relay_id).nonce == 0


def test_a_node_without_history_cannot_tell_and_so_nothing_is_passed_on(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))

    def pruned(params: Any, ask: Any) -> Any:
        if params[1] in ("latest", "pending"):
            return ask()
        return RpcError("missing trie node", -32000)

    client = BentClient(chain.url, eth_getTransactionCount=pruned)
    one = relayer(chain, sqlite, clock, client=client)
    look(one)
    use_outside(chain, 100)
    rounds(one, chain, clock, 8)
    assert (sqlite.relay(relay_id).state, chain.supply()) == (RelayState.SENT, 100)
    client.bends = {}
    rounds(one, chain, clock)
    assert (sqlite.relay(relay_id).state, chain.supply()) == (RelayState.CONFIRMED, 101)


def test_what_was_to_be_taken_back_is_when_its_nonce_was_used_outside(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    look(one)
    with books.database.write() as session:
        queue.cancel(session, books.merchant_id, relay_id, clock())
    use_outside(chain, 100)
    rounds(one, chain, clock, 8)
    assert books.relay(relay_id).state is RelayState.CANCELED
    assert (chain.supply(), nonces(chain)) == (100, [0])
    assert len(books.told("relay.failed")) == 1


# -- books that were restored ----------------------------------------------------------------------


def forget(books: Books, next_nonce: int) -> None:
    """The database as it was before: without what was sent since."""
    with books.database.write() as session:
        for table in (RelayAttempt, RelayTransaction, RelaySlot):
            session.execute(sa.delete(table))
    books.set_lane(next_nonce=next_nonce)


def test_a_lane_that_is_behind_the_chain_catches_up_and_executes_once(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    books.owe(chain.dollar, *(chain.mint(100) for _ in range(3)))
    one = relayer(chain, books, clock)
    run(one, chain, clock)
    assert nonces(chain) == [0, 1, 2]
    forget(books, next_nonce=0)
    [relay_id] = books.owe(chain.dollar, chain.mint(1), at=clock())
    rounds(relayer(chain, books, clock), chain, clock, 9)
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert (chain.supply(), nonces(chain)) == (301, [0, 1, 2, 3])
    assert books.lane().next_nonce == 4


def test_a_lane_that_is_ahead_of_the_chain_fills_the_gap_with_self_transfers(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    books.owe(chain.dollar, chain.mint(100))
    run(relayer(chain, books, clock), chain, clock)
    forget(books, next_nonce=4)
    [relay_id] = books.owe(chain.dollar, chain.mint(1), at=clock())
    rounds(relayer(chain, books, clock), chain, clock, 8)
    sent = chain.sent_by(chain.operator.address)
    assert [int(one["nonce"], 16) for one in sent] == [0, 1, 2, 3, 4]
    assert [one["to"] for one in sent] == [
        chain.dollar, *[chain.operator.address] * 3, chain.dollar,
    ]  # fmt: skip
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert (chain.supply(), books.inbox()) == (101, [])


def test_one_look_at_a_gap_is_no_proof(chain: Stage, sqlite: Books, clock: MovingClock) -> None:
    """A node that is behind for a moment must not make us fill nonces that are used."""
    sqlite.owe(chain.dollar, *(chain.mint(1) for _ in range(3)))
    run(relayer(chain, sqlite, clock), chain, clock)
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(8), at=clock())
    counts = iter(["0x0", "0x9", "0x1", "0x7"])

    def unsteady(params: Any, ask: Any) -> Any:
        return next(counts, None) or ask() if params[1] == "latest" else ask()

    client = BentClient(chain.url, eth_getTransactionCount=unsteady)
    rounds(relayer(chain, sqlite, clock, client=client), chain, clock, 8)
    assert (chain.supply(), nonces(chain)) == (11, [0, 1, 2, 3])
    assert sqlite.lane().next_nonce == 4
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED
    assert all(len(sqlite.attempts(row.id)) == 1 for row in sqlite.relays())


def test_a_lane_begins_where_its_key_is(chain: Stage, sqlite: Books, clock: MovingClock) -> None:
    use_outside(chain, 100)
    use_outside(chain, 100)
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    run(relayer(chain, sqlite, clock), chain, clock)
    assert (sqlite.the_slot(relay_id).nonce, chain.supply()) == (2, 201)
