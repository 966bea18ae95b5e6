"""The head of the line on a real Anvil: replaced within the fee rules, and every hash followed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from chain_books import Books, MovingClock
from chain_faults import HookedClient
from chain_node import Stage
from chain_relay import keep_out, look, next_base_fee, nonces, relayer, run

from chain.relay import fees, queue
from chain.relay.fees import Fee
from chain.relay.parts import RelayPolicy
from returns.errors import NotCancelable, NotFound
from returns.ids import new_id
from returns.words import RelayState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]

GWEI = 10**9


def bids(books: Books, relay_id: object) -> list[Fee]:
    """What the bytes of an intent offered, one after the other."""
    return [Fee(one.max_fee, one.priority_fee) for one in books.attempts(relay_id)]  # type: ignore[arg-type]


def assert_each_is_a_replacement(offered: list[Fee], ceiling: int) -> None:
    for old, new in pairwise(offered):
        assert 8 * new.max_fee >= 9 * old.max_fee
        assert 8 * new.priority_fee >= 9 * old.priority_fee
    assert max(one.max_fee for one in offered) <= ceiling


def test_a_stuck_head_is_replaced_at_todays_price_and_mined_once(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    one.run_once()
    base_fee = keep_out(chain, books.attempts(relay_id)[0].max_fee)
    clock.move(31)
    one.run_once()
    first, second = bids(books, relay_id)
    assert_each_is_a_replacement([first, second], fees.call_ceiling(RelayPolicy().fee_cap))
    assert second.max_fee == 2 * base_fee + GWEI
    next_base_fee(chain, base_fee)
    chain.anvil.mine()
    one.run_once()
    replaced, replacement = books.attempts(relay_id)
    assert (books.relay(relay_id).state, chain.supply()) == (RelayState.CONFIRMED, 1)
    assert books.the_slot(relay_id).mined_hash == replacement.hash != replaced.hash
    assert nonces(chain) == [0]


def test_before_its_time_nothing_is_replaced(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    one.run_once()
    keep_out(chain, books.attempts(relay_id)[0].max_fee)
    clock.move(29)
    one.run_once()
    assert len(bids(books, relay_id)) == 1


def test_only_the_head_of_the_line_is_replaced(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    ids = books.owe(chain.dollar, *(chain.mint(1 << index) for index in range(3)))
    one = relayer(chain, books, clock)
    one.run_once()
    keep_out(chain, books.attempts(ids[0])[0].max_fee)
    clock.move(31)
    one.run_once()
    assert [len(bids(books, relay_id)) for relay_id in ids] == [2, 1, 1]


def test_when_the_old_bytes_are_mined_instead_their_hash_is_the_one(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    one.run_once()
    keep_out(chain, books.attempts(relay_id)[0].max_fee)
    clock.move(31)
    one.run_once()
    old, _ = books.attempts(relay_id)
    chain.anvil.rpc("anvil_dropAllTransactions")
    next_base_fee(chain, GWEI)
    assert chain.anvil.rpc("eth_sendRawTransaction", "0x" + old.raw.hex()) == old.hash
    chain.anvil.mine()
    run(one, chain, clock, 3)
    assert books.the_slot(relay_id).mined_hash == old.hash
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert (chain.supply(), nonces(chain), books.inbox()) == (1, [0], [])


def test_replacements_end_at_what_a_call_may_pay_and_the_lane_says_that_it_is_stuck(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    cap = 40 * GWEI
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock, fee_cap=cap)
    one.run_once()
    for _ in range(30):
        next_base_fee(chain, 4 * cap)
        chain.anvil.mine()
        clock.move(31)
        one.run_once()
    offered = bids(books, relay_id)
    ceiling = fees.call_ceiling(cap)
    assert len(offered) > 3
    assert_each_is_a_replacement(offered, ceiling)
    assert fees.raised(offered[-1].max_fee) > ceiling
    assert "the head of the line, nonce 0, is not mined" in (books.lane().alarm or "")
    next_base_fee(chain, GWEI)
    chain.anvil.mine()
    [other] = books.owe(chain.dollar, chain.mint(2))
    run(one, chain, clock, 3)
    assert (chain.supply(), nonces(chain)) == (3, [0, 1])
    assert books.relay(other).state is RelayState.CONFIRMED
    assert books.lane().alarm is None


def test_a_base_fee_above_the_cap_sends_nothing_new_and_alarms_until_it_falls(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    cap = 40 * GWEI
    next_base_fee(chain, cap)
    chain.anvil.mine()
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock, fee_cap=cap)
    one.run_once()
    assert (books.relay(relay_id).state, books.slot(relay_id)) == (RelayState.PENDING, None)
    assert books.lane().alarm == "the base fee is above the cap: nothing new is sent"
    assert books.lane().alarm_since == clock()
    next_base_fee(chain, GWEI)
    chain.anvil.mine()
    clock.move(3)
    run(one, chain, clock, 3)
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    assert (books.lane().alarm, books.lane().alarm_since) == (None, None)


def test_no_more_nonces_are_under_way_than_pools_promise_room_for(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    ids = books.owe(chain.dollar, *(chain.mint(1) for _ in range(20)))
    one = relayer(chain, books, clock)
    for _ in range(3):
        one.run_once()
        clock.move(6)
        assert [books.shown(relay_id) for relay_id in ids].count("submitted") == 16
    run(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (20, list(range(20)))


# -- asked for by a person -------------------------------------------------------------------------


def speed_up(books: Books, relay_id: object, clock: MovingClock) -> None:
    with books.database.write() as session:
        queue.speed_up(session, books.merchant_id, relay_id, clock())  # type: ignore[arg-type]


def test_a_person_has_bytes_replaced_before_their_time(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    one.run_once()
    speed_up(books, relay_id, clock)
    for _ in range(3):
        clock.move(2)
        one.run_once()
    offered = bids(books, relay_id)
    assert len(offered) == 2, "one wish is one replacement"
    assert_each_is_a_replacement(offered, fees.call_ceiling(RelayPolicy().fee_cap))
    run(one, chain, clock, 2)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert books.the_slot(relay_id).mined_hash == books.attempts(relay_id)[1].hash


def test_what_waits_for_a_cheap_block_goes_at_once_when_a_person_says_so(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    keep_out(chain, 100 * GWEI)
    [relay_id] = books.owe(
        chain.dollar, chain.mint(1), send_by=clock.ahead(3_600), due_at=clock.ahead(60)
    )
    one = relayer(chain, books, clock)
    one.run_once()
    assert books.relay(relay_id).state is RelayState.PENDING
    speed_up(books, relay_id, clock)
    one.run_once()
    assert books.shown(relay_id) == "submitted"


def test_what_is_mined_or_not_ones_own_is_not_sped_up(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock, confirmations=2)
    one.run_once()
    with books.database.write() as session, pytest.raises(NotFound):
        queue.speed_up(session, new_id(), relay_id, clock())
    chain.anvil.mine()
    one.run_once()
    before = books.the_slot(relay_id)
    with pytest.raises(NotCancelable, match="it is mined"):
        speed_up(books, relay_id, clock)
    chain.anvil.mine()
    one.run_once()
    with pytest.raises(NotCancelable, match="it is confirmed"):
        speed_up(books, relay_id, clock)
    assert (before.bump, books.the_slot(relay_id).bump) == (False, False)
    assert len(bids(books, relay_id)) == 1


# -- what the pool has forgotten -------------------------------------------------------------------


def test_bytes_that_the_pool_has_forgotten_are_told_again_as_they_were(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    ids = books.owe(chain.dollar, chain.mint(1), chain.mint(2))
    one = relayer(chain, books, clock)
    one.run_once()
    chain.anvil.rpc("anvil_dropAllTransactions")
    clock.move(4)
    one.run_once()
    assert chain.anvil.rpc("txpool_status")["pending"] == "0x0"
    clock.move(2)
    run(one, chain, clock, 2)
    assert [len(bids(books, relay_id)) for relay_id in ids] == [1, 1]
    assert (chain.supply(), nonces(chain)) == (3, [0, 1])


def test_a_quiet_lane_asks_the_node_for_nothing_but_the_newest_block(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    asked: list[str] = []
    sqlite.owe(chain.dollar, chain.mint(1))
    client = HookedClient(chain.url, asked.extend)
    one = relayer(chain, sqlite, clock, client=client)
    look(one)
    asked.clear()
    for _ in range(5):
        look(one)
    assert asked == ["eth_getBlockByNumber"] * 5
