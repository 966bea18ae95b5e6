"""What came in from chain, relayer and processors, turned into moves of lines. No network here."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from custody import holds
from custody.calls import LEG_OF_EVENT
from returns import locks
from returns.ids import from_bytes32
from returns.tables import Block, Chain, ChainEvent, InboxItem, Leg, ReturnLine
from returns.words import ChainLevel, LegKind
from settlement import disputes, legs, refunds, sales, sightings
from settlement.plans import Terms
from settlement.processors.base import ProcessorDispute, ProcessorRefund
from settlement.sightings import Sighting

log = logging.getLogger(__name__)

#: What is undone may be mined again in an earlier block, by at most so many.
_DEEPEST_REORG = 256


def handle(session: Session, terms: Terms, item: InboxItem, now: datetime) -> None:
    """Act on one incoming fact within the caller's transaction; a kind nobody knows raises."""
    _HANDLERS[item.kind](session, terms, json.loads(item.payload), now)


def _chain_shows(level: ChainLevel) -> Callable[..., None]:
    def shown(session: Session, terms: Terms, event: dict[str, Any], now: datetime) -> None:
        if event["name"] == "OrderFulfilled":
            _chain_sold(session, terms, event, level, now)
        line = _line(session, event)
        if line is None:
            return
        # Under the lock: what a reorg undoes from here on is told, and waits for the same line.
        locks.lock_line(session, line.id)
        if not _stands(session, terms, event):
            log.info("chain.outdated event=%s line=%s", event["name"], line.id)
            return
        chain_id = terms.deployment.chain_id
        holds.record(session, line, event["name"], event["args"], chain_id, now)
        if event["name"] == "Reclaimed":
            sightings.reclaimed(session, line.id, now)
        kind = LEG_OF_EVENT.get(event["name"])
        if kind is not None:
            sightings.observed(session, terms, line.id, kind, level, _sighting(event), now)

    return shown


def _chain_undid(session: Session, terms: Terms, event: dict[str, Any], now: datetime) -> None:
    line = _line(session, event)
    kind = LEG_OF_EVENT.get(event["name"])
    if line is None:
        return
    locks.lock_line(session, line.id)
    if _is_late(session, terms, line, event):
        log.info("chain.undone_late event=%s line=%s", event["name"], line.id)
        return
    holds.undo(session, line, event["name"], now)
    if event["name"] == "Reclaimed":
        sightings.unreclaimed(session, line.id, now)
    if kind is not None:
        sightings.undone(session, line.id, kind, _sighting(event), now)


def _chain_sold(
    session: Session, terms: Terms, event: dict[str, Any], level: ChainLevel, now: datetime
) -> None:
    """A sale becomes an order once nothing can undo it: orders have no way back."""
    if level is ChainLevel.FINAL and _stands(session, terms, event):
        sales.record(session, terms.deployment, event, now)


def _stands(session: Session, terms: Terms, event: dict[str, Any]) -> bool:
    """Whether the event's block is still of the chain: it may have been undone while it waited."""
    key = (terms.deployment.chain_id, event["block_hash"])
    block = session.get(Block, key, populate_existing=True)
    return block is not None and block.canonical and block.orphaned_times == event["orphaned_times"]


def _is_late(session: Session, terms: Terms, line: ReturnLine, event: dict[str, Any]) -> bool:
    """Whether the same effect is in another block by now, and that was told before."""
    kind = LEG_OF_EVENT.get(event["name"])
    if kind is None:
        return _stands_elsewhere(session, terms, event)
    return sightings.is_elsewhere(session, line.id, kind, event["block_hash"])


def _stands_elsewhere(session: Session, terms: Terms, event: dict[str, Any]) -> bool:
    """Whether a block that stands, and is confirmed, has an event that says exactly the same."""
    chain_id, number = terms.deployment.chain_id, event["block_number"]
    chain = session.get(Chain, chain_id, populate_existing=True)
    if chain is None:
        return False
    its_block = sa.and_(
        col(Block.chain_id) == ChainEvent.chain_id, col(Block.hash) == ChainEvent.block_hash
    )
    query = (
        select(ChainEvent.log_index)
        .join(Block, its_block)
        .where(ChainEvent.chain_id == chain_id, col(Block.canonical))
        .where(col(ChainEvent.block_number) > number - _DEEPEST_REORG)
        .where(col(ChainEvent.block_number) <= chain.confirmed_number)
        .where(ChainEvent.address == event["address"], ChainEvent.name == event["name"])
        .where(ChainEvent.args == json.dumps(event["args"], sort_keys=True))
    )
    return session.exec(query.limit(1)).first() is not None


def _sighting(event: dict[str, Any]) -> Sighting:
    return Sighting(event["tx_hash"], event["block_number"], event["block_hash"], event["depth"])


def _relay_failed(session: Session, _terms: Terms, fact: dict[str, Any], now: datetime) -> None:
    leg = _leg(session, fact["relay"])
    if leg is None:
        # Relayed for a merchant's own back end, or gas for a lane: no return depends on it.
        log.info("relay.failed relay=%s reason=%s", fact["relay"], fact["reason"])
        return
    legs.failed(session, leg.id, fact["reason"], now)


def _processor_refund(
    session: Session, terms: Terms, refund: dict[str, Any], now: datetime
) -> None:
    leg = _leg(session, refund["key"])
    if leg is None or leg.kind is not LegKind.PROCESSOR_REFUND:
        # Not one of ours: reconciliation will show it as unknown.
        log.warning("processor.refund_unknown refund=%s", refund["id"])
        return
    refunds.record(session, terms, leg, ProcessorRefund.from_payload(refund), now)


def _processor_dispute(
    session: Session, _terms: Terms, told: dict[str, Any], now: datetime
) -> None:
    dispute = ProcessorDispute.from_payload(told)
    disputes.record(session, told["processor"], dispute, now)


def _line(session: Session, event: dict[str, Any]) -> ReturnLine | None:
    """The line that an event of the escrow names; None if it is not about a line of ours."""
    text = event["args"].get("line")
    line_id = from_bytes32(bytes.fromhex(text[2:])) if text else None
    return None if line_id is None else session.get(ReturnLine, line_id)


def _leg(session: Session, key: str) -> Leg | None:
    try:
        return session.get(Leg, UUID(key))
    except ValueError:
        return None


_HANDLERS: dict[str, Callable[[Session, Terms, dict[str, Any], datetime], None]] = {
    "chain.confirmed": _chain_shows(ChainLevel.CONFIRMED),
    "chain.final": _chain_shows(ChainLevel.FINAL),
    "chain.reorged": _chain_undid,
    "relay.failed": _relay_failed,
    "processor.refund": _processor_refund,
    "processor.dispute": _processor_dispute,
}
