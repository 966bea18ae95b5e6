"""What must agree. Each check yields the differences that it finds.

| code | difference | subject |
|---|---|---|
| processor.missing | paid in the books, not in the processor's log | leg |
| processor.unknown | in the processor's log, no payout of ours | refund id |
| processor.duplicate | the processor paid one key more than once | leg |
| processor.amount | amounts or currencies differ | leg |
| chain.missing | done in the books, no such event on chain | leg |
| chain.amount | the refund on chain has another amount | leg |
| chain.wrong_recipient | the refund on chain went to somebody else | leg |
| chain.wrong_holder | a token is not where the books have it | token |
| chain.unknown_inbound | the escrow holds a token that no line explains | token |
| ledger.missing | a leg or grant without its booking | leg or line |
| ledger.amount | booking and leg differ | leg |
| ledger.unbalanced | an entry does not sum to zero | entry |
| order.over_refunded | more was paid back than was paid | order |
| timing | a leg is under way for too long | leg |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from custody.calls import LEG_OF_EVENT
from custody.evidence import ChainEvidence
from returns import ledger, lifecycle
from returns.ids import token_asset
from returns.tables import JournalEntry, Leg, Posting
from returns.words import PAYOUTS, LegKind, LegState, LineState
from settlement.processors.base import ProcessorRefund
from settlement.reconciliation.sides import DONE, Books, Sides

#: A leg that is under way longer than this is a break.
_PATIENCE = timedelta(hours=1)

_EVENT_OF_LEG = {kind: name for name, kind in LEG_OF_EVENT.items()}
#: Legs after which the vault holds the token.
_INTO_VAULT = (LegKind.SETTLE, LegKind.SWAP)


@dataclass(frozen=True, slots=True)
class Difference:
    """One break as it was found; `owner` is who looks into it first."""

    code: str
    subject: str
    line_id: UUID | None
    expected: str
    found: str
    owner: str = "finance"


# -- processor -------------------------------------------------------------------------------------


def _processor(sides: Sides) -> Iterator[Difference]:
    by_key: dict[str, list[ProcessorRefund]] = defaultdict(list)
    for refund in sides.refunds:
        if refund.status != "failed":
            by_key[refund.key].append(refund)
    for leg in sides.books.legs:
        told = by_key.get(str(leg.id), [])
        # In doubt because of what the processor told: that is what has to be shown.
        doubted = leg.state is LegState.UNKNOWN and told
        if leg.kind is LegKind.PROCESSOR_REFUND and (leg.state in DONE or doubted):
            yield from _compare_refunds(leg, told)
    # A payout that failed in the books explains no refund.
    explained = sides.elsewhere.payouts | {
        str(leg.id)
        for leg in (*sides.books.legs, *sides.later.legs)
        if leg.kind is LegKind.PROCESSOR_REFUND and leg.state is not LegState.FAILED
    }
    for key, refunds in by_key.items():
        if key not in explained:
            for refund in refunds:
                paid = f"{refund.amount} {refund.currency}"
                yield Difference("processor.unknown", refund.id, None, "no refund", paid)


def _compare_refunds(leg: Leg, refunds: list[ProcessorRefund]) -> Iterator[Difference]:
    expected = f"{leg.amount} {leg.currency}"
    if not refunds:
        yield Difference("processor.missing", str(leg.id), leg.line_id, expected, "no refund")
    elif len(refunds) > 1:
        found = f"{len(refunds)} refunds"
        yield Difference("processor.duplicate", str(leg.id), leg.line_id, "one refund", found)
    elif (refunds[0].amount, refunds[0].currency) != (leg.amount, leg.currency):
        found = f"{refunds[0].amount} {refunds[0].currency}"
        yield Difference("processor.amount", str(leg.id), leg.line_id, expected, found)


# -- chain -----------------------------------------------------------------------------------------


def _chain_events(sides: Sides) -> Iterator[Difference]:
    for leg in sides.books.done(*_EVENT_OF_LEG):
        name = _EVENT_OF_LEG[leg.kind]
        if not sides.chain.has(name, leg.line_id):
            yield Difference(
                "chain.missing", str(leg.id), leg.line_id, name, "no such event", "custody"
            )
        elif leg.kind is LegKind.SWAP:
            yield from _compare_payout(leg, sides.chain)


def _compare_payout(leg: Leg, chain: ChainEvidence) -> Iterator[Difference]:
    payout = chain.payouts.get(leg.line_id)
    subject = str(leg.id)
    if payout is None:
        yield Difference("chain.missing", subject, leg.line_id, "Swapped", "no payout", "custody")
        return
    if payout.amount != leg.amount:
        found = str(payout.amount)
        yield Difference("chain.amount", subject, leg.line_id, str(leg.amount), found)
    if payout.recipient != leg.recipient:
        expected = str(leg.recipient)
        yield Difference(
            "chain.wrong_recipient", subject, leg.line_id, expected, payout.recipient, "custody"
        )


def _holders(sides: Sides) -> Iterator[Difference]:
    moving = {leg.line_id for leg in sides.later.legs if leg.state not in (*DONE, LegState.FAILED)}
    for leg in sides.books.done(*_INTO_VAULT):
        yield from _compare_holder(sides, leg, sides.vault)
    for leg in sides.books.done(LegKind.DEPOSIT):
        held = sides.later.lines[leg.line_id].state in (LineState.IN_CUSTODY, LineState.COMMITTING)
        if held and leg.line_id not in moving:
            yield from _compare_holder(sides, leg, sides.chain.escrow)


def _compare_holder(sides: Sides, leg: Leg, expected: str) -> Iterator[Difference]:
    bought = sides.books.order_lines[sides.books.lines[leg.line_id].order_line_id]
    found = sides.chain.holders.get((bought.collection, bought.token_id))
    if found != expected:
        asset = sides.books.asset(leg.line_id)
        yield Difference("chain.wrong_holder", asset, leg.line_id, expected, str(found), "custody")


def _inbound(sides: Sides) -> Iterator[Difference]:
    explained = sides.elsewhere.held | {
        books.asset(leg.line_id)
        for books in (sides.books, sides.later)
        for leg in books.legs
        if leg.kind is LegKind.DEPOSIT
        and leg.state is not LegState.FAILED
        and books.lines[leg.line_id].state not in lifecycle.RESTING
    }
    for collection, token_id in sorted(sides.chain.in_escrow):
        asset = token_asset(sides.chain.chain_id, collection, token_id)
        if asset not in explained:
            yield Difference(
                "chain.unknown_inbound", asset, None, "not in escrow", "in escrow", "custody"
            )


# -- ledger and orders -----------------------------------------------------------------------------


def _ledger(sides: Sides) -> Iterator[Difference]:
    books = sides.books
    undone = {
        (entry.line_id, entry.cause, entry.kind.removesuffix(".reversed"))
        for entry in books.entries
        if entry.kind.endswith(".reversed")
    }
    standing = {
        (entry.line_id, entry.cause): entry
        for entry in books.entries
        if not entry.kind.endswith(".reversed")
        and (entry.line_id, entry.cause, entry.kind) not in undone
    }
    for leg in books.booked():
        yield from _compare_booking(books, leg, standing.get((leg.line_id, leg.id)))
    granted = {entry.line_id for entry in standing.values() if entry.kind == "grant"}
    for line in books.lines.values():
        if line.state in lifecycle.GRANTED and line.id not in granted:
            expected = f"{line.amount} {line.currency}"
            yield Difference("ledger.missing", str(line.id), line.id, expected, "no grant")


def _compare_booking(books: Books, leg: Leg, entry: JournalEntry | None) -> Iterator[Difference]:
    if entry is None:
        expected = f"{leg.amount} {leg.currency}"
        yield Difference("ledger.missing", str(leg.id), leg.line_id, expected, "no booking")
        return
    postings = books.postings[entry.id]
    sides = [one for one in postings if one.asset == leg.currency and one.side == "debit"]
    booked = sorted(one.amount for one in sides)
    expected_amounts = [leg.amount] if leg.kind in PAYOUTS else []
    if leg.kind is LegKind.CREDIT and books.lines[leg.line_id].bonus:
        expected_amounts.append(books.lines[leg.line_id].bonus)
    if _is_balanced(postings) and booked != sorted(expected_amounts):
        found = ", ".join(map(str, booked)) or "nothing"
        yield Difference("ledger.amount", str(leg.id), leg.line_id, str(leg.amount), found)


def _balance(sides: Sides) -> Iterator[Difference]:
    for entry in sides.books.entries:
        if not _is_balanced(sides.books.postings[entry.id]):
            sides_text = ", ".join(
                f"{posting.side} {posting.amount} {posting.asset}"
                for posting in sides.books.postings[entry.id]
            )
            yield Difference(
                "ledger.unbalanced", str(entry.id), entry.line_id, "sum zero", sides_text
            )


def _is_balanced(postings: list[Posting]) -> bool:
    totals: dict[str, int] = defaultdict(int)
    for posting in postings:
        totals[posting.asset] += ledger.signed(posting)
    return bool(postings) and not any(totals.values())


def _orders(sides: Sides) -> Iterator[Difference]:
    paid_back: dict[UUID, int] = defaultdict(int)
    for leg in sides.books.done(*PAYOUTS):
        paid_back[leg.line_id] += leg.amount
    by_purchase: dict[UUID, list[UUID]] = defaultdict(list)
    for line_id in paid_back:
        by_purchase[sides.books.lines[line_id].order_line_id].append(line_id)
    for order_line_id, line_ids in by_purchase.items():
        price = sides.books.order_lines[order_line_id].price
        total = sum(paid_back[line_id] for line_id in line_ids)
        if total > price:
            number = sides.books.order_numbers[line_ids[0]]
            expected = f"at most {price}"
            yield Difference("order.over_refunded", number, line_ids[0], expected, str(total))


def _timing(sides: Sides) -> Iterator[Difference]:
    for leg in sides.books.legs:
        age = sides.now - leg.updated_at
        if leg.state not in (*DONE, LegState.FAILED) and age > _PATIENCE:
            found = f"{leg.kind.value} is {leg.state.value} since {leg.updated_at.isoformat()}"
            yield Difference("timing", str(leg.id), leg.line_id, "done", found, "operations")


CHECKS: tuple[Callable[[Sides], Iterator[Difference]], ...] = (
    _processor,
    _chain_events,
    _holders,
    _inbound,
    _ledger,
    _balance,
    _orders,
    _timing,
)
