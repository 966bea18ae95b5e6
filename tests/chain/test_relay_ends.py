"""Intents that are taken back, come too late, or meet a lane that was stopped, on a real Anvil."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_node import VAULT, Stage, person
from chain_relay import guard_of, keep_out, next_base_fee, nonces, relayer, run

from chain.contracts import encode_signature
from chain.local import TREASURER
from chain.relay import queue
from chain.relay.guard import Rule
from returns.errors import ChainUnavailable, NotCancelable, NotFound
from returns.ids import new_id
from returns.tables import RelayTransaction
from returns.words import LaneMode, RelayState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]


def cancel(books: Books, relay_id: Any, clock: MovingClock) -> None:
    with books.database.write() as session:
        queue.cancel(session, books.merchant_id, relay_id, clock())


def replay(chain: Stage, raw: bytes) -> None:
    """Somebody hands old bytes to the node, and the pool knows nothing else."""
    chain.anvil.rpc("anvil_dropAllTransactions")
    next_base_fee(chain, 10**9)
    chain.anvil.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    chain.anvil.mine()


# -- taken back ------------------------------------------------------------------------------------


def test_without_a_nonce_an_intent_is_taken_back_at_once(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    cancel(books, relay_id, clock)
    run(relayer(chain, books, clock), chain, clock)
    row = books.relay(relay_id)
    assert (row.state, row.slot_id) == (RelayState.CANCELED, None)
    assert (chain.supply(), nonces(chain)) == (0, [])
    reason = "it was canceled before it had a nonce"
    assert books.told("relay.failed") == [{"relay": str(relay_id), "reason": reason}]


def test_taken_back_while_it_is_simulated_it_gets_no_nonce(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    kept, doomed = books.owe(chain.dollar, chain.mint(1), chain.mint(2))

    def meanwhile(methods: list[str]) -> None:
        if "eth_simulateV1" in methods and books.relay(doomed).state is RelayState.PENDING:
            cancel(books, doomed, clock)

    run(relayer(chain, books, clock, meanwhile), chain, clock)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert books.relay(kept).state is RelayState.CONFIRMED
    assert (books.relay(doomed).state, books.slot(doomed)) == (RelayState.CANCELED, None)


def test_with_a_nonce_a_self_transfer_takes_its_place(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    doomed, after = books.owe(chain.dollar, chain.mint(1), chain.mint(2))
    one = relayer(chain, books, clock)
    one.run_once()
    cancel(books, doomed, clock)
    assert books.shown(doomed) == "submitted"
    clock.move(2)
    one.run_once()
    call, filler = books.attempts(doomed)
    assert (filler.filler, filler.gas_limit) == (True, 21_000)
    assert 8 * filler.max_fee >= 9 * call.max_fee
    run(one, chain, clock, 3)
    first, second = chain.sent_by(chain.operator.address)
    assert (first["to"], first["input"], first["value"]) == (chain.operator.address, "0x", "0x0")
    assert (second["to"], chain.supply()) == (chain.dollar, 2)
    assert books.relay(doomed).state is RelayState.CANCELED
    assert books.relay(after).state is RelayState.CONFIRMED
    reason = "it was canceled: a self-transfer took its nonce"
    assert books.told("relay.failed") == [{"relay": str(doomed), "reason": reason}]


def test_a_cancellation_that_loses_the_race_is_none(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Which of the two is mined is the chain's to say: the call was, so it is confirmed."""
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    one.run_once()
    cancel(books, relay_id, clock)
    clock.move(2)
    one.run_once()
    call, _ = books.attempts(relay_id)
    replay(chain, call.raw)
    run(one, chain, clock, 3)
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert books.the_slot(relay_id).mined_hash == call.hash
    assert (chain.supply(), nonces(chain), books.inbox()) == (1, [0], [])


def test_a_self_transfer_that_a_reorg_threw_out_gives_the_call_no_second_chance(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, sqlite, clock, confirmations=10)
    one.run_once()
    cancel(sqlite, relay_id, clock)
    clock.move(2)
    one.run_once()
    before = chain.anvil.snapshot()
    chain.anvil.mine()
    one.run_once()
    assert sqlite.shown(relay_id) == "mined"
    chain.anvil.revert(before)
    chain.anvil.mine(2)
    run(one, chain, clock, 14)
    assert (chain.supply(), nonces(chain)) == (0, [0])
    assert sqlite.relay(relay_id).state is RelayState.CANCELED


def test_what_cannot_be_taken_back_any_more_stays_as_it_is(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock, confirmations=2)
    one.run_once()
    with books.database.write() as session, pytest.raises(NotFound):
        queue.cancel(session, new_id(), relay_id, clock())
    for state in ("mined", "confirmed"):
        chain.anvil.mine()
        clock.move(1)
        one.run_once()
        before = books.the_slot(relay_id)
        with pytest.raises(NotCancelable, match=f"it is {state}"):
            cancel(books, relay_id, clock)
        assert books.the_slot(relay_id) == before
    assert (chain.supply(), books.inbox()) == (1, [])


def test_taken_back_twice_is_taken_back_once(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    waiting, submitted = sqlite.owe(chain.dollar, chain.mint(1), chain.mint(2))
    cancel(sqlite, waiting, clock)
    one = relayer(chain, sqlite, clock)
    one.run_once()
    for relay_id in (waiting, submitted) * 2:
        cancel(sqlite, relay_id, clock)
    run(one, chain, clock)
    assert [row.state for row in sqlite.relays()] == [RelayState.CANCELED] * 2
    assert (chain.supply(), nonces(chain), len(sqlite.inbox())) == (0, [0], 2)


# -- too late --------------------------------------------------------------------------------------


def at(chain: Stage, seconds: int) -> datetime:
    """A time of the chain's own clock."""
    return datetime.fromtimestamp(chain.client.newest().timestamp + seconds, UTC)


def later(chain: Stage, seconds: int) -> None:
    chain.anvil.rpc("evm_increaseTime", seconds)


def test_what_waits_too_long_is_not_sent(chain: Stage, books: Books, clock: MovingClock) -> None:
    late, timely = books.owe(chain.dollar, chain.mint(1), chain.mint(2), expires_at=at(chain, 60))
    with books.database.write() as session:
        session.get_one(RelayTransaction, timely).expires_at = at(chain, 6_000)
    later(chain, 61)
    chain.anvil.mine()
    run(relayer(chain, books, clock), chain, clock)
    row = books.relay(late)
    assert (row.state, row.slot_id, row.error) == (RelayState.EXPIRED, None, "its time was over")
    assert books.relay(timely).state is RelayState.CONFIRMED
    assert (chain.supply(), nonces(chain)) == (2, [0])
    assert books.told("relay.failed") == [{"relay": str(late), "reason": "its time was over"}]


def test_what_is_under_way_too_long_is_taken_back_by_a_self_transfer(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1), expires_at=at(chain, 60))
    one = relayer(chain, books, clock)
    one.run_once()
    later(chain, 61)
    keep_out(chain, books.attempts(relay_id)[0].max_fee)
    run(one, chain, clock, 6)
    assert books.relay(relay_id).state is RelayState.EXPIRED
    assert (chain.supply(), nonces(chain)) == (0, [0])
    reason = "its time was over: a self-transfer took its nonce"
    assert books.told("relay.failed") == [{"relay": str(relay_id), "reason": reason}]


def test_what_was_mined_in_time_has_not_expired(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1), expires_at=at(chain, 60))
    one = relayer(chain, sqlite, clock, confirmations=3)
    one.run_once()
    chain.anvil.mine()
    one.run_once()
    later(chain, 600)
    run(one, chain, clock, 4)
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED
    assert (chain.supply(), sqlite.inbox()) == (1, [])


def test_when_the_late_call_is_mined_before_the_self_transfer_it_is_confirmed(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1), expires_at=at(chain, 60))
    one = relayer(chain, sqlite, clock)
    one.run_once()
    [call] = sqlite.attempts(relay_id)
    later(chain, 61)
    keep_out(chain, call.max_fee)
    one.run_once()
    assert [attempt.filler for attempt in sqlite.attempts(relay_id)] == [False, True]
    replay(chain, call.raw)
    run(one, chain, clock, 3)
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED
    assert (chain.supply(), sqlite.inbox()) == (1, [])


# -- lanes that are stopped ------------------------------------------------------------------------


def test_a_draining_lane_ends_what_it_has_begun_and_takes_nothing_new(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [begun] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    one.run_once()
    books.set_lane(mode=LaneMode.DRAINING)
    [waits] = books.owe(chain.dollar, chain.mint(2))
    chain.anvil.rpc("anvil_dropAllTransactions")
    run(one, chain, clock)
    assert books.relay(begun).state is RelayState.CONFIRMED
    assert (books.relay(waits).state, books.slot(waits)) == (RelayState.PENDING, None)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    books.set_lane(mode=LaneMode.RUNNING)
    run(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (3, [0, 1])


def test_a_paused_lane_sends_nothing_and_still_sees_what_is_mined(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    first, second = books.owe(chain.dollar, chain.mint(1), chain.mint(2))
    sent: list[str] = []
    one = relayer(chain, books, clock, sent.extend)
    one.run_once()
    raw = books.attempts(first)[0].raw
    books.set_lane(mode=LaneMode.PAUSED)
    cancel(books, second, clock)
    books.owe(chain.dollar, chain.mint(4))
    sent.clear()
    replay(chain, raw)
    run(one, chain, clock)
    assert "eth_sendRawTransaction" not in sent
    assert books.relay(first).state is RelayState.CONFIRMED
    assert books.shown(second) == "submitted"
    assert [len(books.attempts(relay_id)) for relay_id in (first, second)] == [1, 1]
    books.set_lane(mode=LaneMode.RUNNING)
    run(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (5, [0, 1, 2])
    assert books.relay(second).state is RelayState.CANCELED


def test_what_a_stopped_lane_had_taken_up_goes_on_in_another(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """It was stopped between its claim and its reservation, by a node that went away."""

    def cut(methods: list[str]) -> None:
        if "eth_simulateV1" in methods:
            raise ChainUnavailable(problem="it was cut off")

    approve = Rule(chain.dollar, "approve(address,uint256)")
    data = encode_signature("approve(address,uint256)", VAULT, 1)
    [relay_id] = books.owe(chain.dollar, data)
    allowed = guard_of(chain, approve)
    stopped = relayer(chain, books, clock, cut, guard=allowed)
    with pytest.raises(ChainUnavailable):
        stopped.run_once()
    assert books.relay(relay_id).lane_id == books.lane().id
    books.set_lane(mode=LaneMode.PAUSED)
    other = relayer(chain, books, clock, signer=person(TREASURER), guard=allowed)
    run(other, chain, clock)
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert nonces(chain) == []
