"""Orders paid by several tenders: each gives back its share, and the shares sum to the refund."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from desk import POLICY, Desk
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from returns.errors import RefundAboveRemainder
from returns.ids import new_id
from returns.tables import Leg, Payment
from returns.words import LegKind, LegState, LineState, Split, Tender
from settlement.commands.inputs import OrderIn
from settlement.tenders import Share, payments_of, split

MIXED = {"gift_card": 400, "card": 600}


def payments(captured: list[int]) -> list[Payment]:
    return [
        Payment(
            id=new_id(),
            merchant_id=UUID(int=1),
            order_id=UUID(int=2),
            tender=Tender.CARD,
            processor="sandbox",
            reference=f"ch_{place}",
            currency="USD",
            captured=amount,
        )
        for place, amount in enumerate(captured)
    ]


def amounts(shares: list[Share]) -> list[int]:
    return [share.amount for share in shares]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Split.PROPORTIONAL, [300, 200]),
        (Split.MONEY_FIRST, [500]),
        (Split.CREDIT_FIRST, [100, 400]),
    ],
)
def test_split_follows_the_policy(how: Split, expected: list[int]) -> None:
    paid = payments([600, 400])
    assert amounts(split(500, paid, {paid[0].id: 600, paid[1].id: 400}, how)) == expected


@given(st.lists(st.integers(0, 10**30), min_size=1, max_size=6), st.integers(0, 10**31), st.data())
def test_shares_sum_to_the_refund_and_none_is_above_what_is_left(
    left: list[int], amount: int, data: st.DataObject
) -> None:
    paid = payments(left)
    remaining = {one.id: value for one, value in zip(paid, left, strict=True)}
    how = data.draw(st.sampled_from(Split))
    if amount > sum(left):
        with pytest.raises(RefundAboveRemainder):
            split(amount, paid, remaining, how)
        return
    shares = split(amount, paid, remaining, how)
    assert sum(amounts(shares)) == amount
    assert all(0 < share.amount <= remaining[share.payment.id] for share in shares)


def payouts(desk: Desk) -> Iterator[tuple[LegKind, int, LegState]]:
    for leg in desk.rows(Leg, Leg.payment_id.is_not(None)):
        yield leg.kind, leg.amount, leg.state


def test_card_and_gift_card_are_each_given_back_their_share(desk: Desk) -> None:
    order = desk.buy(parts=MIXED)
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert sorted(payouts(desk)) == [
        (LegKind.CREDIT, 400, LegState.FINAL),
        (LegKind.PROCESSOR_REFUND, 600, LegState.FINAL),
    ]
    assert [(one.charge, one.amount) for one in desk.processor.log] == [
        (order.payments[1].reference, 600)
    ]
    assert desk.balances()[f"store_credit:{order.customer}", "USD"] == -400


def test_money_first_gives_the_card_back_before_the_gift_card(desk: Desk) -> None:
    desk.use_policy(POLICY + "\npayouts: {split: money_first}\n")
    first, second = (desk.ask(desk.buy(parts=MIXED, price=1000))["rma"] for _ in range(2))
    for rma in (first, second):
        desk.sign(rma)
    desk.run()
    assert sorted(payouts(desk)) == sorted(
        [(LegKind.CREDIT, 400, LegState.FINAL), (LegKind.PROCESSOR_REFUND, 600, LegState.FINAL)] * 2
    )


def test_lines_that_share_payments_never_take_more_than_was_captured(desk: Desk) -> None:
    order = desk.buy(price=333, tokens=3, parts={"card": 500, "gift_card": 499})
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.states(rma).count("settled") == 3
    by_kind = dict.fromkeys(LegKind, 0)
    for kind, amount, _ in payouts(desk):
        by_kind[kind] += amount
    assert by_kind[LegKind.PROCESSOR_REFUND] == 500
    assert by_kind[LegKind.CREDIT] == 499


def test_only_the_part_that_failed_is_tried_again(desk: Desk) -> None:
    desk.processor.mode = "decline"
    rma = desk.ask(desk.buy(parts=MIXED))["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    desk.processor.mode = "ok"
    desk.review(rma, "retry")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert sorted(payouts(desk)) == [
        (LegKind.CREDIT, 400, LegState.FINAL),
        (LegKind.PROCESSOR_REFUND, 600, LegState.FAILED),
        (LegKind.PROCESSOR_REFUND, 600, LegState.FINAL),
    ]


def test_money_is_listed_before_credit(desk: Desk) -> None:
    desk.buy(parts=MIXED)
    (order_id,) = {row.order_id for row in desk.rows(Payment)}
    with desk.runtime.database.read() as session:
        found = [one.tender for one in payments_of(session, order_id)]
    assert found == [Tender.CARD, Tender.GIFT_CARD]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"currency": "EUR"}, "one currency"),
        ({"tender": "wallet", "currency": "ETH"}, "one currency"),
        ({"captured": "399"}, "do not sum"),
        ({"reference": "card_X", "processor": "sandbox"}, "stands twice"),
    ],
)
def test_refuses_payments_that_do_not_make_one_order(
    changes: dict[str, str], problem: str, mixed: dict[str, object]
) -> None:
    gift = {**mixed["payments"][1], **changes}  # type: ignore[index]
    with pytest.raises(ValidationError, match=problem):
        OrderIn.model_validate({**mixed, "payments": [mixed["payments"][0], gift]})  # type: ignore[index]


def test_payment_is_short_for_payments_and_not_beside_them(mixed: dict[str, object]) -> None:
    one = {**mixed["payments"][0], "captured": "1000"}  # type: ignore[index]
    rest = {name: value for name, value in mixed.items() if name != "payments"}
    long = OrderIn.model_validate({**rest, "payments": [one]})
    assert OrderIn.model_validate({**rest, "payment": one}) == long
    with pytest.raises(ValidationError, match="payment"):
        OrderIn.model_validate({**mixed, "payment": one})


@pytest.fixture
def mixed() -> dict[str, object]:
    token = {"collection": "0x" + "a1" * 20, "token_id": "1", "price": "1000"}
    card = {"tender": "card", "processor": "sandbox", "reference": "card_X", "currency": "USD"}
    gift = {"tender": "gift_card", "processor": "credit", "reference": "g_X", "currency": "USD"}
    return {
        "number": "X",
        "placed_at": "2026-03-01T12:00:00+00:00",
        "customer": "c",
        "lines": [token],
        "payments": [{**card, "captured": "600"}, {**gift, "captured": "400"}],
    }
