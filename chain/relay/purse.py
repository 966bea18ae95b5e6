"""Coin for gas: a lane that runs low is sent some by the treasury's own lane, within limits."""

from __future__ import annotations

import logging
from datetime import datetime, time

from sqlmodel import Session, col, select

from chain.relay import queue
from chain.relay.lanes import Held
from chain.relay.queue import Intent
from returns import locks
from returns.ids import new_id
from returns.tables import Lane, RelayTransaction
from returns.words import LanePurpose, RelayState

log = logging.getLogger(__name__)

_UNDER_WAY = (RelayState.PENDING, RelayState.SENT)
_SPENT = (*_UNDER_WAY, RelayState.CONFIRMED)


def top_up(held: Held, balance: int) -> bool:
    """Ask the treasury for gas if `balance` (wei) is low; True if a transfer is owed from now on.

    One transfer at a time for each lane, and not more than the day's limit for all of them.
    """
    policy = held.parts.policy
    if balance >= policy.top_up_below or held.keeper.purpose is LanePurpose.TOP_UP:
        return False
    treasury = _treasury(held)
    if treasury is None:
        return False
    now = held.parts.clock()
    with held.parts.database.write() as session:
        locks.lock_lane(session, treasury.id)
        if _is_under_way(session, held) or not _is_within_day(session, held, now):
            return False
        queue.enqueue(session, _transfer(held, treasury), now)
    log.warning("relay.top_up lane=%s wei=%d", held.address, policy.top_up_by)
    return True


def _treasury(held: Held) -> Lane | None:
    query = select(Lane).where(
        Lane.chain_id == held.parts.chain_id, Lane.purpose == LanePurpose.TOP_UP
    )
    with held.parts.database.read() as session:
        return session.exec(query).first()


def _transfer(held: Held, treasury: Lane) -> Intent:
    return Intent(
        id=new_id(),
        merchant_id=None,
        chain_id=held.parts.chain_id,
        to=held.address,
        value=held.parts.policy.top_up_by,
        lane_id=treasury.id,
    )


def _is_under_way(session: Session, held: Held) -> bool:
    query = select(RelayTransaction.id).where(
        col(RelayTransaction.merchant_id).is_(None),
        RelayTransaction.chain_id == held.parts.chain_id,
        RelayTransaction.to == held.address,
        col(RelayTransaction.state).in_(_UNDER_WAY),
    )
    return session.exec(query).first() is not None


def _is_within_day(session: Session, held: Held, now: datetime) -> bool:
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    query = select(RelayTransaction.value).where(
        col(RelayTransaction.merchant_id).is_(None),
        RelayTransaction.chain_id == held.parts.chain_id,
        col(RelayTransaction.state).in_(_SPENT),
        RelayTransaction.created_at >= midnight,
    )
    spent = sum(session.exec(query))
    return spent + held.parts.policy.top_up_by <= held.parts.policy.top_up_daily
