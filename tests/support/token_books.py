"""An index written by hand: blocks, movements of tokens and sales, for what is read from them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from raw_chain import CHAIN_ID, COLLECTION, NOBODY, SEAPORT, STRANGER, party

from returns.db import Database
from returns.ids import Token
from returns.tables import (
    Block,
    Chain,
    ChainEvent,
    IndexGap,
    IndexScan,
    Merchant,
    Order,
    OrderLine,
    Payment,
    TokenTransfer,
    WatchedContract,
)
from returns.words import GapCode, Tender, TokenStandard, WatchKind

START = datetime(2026, 1, 1, tzinfo=UTC)
ALICE, BOB, CAROL = (party(number) for number in (0xA11CE, 0xB0B, 0xCA401))
ONE = Token(CHAIN_ID, TokenStandard.ERC721, COLLECTION, 2**256 - 1)
MANY = Token(CHAIN_ID, TokenStandard.ERC1155, COLLECTION, 7)


def block_hash(number: int, branch: str = "a") -> str:
    """A block's name."""
    return f"0x{number:063x}{branch}"


def tx_hash(number: int) -> str:
    """A transaction's name."""
    return f"0x{number:064x}"


class TokenBooks:
    """The index of one chain: cursor at block 20, confirmed to 15, final to 10."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._log_index = 0
        cursors = {"cursor_number": 20, "confirmed_number": 15, "final_number": 10}
        self.add(
            Chain(chain_id=CHAIN_ID, anchor_number=1, anchor_hash=block_hash(1), **cursors),
            WatchedContract(
                chain_id=CHAIN_ID,
                address=COLLECTION,
                kind=WatchKind.COLLECTION,
                since_block=1,
                added_at=START,
            ),
            *(self._block(number, "a", canonical=True) for number in range(1, 21)),
            *(self._block(number, "b", canonical=False) for number in range(1, 21)),
        )

    def add(self, *rows: Any) -> None:
        """Write rows, in this order."""
        with self.database.write() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def move(
        self,
        number: int,
        sender: str,
        recipient: str,
        token: Token = ONE,
        amount: int = 1,
        branch: str = "a",
        tx: int | None = None,
        position: int = 0,
    ) -> None:
        """A movement in a block, after what is there."""
        self._log_index += 1
        row = self._placed(TokenTransfer, number, branch, tx)
        row.position, row.standard, row.amount = position, token.standard, amount
        row.token, row.token_id = token.collection, token.token_id
        row.sender, row.recipient = sender, recipient
        self.add(row)

    def sale(self, number: int, args: dict[str, Any], tx: int | None = None) -> None:
        """What Seaport says of a transaction in a block."""
        self._log_index += 1
        row = self._placed(ChainEvent, number, "a", tx)
        row.address, row.name, row.args = SEAPORT, "OrderFulfilled", json.dumps(args)
        self.add(row)

    def merchant(self, slug: str) -> UUID:
        """One more shop."""
        shop = Merchant(slug=slug, name=slug, created_at=START)
        self.add(shop)
        return shop.id

    def order(self, merchant_id: UUID, paid_by: str, price: int, token: Token = ONE) -> None:
        """What a shop sold, paid by a transaction."""
        order = Order(
            merchant_id=merchant_id,
            number="1001",
            placed_at=START,
            customer="c",
            channel="web",
            content_hash="0" * 64,
            created_at=START,
        )
        line = OrderLine(
            merchant_id=merchant_id,
            order_id=order.id,
            position=0,
            chain_id=token.chain_id,
            collection=token.collection,
            token_id=token.token_id,
            price=price,
        )
        payment = Payment(
            merchant_id=merchant_id,
            order_id=order.id,
            tender=Tender.WALLET,
            processor="chain",
            reference=paid_by,
            currency="USDC",
            captured=price,
        )
        self.add(order, line, payment)

    def gap(self, number: int, address: str = "", code: GapCode = GapCode.UNPROVEN) -> None:
        """Something that is open about a block."""
        self.add(
            IndexGap(
                chain_id=CHAIN_ID,
                code=code,
                first_number=number,
                last_number=number,
                address=address,
                problem="it is odd",
                first_seen=START,
                last_seen=START,
            )
        )

    def scan(self, address: str | None) -> None:
        """Blocks that are still to be read."""
        self.add(
            IndexScan(
                chain_id=CHAIN_ID, address=address, next_number=1, last_number=9, created_at=START
            )
        )

    def _placed(self, table: Any, number: int, branch: str, tx: int | None) -> Any:
        return table(
            chain_id=CHAIN_ID,
            block_number=number,
            log_index=self._log_index,
            block_hash=block_hash(number, branch),
            at=START + timedelta(seconds=12 * number),
            tx_hash=tx_hash(number if tx is None else tx),
        )

    def _block(self, number: int, branch: str, *, canonical: bool) -> Block:
        return Block(
            chain_id=CHAIN_ID,
            hash=block_hash(number, branch),
            number=number,
            parent_hash=block_hash(number - 1, branch),
            at=START,
            canonical=canonical,
        )


def item(kind: int, token: str, identifier: int, amount: int, *to: str) -> dict[str, str]:
    """One of an order's items, as the index keeps it; `to`: of a consideration."""
    named = {"itemType": str(kind), "token": token, "identifier": str(identifier)}
    return {**named, "amount": str(amount), **({"recipient": to[0]} if to else {})}


def coin(amount: int, to: str) -> dict[str, str]:
    """The chain's own money, in a consideration."""
    return item(0, NOBODY, 0, amount, to)


def dollars(amount: int, *to: str) -> dict[str, str]:
    """An ERC-20."""
    return item(1, STRANGER, 0, amount, *to)


def fulfilled(
    offerer: str, recipient: str, offer: list[dict[str, str]], consideration: list[dict[str, str]]
) -> dict[str, Any]:
    """The arguments of an OrderFulfilled."""
    ends = {"offerer": offerer, "recipient": recipient, "zone": NOBODY, "orderHash": "0x05"}
    return {**ends, "offer": offer, "consideration": consideration}
