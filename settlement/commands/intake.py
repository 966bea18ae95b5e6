"""A request to return comes in: decided and stored in one transaction, answered once per key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from custody.eligibility import holders_of
from returns import cases, idempotency, locks, reads
from returns.errors import AlreadyReturning, FieldInvalid, NotFound, RefundAboveRemainder
from returns.ids import new_id, new_rma
from returns.remainder import granted
from returns.tables import Order, OrderLine, Payment, PolicyRow, ReturnCase, ReturnLine
from returns.words import Disposition, LineState
from settlement.commands import decisions
from settlement.commands.access import Caller
from settlement.commands.inputs import ReturnIn, ReturnLineIn
from settlement.facts import Wish, gather
from settlement.runtime import Runtime
from triage.decide import decide
from triage.policy import parse_policy
from triage.schema import Policy


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON body, and whether they were stored by an earlier request."""

    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Bought:
    order: Order
    payment: Payment
    lines: list[OrderLine]


def request_return(
    runtime: Runtime, caller: Caller, request: ReturnIn, key: str, body_hash: str
) -> Answer:
    """Open a case. Every line is decided; refusals of the request itself store nothing.

    Raises `NotFound` (also for orders of others), `FieldInvalid`, `AlreadyReturning`,
    `RefundAboveRemainder`, `IdempotencyKeyReused`.
    """
    # Customers choose keys as well: theirs are kept apart by the order that they may act on.
    key = key if caller.order_id is None else f"{caller.order_id}/{key}"
    with runtime.database.read() as session:
        # The right to the order comes first: an answer under a known key shows the order too.
        bought = _find(session, caller, request)
        known = idempotency.stored_answer(session, caller.merchant_id, key, body_hash)
        if known is not None:
            return Answer(known.status, known.body, replayed=True)
    tokens = [(line.collection, line.token_id) for line in bought.lines]
    found = holders_of(runtime.client, tokens)
    holders = {line.id: found[line.collection, line.token_id] for line in bought.lines}
    with runtime.database.write() as session:
        # Locked before the answer is looked for: the same request may be at work just now.
        locks.lock_customer(session, caller.merchant_id, bought.order.customer)
        for order_line in sorted(bought.lines, key=lambda line: line.id):
            locks.lock_order_line(session, order_line.id)
        known = idempotency.stored_answer(session, caller.merchant_id, key, body_hash)
        if known is not None:
            return Answer(known.status, known.body, replayed=True)
        case = _open(runtime, session, caller, request, bought, holders)
        body = json.dumps(reads.case_view(session, case))
        stored = idempotency.store_answer(
            session, caller.merchant_id, key, body_hash, 201, body, case.created_at
        )
    return Answer(stored.status, stored.body)


def active_policy(session: Session, merchant_id: UUID) -> tuple[PolicyRow, Policy]:
    """The newest version of the merchant's policy; raises `NotFound` where there is none."""
    query = (
        select(PolicyRow)
        .where(PolicyRow.merchant_id == merchant_id)
        .order_by(col(PolicyRow.version).desc())
    )
    row = session.exec(query.limit(1)).first()
    if row is None:
        raise NotFound(what="policy")
    return row, parse_policy(row.text)


def _find(session: Session, caller: Caller, request: ReturnIn) -> _Bought:
    order = session.exec(
        select(Order).where(Order.merchant_id == caller.merchant_id, Order.number == request.order)
    ).first()
    if order is None or caller.order_id not in (None, order.id):
        raise NotFound(what="order")
    payment = session.exec(select(Payment).where(Payment.order_id == order.id)).one()
    bought = session.exec(select(OrderLine).where(OrderLine.order_id == order.id))
    by_token = {(line.collection, line.token_id): line for line in bought}
    wanted = [(line.collection, line.token_id) for line in request.lines]
    if len(set(wanted)) != len(wanted):
        raise FieldInvalid(field="lines", problem="one token stands twice")
    if any(token not in by_token for token in wanted):
        raise NotFound(what="token in this order")
    return _Bought(order, payment, [by_token[token] for token in wanted])


def _open(
    runtime: Runtime,
    session: Session,
    caller: Caller,
    request: ReturnIn,
    bought: _Bought,
    holders: dict[UUID, str | None],
) -> ReturnCase:
    now = runtime.clock()
    for asked, order_line in zip(request.lines, bought.lines, strict=True):
        _refuse_second(session, bought.order, order_line)
        _refuse_excess(session, asked, order_line)
    case = ReturnCase(
        id=new_id(),
        merchant_id=caller.merchant_id,
        order_id=bought.order.id,
        rma=new_rma(),
        reason=request.reason,
        message=request.message,
        requester_wallet=request.wallet,
        opened_by=caller.name,
        created_at=now,
    )
    session.add(case)
    session.flush()
    for asked, order_line in zip(request.lines, bought.lines, strict=True):
        line = _new_line(case, asked, order_line, bought.payment, request, now)
        cases.open_line(session, case, line, caller.name)
        _decide(runtime, session, case, line, bought, order_line, holders[order_line.id], now)
    return case


def _refuse_second(session: Session, order: Order, order_line: OrderLine) -> None:
    query = (
        select(ReturnCase.rma)
        .join(ReturnLine, col(ReturnLine.case_id) == ReturnCase.id)
        .where(ReturnLine.order_line_id == order_line.id, col(ReturnLine.open))
    )
    rma = session.exec(query).first()
    if rma is not None:
        raise AlreadyReturning(token=order_line.token_id, order=order.number, rma=rma)


def _refuse_excess(session: Session, asked: ReturnLineIn, order_line: OrderLine) -> None:
    """More than what is left of the price is no request at all: nothing is stored."""
    remaining = order_line.price - granted(session, order_line.id)
    if asked.amount is not None and asked.amount > remaining:
        raise RefundAboveRemainder(requested=asked.amount, remaining=remaining)


def _new_line(
    case: ReturnCase,
    asked: ReturnLineIn,
    bought: OrderLine,
    payment: Payment,
    request: ReturnIn,
    now: datetime,
) -> ReturnLine:
    return ReturnLine(
        merchant_id=case.merchant_id,
        case_id=case.id,
        order_line_id=bought.id,
        state=LineState.REQUESTED,
        open=True,
        remedy=request.remedy,
        disposition=Disposition.KEEP,
        amount=bought.price if asked.amount is None else asked.amount,
        currency=payment.currency,
        recipient=request.recipient,
        updated_at=now,
    )


def _decide(
    runtime: Runtime,
    session: Session,
    case: ReturnCase,
    line: ReturnLine,
    bought: _Bought,
    order_line: OrderLine,
    holder: str | None,
    now: datetime,
) -> None:
    row, policy = active_policy(session, case.merchant_id)
    wish = Wish(
        amount=line.amount,
        remedy=line.remedy,
        reason=case.reason,
        message=case.message,
        wallet=case.requester_wallet,
        recipient=line.recipient,
    )
    facts = gather(
        session, bought.order, order_line, bought.payment, wish, holder, now, besides=line.id
    )
    decision = decide(facts, policy, runtime.model)
    decisions.apply(session, runtime.terms, line, facts, decision, row.id, now)
