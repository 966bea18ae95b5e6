"""What each leg books. A grant makes the refund payable; the payout pays it; tokens move too."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from returns import ledger, store_credit
from returns.ids import token_asset
from returns.ledger import Move
from returns.tables import JournalEntry, Leg, Order, OrderLine, Payment, ReturnCase, ReturnLine
from returns.words import LegKind, Remedy

_TOKEN_MOVES = {
    LegKind.DEPOSIT: (ledger.CUSTOMERS, ledger.ESCROW),
    LegKind.SWAP: (ledger.CUSTOMERS, ledger.VAULT),
    LegKind.SETTLE: (ledger.ESCROW, ledger.VAULT),
    LegKind.BURN: (ledger.ESCROW, ledger.BURNED),
    LegKind.RELEASE: (ledger.ESCROW, ledger.CUSTOMERS),
}


def grant(session: Session, line: ReturnLine, cause: UUID, now: datetime) -> None:
    """The remedy is granted: from now on it is owed."""
    owed = [Move(ledger.REFUNDS_PAYABLE, ledger.SALES_RETURNS, line.currency, line.amount)]
    if line.bonus:
        bonus = Move(ledger.REFUNDS_PAYABLE, ledger.CREDIT_BONUSES, line.currency, line.bonus)
        owed.append(bonus)
    ledger.post(session, ledger.of_line(line), "grant", cause, owed, now)


def withdraw_grant(session: Session, line: ReturnLine, now: datetime) -> None:
    """The remedy is no longer owed: reverse the grant that has not been reversed yet."""
    entries = ledger.entries_of(session, line.id)
    undone = {entry.cause for entry in entries if entry.kind == "grant.reversed"}
    for entry in entries:
        if entry.kind == "grant" and entry.cause not in undone:
            ledger.reverse(session, entry, entry.cause, now)


def book(session: Session, line: ReturnLine, leg: Leg, now: datetime) -> None:
    """Book what a leg has done; a commit moves nothing and books nothing."""
    moves = _token_moves(session, line, leg.kind) + _money_moves(session, line, leg)
    if leg.kind is LegKind.CREDIT:
        _issue(session, line, leg, now)
    if moves:
        ledger.post(
            session,
            ledger.of_line(line),
            _kind(session, line, leg.kind.value, leg.id),
            leg.id,
            moves,
            now,
        )


def unbook(session: Session, line: ReturnLine, leg: Leg, now: datetime) -> None:
    """A reorg or a late failure undid a leg: reverse its newest booking, once."""
    _reverse_newest(session, line, leg.id, now)
    if leg.kind is LegKind.CREDIT:
        store_credit.undo_issue(session, leg.id, now)


def book_reclaim(session: Session, line: ReturnLine, now: datetime) -> None:
    """The depositor took the token back without us."""
    moves = [_token_move(session, line, ledger.ESCROW, ledger.CUSTOMERS)]
    ledger.post(
        session, ledger.of_line(line), _kind(session, line, "reclaim", line.id), line.id, moves, now
    )


def is_reclaimed(session: Session, line: ReturnLine) -> bool:
    """Whether a reclaim is booked and not reversed."""
    return len(_of_cause(session, line, line.id)) % 2 == 1


def unbook_reclaim(session: Session, line: ReturnLine, now: datetime) -> None:
    """A reorg took the reclaim back."""
    _reverse_newest(session, line, line.id, now)


def _kind(session: Session, line: ReturnLine, kind: str, cause: UUID) -> str:
    """What a reorg undid and what happened again is booked again, under a number."""
    repeats = len(_of_cause(session, line, cause)) // 2
    return kind if repeats == 0 else f"{kind}.{repeats + 1}"


def _reverse_newest(session: Session, line: ReturnLine, cause: UUID, now: datetime) -> None:
    entries = _of_cause(session, line, cause)
    if entries and not entries[-1].kind.endswith(".reversed"):
        ledger.reverse(session, entries[-1], cause, now)


def _of_cause(session: Session, line: ReturnLine, cause: UUID) -> list[JournalEntry]:
    return [entry for entry in ledger.entries_of(session, line.id) if entry.cause == cause]


def _token_moves(session: Session, line: ReturnLine, kind: LegKind) -> list[Move]:
    accounts = _TOKEN_MOVES.get(kind)
    return [] if accounts is None else [_token_move(session, line, *accounts)]


def _token_move(session: Session, line: ReturnLine, source: str, target: str) -> Move:
    bought = session.get_one(OrderLine, line.order_line_id)
    asset = token_asset(bought.chain_id, bought.collection, bought.token_id)
    return Move(source, target, asset, 1)


def _money_moves(session: Session, line: ReturnLine, leg: Leg) -> list[Move]:
    source = _payer(session, line, leg)
    if source is None:
        return []
    paid = [Move(source, ledger.REFUNDS_PAYABLE, leg.currency, leg.amount)]
    if leg.kind is LegKind.CREDIT and _bonus(line, leg):
        # Apart from the refund: it is no money that came in, and has no ceiling there.
        paid.append(Move(source, ledger.REFUNDS_PAYABLE, leg.currency, line.bonus))
    return paid


def _issue(session: Session, line: ReturnLine, leg: Leg, now: datetime) -> None:
    """What a credit leg owes from now on can be spent."""
    customer = _customer(session, line)
    bonus, owner = _bonus(line, leg), line.merchant_id
    store_credit.issue(
        session, owner, customer, leg.currency, leg.amount, bonus, None, line.id, leg.id, now
    )


def _bonus(line: ReturnLine, leg: Leg) -> int:
    """A bonus is for who chose credit, not for what was paid by a gift card."""
    return line.bonus if line.remedy is Remedy.STORE_CREDIT and leg.part == 0 else 0


def _customer(session: Session, line: ReturnLine) -> str:
    order_id = session.get_one(ReturnCase, line.case_id).order_id
    return session.get_one(Order, order_id).customer


def _payer(session: Session, line: ReturnLine, leg: Leg) -> str | None:
    """The account that a payout leg pays from; None for a leg that pays nothing."""
    match leg.kind:
        case LegKind.SWAP:
            return ledger.FLOAT
        case LegKind.PROCESSOR_REFUND:
            paid = session.get_one(Payment, leg.payment_id)
            return ledger.processor_account(paid.processor)
        case LegKind.CREDIT:
            return ledger.credit_account(_customer(session, line))
        case _:
            return None
