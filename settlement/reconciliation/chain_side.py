"""The chain's own logs, from a second node where one is set; never from our index of them.

Blocks that nothing can undo are read once. The younger ones are read again by every run, which
replaces what they held.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from custody import evidence
from custody.evidence import Effect
from returns.bulk import copy_many
from returns.tables import WatchedContract
from returns.tables.reconciliation import EFFECTS
from returns.words import WatchKind
from settlement.reconciliation.intake import chain_side, held_side, side
from settlement.runtime import Runtime

_NAMES = ("chain_id", *Effect._fields)


@dataclass(frozen=True, slots=True)
class ChainRead:
    """Up to which block the chain was read, which of them is final, and how many logs that were."""

    head: int
    final: int
    logs: int


def read_chain(runtime: Runtime, *, full: bool) -> ChainRead:
    """Read what is new, or everything anew.

    Raises `ChainUnavailable`, or `ConcurrentChange` where another run reads on at the same time.
    """
    client, settings, contracts = runtime.evidence_client, runtime.settings, runtime.deployment
    head = client.block_number()
    final = evidence.final_block(client, head, settings.finality, settings.finality_tags)
    with runtime.database.read() as session:
        row = side(session, chain_side(contracts.chain_id))
        collections = _collections(session, contracts.chain_id) | {contracts.collection}
    cursor, logs = row.cursor, 0
    first = contracts.block if full or not row.cursor else max(row.position + 1, contracts.block)
    for start in range(first, head + 1, evidence.RANGE):
        last = min(start + evidence.RANGE - 1, head)
        found, count = evidence.effects(client, contracts, collections, start, last)
        settled = max(min(last, final), first - 1)
        cursor = _replace(runtime, cursor, start, settled, found, count)
        logs += count
    return ChainRead(head, final, logs)


def _replace(
    runtime: Runtime, cursor: str, start: int, settled: int, found: list[Effect], logs: int
) -> str:
    """Store what blocks from `start` on hold, and that they are read for good up to `settled`."""
    chain_id = runtime.deployment.chain_id
    with runtime.database.write() as session:
        row = held_side(session, chain_side(chain_id), cursor)
        session.connection().execute(
            sa.delete(EFFECTS).where(
                EFFECTS.c.chain_id == chain_id, EFFECTS.c.block_number >= start
            )
        )
        copy_many(session, EFFECTS, _NAMES, [(chain_id, *one) for one in found])
        row.position, row.facts = settled, row.facts + logs
        # Another value with each page: whoever reads at the same time finds out.
        row.cursor = str(int(row.cursor or 0) + 1)
        return row.cursor


def _collections(session: Session, chain_id: int) -> set[str]:
    query = select(WatchedContract.address).where(
        WatchedContract.chain_id == chain_id, WatchedContract.kind == WatchKind.COLLECTION
    )
    return set(session.exec(query.order_by(col(WatchedContract.address))))
