"""Gas as coin: topped up within limits, spent within budgets, and saved by waiting, on Anvil."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from chain_books import Books, MovingClock
from chain_faults import BentClient
from chain_node import VAULT, Stage, person
from chain_relay import (
    guard_of,
    keep_out,
    next_base_fee,
    nonces,
    relayer,
    run,
    set_coin,
    worst_of_a_mint,
)
from sqlmodel import select

from chain.contracts import encode_signature
from chain.local import TREASURER
from chain.relay import queue
from chain.relay.guard import Rule
from chain.relay.relayer import Relayer
from returns.ids import new_id
from returns.tables import GasDay, RelayTransaction
from returns.words import LanePurpose, RelayState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]

GWEI, ETHER = 10**9, 10**18
DAY = 86_400


def coin(chain: Stage, address: str) -> int:
    return chain.client.balance(address)


# -- top-ups ---------------------------------------------------------------------------------------


@pytest.fixture
def lanes(chain: Stage, books: Books, clock: MovingClock) -> tuple[Relayer, Relayer]:
    """The operator's lane, nearly empty, and the treasury's."""
    policy: dict[str, Any] = {
        "top_up_below": ETHER, "top_up_by": 3 * ETHER, "top_up_daily": 7 * ETHER,
    }  # fmt: skip
    guard = guard_of(chain, lanes=[chain.operator.address], top_up_limit=3 * ETHER)
    given = {"guard": guard, **policy}
    treasury = relayer(
        chain, books, clock, signer=person(TREASURER), purpose=LanePurpose.TOP_UP, **given
    )
    return relayer(chain, books, clock, **given), treasury


def top_ups(books: Books) -> list[RelayTransaction]:
    return [row for row in books.relays() if row.merchant_id is None]


def turns(lanes: tuple[Relayer, Relayer], chain: Stage, clock: MovingClock, count: int = 5) -> None:
    for _ in range(count):
        for one in lanes:
            one.run_once()
        chain.anvil.mine()
        clock.move(6)


def test_a_lane_that_runs_low_is_sent_gas_by_the_treasury_and_goes_on(
    chain: Stage, books: Books, clock: MovingClock, lanes: tuple[Relayer, Relayer]
) -> None:
    set_coin(chain, 1_000)
    before = len(nonces(chain, person(TREASURER).address))
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    turns(lanes, chain, clock, 8)
    assert books.relay(relay_id).state is RelayState.CONFIRMED
    [sent] = top_ups(books)
    assert (sent.state, sent.value, sent.to) == (
        RelayState.CONFIRMED, 3 * ETHER, chain.operator.address,
    )  # fmt: skip
    assert 3 * ETHER - 10**16 < coin(chain, chain.operator.address) <= 3 * ETHER + 1_000
    assert len(nonces(chain, person(TREASURER).address)) == before + 1
    assert chain.supply() == 1


def test_one_top_up_is_under_way_at_a_time(
    chain: Stage, books: Books, clock: MovingClock, lanes: tuple[Relayer, Relayer]
) -> None:
    set_coin(chain, 1_000)
    books.owe(chain.dollar, chain.mint(1))
    treasury, operator = lanes[1], lanes[0]
    treasury.run_once()
    for _ in range(5):
        operator.run_once()
        clock.move(3)
    assert [row.state for row in top_ups(books)] == [RelayState.PENDING]
    for _ in range(5):
        treasury.run_once()
        operator.run_once()
        clock.move(3)
    assert [row.state for row in top_ups(books)] == [RelayState.SENT]


def test_a_day_has_its_limit_and_the_next_day_its_own(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    policy: dict[str, Any] = {
        "top_up_below": ETHER, "top_up_by": 3 * ETHER, "top_up_daily": 7 * ETHER,
        "guard": guard_of(chain, lanes=[chain.operator.address], top_up_limit=3 * ETHER),
    }  # fmt: skip
    pair = (
        relayer(chain, sqlite, clock, **policy),
        relayer(chain, sqlite, clock, signer=person(TREASURER), purpose=LanePurpose.TOP_UP,
                **policy),
    )  # fmt: skip
    sqlite.owe(chain.dollar, chain.mint(1), due_at=clock.ahead(3 * DAY))
    for _ in range(6):
        set_coin(chain, 1_000)
        turns(pair, chain, clock, 3)
    assert [row.state for row in top_ups(sqlite)] == [RelayState.CONFIRMED] * 2
    clock.move(DAY)
    set_coin(chain, 1_000)
    turns(pair, chain, clock, 4)
    assert len(top_ups(sqlite)) == 3


def test_without_a_treasury_nothing_is_asked_for(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    set_coin(chain, 1_000)
    sqlite.owe(chain.dollar, chain.mint(1))
    run(relayer(chain, sqlite, clock, top_up_below=ETHER, top_up_by=ETHER, top_up_daily=ETHER),
        chain, clock)  # fmt: skip
    assert top_ups(sqlite) == []
    assert sqlite.lane().alarm == "low balance: nothing new is sent"


def test_the_treasury_pays_for_nothing_but_gas(
    chain: Stage, books: Books, clock: MovingClock, lanes: tuple[Relayer, Relayer]
) -> None:
    treasurer = person(TREASURER).address
    before = len(nonces(chain, treasurer))
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    for _ in range(4):
        lanes[1].run_once()
        clock.move(3)
    assert (books.relay(relay_id).state, books.slot(relay_id)) == (RelayState.PENDING, None)
    assert len(nonces(chain, treasurer)) == before


def test_more_than_the_limit_is_not_sent_even_if_it_is_asked_for(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    policy: dict[str, Any] = {
        "top_up_below": ETHER, "top_up_by": 3 * ETHER, "top_up_daily": 7 * ETHER,
        "guard": guard_of(chain, lanes=[chain.operator.address], top_up_limit=2 * ETHER),
    }  # fmt: skip
    treasury = relayer(
        chain, sqlite, clock, signer=person(TREASURER), purpose=LanePurpose.TOP_UP, **policy
    )
    set_coin(chain, 1_000)
    sqlite.owe(chain.dollar, chain.mint(1))
    treasury.run_once()
    relayer(chain, sqlite, clock, **policy).run_once()
    clock.move(3)
    treasury.run_once()
    [asked] = top_ups(sqlite)
    assert (asked.state, asked.slot_id) == (RelayState.FAILED, None)
    assert coin(chain, chain.operator.address) == 1_000


# -- budgets ---------------------------------------------------------------------------------------


def spent(books: Books) -> dict[Any, int]:
    """What each day's gas has cost."""
    with books.database.read() as session:
        return {one.day: one.spent for one in session.exec(select(GasDay))}


@pytest.mark.parametrize(
    ("budget", "key", "name"),
    [
        ("case_budget", {"case_id": UUID(int=1)}, "case"),
        ("customer_budget", {"customer": "anna"}, "customer"),
    ],
)
def test_a_budget_ends_exactly_where_it_says(
    chain: Stage, books: Books, clock: MovingClock, budget: str, key: dict[str, Any], name: str
) -> None:
    worst = worst_of_a_mint(chain, books, clock)
    [over] = books.owe(chain.dollar, chain.mint(1), at=clock(), **key)
    relayer(chain, books, clock, **{budget: worst - 1}).run_once()
    row = books.relay(over)
    assert (row.state, row.slot_id) == (RelayState.FAILED, None)
    assert row.error == f"the gas budget of its {name} is used up"
    assert books.told("relay.failed") == [{"relay": str(over), "reason": row.error}]
    [within] = books.owe(chain.dollar, chain.mint(1), at=clock(), **key)
    relayer(chain, books, clock, **{budget: worst}).run_once()
    assert books.the_slot(within).cost == worst


def test_what_was_paid_takes_the_place_of_what_was_reserved(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    worst = worst_of_a_mint(chain, books, clock)
    case, day = new_id(), clock().date()
    [first] = books.owe(chain.dollar, chain.mint(1), at=clock(), case_id=case)
    one = relayer(chain, books, clock, case_budget=worst, day_budget=10 * worst)
    one.run_once()
    assert spent(books) == {day: worst}
    before = coin(chain, chain.operator.address)
    chain.anvil.mine()
    run(one, chain, clock, 2)
    paid = before - coin(chain, chain.operator.address)
    assert books.the_slot(first).cost == paid < worst
    assert spent(books) == {day: paid}
    next_base_fee(chain, GWEI)
    chain.anvil.mine()
    [second] = books.owe(chain.dollar, chain.mint(1), at=clock(), case_id=case)
    tight = relayer(chain, books, clock, case_budget=paid + worst - 1, day_budget=10 * worst)
    tight.run_once()
    assert books.relay(second).state is RelayState.FAILED
    [third] = books.owe(chain.dollar, chain.mint(1), at=clock(), case_id=case)
    relayer(chain, books, clock, case_budget=paid + worst, day_budget=10 * worst).run_once()
    assert books.the_slot(third).cost == worst
    assert spent(books) == {day: paid + worst}


def test_dearer_bytes_count_from_when_they_are_signed(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """A budget does not stand in their way, or the lane would be jammed; but it knows of them."""
    worst = worst_of_a_mint(chain, books, clock)
    budgets = {"day_budget": worst, "customer_budget": worst}
    [relay_id] = books.owe(chain.dollar, chain.mint(1), at=clock(), customer="anna")
    one = relayer(chain, books, clock, **budgets)
    one.run_once()
    assert sums(books) == {"": worst, "anna": worst}
    with books.database.write() as session:
        queue.speed_up(session, books.merchant_id, relay_id, clock())
    clock.move(2)
    one.run_once()
    dearest = books.attempts(relay_id)[-1]
    dearer = dearest.gas_limit * dearest.max_fee
    assert books.the_slot(relay_id).cost == dearer > worst
    assert sums(books) == {"": dearer, "anna": dearer}
    before = coin(chain, chain.operator.address)
    chain.anvil.mine()
    run(one, chain, clock, 2)
    paid = before - coin(chain, chain.operator.address)
    assert sums(books) == {"": paid, "anna": paid}


def sums(books: Books) -> dict[str, int]:
    """What gas has cost by customer; that of the whole day has no name."""
    with books.database.read() as session:
        return {one.customer: one.spent for one in session.exec(select(GasDay))}


def test_a_customers_day_does_not_last_for_ever(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    worst = worst_of_a_mint(chain, books, clock)
    for _ in range(2):
        [one, other] = books.owe(chain.dollar, *[chain.mint(1)] * 2, at=clock(), customer="anna")
        lane = relayer(chain, books, clock, customer_budget=worst)
        lane.run_once()
        assert books.the_slot(one).cost == worst
        assert books.relay(other).error == "the gas budget of its customer is used up"
        chain.anvil.mine()
        run(lane, chain, clock, 2)
        clock.move(DAY)
        next_base_fee(chain, GWEI)
        chain.anvil.mine()


def test_what_exceeds_the_day_waits_for_the_next(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    worst = worst_of_a_mint(chain, books, clock)
    first, second = books.owe(chain.dollar, chain.mint(1), chain.mint(1), at=clock())
    one = relayer(chain, books, clock, day_budget=2 * worst - 1)
    one.run_once()
    assert books.the_slot(first).cost == worst
    row = books.relay(second)
    assert (row.state, row.slot_id) == (RelayState.PENDING, None)
    assert row.error == "the gas budget of its day is used up"
    assert row.due_at == clock() + timedelta(hours=1)
    assert books.inbox() == []
    today = clock().date()
    chain.anvil.mine()
    one.run_once()
    clock.move(DAY)
    run(one, chain, clock, 3)
    assert books.relay(second).state is RelayState.CONFIRMED
    assert sorted(spent(books)) == [today, clock().date()]


@pytest.mark.servers
def test_two_lanes_at_once_do_not_exceed_a_budget_together(
    chain: Stage, postgres: Books, clock: MovingClock
) -> None:
    """Both have simulated when the first reserves: the second counts what the first has spent."""
    data = encode_signature("approve(address,uint256)", VAULT, 1)
    allowed = guard_of(chain, Rule(chain.dollar, "approve(address,uint256)"))
    [probe] = postgres.owe(chain.dollar, data)
    relayer(chain, postgres, clock, guard=allowed).run_once()
    given: dict[str, Any] = {
        "guard": allowed, "claim": 1, "customer_budget": postgres.the_slot(probe).cost * 6 // 5,
    }  # fmt: skip
    chain.anvil.mine()
    ids = postgres.owe(chain.dollar, data, data, customer="anna")
    second = relayer(chain, postgres, clock, signer=person(TREASURER), **given)
    simulated: list[bool] = []

    def meanwhile(_: Any, ask: Any) -> Any:
        answer = ask()
        if not simulated:
            simulated.append(True)
            second.run_once()
        return answer

    client = BentClient(chain.url, eth_simulateV1=meanwhile)
    relayer(chain, postgres, clock, client=client, **given).run_once()
    states = sorted(postgres.relay(relay_id).state for relay_id in ids)
    assert states == [RelayState.FAILED, RelayState.SENT]


# -- patience --------------------------------------------------------------------------------------


def test_who_can_wait_goes_in_a_cheap_block(chain: Stage, books: Books, clock: MovingClock) -> None:
    keep_out(chain, 100 * GWEI)
    patient, urgent = books.owe(chain.dollar, chain.mint(1), chain.mint(2))
    with books.database.write() as session:
        session.get_one(RelayTransaction, patient).send_by = clock.ahead(3_600)
    one = relayer(chain, books, clock)
    one.run_once()
    assert (books.shown(patient), books.shown(urgent)) == ("pending", "submitted")
    for _ in range(3):
        keep_out(chain, 100 * GWEI)
        clock.move(3)
        one.run_once()
    assert books.shown(patient) == "pending"
    next_base_fee(chain, GWEI // 2)
    chain.anvil.mine()
    for _ in range(2):
        # A lane that nobody wakes sees a new block at the end of its round.
        one.run_once()
    assert books.shown(patient) == "submitted"
    run(one, chain, clock, 3)
    assert chain.supply() == 3


def test_at_the_promised_time_it_goes_in_any_block(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    keep_out(chain, 100 * GWEI)
    [relay_id] = books.owe(chain.dollar, chain.mint(1), send_by=clock.ahead(30))
    one = relayer(chain, books, clock)
    clock.move(29)
    one.run_once()
    assert books.shown(relay_id) == "pending"
    clock.move(1)
    one.run_once()
    assert books.shown(relay_id) == "submitted"
    assert books.attempts(relay_id)[0].max_fee >= 200 * GWEI
