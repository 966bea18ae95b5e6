"""Store credit: shown, held while a shop checks out, captured, given out of goodwill, taken back.

Every write is stored under its Idempotency-Key with its answer: the same request gets that again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlmodel import Session, select

from returns import credit_holds, credit_reads, idempotency, locks, store_credit
from returns.credit_holds import Checkout
from returns.errors import FieldInvalid, NotFound
from returns.tables import CreditLot
from settlement.commands.access import Caller
from settlement.commands.inputs import Amount, CurrencyCode, Input, Moment, Name, Text
from settlement.commands.intake import Answer
from settlement.runtime import Runtime

log = logging.getLogger(__name__)

Positive = Annotated[Amount, Field(gt=0)]
Why = Annotated[Text, Field(min_length=1, max_length=1000)]
#: A shop's name of a checkout; it stands in addresses.
Reference = Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[\w.:@+-]+$")]
#: How long a checkout may take at the most.
_LONGEST = 7 * 86_400


class HoldIn(Input):
    """Credit to set aside for a checkout, under the shop's own reference."""

    reference: Reference
    customer: Name
    currency: CurrencyCode
    amount: Positive
    seconds: Annotated[int, Field(ge=1, le=_LONGEST, description="until it is free again")] = 900


class CaptureIn(Input):
    """What is spent of a hold; nothing said is all of it."""

    amount: Positive | None = None
    currency: CurrencyCode | None = None


class GoodwillIn(Input):
    """Credit that nothing was returned for."""

    customer: Name
    currency: CurrencyCode
    amount: Positive
    expires_at: Moment | None = None
    reason: Why


class RevokeIn(Input):
    """Why credit is taken back."""

    reason: Why


def show(runtime: Runtime, caller: Caller, customer: str) -> dict[str, Any]:
    """A customer's credit; one that nobody knows has none."""
    with runtime.database.read() as session:
        return credit_reads.customer_view(session, caller.merchant_id, customer, runtime.clock())


def hold(runtime: Runtime, caller: Caller, wanted: HoldIn, key: str, body_hash: str) -> Answer:
    """Set credit aside. Raises `CreditInsufficient`, `CreditSpentAlready`, `CreditReferenceUsed`,
    `CreditCurrencyDiffers`, `IdempotencyKeyReused`."""
    checkout = Checkout(
        caller.merchant_id,
        wanted.reference,
        wanted.customer,
        wanted.currency,
        wanted.amount,
        timedelta(seconds=wanted.seconds),
    )

    def place(session: Session, now: datetime) -> dict[str, Any]:
        return credit_reads.hold_view(credit_holds.place(session, checkout, caller.name, now))

    return _once(runtime, caller, key, body_hash, 201, place)


def capture(
    runtime: Runtime, caller: Caller, reference: str, wanted: CaptureIn, key: str, body_hash: str
) -> Answer:
    """Spend what is held, whole or in part; raises what `credit_holds.capture` does."""

    def spend(session: Session, now: datetime) -> dict[str, Any]:
        about = (caller.merchant_id, reference, wanted.amount, wanted.currency)
        return credit_reads.hold_view(credit_holds.capture(session, *about, caller.name, now))

    return _once(runtime, caller, key, body_hash, 200, spend)


def release(runtime: Runtime, caller: Caller, reference: str, key: str, body_hash: str) -> Answer:
    """Give back what is held; raises `NotFound`, `CreditCapturedAlready`."""

    def give_back(session: Session, now: datetime) -> dict[str, Any]:
        about = (caller.merchant_id, reference, caller.name)
        return credit_reads.hold_view(credit_holds.release(session, *about, now))

    return _once(runtime, caller, key, body_hash, 200, give_back)


def issue(runtime: Runtime, caller: Caller, given: GoodwillIn, key: str, body_hash: str) -> Answer:
    """Give credit out of goodwill. Raises `FieldInvalid`, `IdempotencyKeyReused`."""

    def give(session: Session, now: datetime) -> dict[str, Any]:
        if given.expires_at is not None and given.expires_at <= now:
            raise FieldInvalid(field="expires_at", problem="it is over already")
        lot = store_credit.goodwill(
            session,
            caller.merchant_id,
            given.customer,
            given.currency,
            given.amount,
            given.expires_at,
            given.reason,
            caller.name,
            now,
        )
        return credit_reads.lot_view(lot)

    return _once(runtime, caller, key, body_hash, 201, give)


def revoke(
    runtime: Runtime, caller: Caller, lot_id: str, wanted: RevokeIn, key: str, body_hash: str
) -> Answer:
    """Take back what is not spent of a lot; raises `NotFound`, `CreditLotClosed`."""

    def take(session: Session, now: datetime) -> dict[str, Any]:
        lot = store_credit.locked(session, _find(session, caller.merchant_id, lot_id))
        store_credit.revoke(session, lot, wanted.reason, caller.name, now)
        return credit_reads.lot_view(lot)

    return _once(runtime, caller, key, body_hash, 200, take)


def expire(runtime: Runtime, limit: int = 100) -> int:
    """End holds and lots whose time is over, customer by customer; returns how many."""
    now, ended = runtime.clock(), 0
    with runtime.database.read() as session:
        due = credit_holds.customers_due(session, now, limit)
    for merchant_id, customer in due:
        with runtime.database.write() as session:
            locks.lock_credit(session, merchant_id, customer)
            ended += credit_holds.expire_due(session, merchant_id, customer, now)
    if ended:
        log.info("credit.expired ended=%d", ended)
    return ended


def _once(
    runtime: Runtime,
    caller: Caller,
    key: str,
    body_hash: str,
    status: int,
    act: Callable[[Session, datetime], dict[str, Any]],
) -> Answer:
    """Do it and store the answer in one transaction; under a known key, answer as before."""
    now = runtime.clock()
    with runtime.database.write() as session:
        locks.lock_request(session, caller.merchant_id, key)
        known = idempotency.stored_answer(session, caller.merchant_id, key, body_hash)
        if known is not None:
            return Answer(known.status, known.body, replayed=True)
        body = json.dumps(act(session, now))
        idempotency.store_answer(session, caller.merchant_id, key, body_hash, status, body, now)
    return Answer(status, body)


def _find(session: Session, merchant_id: UUID, lot_id: str) -> CreditLot:
    try:
        wanted = UUID(lot_id)
    except ValueError:
        raise NotFound(what="credit") from None
    query = select(CreditLot).where(CreditLot.merchant_id == merchant_id, CreditLot.id == wanted)
    lot = session.exec(query).first()
    if lot is None:
        raise NotFound(what="credit")
    return lot
