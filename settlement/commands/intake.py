"""A request to return comes in: decided and stored in one transaction, answered once per key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from custody.eligibility import TokenState, states_of
from returns import cases, idempotency, locks, reads
from returns.errors import AlreadyReturning, FieldInvalid, NotFound
from returns.ids import new_id, new_rma
from returns.remainder import granted, refuse_excess, told
from returns.tables import Order, OrderLine, Payment, ReturnCase, ReturnLine
from returns.words import Disposition, LineState
from settlement import tenders
from settlement.commands import decisions, policies
from settlement.commands.access import Caller
from settlement.commands.inputs import ReturnIn, ReturnLineIn
from settlement.facts import Purchase, Wish, gather
from settlement.runtime import Runtime
from triage.decide import Decision, decide
from triage.facts import Facts


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

    def purchase(self, line: OrderLine) -> Purchase:
        """One of the lines with what it belongs to."""
        return Purchase(self.order, line, self.payment)


#: What the chain just said of the tokens, by line of the order.
_States = dict[UUID, TokenState]


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
    states = _states(runtime, bought)
    with runtime.database.write() as session:
        # Locked before the answer is looked for: the same request may be at work just now.
        # So are requests of other customers with the same wallet: limits count across them.
        parties = {bought.order.customer, request.wallet, bought.order.buyer_wallet}
        for party in sorted(filter(None, parties)):
            locks.lock_customer(session, caller.merchant_id, party)
        for order_line in sorted(bought.lines, key=lambda line: line.id):
            locks.lock_order_line(session, order_line.id)
        known = idempotency.stored_answer(session, caller.merchant_id, key, body_hash)
        if known is not None:
            return Answer(known.status, known.body, replayed=True)
        case = _open(runtime, session, caller, request, bought, states)
        body = json.dumps(reads.case_view(session, case))
        stored = idempotency.store_answer(
            session, caller.merchant_id, key, body_hash, 201, body, case.created_at
        )
    return Answer(stored.status, stored.body)


def try_return(runtime: Runtime, caller: Caller, request: ReturnIn) -> list[Decision]:
    """What would be decided about each line just now; nothing is stored.

    Raises `NotFound` (also for orders of others), `FieldInvalid`.
    """
    with runtime.database.read() as session:
        bought = _find(session, caller, request)
    states = _states(runtime, bought)
    now, ip = runtime.clock(), caller.ip_of(request.ip)
    with runtime.database.read() as session:
        _, policy = policies.in_force(session, caller.merchant_id, now)
        return [
            decide(facts, policy, runtime.model, runtime.reader)
            for facts in _foreseen(session, request, bought, states, now, ip)
        ]


def _foreseen(
    session: Session,
    request: ReturnIn,
    bought: _Bought,
    states: _States,
    now: datetime,
    ip: str | None,
) -> Iterator[Facts]:
    for asked, line in zip(request.lines, bought.lines, strict=True):
        wish = Wish(
            amount=_asked(session, asked, line),
            remedy=request.remedy,
            reason=request.reason,
            message=request.message,
            wallet=request.wallet,
            recipient=request.recipient,
            ip=ip,
        )
        yield gather(session, bought.purchase(line), wish, states[line.id], now)


def _states(runtime: Runtime, bought: _Bought) -> _States:
    tokens = [(line.collection, line.token_id) for line in bought.lines]
    found = states_of(runtime.client, tokens)
    return {line.id: found[line.collection, line.token_id] for line in bought.lines}


def _find(session: Session, caller: Caller, request: ReturnIn) -> _Bought:
    order = session.exec(
        select(Order).where(Order.merchant_id == caller.merchant_id, Order.number == request.order)
    ).first()
    if order is None or caller.order_id not in (None, order.id):
        raise NotFound(what="order")
    payment = tenders.main_payment(session, order.id)
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
    states: _States,
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
        amount = _asked(session, asked, order_line)
        line = _new_line(case, amount, order_line, bought.payment, request, now)
        cases.open_line(session, case, line, caller.name)
        purchase, state = bought.purchase(order_line), states[order_line.id]
        _decide(runtime, session, case, line, purchase, state, caller.ip_of(request.ip))
    return case


def _refuse_second(session: Session, order: Order, order_line: OrderLine) -> None:
    query = (
        select(ReturnCase.rma, ReturnLine)
        .join(ReturnLine, col(ReturnLine.case_id) == ReturnCase.id)
        .where(ReturnLine.order_line_id == order_line.id, col(ReturnLine.open))
    )
    found = session.exec(query).first()
    if found is not None:
        rma, line = found
        so_far = told(session, line) if line.state is LineState.SETTLED else ""
        token = order_line.token_id
        raise AlreadyReturning(token=token, order=order.number, rma=rma, so_far=so_far)


def _refuse_excess(session: Session, asked: ReturnLineIn, order_line: OrderLine) -> None:
    """More than what is left of the price is no request at all: nothing is stored."""
    if asked.amount is not None:
        refuse_excess(session, order_line, asked.amount)


def _asked(session: Session, asked: ReturnLineIn, order_line: OrderLine) -> int:
    """Minor units that are asked for: what is left of the price, where nothing is said."""
    if asked.amount is not None:
        return asked.amount
    return max(0, order_line.price - granted(session, order_line.id))


def _new_line(
    case: ReturnCase,
    amount: int,
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
        amount=amount,
        currency=payment.currency,
        recipient=request.recipient,
        updated_at=now,
    )


def _decide(
    runtime: Runtime,
    session: Session,
    case: ReturnCase,
    line: ReturnLine,
    purchase: Purchase,
    state: TokenState,
    ip: str | None,
) -> None:
    now = case.created_at
    row, policy = policies.in_force(session, case.merchant_id, now)
    wish = Wish(
        amount=line.amount,
        remedy=line.remedy,
        reason=case.reason,
        message=case.message,
        wallet=case.requester_wallet,
        recipient=line.recipient,
        ip=ip,
    )
    facts = gather(session, purchase, wish, state, now, besides=line.id)
    decision = decide(facts, policy, runtime.model, runtime.reader)
    decisions.apply(session, runtime.terms, line, facts, decision, row.id, now)
