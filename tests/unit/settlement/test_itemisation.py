"""What a price is made of and what a refund gives back of it: exact, once, never below zero."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from returns.bulk import insert_many
from returns.columns import table_of
from returns.errors import ChargesInvalid, RefundAboveRemainder
from returns.tables import OrderCharge, OrderLine
from returns.words import ChargeKind, CostBearer
from settlement import charges as stored
from settlement.commands.charge_inputs import ChargesIn
from settlement.itemisation import (
    Charges,
    ItemisedRefund,
    LineCharges,
    claims,
    itemise,
    spread,
)

ITEM, TAX, ROYALTY = ChargeKind.ITEM, ChargeKind.TAX, ChargeKind.ROYALTY
FEE, GAS = ChargeKind.PLATFORM_FEE, ChargeKind.GAS
MERCHANT, CUSTOMER = CostBearer.MERCHANT, CostBearer.CUSTOMER
PLATFORM, CREATOR = CostBearer.PLATFORM, CostBearer.CREATOR

AMOUNT = st.one_of(st.integers(0, 30), st.integers(0, 10**24))


@st.composite
def orders(draw: st.DrawFn) -> Charges:
    """Orders whose included charges fit into their prices."""
    prices = draw(st.lists(AMOUNT, min_size=1, max_size=8).filter(any))
    discount = draw(st.integers(0, sum(prices)))
    included = draw(st.frozensets(st.sampled_from([TAX, ROYALTY, FEE, GAS])))
    left, amounts = sum(prices) - discount, {}
    for kind in (TAX, ROYALTY, FEE, GAS):
        amounts[kind] = draw(st.integers(0, left)) if kind in included else draw(AMOUNT)
        left -= amounts[kind] if kind in included else 0
    return Charges(tuple(prices), discount, amounts, included)


@st.composite
def lines(draw: st.DrawFn) -> LineCharges:
    return LineCharges({kind: draw(AMOUNT) for kind in ChargeKind})


BEARERS = st.dictionaries(st.sampled_from(ChargeKind), st.sampled_from(CostBearer))


class TestAnOrdersCharges:
    @given(orders())
    def test_sum_to_themselves_over_the_lines_and_to_what_was_paid(self, order: Charges) -> None:
        found = spread(order)
        for kind, amount in order.amounts.items():
            assert sum(line.amounts[kind] for line in found) == amount
        on_top = sum(a for kind, a in order.amounts.items() if kind not in order.included)
        paid = sum(order.prices) - order.discount + on_top
        assert sum(line.total for line in found) == paid

    @given(orders())
    def test_leave_no_part_below_zero_and_no_line_above_its_price(self, order: Charges) -> None:
        for line, price in zip(spread(order), order.prices, strict=True):
            assert min(line.amounts.values()) >= 0
            within = sum(p for kind, p in line.amounts.items() if kind in {ITEM, *order.included})
            assert within <= price

    @given(st.permutations([100, 250, 999, 4321]), st.integers(0, 5670))
    def test_do_not_depend_on_the_order_of_lines(self, prices: list[int], discount: int) -> None:
        def by_price(given_prices: list[int]) -> dict[int, dict[ChargeKind, int]]:
            order = Charges(tuple(given_prices), discount, {TAX: 113, GAS: 7})
            found = spread(order)
            return {p: dict(one.amounts) for p, one in zip(given_prices, found, strict=True)}

        # Remainders that are equal go to the earlier line: then only who has the unit differs.
        mine, sorted_ = by_price(prices), by_price([100, 250, 999, 4321])
        for kind in (TAX, GAS):
            pairs = zip(mine.values(), (sorted_[price] for price in mine), strict=True)
            assert all(abs(one[kind] - other[kind]) <= 1 for one, other in pairs)

    def test_are_rounded_once(self) -> None:
        found = spread(Charges((333, 333, 334), 0, {TAX: 100, ROYALTY: 50, GAS: 2}))
        assert [line.amounts for line in found] == [
            {ITEM: 316, TAX: 33, ROYALTY: 17, FEE: 0, GAS: 1},
            {ITEM: 317, TAX: 33, ROYALTY: 16, FEE: 0, GAS: 0},
            {ITEM: 317, TAX: 34, ROYALTY: 17, FEE: 0, GAS: 1},
        ]

    def test_that_fill_the_price_leave_an_item_of_nothing(self) -> None:
        """Rounded each on its own, royalty and fee would both take the first line's only unit."""
        found = spread(Charges((1, 1, 1), 0, {ROYALTY: 2, FEE: 1}))
        assert [line.total for line in found] == [1, 1, 1]
        assert [line.amounts[ITEM] for line in found] == [0, 0, 0]

    def test_on_top_of_nothing_are_shared_alike(self) -> None:
        found = spread(Charges((10, 10), 20, {GAS: 4}))
        assert [line.amounts[GAS] for line in found] == [2, 2]

    @pytest.mark.parametrize(
        ("order", "problem"),
        [
            (Charges(()), "there is no price"),
            (Charges((1, -1)), "below zero"),
            (Charges((1,), -1), "below zero"),
            (Charges((1,), 0, {TAX: -1}), "below zero"),
            (Charges((1,), 2), "they take 2 of prices of 1"),
            (Charges((0,), 1), "the discount of 1 has no price"),
            (Charges((10,), 0, {ROYALTY: 8, FEE: 3}), "they take 3 of prices of 2"),
            (Charges((10,), 0, {ITEM: 3}), "item is not charged"),
        ],
    )
    def test_that_do_not_fit_are_refused(self, order: Charges, problem: str) -> None:
        with pytest.raises(ChargesInvalid, match=problem):
            spread(order)


def totals(refunds: list[ItemisedRefund]) -> Counter[ChargeKind]:
    found: Counter[ChargeKind] = Counter()
    for refund in refunds:
        for part in refund.parts:
            found[part.kind] += part.amount
    return found


def in_parts(line: LineCharges, bearers: dict, amounts: list[int]) -> list[ItemisedRefund]:
    before, found = 0, []
    for amount in amounts:
        found.append(itemise(line, bearers, before, amount))
        before += amount
    return found


class TestAnItemisedRefund:
    @given(lines(), BEARERS, st.data())
    def test_sums_to_what_was_granted_and_no_part_is_below_zero(
        self, line: LineCharges, bearers: dict, data: st.DataObject
    ) -> None:
        before = data.draw(st.integers(0, line.total))
        amount = data.draw(st.integers(0, line.total - before))
        refund = itemise(line, bearers, before, amount)
        assert refund.amount == amount
        assert all(part.amount > 0 for part in (*refund.parts, *refund.kept))
        assert all(part.bearer is not CUSTOMER for part in refund.parts)

    @given(lines(), BEARERS, st.data())
    def test_in_parts_sums_to_the_whole(
        self, line: LineCharges, bearers: dict, data: st.DataObject
    ) -> None:
        cuts = data.draw(st.lists(st.integers(0, line.total), max_size=6))
        marks = [0, *sorted(cuts), line.total]
        amounts = [later - earlier for earlier, later in pairwise(marks)]
        found = totals(in_parts(line, bearers, amounts))
        assert found == Counter({k: a for k, a in line.amounts.items() if a})

    @given(lines(), BEARERS, st.data())
    def test_parts_in_any_order_come_to_the_same(
        self, line: LineCharges, bearers: dict, data: st.DataObject
    ) -> None:
        one = data.draw(st.integers(0, line.total))
        two = data.draw(st.integers(0, line.total - one))
        three = data.draw(st.integers(0, line.total - one - two))
        ways = {
            tuple(sorted(totals(in_parts(line, bearers, list(way))).items()))
            for way in permutations((one, two, three))
        }
        assert len(ways) == 1

    @given(lines(), BEARERS)
    def test_what_others_bear_is_given_back_before_what_the_customer_bears(
        self, line: LineCharges, bearers: dict
    ) -> None:
        own = {kind for kind in line.amounts if bearers.get(kind) is CUSTOMER}
        owed = sum(amount for kind, amount in line.amounts.items() if kind not in own)
        refund = itemise(line, bearers, 0, owed)
        assert not own & {part.kind for part in refund.parts}
        kept = {part.kind: part.amount for part in refund.kept}
        assert kept == {kind: line.amounts[kind] for kind in own if line.amounts[kind]}

    def test_says_who_bears_each_part(self) -> None:
        line = LineCharges({ITEM: 800, TAX: 190, ROYALTY: 50, FEE: 25, GAS: 35})
        bearers = {ROYALTY: CREATOR, FEE: PLATFORM, GAS: CUSTOMER}
        refund = itemise(line, bearers, 0, 1065)
        assert [(part.kind, part.amount, part.bearer) for part in refund.parts] == [
            (ITEM, 800, MERCHANT),
            (TAX, 190, MERCHANT),
            (ROYALTY, 50, CREATOR),
            (FEE, 25, PLATFORM),
        ]
        assert [(part.kind, part.amount, part.bearer) for part in refund.kept] == [
            (GAS, 35, CUSTOMER)
        ]

    def test_given_in_goodwill_is_borne_by_the_merchant(self) -> None:
        line = LineCharges({ITEM: 100, GAS: 30})
        refund = itemise(line, {GAS: CUSTOMER}, 100, 20)
        assert [(part.kind, part.amount, part.bearer) for part in refund.parts] == [
            (GAS, 20, MERCHANT)
        ]
        assert [part.amount for part in refund.kept] == [10]

    @pytest.mark.parametrize(
        ("before", "amount"), [(0, 131), (130, 1), (100, 31), (0, -1), (-1, 1)]
    )
    def test_above_the_remainder_is_refused(self, before: int, amount: int) -> None:
        with pytest.raises(RefundAboveRemainder):
            itemise(LineCharges({ITEM: 100, GAS: 30}), {}, before, amount)

    @given(lines(), BEARERS, st.dictionaries(st.sampled_from(ChargeKind), AMOUNT))
    def test_what_cannot_be_pulled_is_receivable_from_who_bears_it(
        self, line: LineCharges, bearers: dict, pullable: dict
    ) -> None:
        refund = itemise(line, bearers, 0, line.total)
        owed = {part.kind: part for part in refund.parts if part.bearer in (PLATFORM, CREATOR)}
        found = claims(refund, pullable)
        assert [one.kind for one in found] == list(owed)
        for one in found:
            assert one.pulled + one.receivable == owed[one.kind].amount
            assert 0 <= one.pulled <= pullable.get(one.kind, 0)
            assert one.receivable == 0 or one.pulled == pullable.get(one.kind, 0)
            assert one.debtor is owed[one.kind].bearer


class TestWhatAMarketplaceTells:
    def test_without_list_prices_everything_is_part_of_the_prices(self) -> None:
        told = ChargesIn(tax="160", royalty="50")
        first, second = told.of_lines([600, 400])
        assert first.amounts == {ITEM: 474, TAX: 96, ROYALTY: 30, FEE: 0, GAS: 0}
        assert second.amounts == {ITEM: 316, TAX: 64, ROYALTY: 20, FEE: 0, GAS: 0}

    def test_with_list_prices_discount_and_charges_come_to_the_prices(self) -> None:
        told = ChargesIn(list_prices=["600", "400"], discount="100", tax="171", gas="9")
        first, second = told.of_lines([648, 432])
        assert (first.amounts[TAX], second.amounts[TAX]) == (103, 68)
        assert (first.total, second.total) == (648, 432)

    @pytest.mark.parametrize(
        ("told", "problem"),
        [
            ({"list_prices": ["600", "401"]}, "line 1 comes to 401, and its price is 400"),
            ({"list_prices": ["1000"]}, "there are 1 list prices for 2 lines"),
            ({"royalty": "1001"}, "they take 1001 of prices of 1000"),
        ],
    )
    def test_that_is_not_what_was_paid_is_refused(self, told: dict, problem: str) -> None:
        with pytest.raises(ChargesInvalid, match=problem):
            ChargesIn(**told).of_lines([600, 400])

    @pytest.mark.parametrize("told", [{"discount": "1"}, {"tax": 1}, {"tax": "-1"}, {"tip": "1"}])
    def test_that_cannot_be_read_is_refused(self, told: dict) -> None:
        with pytest.raises(ValidationError):
            ChargesIn(**told)

    def test_is_stored_and_read_back(self, desk: Desk) -> None:
        desk.buy(1000)
        [line] = desk.rows(OrderLine)
        with desk.runtime.database.read() as session:
            assert stored.of_line(session, line).amounts == {ITEM: 1000}
        [made] = ChargesIn(tax="160", royalty="50").of_lines([1000])
        with desk.runtime.database.write() as session:
            found = stored.rows(line.merchant_id, line.id, made)
            insert_many(session, table_of(OrderCharge), found)
        with desk.runtime.database.read() as session:
            read = stored.of_line(session, line)
        assert read.amounts == {ITEM: 790, TAX: 160, ROYALTY: 50}
        assert read.total == 1000
