"""A processor whose caller can die, and an auditor who counts what the books only claim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from desk import CONFIRMED, FINAL, Desk
from fakes import FakeProcessor

from returns import lifecycle
from returns.tables import (
    Dispute,
    JournalEntry,
    Leg,
    OrderLine,
    Payment,
    Posting,
    ReturnLine,
)
from returns.words import (
    DONE,
    PAYOUTS,
    Disposition,
    DisputeStatus,
    LegKind,
    LegState,
    LineState,
    RefundStatus,
)
from settlement.processors.base import ProcessorRefund, RefundRequest

MODES = ("ok", "pending", "lost", "pending_lost", "down", "decline", "die_before", "die_after")

#: What may follow what at a processor.
FOLLOWS: dict[RefundStatus, tuple[RefundStatus, ...]] = {
    RefundStatus.PENDING: tuple(one for one in RefundStatus if one is not RefundStatus.PENDING),
    RefundStatus.REQUIRES_ACTION: (
        RefundStatus.PENDING,
        RefundStatus.SUCCEEDED,
        RefundStatus.FAILED,
        RefundStatus.CANCELED,
    ),
    RefundStatus.SUCCEEDED: (RefundStatus.FAILED,),
    RefundStatus.FAILED: (),
    RefundStatus.CANCELED: (),
}
_UNDER_WAY = (LegState.CLAIMED, LegState.SENT, LegState.UNKNOWN, *DONE, LegState.COMPENSATED)


class Killed(BaseException):
    """The process is gone: nothing that catches exceptions sees it."""


class MortalProcessor(FakeProcessor):
    """Its caller dies before a request is heard (die_before), or once it is done (die_after)."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.wrong: list[str] = []

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        self.wrong += [f"{request.key}: {one}" for one in _not_due(self._desk, request)]
        mode = self.mode
        if mode.startswith("die"):
            self.mode = "ok"
        if mode == "die_before":
            raise Killed
        answer = super().refund(request)
        if mode == "die_after":
            raise Killed
        return answer


def _not_due(desk: Desk, request: RefundRequest) -> Iterator[str]:
    """Why a request that reaches the processor must not: laws 2 and 3, read from the outside."""
    found = desk.rows(Leg, Leg.id == request.key)
    if not found:
        yield "no intent is stored"
        return
    (leg,) = found
    (line,) = desk.rows(ReturnLine, ReturnLine.id == leg.line_id)
    if leg.state is LegState.PLANNED:
        yield "the intent does not say that it leaves"
    if (leg.amount, leg.currency) != (request.amount, request.currency):
        yield "another amount than the intent's"
    if desk.rows(Dispute, Dispute.payment_id == leg.payment_id, Dispute.status == "open"):
        yield "its payment is disputed"
    if line.state is not LineState.SETTLING:
        yield f"its line is {line.state.value}"
    if Audit(desk).after(leg, request.amount) < 0:
        yield "more than the chargebacks of the order have left"
    if line.disposition is not Disposition.KEEP:
        yield from _not_held(desk, line)


def _not_held(desk: Desk, line: ReturnLine) -> Iterator[str]:
    depth = {block.number: desk.chain.blocks[-1].number - block.number + 1
             for block in desk.chain.blocks}  # fmt: skip
    commits = [depth[block.number] for block in desk.chain.blocks for _, name, args in block.facts
               if name == "Committed" and _is_of(args["line"], line.id)]  # fmt: skip
    if not commits or commits[0] < FINAL:
        yield "its commit is not final"
        return
    (held,) = [one for key, one in desk.chain.state.holds.items() if _is_of(key, line.id)]
    if held.state not in ("committed", "settled", "burned"):
        yield f"its token is {held.state}"
    left = held.reclaim_after - int(desk.clock().timestamp())
    worst = desk.runtime.terms.processor_worst_case
    if held.state == "committed" and timedelta(seconds=left) <= worst:
        yield "the holder may reclaim before the refund is certain"


def _is_of(key: str, line_id: UUID) -> bool:
    return key[-32:] == line_id.hex


class Audit:
    """Counted at one moment from the processor's log, the chain's state and the ledger."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.lines: list[ReturnLine] = desk.rows(ReturnLine)
        self.bought: dict[UUID, OrderLine] = {one.id: one for one in desk.rows(OrderLine)}
        self.legs: dict[UUID, Leg] = {one.id: one for one in desk.rows(Leg)}
        self.payments: dict[UUID, Payment] = {one.id: one for one in desk.rows(Payment)}
        self.disputes: list[Dispute] = desk.rows(Dispute)
        self._entries = {one.id: one for one in desk.rows(JournalEntry)}
        self._postings: list[Posting] = desk.rows(Posting)

    def paid(self, line: ReturnLine) -> int:
        """Minor units that left us for a line, pending ones included."""
        fiat = sum(
            refund.amount
            for refund in self._desk.processor.paid()
            if self.legs[UUID(refund.key)].line_id == line.id
        )
        swapped = sum(
            amount
            for key, (_, amount) in self._desk.chain.state.paid.items()
            if _is_of(key, line.id)
        )
        return fiat + swapped - self._booked(line, "store_credit:")

    def charged_back(self, line: ReturnLine) -> int:
        """Minor units that a lost dispute paid instead."""
        return sum(
            leg.amount
            for leg in self.legs.values()
            if leg.line_id == line.id and leg.state is LegState.COMPENSATED
        )

    def under_way(self, order_line: UUID) -> int:
        """Minor units of a purchase that were paid or may be: what law 1 counts."""
        lines = {line.id for line in self.lines if line.order_line_id == order_line}
        return sum(
            leg.amount
            for leg in self.legs.values()
            if leg.line_id in lines and leg.kind in PAYOUTS and leg.state in _UNDER_WAY
        )

    def paid_of(self, payment: Payment) -> int:
        """Minor units that were given back of a payment."""
        fiat = [one for one in self._desk.processor.paid() if one.charge == payment.reference]
        credit = [
            leg
            for leg in self.legs.values()
            if leg.payment_id == payment.id
            and leg.kind is LegKind.CREDIT
            and leg.state is LegState.FINAL
        ]
        return sum(one.amount for one in fiat) + sum(leg.amount for leg in credit)

    def paid_on(self, line: ReturnLine) -> int:
        """Minor units that a line has paid, or may have: at most its amount."""
        legs = [leg for leg in self.legs.values() if leg.line_id == line.id]
        return sum(leg.amount for leg in legs if leg.kind in PAYOUTS and leg.state in _UNDER_WAY)

    def after(self, payout: Leg, amount: int = 0) -> int:
        """What was left of an order's payments once a payout was made; below zero it was wrong.

        Chargebacks count that were lost before it; `amount` is still to be paid.
        """
        order_id = self._order_of(payout)
        paid = {one.id: one for one in self.payments.values() if one.order_id == order_id}
        lost = sum(
            one.amount
            for one in self.disputes
            if one.payment_id in paid
            and one.status is DisputeStatus.LOST
            and one.updated_at < (self._desk.clock() if amount else payout.updated_at)
        )
        out = sum(
            leg.amount
            for leg in self.legs.values()
            if leg.kind in PAYOUTS
            and leg.state in DONE
            and self._order_of(leg) == order_id
            and (amount or leg.updated_at <= payout.updated_at)
        )
        return sum(one.captured for one in paid.values()) - lost - out - amount

    def _order_of(self, leg: Leg) -> UUID:
        (line,) = (one for one in self.lines if one.id == leg.line_id)
        return self.bought[line.order_line_id].order_id

    def owed(self, line: ReturnLine) -> int:
        """What is granted for a line and neither paid nor charged back."""
        if line.state not in lifecycle.GRANTED:
            return 0
        met = sum(
            leg.amount
            for leg in self.legs.values()
            if leg.line_id == line.id
            and leg.kind in PAYOUTS
            and leg.state in (*DONE, LegState.COMPENSATED)
        )
        return line.amount + line.bonus - met

    def payable(self, line: ReturnLine) -> int:
        """What the ledger says is owed for a line."""
        return -self._booked(line, "refunds_payable")

    def imbalance(self) -> dict[str, int]:
        """Debits less credits by asset, where they differ."""
        totals: dict[str, int] = defaultdict(int)
        for posting in self._postings:
            totals[posting.asset] += _signed(posting)
        return {asset: total for asset, total in totals.items() if total}

    def hold(self, line: ReturnLine) -> str | None:
        """What the chain says of a line's token."""
        holds = self._desk.chain.state.holds
        return next((one.state for key, one in holds.items() if _is_of(key, line.id)), None)

    def holder(self, line: ReturnLine) -> str:
        """Who has a line's token."""
        bought = self.bought[line.order_line_id]
        return self._desk.chain.state.owners[bought.collection, bought.token_id]

    def _booked(self, line: ReturnLine, account: str) -> int:
        return sum(
            _signed(posting)
            for posting in self._postings
            if posting.account.startswith(account)
            and self._entries[posting.entry_id].subject_id == line.id
        )


def _signed(posting: Posting) -> int:
    return posting.amount if posting.side == "debit" else -posting.amount


def may_be_undone(desk: Desk, depth: int) -> bool:
    """Whether a reorg can be so deep: what was told as final stays."""
    if depth >= len(desk.chain.blocks):
        return False
    gone = desk.chain.blocks[-depth:]
    told = [desk._told.get((one.hash, n), 0) for one in gone for n in range(len(one.facts))]
    return all(level <= CONFIRMED for level in told)
