"""Read models: what pages and the API show, straight from the books. Amounts as strings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import delivery_reads, ids, lifecycle
from returns.cases import lines_of
from returns.errors import ContractsMissing, NotFound
from returns.money import Money, to_decimal
from returns.relay_reads import relay_counts
from returns.tables import (
    Break,
    DecisionRow,
    Event,
    Hold,
    InboxItem,
    Leg,
    Merchant,
    Order,
    OrderLine,
    OutboxItem,
    ReconciliationRun,
    RelayTransaction,
    ReturnCase,
    ReturnLine,
)
from returns.words import HoldState

#: Whoever reads these learns what to change in the next request, or that a list names them.
_FOR_STAFF = frozenset(
    {
        "sanctions_match",
        "phishing_match",
        "blocked",
        "lists_missing",
        "asked_again",
        "risk_high",
        "loss_expected",
        "confidence_low",
        "anomaly_high",
        "never_seen",
        "score_high",
        "pressure",
        "machine_instructions",
        "reason_disputed",
        "outside_policy",
    }
)


def vault_of(session: Session, merchant_id: UUID) -> str:
    """Where the merchant's tokens go; raises `ContractsMissing` until it has a place on chain."""
    merchant = session.get_one(Merchant, merchant_id)
    if merchant.vault is None:
        raise ContractsMissing(problem=f"merchant {merchant.slug} has no vault")
    return merchant.vault


def find_case(
    session: Session, merchant_id: UUID, text: str, order_id: UUID | None = None
) -> ReturnCase:
    """The case behind an RMA number. Raises `NotFound` alike for unknown and for others' cases."""
    rma = ids.parse_rma(text)
    query = select(ReturnCase).where(ReturnCase.merchant_id == merchant_id, ReturnCase.rma == rma)
    case = None if rma is None else session.exec(query).first()
    if case is None or order_id not in (None, case.order_id):
        raise NotFound(what="return")
    return case


def find_line(session: Session, case: ReturnCase, text: str) -> ReturnLine:
    """A line of a case by its id; raises `NotFound`."""
    for line in lines_of(session, case.id):
        if str(line.id) == text:
            return line
    raise NotFound(what="line in this return")


def case_view(session: Session, case: ReturnCase) -> dict[str, Any]:
    """A case with its lines, as its owner may see it."""
    lines = lines_of(session, case.id)
    return {
        "rma": case.rma,
        "order": session.get_one(Order, case.order_id).number,
        "state": lifecycle.case_state([line.state for line in lines]).value,
        "reason": case.reason.value,
        "created_at": case.created_at.isoformat(),
        "lines": [line_view(session, line) for line in lines],
    }


def line_view(session: Session, line: ReturnLine) -> dict[str, Any]:
    """One line: token, state, what was decided and why, which effects have happened."""
    bought = session.get_one(OrderLine, line.order_line_id)
    decision = newest_decision(session, line.id)
    return {
        "line": str(line.id),
        "collection": bought.collection,
        "token_id": str(bought.token_id),
        "state": line.state.value,
        "remedy": line.remedy.value,
        "disposition": line.disposition.value,
        "amount": amount_view(line.amount, line.currency),
        "bonus": amount_view(line.bonus, line.currency),
        "decision": None if decision is None else decision_view(decision),
        "legs": [_leg_view(session, leg) for leg in _legs_of(session, line.id)],
        "updated_at": line.updated_at.isoformat(),
    }


def amount_view(amount: int, currency: str) -> dict[str, str]:
    """Minor units as a string, and the same amount as people write it."""
    money = Money(amount, currency)
    return {"amount": str(amount), "currency": currency, "display": f"{to_decimal(money)}"}


def newest_decision(session: Session, line_id: UUID) -> DecisionRow | None:
    """The decision that counts for a line."""
    query = select(DecisionRow).where(DecisionRow.line_id == line_id)
    return session.exec(query.order_by(col(DecisionRow.id).desc()).limit(1)).first()


def timeline(session: Session, case: ReturnCase) -> list[dict[str, Any]]:
    """The case's events in order; their numbers have no gaps."""
    query = select(Event).where(Event.case_id == case.id).order_by(col(Event.sequence))
    return [
        {
            "sequence": event.sequence,
            "event": event.kind,
            "line": str(event.line_id),
            "at": event.at.isoformat(),
            **json.loads(event.payload),
        }
        for event in session.exec(query)
    ]


def recent_cases(session: Session, merchant_id: UUID, limit: int = 100) -> list[dict[str, Any]]:
    """The newest cases, newest first."""
    query = select(ReturnCase).where(ReturnCase.merchant_id == merchant_id)
    newest = query.order_by(col(ReturnCase.created_at).desc()).limit(limit)
    return [case_view(session, case) for case in session.exec(newest)]


def open_holds(session: Session, merchant_id: UUID, limit: int = 100) -> list[dict[str, Any]]:
    """Tokens in escrow, the one that can be reclaimed first on top."""
    query = (
        select(Hold, ReturnCase.rma)
        .join(ReturnLine, col(ReturnLine.id) == Hold.line_id)
        .join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id)
        .where(Hold.merchant_id == merchant_id)
        .where(col(Hold.state).in_([HoldState.HELD, HoldState.COMMITTED]))
        .order_by(col(Hold.reclaim_after))
        .limit(limit)
    )
    return [
        {
            "rma": rma,
            "token": ids.token_asset(hold.chain_id, hold.collection, hold.token_id),
            "depositor": hold.depositor,
            "state": hold.state.value,
            "reclaim_after": hold.reclaim_after.isoformat(),
        }
        for hold, rma in session.exec(query)
    ]


def newest_run(session: Session, merchant_id: UUID) -> ReconciliationRun | None:
    """The last reconciliation of a merchant."""
    query = select(ReconciliationRun).where(ReconciliationRun.merchant_id == merchant_id)
    return session.exec(query.order_by(col(ReconciliationRun.id).desc()).limit(1)).first()


def open_breaks(session: Session, merchant_id: UUID) -> list[Break]:
    """Differences that the last run still saw and nobody has accepted, the oldest first."""
    query = select(Break).where(Break.merchant_id == merchant_id, col(Break.resolved_at).is_(None))
    query = query.where(col(Break.confirmed_at).is_(None))
    return list(session.exec(query.order_by(col(Break.first_seen), col(Break.code))))


def told(codes: Iterable[str]) -> list[str]:
    """The codes that a customer may read; what lists and risk say is for staff."""
    return [code for code in codes if code not in _FOR_STAFF]


def decision_view(row: DecisionRow, *, for_staff: bool = False) -> dict[str, Any]:
    """A decision as the customer reads it, or staff."""
    body = json.loads(row.body)
    reasons = body.get("reasons", [])
    return {
        "verdict": row.verdict,
        # Which person it was stands in the audit, not before the customer.
        "decided_by": row.decided_by if row.decided_by == "undrop" else "person",
        "decided_at": row.decided_at.isoformat(),
        "explanation": body.get("explanation", ""),
        "reasons": reasons if for_staff else told(reasons),
        "deductions": body.get("deductions", {}),
        "alternatives": body.get("alternatives", []),
    }


def _leg_view(session: Session, leg: Leg) -> dict[str, Any]:
    """`promised_by`: until when it may wait for a cheap block; None for what waits for nothing."""
    intent = session.get(RelayTransaction, leg.id)
    promised = None if intent is None else intent.send_by
    return {
        "kind": leg.kind.value,
        "state": leg.state.value,
        "reference": leg.reference,
        "error": leg.error,
        "promised_by": None if promised is None else promised.isoformat(),
    }


def _legs_of(session: Session, line_id: UUID) -> list[Leg]:
    query = select(Leg).where(Leg.line_id == line_id).order_by(col(Leg.id))
    return list(session.exec(query))


def counts(session: Session) -> dict[str, tuple[str, dict[str, int]]]:
    """Rows by state, for metrics: name -> (label, {value: count})."""
    waiting: dict[str, int] = {}
    for table in (OutboxItem, InboxItem):
        todo = select(sa.func.count()).select_from(table).where(col(table.done_at).is_(None))
        waiting[str(table.__tablename__)] = session.exec(todo).one()
    waiting |= delivery_reads.waiting(session)
    return {
        "lines": ("state", _by(session, ReturnLine.state)),
        "legs": ("state", _by(session, Leg.state)),
        "relay_transactions": ("state", relay_counts(session)),
        "queue_rows": ("queue", waiting),
        "open_breaks": ("code", _by(session, Break.code, col(Break.resolved_at).is_(None))),
    }


def _by(session: Session, column: Any, *conditions: Any) -> dict[str, int]:
    query = select(column, sa.func.count()).where(*conditions).group_by(column)
    return {str(value): count for value, count in session.exec(query)}
