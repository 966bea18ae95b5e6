"""The review queue: what waits for a person, why, until when, and all that a decision needs.

A page costs a constant number of queries, however many lines are on it.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from returns import lifecycle
from returns.errors import BadInput, FieldInvalid
from returns.evidence_reads import evidence_of
from returns.money import exponent_of, parse_amount
from returns.review_views import Around, Past, Pasts, Waiting, item_view
from returns.tables import (
    Appeal,
    DecisionRow,
    Event,
    Leg,
    Order,
    OrderLine,
    Proposal,
    ReturnCase,
    ReturnLine,
)
from returns.words import LineState, ProposalState, Verdict

QueueOrder = Literal["deadline", "value"]
Row = TypeVar("Row", bound=SQLModel)

MAX_PAGE = 200
DEFAULT_PAGE = 50

#: Similar cases are looked for among so many of the newest decided lines of a merchant, and among
#: as many of the page's customers: a collection may have millions.
_RECENT = 300
_DECIDED = tuple(frozenset(LineState) - lifecycle.UNDECIDED)


def review_queue(
    session: Session,
    merchant_id: UUID,
    now: datetime,
    order: QueueOrder = "deadline",
    cursor: str | None = None,
    limit: int = DEFAULT_PAGE,
) -> dict[str, Any]:
    """A page of the queue, and the cursor of the next one (None on the last).

    By deadline: what is due first stands first. By value: currencies in the order of their codes,
    within each the largest amount first; amounts of two currencies are not compared. Raises
    `FieldInvalid` for a cursor that is not of this order.
    """
    query = (
        select(ReturnLine, ReturnCase, OrderLine, Order)
        .join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id)
        .join(OrderLine, col(OrderLine.id) == ReturnLine.order_line_id)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(ReturnLine.merchant_id == merchant_id, col(ReturnLine.due_at).is_not(None))
        .where(col(ReturnLine.state).in_(lifecycle.ON_THE_DESK))
        .order_by(*_SORTING[order])
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(_is_beyond(order, cursor))
    found = [Waiting(*row) for row in session.exec(query)]
    page = found[:limit]
    around = _gather(session, merchant_id, page)
    return {
        "reviews": [item_view(waiting, around, now) for waiting in page],
        "next": _cursor(order, page[-1].line) if len(found) > limit else None,
    }


# -- order and place -------------------------------------------------------------------------------

_SORTING: dict[str, tuple[Any, ...]] = {
    "deadline": (col(ReturnLine.due_at), col(ReturnLine.id)),
    "value": (col(ReturnLine.currency), col(ReturnLine.amount).desc(), col(ReturnLine.id)),
}


def _after_deadline(place: list[str]) -> sa.ColumnElement[bool]:
    due, line_id = _moment(place[0]), UUID(place[1])
    same = sa.and_(col(ReturnLine.due_at) == due, col(ReturnLine.id) > line_id)
    return sa.or_(col(ReturnLine.due_at) > due, same)


def _after_value(place: list[str]) -> sa.ColumnElement[bool]:
    currency, amount, line_id = place[0], parse_amount(place[1]), UUID(place[2])
    exponent_of(currency)
    same = sa.and_(col(ReturnLine.amount) == amount, col(ReturnLine.id) > line_id)
    less = sa.or_(col(ReturnLine.amount) < amount, same)
    return sa.or_(
        col(ReturnLine.currency) > currency, sa.and_(col(ReturnLine.currency) == currency, less)
    )


_BEYOND: dict[str, Callable[[list[str]], sa.ColumnElement[bool]]] = {
    "deadline": _after_deadline,
    "value": _after_value,
}


def _cursor(order: QueueOrder, line: ReturnLine) -> str:
    """Where a page ends. It says the place itself: the line may have left the queue meanwhile."""
    due = "" if line.due_at is None else line.due_at.isoformat()
    places = {"deadline": [due], "value": [line.currency, str(line.amount)]}
    text = json.dumps([order, *places[order], str(line.id)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _is_beyond(order: QueueOrder, cursor: str) -> sa.ColumnElement[bool]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor))
        if not isinstance(place, list) or place.pop(0) != order:
            raise ValueError(cursor)
        return _BEYOND[order](place)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, BadInput) as bad:
        problem = "it is not the `next` of a page in this order"
        raise FieldInvalid(field="cursor", problem=problem) from bad


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


# -- what belongs to a page ------------------------------------------------------------------------


def _gather(session: Session, merchant_id: UUID, page: list[Waiting]) -> Around:
    ids = [waiting.line.id for waiting in page]
    is_open = Proposal.state == ProposalState.OPEN
    return Around(
        decisions=_by_line(session, DecisionRow, ids),
        evidence=evidence_of(session, ids),
        proposals=_by_line(session, Proposal, ids, is_open),
        appeals=_by_line(session, Appeal, ids),
        legs=_by_line(session, Leg, ids),
        arrivals=_arrivals(session, page),
        past=Pasts(_past(session, merchant_id, {waiting.order.customer for waiting in page})),
    )


def _by_line(
    session: Session, table: type[Row], ids: list[UUID], *conditions: Any
) -> dict[UUID, list[Row]]:
    columns = sa.inspect(table).columns
    query = select(table).where(columns["line_id"].in_(ids), *conditions)
    return _grouped(session.exec(query.order_by(columns["id"])))


def _grouped(rows: Any) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.line_id].append(row)
    return found


def _arrivals(session: Session, page: list[Waiting]) -> dict[UUID, list[Event]]:
    """How lines came to the desk, the last time last."""
    kinds = [f"return.line.{state.value}" for state in sorted(lifecycle.ON_THE_DESK)]
    query = select(Event).where(
        col(Event.case_id).in_({waiting.case.id for waiting in page}),
        col(Event.line_id).in_([waiting.line.id for waiting in page]),
        col(Event.kind).in_(kinds),
    )
    return _grouped(session.exec(query.order_by(col(Event.sequence))))


def _past(session: Session, merchant_id: UUID, customers: Collection[str]) -> list[Past]:
    """Decided lines, the newest first: the merchant's newest, and those of these customers."""
    verdict = (
        select(DecisionRow.verdict)
        .where(DecisionRow.line_id == ReturnLine.id)
        .order_by(col(DecisionRow.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    shown: Any = sa.select(
        col(ReturnLine.id), col(ReturnCase.rma), col(ReturnCase.reason), verdict,
        col(ReturnLine.state), col(ReturnLine.amount), col(ReturnLine.currency),
        col(ReturnLine.updated_at), col(OrderLine.collection), col(Order.customer),
    )  # fmt: skip
    query = (
        shown.join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id)
        .join(OrderLine, col(OrderLine.id) == ReturnLine.order_line_id)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(col(ReturnLine.id).in_(_candidates(merchant_id, customers)))
        .where(verdict.in_([Verdict.APPROVE.value, Verdict.DENY.value]))
        .order_by(col(ReturnLine.updated_at).desc(), col(ReturnLine.id).desc())
    )
    return [Past(*row) for row in session.connection().execute(query)]


def _candidates(merchant_id: UUID, customers: Collection[str]) -> Any:
    decided = (
        sa.select(col(ReturnLine.id))
        .where(col(ReturnLine.merchant_id) == merchant_id, col(ReturnLine.state).in_(_DECIDED))
        .order_by(col(ReturnLine.updated_at).desc())
        .limit(_RECENT)
    )
    theirs = (
        decided.join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(col(Order.merchant_id) == merchant_id, col(Order.customer).in_(customers))
    )
    newest, known = decided.subquery(), theirs.subquery()
    return sa.union(sa.select(newest.c.id), sa.select(known.c.id))
