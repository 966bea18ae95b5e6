"""Three sides compared: orders and ledger, the processor's own log, and the chain itself.

The chain side reads the node's logs and owners, not our index of them: a second, independent path.
The books are read before the others and their legs once more after them, so that what happens in
between is not taken for a break. What differs is a row with a code, kept until it is gone.

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
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from custody.evidence import ChainEvidence, collect
from returns import ledger, lifecycle, reads
from returns.ids import token_asset
from returns.tables import (
    Break,
    JournalEntry,
    Leg,
    Order,
    OrderLine,
    Posting,
    ReconciliationRun,
    ReturnCase,
    ReturnLine,
)
from returns.words import LegKind, LegState, LineState
from settlement.processors.base import ProcessorRefund
from settlement.runtime import Runtime

#: Columns of a run that reports show.
COUNTS = {"block_number", "legs", "processor_refunds", "chain_events"}

#: A leg that is under way longer than this is a break.
_PATIENCE = timedelta(hours=1)

_DONE = (LegState.CONFIRMED, LegState.FINAL)
_PAYOUTS = (LegKind.PROCESSOR_REFUND, LegKind.CREDIT, LegKind.SWAP)
_EVENT_OF_LEG = {
    LegKind.DEPOSIT: "Deposited",
    LegKind.COMMIT: "Committed",
    LegKind.SETTLE: "Settled",
    LegKind.BURN: "Burned",
    LegKind.RELEASE: "Released",
    LegKind.SWAP: "Swapped",
}
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


@dataclass
class Books:
    """Our side, read in one transaction."""

    lines: dict[UUID, ReturnLine]
    order_lines: dict[UUID, OrderLine]
    order_numbers: dict[UUID, str]
    legs: list[Leg]
    entries: list[JournalEntry]
    postings: dict[UUID, list[Posting]]
    rmas: dict[UUID, str]

    def asset(self, line_id: UUID) -> str:
        """The token of a line in CAIP-19."""
        bought = self.order_lines[self.lines[line_id].order_line_id]
        return token_asset(bought.chain_id, bought.collection, bought.token_id)

    def done(self, *kinds: LegKind) -> Iterator[Leg]:
        """Legs whose effect the books take for certain."""
        return (leg for leg in self.legs if leg.state in _DONE and leg.kind in kinds)

    def booked(self) -> Iterator[Leg]:
        """Legs that must stand in the ledger: a commit books nothing, a burn only once final."""
        for leg in self.done(*(set(LegKind) - {LegKind.COMMIT})):
            if leg.kind is not LegKind.BURN or leg.state is LegState.FINAL:
                yield leg


@dataclass(frozen=True)
class Elsewhere:
    """What explains facts of processors and chain, since other merchants use the same ones."""

    payouts: frozenset[str]
    held: frozenset[str]


@dataclass
class Sides:
    """All that is compared, and the moment of it."""

    books: Books
    later: Books
    elsewhere: Elsewhere
    refunds: list[ProcessorRefund]
    chain: ChainEvidence
    now: datetime


def run(runtime: Runtime, merchant_id: UUID) -> tuple[ReconciliationRun, list[Break]]:
    """Compare, store what was found, and return the run with all open breaks.

    Raises `ChainUnavailable` or `ProcessorUnavailable`: half a comparison is none.
    """
    with runtime.database.read() as session:
        books = read_books(session, merchant_id)
    refunds = [refund for p in runtime.processors.values() for refund in p.refunds()]
    chain = collect(runtime.client, runtime.deployment, _tokens(books))
    with runtime.database.read() as session:
        later = read_books(session, merchant_id)
        elsewhere = _read_elsewhere(session, merchant_id)
    sides = Sides(books, later, elsewhere, refunds, chain, runtime.clock())
    found = [difference for check in CHECKS for difference in check(sides)]
    with runtime.database.write() as session:
        row = _store_run(session, merchant_id, sides)
        _store_breaks(session, merchant_id, found, books, sides.now)
        return row, reads.open_breaks(session, merchant_id)


def read_books(session: Session, merchant_id: UUID) -> Books:
    """Everything of a merchant that the comparison needs."""
    lines = session.exec(select(ReturnLine).where(ReturnLine.merchant_id == merchant_id)).all()
    bought = select(OrderLine).where(
        col(OrderLine.id).in_(
            select(ReturnLine.order_line_id).where(ReturnLine.merchant_id == merchant_id)
        )
    )
    numbers = (
        select(ReturnCase.id, ReturnCase.rma, Order.number)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(ReturnCase.merchant_id == merchant_id)
    )
    names = {case_id: (rma, number) for case_id, rma, number in session.exec(numbers)}
    postings: dict[UUID, list[Posting]] = defaultdict(list)
    for posting in session.exec(select(Posting).where(Posting.merchant_id == merchant_id)):
        postings[posting.entry_id].append(posting)
    entries = select(JournalEntry).where(JournalEntry.merchant_id == merchant_id)
    legs = select(Leg).where(Leg.merchant_id == merchant_id)
    return Books(
        lines={line.id: line for line in lines},
        order_lines={row.id: row for row in session.exec(bought)},
        order_numbers={line.id: names[line.case_id][1] for line in lines},
        legs=list(session.exec(legs)),
        entries=list(session.exec(entries.order_by(col(JournalEntry.id)))),
        postings=postings,
        rmas={line.id: names[line.case_id][0] for line in lines},
    )


def _read_elsewhere(session: Session, merchant_id: UUID) -> Elsewhere:
    payouts = select(Leg.id).where(
        Leg.merchant_id != merchant_id,
        Leg.kind == LegKind.PROCESSOR_REFUND,
        Leg.state != LegState.FAILED,
    )
    held = (
        select(OrderLine)
        .join(ReturnLine, col(ReturnLine.order_line_id) == OrderLine.id)
        .join(Leg, col(Leg.line_id) == ReturnLine.id)
        .where(Leg.merchant_id != merchant_id, Leg.kind == LegKind.DEPOSIT)
        .where(Leg.state != LegState.FAILED, col(ReturnLine.state).not_in(lifecycle.RESTING))
    )
    tokens = (token_asset(t.chain_id, t.collection, t.token_id) for t in session.exec(held))
    return Elsewhere(frozenset(map(str, session.exec(payouts))), frozenset(tokens))


def _tokens(books: Books) -> set[tuple[str, int]]:
    """Tokens whose place the books claim to know."""
    bought = (books.order_lines[books.lines[leg.line_id].order_line_id] for leg in books.legs)
    return {(row.collection, row.token_id) for row in bought}


# -- processor -------------------------------------------------------------------------------------


def _processor(sides: Sides) -> Iterator[Difference]:
    by_key: dict[str, list[ProcessorRefund]] = defaultdict(list)
    for refund in sides.refunds:
        if refund.status != "failed":
            by_key[refund.key].append(refund)
    for leg in sides.books.done(LegKind.PROCESSOR_REFUND):
        yield from _compare_refunds(leg, by_key.get(str(leg.id), []))
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
    payout = chain.payouts.get(leg.id)
    subject = str(leg.id)
    if payout is None:
        yield Difference("chain.missing", subject, leg.line_id, "Refunded", "no payout", "custody")
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
    moving = {leg.line_id for leg in sides.later.legs if leg.state not in (*_DONE, LegState.FAILED)}
    for leg in sides.books.done(*_INTO_VAULT):
        yield from _compare_holder(sides, leg, sides.chain.vault)
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
    booked = {posting.amount for posting in postings if posting.asset == leg.currency}
    expected_amounts = {leg.amount} if leg.kind in _PAYOUTS else set()
    if _is_balanced(postings) and booked != expected_amounts:
        found = ", ".join(map(str, sorted(booked))) or "nothing"
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
    for leg in sides.books.done(*_PAYOUTS):
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
        if leg.state not in (*_DONE, LegState.FAILED) and age > _PATIENCE:
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


# -- storing ---------------------------------------------------------------------------------------


def _store_run(session: Session, merchant_id: UUID, sides: Sides) -> ReconciliationRun:
    row = ReconciliationRun(
        merchant_id=merchant_id,
        block_number=sides.chain.block_number,
        legs=len(sides.books.legs),
        processor_refunds=len(sides.refunds),
        chain_events=sides.chain.events,
        at=sides.now,
    )
    session.add(row)
    return row


def _store_breaks(
    session: Session, merchant_id: UUID, found: list[Difference], books: Books, now: datetime
) -> None:
    known = {
        (row.code, row.subject): row
        for row in session.exec(select(Break).where(Break.merchant_id == merchant_id))
    }
    # One row for a subject, however often it was found.
    for key, difference in {(one.code, one.subject): one for one in found}.items():
        row = known.pop(key, None) or _new_break(merchant_id, difference, now)
        if row.resolved_at is not None:
            row.first_seen = now
        row.owner, row.resolved_at, row.last_seen = difference.owner, None, now
        row.expected, row.found = difference.expected[:300], difference.found[:300]
        row.rma = books.rmas.get(difference.line_id) if difference.line_id else None
        session.add(row)
    for row in known.values():
        row.resolved_at = row.resolved_at or now
    session.flush()


def _new_break(merchant_id: UUID, difference: Difference, now: datetime) -> Break:
    return Break(
        merchant_id=merchant_id,
        code=difference.code,
        subject=difference.subject,
        expected="",
        found="",
        owner=difference.owner,
        first_seen=now,
        last_seen=now,
    )
