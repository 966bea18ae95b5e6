"""Quotes: what a payout in another currency comes to, promised for a while and used once.

A payout has one quote at a time. Asked for again it is the same one; once it has expired a new one
takes its place, and only if it is near to what was promised at first: nothing changes silently, nor
little by little.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.columns import insert_into
from returns.errors import NotFound, QuoteDiffers, QuoteExpired, QuoteUsed, RateSlipped
from returns.money import Money
from returns.tables import RateQuote
from returns.words import RatePolicy
from settlement.rates.policy import Valuation, value
from settlement.runtime import Runtime

_BPS = 10_000


@dataclass(frozen=True, slots=True)
class QuoteAsked:
    """What is to be paid in another currency: `subject_id` is the leg, or the line before it."""

    subject_id: UUID
    paid: Money
    paid_at: datetime
    to: str
    policy: RatePolicy


def quote(
    runtime: Runtime, merchant_id: UUID, asked: QuoteAsked, accepted: int | None = None
) -> RateQuote:
    """The quote that holds for a payout, a new one where there is none or it has expired.

    `accepted` is the amount that a person has agreed to after `RateSlipped`: the new one, and those
    after it, are held against it.

    Raises `RateUnavailable`, `RateSlipped`, `QuoteUsed`, `QuoteDiffers`.
    """
    now = runtime.clock()
    with runtime.database.read() as session:
        last = newest(session, merchant_id, asked.subject_id)
    if last is not None:
        _check_terms(last, asked)
        _check_unused(last)
        if now < last.expires_at:
            return last
    found = value(runtime.rates, asked.paid, asked.to, asked.policy, asked.paid_at, now)
    row = _row(merchant_id, asked, found, now, timedelta(seconds=runtime.settings.quote_seconds))
    if last is not None:
        row.number = last.number + 1
        row.promised_amount = last.promised_amount if accepted is None else accepted
        _check_slippage(runtime.settings.quote_slippage_bps, row)
    return _store(runtime, row)


def use(
    session: Session, merchant_id: UUID, quote_id: UUID, subject_id: UUID, now: datetime
) -> RateQuote:
    """Use a quote up, within the transaction that pays by it: once, and before it expires.

    Raises `QuoteExpired`, `QuoteUsed`, `NotFound`.
    """
    of_it = (
        col(RateQuote.id) == quote_id,
        col(RateQuote.merchant_id) == merchant_id,
        col(RateQuote.subject_id) == subject_id,
    )
    unused = (col(RateQuote.used_at).is_(None), col(RateQuote.expires_at) > now)
    marked = sa.update(RateQuote).where(*of_it, *unused).values(used_at=now)
    is_used = session.connection().execute(marked).rowcount == 1
    query = select(RateQuote).where(*of_it).execution_options(populate_existing=True)
    row = session.exec(query).one_or_none()
    if row is None:
        raise NotFound(what="quote")
    if not is_used:
        _check_unused(row)
        expires = row.expires_at.isoformat(timespec="seconds")
        raise QuoteExpired(amount=_payout(row), paid=_paid(row), expires=expires)
    return row


def newest(session: Session, merchant_id: UUID, subject_id: UUID) -> RateQuote | None:
    """The last quote that was given for a payout, used or not."""
    query = select(RateQuote).where(
        RateQuote.merchant_id == merchant_id, RateQuote.subject_id == subject_id
    )
    return session.exec(query.order_by(col(RateQuote.number).desc()).limit(1)).first()


def _check_terms(row: RateQuote, asked: QuoteAsked) -> None:
    before = (_paid(row), row.to_currency, row.policy, row.paid_at)
    if before != (asked.paid, asked.to, asked.policy, asked.paid_at):
        raise QuoteDiffers(
            paid=f"{_paid(row)} in {row.to_currency} by {row.policy.value}",
            asked=f"{asked.paid} in {asked.to} by {asked.policy.value}",
        )


def _check_unused(row: RateQuote) -> None:
    if row.used_at is not None:
        at = row.used_at.isoformat(timespec="seconds")
        raise QuoteUsed(amount=_payout(row), paid=_paid(row), at=at)


def _check_slippage(limit: int, row: RateQuote) -> None:
    promised = row.promised_amount
    if abs(row.to_amount - promised) * _BPS > promised * limit:
        raise RateSlipped(
            paid=_paid(row),
            before=Money(promised, row.to_currency),
            after=_payout(row),
            limit=f"{limit} hundredths of a percent",
        )


def _store(runtime: Runtime, row: RateQuote) -> RateQuote:
    """Where somebody else has stored one at the same moment, theirs is the quote."""
    with runtime.database.write() as session:
        insert = insert_into(session, RateQuote).values(**dict(row)).on_conflict_do_nothing()
        session.connection().execute(insert)
        found = newest(session, row.merchant_id, row.subject_id)
    if found is None:
        raise NotFound(what="quote")
    return found


def _row(
    merchant_id: UUID, asked: QuoteAsked, found: Valuation, now: datetime, life: timedelta
) -> RateQuote:
    return RateQuote(
        merchant_id=merchant_id,
        subject_id=asked.subject_id,
        number=1,
        policy=asked.policy,
        paid_at=asked.paid_at,
        from_amount=asked.paid.amount,
        from_currency=asked.paid.currency,
        to_amount=found.payout.amount,
        promised_amount=found.payout.amount,
        to_currency=asked.to,
        rate_numerator=found.rate.numerator,
        rate_denominator=found.rate.denominator,
        source=found.rate.source,
        observed_at=found.rate.observed_at,
        fx_difference=found.difference,
        fx_bearer=found.bearer,
        quoted_at=now,
        expires_at=now + life,
    )


def _paid(row: RateQuote) -> Money:
    return Money(row.from_amount, row.from_currency)


def _payout(row: RateQuote) -> Money:
    return Money(row.to_amount, row.to_currency)
