"""The index of the chain, for who runs the installation: what is watched, how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chain.addresses import parse_address
from chain.index import registry, scans
from returns import chain_reads
from returns.errors import FieldInvalid, NotFound
from returns.tables import Chain, WatchedContract
from returns.words import WatchKind
from settlement.runtime import Runtime

#: What can be added; the rest are our own contracts, or Seaport, which are known.
ADDABLE = (WatchKind.COLLECTION, WatchKind.TREASURY)


def watch(
    runtime: Runtime, merchant_id: UUID, address: str, kind: str, since: int | None
) -> dict[str, Any]:
    """Watch a merchant's collection or treasury from a block on, by default from our own first.

    Raises `AddressInvalid`, `FieldInvalid`, `WatchRefused`; nothing is written then.
    """
    if kind not in ADDABLE:
        raise FieldInvalid(field="kind", problem=f"write {' or '.join(ADDABLE)}")
    place, what = parse_address(address), WatchKind(kind)
    first = runtime.deployment.block if since is None else since
    registry.check(runtime.client, place, what, first)
    chain_id, now = runtime.settings.chain_id, runtime.clock()
    with runtime.database.write() as session:
        added = registry.add(session, chain_id, place, what, first, now, merchant_id)
    return {"address": place, "kind": kind, "since_block": first, "added": added}


def watch_merchant(runtime: Runtime, merchant_id: UUID, vault: str) -> None:
    """What a local merchant has: the demo collection, and the vault that its money is in."""
    contracts, now = runtime.deployment, runtime.clock()
    theirs = {contracts.collection: WatchKind.COLLECTION, vault: WatchKind.TREASURY}
    with runtime.database.write() as session:
        for address, kind in theirs.items():
            place = (contracts.chain_id, address, kind, contracts.block, now)
            registry.add(session, *place, merchant_id)


def watched(runtime: Runtime) -> list[dict[str, Any]]:
    """Every address that is watched, the oldest first."""
    query = select(WatchedContract).order_by(col(WatchedContract.added_at))
    with runtime.database.read() as session:
        rows = list(session.exec(query))
    return [
        {"address": one.address, "kind": one.kind.value, "since_block": one.since_block}
        for one in rows
    ]


def replay(runtime: Runtime, first: int) -> dict[str, int]:
    """Have everything read again from a block on, up to where the index is.

    What is missing is added; what is there stays, and nothing is told to settlement twice.
    """
    chain_id = runtime.settings.chain_id
    with runtime.database.write() as session:
        chain = session.get(Chain, chain_id)
        if chain is None:
            raise NotFound(what="index of this chain yet")
        if not chain.anchor_number <= first <= chain.cursor_number:
            problem = f"the index has blocks {chain.anchor_number} to {chain.cursor_number}"
            raise FieldInvalid(field="from-block", problem=problem)
        scans.add(session, chain_id, None, first, chain.cursor_number, runtime.clock())
    return {"first": first, "last": chain.cursor_number}


def status(runtime: Runtime) -> list[dict[str, Any]]:
    """How far each chain's index is, and what is wrong with it."""
    with runtime.database.read() as session:
        return [_status_view(one, runtime.clock()) for one in chain_reads.index_status(session)]


def gaps(runtime: Runtime) -> list[dict[str, Any]]:
    """Blocks of which a node did not tell everything, the last seen first; mended ones too."""
    with runtime.database.read() as session:
        rows = chain_reads.newest_gaps(session, runtime.settings.chain_id)
    return [
        {
            "block": one.first_number,
            "code": one.code.value,
            "address": one.address,
            "problem": one.problem,
            "times": one.times,
            "last_seen": one.last_seen.isoformat(),
            "open": one.resolved_at is None,
        }
        for one in rows
    ]


def _status_view(one: chain_reads.IndexStatus, now: datetime) -> dict[str, Any]:
    chain = one.chain
    return {
        "chain_id": chain.chain_id,
        "read_to": chain.cursor_number,
        "confirmed_to": chain.confirmed_number,
        "final_to": chain.final_number,
        "lag_blocks": one.lag,
        "seen_s": one.looked_s(now),
        "events": chain.events,
        "reorgs": chain.reorgs,
        "last_reorg_depth": chain.reorg_depth,
        "open_gaps": one.open_gaps,
        "open_scans": one.open_scans,
    }
