"""Rows as the index writes them, for tests that have no chain."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from returns.tables import Block, Chain, ChainEvent, TokenTransfer, WatchedContract
from returns.words import TokenStandard, WatchKind

CHAIN_ID = 31337
AT = datetime(2026, 1, 2, tzinfo=UTC)
COLLECTION = "0x" + "c0" * 20
NOBODY = "0x" + "0" * 40


def hash_of(number: int, branch: str = "a") -> str:
    """The hash of a made-up block."""
    return "0x" + f"{branch}{number}".encode().hex().rjust(64, "0")


def tx_of(name: str) -> str:
    """The hash of a made-up transaction."""
    return "0x" + name.encode().hex().rjust(64, "0")


def chain_row(session: Session, cursor: int, confirmed: int, final: int) -> Chain:
    """A chain that is read up to here, and its blocks."""
    for number in range(cursor + 1):
        block_row(session, number)
    place = {"anchor_number": 0, "anchor_hash": hash_of(0), "cursor_number": cursor}
    levels = {"confirmed_number": confirmed, "final_number": final, "head_number": cursor}
    row = Chain(chain_id=CHAIN_ID, cursor_hash=hash_of(cursor), **place, **levels)
    session.add(row)
    return row


def block_row(session: Session, number: int, branch: str = "a", **more: Any) -> Block:
    """A block, by default one that stands."""
    links = {"hash": hash_of(number, branch), "parent_hash": hash_of(number - 1, branch)}
    row = Block(chain_id=CHAIN_ID, number=number, at=AT, **links, **more)
    session.add(row)
    return row


def watch_row(session: Session, address: str = COLLECTION, **more: Any) -> None:
    """An address that is watched, by default a collection."""
    kind = more.pop("kind", WatchKind.COLLECTION)
    place = {"address": address, "since_block": 0, "added_at": AT}
    session.add(WatchedContract(chain_id=CHAIN_ID, kind=kind, **place, **more))


def transfer_row(
    session: Session, number: int, sender: str, recipient: str, **more: Any
) -> TokenTransfer:
    """A movement of token 7, one of an ERC-721 unless told otherwise."""
    given: dict[str, Any] = {
        "log_index": 0,
        "position": 0,
        "block_hash": hash_of(number, more.pop("branch", "a")),
        "tx_hash": tx_of(f"move{number}"),
        "standard": TokenStandard.ERC721,
        "token": COLLECTION,
        "token_id": 7,
        "amount": 1,
        **more,
    }
    ends = {"sender": sender, "recipient": recipient}
    row = TokenTransfer(chain_id=CHAIN_ID, block_number=number, at=AT, **ends, **given)
    session.add(row)
    return row


def sold(
    offerer: str, recipient: str, price: int, *, collection: str = COLLECTION, **more: Any
) -> dict[str, Any]:
    """Arguments of an OrderFulfilled: the offerer's token 7 for coin."""
    token = {"itemType": "2", "token": collection, "identifier": "7", "amount": "1"}
    coin = {"itemType": "0", "token": NOBODY, "identifier": "0", "amount": str(price)}
    return {
        "orderHash": "0x" + "0a" * 32,
        "offerer": offerer,
        "zone": NOBODY,
        "recipient": recipient,
        "offer": [token],
        "consideration": [{**coin, "recipient": offerer}],
        **more,
    }


def event_row(session: Session, number: int, args: dict[str, Any], **more: Any) -> ChainEvent:
    """An OrderFulfilled of the transaction that moved the token in this block."""
    given: dict[str, Any] = {
        "log_index": 1,
        "block_hash": hash_of(number),
        "tx_hash": tx_of(f"move{number}"),
        "address": "0x" + "5e" * 20,
        "name": "OrderFulfilled",
        "args": json.dumps(args),
        **more,
    }
    row = ChainEvent(chain_id=CHAIN_ID, block_number=number, at=AT, **given)
    session.add(row)
    return row
