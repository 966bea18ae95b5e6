"""The sides that are compared, each read in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from custody.evidence import ChainEvidence
from returns import lifecycle
from returns.ids import token_asset
from returns.tables import (
    JournalEntry,
    Leg,
    Order,
    OrderLine,
    Posting,
    ReturnCase,
    ReturnLine,
)
from returns.words import LegKind, LegState
from settlement.processors.base import ProcessorRefund

#: States in which the books take an effect for certain.
DONE = (LegState.CONFIRMED, LegState.FINAL)


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
        return (leg for leg in self.legs if leg.state in DONE and leg.kind in kinds)

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
    vault: str
    now: datetime


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


def read_elsewhere(session: Session, merchant_id: UUID) -> Elsewhere:
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


def tokens_of(books: Books) -> set[tuple[str, int]]:
    """Tokens whose place the books claim to know."""
    bought = (books.order_lines[books.lines[leg.line_id].order_line_id] for leg in books.legs)
    return {(row.collection, row.token_id) for row in bought}
