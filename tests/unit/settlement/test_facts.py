"""What a decision looks at: counted up to the moment, for one merchant, and unknown if unknown."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from desk import ADDRESSES, Desk, order_body
from facts_desk import look
from fake_chain import DEPLOYMENT
from index_rows import NOBODY, block_row, chain_row, transfer_row
from review_desk import TOO_LATE_DAYS, browser, decide, objection, waiting

from custody.eligibility import TokenState
from settlement.commands import appeals, orders
from settlement.commands.inputs import OrderIn
from triage.facts import Facts

ANN = "ann"


def spans(facts: Facts, prefix: str = "returns") -> list[int | None]:
    return [getattr(facts, f"{prefix}_{days}d") for days in (7, 30, 90, 365)]


def returned(desk: Desk, customer: str = ANN, owner: int = 0) -> str:
    """An earlier return; waits for its signature."""
    rma: str = desk.ask(desk.buy(customer=customer, owner=owner))["rma"]
    return rma


def appealed(desk: Desk, rma: str) -> None:
    appeals.appeal(desk.runtime, browser(desk, rma), rma, objection(desk, rma))


def without_wallet(desk: Desk, number: str) -> OrderIn:
    """An order of somebody whose wallet the shop does not know."""
    body = order_body(number, [int(number[3:])]) | {"customer": ANN, "buyer_wallet": None}
    order = OrderIn.model_validate(body)
    (result,) = orders.put_orders(desk.runtime, desk.merchant.id, [order])
    assert result.result == orders.STORED
    return order


class TestHistory:
    def test_returns_are_counted_by_spans_that_exclude_their_first_instant(
        self, desk: Desk
    ) -> None:
        for wait in (275, 60, 23):
            returned(desk)
            desk.clock.move(days=wait)
        returned(desk)
        order = desk.buy(customer=ANN)
        begun = desk.clock()
        # 358, 83, 23 and 0 days ago.
        assert spans(look(desk, order)) == [1, 2, 3, 4]
        last = begun + timedelta(days=7) - timedelta(seconds=1)
        assert spans(look(desk, order, last)) == [1, 2, 3, 4]
        assert spans(look(desk, order, begun + timedelta(days=7))) == [0, 1, 2, 3]

    def test_nothing_later_takes_part(self, desk: Desk) -> None:
        order, moment = desk.buy(customer=ANN), desk.clock()
        for _ in range(3):
            desk.clock.move(seconds=1)
            returned(desk)
        then = look(desk, order, moment)
        assert spans(then) == spans(then, "wallet_returns") == [0, 0, 0, 0]
        assert (then.orders_365d, then.cluster_returns_365d) == (1, 0)
        assert then.usual_price is None
        now = look(desk, order)
        assert spans(now) == spans(now, "wallet_returns") == [3, 3, 3, 3]
        assert (now.orders_365d, now.cluster_returns_365d, now.usual_price) == (4, 3, 1000)

    def test_the_line_that_is_decided_is_not_counted(self, desk: Desk) -> None:
        returned(desk)
        order = desk.buy(customer=ANN)
        rma = desk.ask(order)["rma"]
        assert spans(look(desk, order)) == [2, 2, 2, 2]
        facts = look(desk, order, besides=desk.line(rma).id)
        assert spans(facts) == spans(facts, "wallet_returns") == [1, 1, 1, 1]
        assert (facts.already_refunded, look(desk, order).already_refunded) == (0, 1000)

    def test_what_came_to_nothing_is_not_counted(self, desk: Desk) -> None:
        desk.cancel(returned(desk))
        assert spans(look(desk, desk.buy(customer=ANN))) == [0, 0, 0, 0]

    def test_another_merchants_rows_never_count(self, desk: Desk) -> None:
        other = Desk(desk.runtime, "other")
        decide(other, waiting(other, customer=ANN), "approve")
        returned(other)
        for _ in range(10):
            other.buy(customer=ANN)
        facts = look(desk, desk.buy(customer=ANN))
        assert spans(facts) == spans(facts, "wallet_returns") == [0, 0, 0, 0]
        assert (facts.orders_365d, facts.shared_wallet, facts.cluster_returns_365d) == (1, 0, 0)
        assert (facts.usual_price, facts.price_then, facts.price_now) == (None, None, None)

    def test_whoever_shares_the_wallet_is_one_cluster(self, desk: Desk) -> None:
        returned(desk, "bob")
        returned(desk, "eve")
        returned(desk, ANN, owner=1)
        returned(desk, "far", owner=2)
        facts = look(desk, desk.buy(customer=ANN))
        assert spans(facts) == [1, 1, 1, 1]
        assert spans(facts, "wallet_returns") == [2, 2, 2, 2]
        assert (facts.shared_wallet, facts.cluster_returns_365d) == (2, 3)

    def test_the_wallet_that_asks_goes_before_the_wallet_that_bought(self, desk: Desk) -> None:
        returned(desk, "bob", owner=1)
        order = desk.buy(customer=ANN)
        facts = look(desk, order, wallet=ADDRESSES[1])
        assert (facts.wallet_returns_365d, facts.shared_wallet) == (1, 1)
        assert look(desk, order).wallet_returns_365d == 0

    def test_without_a_wallet_nothing_is_known_of_it(self, desk: Desk) -> None:
        order = without_wallet(desk, "no-1")
        desk.ask(order)
        facts = look(desk, without_wallet(desk, "no-2"))
        assert facts.returns_365d == facts.cluster_returns_365d == 1
        assert spans(facts, "wallet_returns") == [None] * 4
        assert facts.shared_wallet is None

    def test_orders_of_a_year_and_the_first_day_are_known(self, desk: Desk) -> None:
        first = desk.clock()
        desk.buy(customer=ANN)
        desk.clock.move(days=365)
        facts = look(desk, desk.buy(customer=ANN))
        assert (facts.orders_365d, facts.customer_since) == (1, first)

    def test_usual_price_is_the_lower_median_of_three_others_at_least(self, desk: Desk) -> None:
        order = desk.buy(9_999, customer=ANN)
        for price in (700, 100):
            desk.buy(price, customer=ANN)
        desk.buy(5, "wallet", customer=ANN)
        assert look(desk, order).usual_price is None
        desk.buy(300, customer=ANN)
        assert look(desk, order).usual_price == 300
        desk.buy(400, customer=ANN)
        assert look(desk, order).usual_price == 300

    def test_goodwill_is_what_a_person_approved_and_the_policy_denied(self, desk: Desk) -> None:
        decide(desk, waiting(desk, customer=ANN), "approve")
        late = desk.buy(customer=ANN)
        desk.clock.move(days=TOO_LATE_DAYS)
        rma = desk.ask(late)["rma"]
        order = desk.buy(customer=ANN)
        assert look(desk, order).goodwill_365d == 0
        appealed(desk, rma)
        decide(desk, rma, "approve")
        given = desk.clock()
        assert look(desk, order).goodwill_365d == 1
        assert look(desk, order, given + timedelta(days=365)).goodwill_365d == 0
        assert look(desk, order, given - timedelta(seconds=1)).goodwill_365d == 0

    def test_a_persons_denial_that_another_takes_back_is_no_goodwill(self, desk: Desk) -> None:
        rma = waiting(desk, customer=ANN)
        decide(desk, rma, "deny", by="first")
        appealed(desk, rma)
        decide(desk, rma, "approve", by="second")
        assert look(desk, desk.buy(customer=ANN)).goodwill_365d == 0


class TestMarket:
    def test_a_floor_needs_ten_sales_of_thirty_days(self, desk: Desk) -> None:
        prices = [500, 300, 900, 400, 800, 700, 600, 350, 450]
        orders = [desk.buy(price) for price in prices]
        facts = look(desk, orders[0])
        assert (facts.price_then, facts.price_now) == (None, None)
        desk.clock.move(days=30, seconds=-1)
        order = desk.buy(1_000)
        facts = look(desk, order)
        assert (facts.price_then, facts.price_now) == (300, 300)
        desk.clock.move(seconds=1)
        facts = look(desk, order)
        assert (facts.price_then, facts.price_now) == (300, None)

    def test_other_currencies_and_later_sales_are_no_part_of_a_floor(self, desk: Desk) -> None:
        order, moment = desk.buy(1_000), desk.clock()
        for _ in range(9):
            desk.buy(1_000)
        desk.buy(1, "wallet")
        desk.clock.move(seconds=1)
        desk.buy(2)
        assert look(desk, order, moment).price_now == 1_000
        assert look(desk, order).price_now == 2


@pytest.fixture
def bought(desk: Desk) -> OrderIn:
    return desk.buy()


class TestToken:
    """Wallet 0 bought it; blocks 0 to 9 are read."""

    def move(self, desk: Desk, order: OrderIn, number: int, to: str, **more: object) -> None:
        at = more.pop("at", desk.clock())
        place = {"token": DEPLOYMENT.collection, "token_id": order.lines[0].token_id}
        with desk.runtime.database.write() as session:
            transfer_row(session, number, NOBODY, to, **place, **more).at = at

    def read(self, desk: Desk) -> None:
        with desk.runtime.database.write() as session:
            chain_row(session, 9, 9, 9)

    def test_without_an_index_nothing_is_known(self, desk: Desk, bought: OrderIn) -> None:
        facts = look(desk, bought)
        assert (facts.holder, facts.transferable, facts.rented) == (None, None, None)
        assert self.told(facts) == (None, None, None, None)
        assert facts.requested_block is None

    def test_what_the_chain_says_just_now_is_taken(self, desk: Desk, bought: OrderIn) -> None:
        state = TokenState(ADDRESSES[1], transferable=False, rented=True)
        facts = look(desk, bought, state=state)
        assert (facts.holder, facts.transferable, facts.rented) == (ADDRESSES[1], False, True)

    def test_moves_and_ways_back_are_counted_from_the_delivery(
        self, desk: Desk, bought: OrderIn
    ) -> None:
        self.read(desk)
        at = desk.clock() + timedelta(minutes=5)
        ways = [ADDRESSES[3], ADDRESSES[0], ADDRESSES[1], ADDRESSES[0], ADDRESSES[2]]
        for number, to in enumerate(ways, 2):
            self.move(desk, bought, number, to, at=at)
        desk.clock.move(hours=1)
        facts = look(desk, bought)
        assert self.told(facts) == (at, 3, 3, 1)
        assert facts.requested_block == 9

    def test_a_transfer_shortly_before_the_order_was_written_is_its_delivery(
        self, desk: Desk, bought: OrderIn
    ) -> None:
        self.read(desk)
        placed = desk.clock()
        self.move(desk, bought, 1, ADDRESSES[0], at=placed - timedelta(hours=1, seconds=1))
        assert self.told(look(desk, bought)) == (None, None, None, None)
        self.move(desk, bought, 2, ADDRESSES[0], at=placed - timedelta(hours=1))
        assert self.told(look(desk, bought)) == (placed, 2, 0, 0)

    def test_later_moves_and_blocks_that_are_gone_take_no_part(
        self, desk: Desk, bought: OrderIn
    ) -> None:
        self.read(desk)
        with desk.runtime.database.write() as session:
            block_row(session, 5, "b", canonical=False)
        self.move(desk, bought, 2, ADDRESSES[0])
        self.move(desk, bought, 5, ADDRESSES[1], branch="b")
        self.move(desk, bought, 6, ADDRESSES[1], at=desk.clock() + timedelta(seconds=1))
        assert look(desk, bought).moves_since_purchase == 0
        desk.clock.move(seconds=1)
        assert look(desk, bought).moves_since_purchase == 1

    def test_a_token_that_never_reached_the_buyer_was_not_delivered(
        self, desk: Desk, bought: OrderIn
    ) -> None:
        self.read(desk)
        self.move(desk, bought, 2, ADDRESSES[1])
        assert self.told(look(desk, bought)) == (None, None, None, None)

    def test_other_tokens_and_chains_are_not_this_one(self, desk: Desk, bought: OrderIn) -> None:
        self.read(desk)
        self.move(desk, bought, 2, ADDRESSES[0])
        with desk.runtime.database.write() as session:
            place = {"token": DEPLOYMENT.collection, "token_id": 1}
            transfer_row(session, 3, NOBODY, ADDRESSES[0], **place).at = desk.clock()
        assert look(desk, bought).moves_since_purchase == 0

    @staticmethod
    def told(facts: Facts) -> tuple[datetime | None, int | None, int | None, int | None]:
        return (
            facts.delivered_at,
            facts.purchased_block,
            facts.moves_since_purchase,
            facts.round_trips,
        )
