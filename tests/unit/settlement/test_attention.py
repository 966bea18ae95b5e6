"""A line that needs attention has exits that a person chooses; none of them pays twice."""

from __future__ import annotations

import pytest
from desk import ADDRESSES, Desk

from returns.errors import MoveNotAllowed, PayoutInDoubt, TokenNotReturnable
from returns.words import LegKind, LegState, LineState, RefundStatus
from settlement import payouts
from settlement.processors.base import ProcessorRefund


def declined(desk: Desk) -> str:
    """A held and committed token whose refund the processor has declined."""
    desk.processor.mode = "decline"
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    desk.processor.mode = "ok"
    return str(rma)


def test_retry_pays_under_a_new_key_and_settles(desk: Desk) -> None:
    rma = declined(desk)
    first = desk.leg(rma, LegKind.PROCESSOR_REFUND)
    desk.review(rma, "retry")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    [paid] = desk.processor.log
    second = desk.leg(rma, LegKind.PROCESSOR_REFUND)
    assert (first.state, second.state) == (LegState.FAILED, LegState.FINAL)
    assert paid.key == str(second.id) != str(first.id)


def test_release_gives_the_token_back_and_nothing_is_owed_any_more(desk: Desk) -> None:
    rma = declined(desk)
    desk.review(rma, "release")
    desk.run()
    assert desk.line(rma).state is LineState.RETURNED
    assert desk.owner_of(100) == ADDRESSES[0]
    assert desk.processor.log == []
    assert desk.balances() == {}


def test_retry_pays_a_refund_that_failed_after_the_token_had_been_taken(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    desk.webhook(desk.leg(rma, LegKind.PROCESSOR_REFUND), "failed")
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    desk.review(rma, "retry")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert [refund.status for refund in desk.processor.log] == ["failed", "succeeded"]


def test_release_is_refused_where_the_token_has_left_the_escrow(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    desk.webhook(desk.leg(rma, LegKind.PROCESSOR_REFUND), "failed")
    desk.work()
    before = desk.count_all()
    with pytest.raises(TokenNotReturnable):
        desk.review(rma, "release")
    assert desk.count_all() == before
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION


@pytest.mark.parametrize("decision", ["retry", "release"])
def test_exits_are_only_for_lines_that_need_attention(desk: Desk, decision: str) -> None:
    rma = desk.ask(desk.buy())["rma"]
    before = desk.count_all()
    with pytest.raises(MoveNotAllowed):
        desk.review(rma, decision)
    assert desk.count_all() == before


def test_payout_of_another_amount_is_never_repeated_by_a_retry(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.processor.mode = "down"
    desk.sign(rma)
    desk.run()
    leg = desk.leg(rma, LegKind.PROCESSOR_REFUND)
    other = ProcessorRefund(
        "re_1", str(leg.id), "ch_1", leg.amount - 1, leg.currency, RefundStatus.SUCCEEDED
    )
    with desk.runtime.database.write() as session:
        payouts.receive(session, "sandbox", leg.merchant_id, other, desk.clock())
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert desk.leg(rma, LegKind.PROCESSOR_REFUND).state is LegState.UNKNOWN
    before = desk.count_all()
    with pytest.raises(TokenNotReturnable):
        desk.review(rma, "release")
    with pytest.raises(PayoutInDoubt):
        desk.review(rma, "retry")
    assert desk.count_all() == before
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
