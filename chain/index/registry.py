"""Which addresses are watched. It can grow while the index runs: what is added is read from its
start in scans below the cursor, and from the cursor on with everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, select

from chain.client import BlockHeader, ChainClient
from chain.facts import Facts
from chain.index import scans
from chain.permits import claims
from returns import locks
from returns.columns import insert_into
from returns.errors import WatchRefused
from returns.tables import Chain, WatchedContract
from returns.tables.chain import CHAINS
from returns.words import WatchKind

#: ERC-165 ids of ERC-721 and ERC-1155.
_TOKEN_INTERFACES = (bytes.fromhex("80ac58cd"), bytes.fromhex("d9b67a26"))


def begin(
    session: Session,
    anchor: BlockHeader,
    chain_id: int,
    ours: Mapping[str, WatchKind],
    now: datetime,
) -> Chain:
    """Pin the chain to its anchor unless it is, and watch our own contracts from there."""
    locks.lock_chain(session, chain_id)
    pin = insert_into(session, Chain).values(
        **Chain(
            chain_id=chain_id, anchor_number=anchor.number, anchor_hash=anchor.hash
        ).model_dump()
    )
    pinned = session.connection().execute(pin.on_conflict_do_nothing().returning(CHAINS.c.chain_id))
    if pinned.first() is not None:
        for one in _rows(session, chain_id):
            # Added before there was anything to be below of.
            scans.add(session, chain_id, one.address, one.since_block, anchor.number - 1, now)
    for address, kind in ours.items():
        add(session, chain_id, address, kind, anchor.number, now)
    return session.get_one(Chain, chain_id, populate_existing=True)


def add(
    session: Session,
    chain_id: int,
    address: str,
    kind: WatchKind,
    since: int,
    now: datetime,
    merchant_id: UUID | None = None,
) -> bool:
    """Watch an address from a block on; False if it was watched already, from there.

    An earlier block than before is read as well, and who had no merchant gets one.
    """
    locks.lock_chain(session, chain_id)
    known = session.get(WatchedContract, (chain_id, address))
    if known is not None:
        known.merchant_id = known.merchant_id or merchant_id
        if since >= known.since_block:
            return False
        before, known.since_block = known.since_block - 1, since
        _read_below(session, chain_id, address, since, before, now)
        return True
    row = WatchedContract(
        chain_id=chain_id, address=address, kind=kind, since_block=since, added_at=now
    )
    row.merchant_id = merchant_id
    session.add(row)
    # Whoever is reading without this address will not be able to move the cursor.
    grown = sa.update(CHAINS).where(CHAINS.c.chain_id == chain_id)
    session.connection().execute(grown.values(watch_version=CHAINS.c.watch_version + 1))
    _read_below(session, chain_id, address, since, None, now)
    session.flush()
    return True


def _read_below(
    session: Session, chain_id: int, address: str, first: int, last: int | None, now: datetime
) -> None:
    """Have what lies below the cursor read, up to `last`. The cursor brings what is above it."""
    chain = session.get(Chain, chain_id, populate_existing=True)
    if chain is not None:
        read_to = max(chain.cursor_number, chain.anchor_number - 1)
        scans.add(
            session, chain_id, address, first, read_to if last is None else min(read_to, last), now
        )


def watched(session: Session, chain_id: int) -> dict[str, WatchKind]:
    """Every address that is watched, by what it is."""
    return {one.address: one.kind for one in _rows(session, chain_id)}


def _rows(session: Session, chain_id: int) -> list[WatchedContract]:
    query = select(WatchedContract).where(WatchedContract.chain_id == chain_id)
    return list(session.exec(query))


def check(client: ChainClient, address: str, kind: WatchKind, since: int) -> None:
    """Whether an address can be watched as this. Raises `WatchRefused`; nothing is written."""
    head = client.newest()
    if since < 0:
        raise WatchRefused(address=address, problem=f"there is no block {since}")
    if since > head.number:
        problem = f"block {since} is in the future, the newest is {head.number}"
        raise WatchRefused(address=address, problem=problem)
    if kind is WatchKind.TREASURY:
        return
    if not client.code(address):
        raise WatchRefused(address=address, problem="there is no contract at it")
    if kind is WatchKind.COLLECTION and not _is_collection(client, address, head):
        problem = "it does not say that it is ERC-721 or ERC-1155 (ERC-165)"
        raise WatchRefused(address=address, problem=problem)


def _is_collection(client: ChainClient, address: str, head: BlockHeader) -> bool:
    facts = Facts(client, head)
    asked = [claims(address, one) for one in _TOKEN_INTERFACES]
    facts.learn(asked)
    return any(facts.one(question, "bool") for question in asked)
