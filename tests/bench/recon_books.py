"""The books of a made-up year, written in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from returns.bulk import copy_many
from returns.columns import table_of
from returns.db import Database
from returns.tables import (
    JournalEntry,
    Leg,
    Merchant,
    Order,
    OrderLine,
    Payment,
    Posting,
    ReturnCase,
    ReturnLine,
)
from returns.words import (
    Disposition,
    LegKind,
    LegState,
    LineState,
    Reason,
    Remedy,
    Tender,
)
from tests.bench.recon_world import (
    AMOUNT,
    BEGIN,
    BUYER,
    CHAIN_ID,
    CREDIT,
    CRYPTO,
    DEPLOYMENT,
    FIAT,
    HELD,
    VAULT,
    Return,
    block_hash,
    made_id,
    made_return,
)

MERCHANT = UUID(int=7)
_PAGE = 10_000
_REMEDIES = {FIAT: Remedy.FIAT_REFUND, CREDIT: Remedy.STORE_CREDIT, CRYPTO: Remedy.CRYPTO_REFUND,
             HELD: Remedy.FIAT_REFUND}  # fmt: skip
_ACCOUNTS = {"deposit": ("tokens_with_customers", "tokens_in_escrow"),
             "settle": ("tokens_in_escrow", "tokens_in_vault"),
             "swap": ("tokens_with_customers", "tokens_in_vault")}  # fmt: skip
_PAYERS = {"processor_refund": "processor:bench", "credit": "store_credit:ann", "swap": "float"}


class Page:
    """Rows of each table, until there are many."""

    def __init__(self) -> None:
        self.rows: dict[Any, list[dict[str, Any]]] = {}

    def add(self, table: Any, **row: Any) -> None:
        """One row."""
        self.rows.setdefault(table, []).append(row)

    def write(self, database: Database) -> None:
        """All of them, in the order in which tables were met."""
        with database.write() as session:
            for table, rows in self.rows.items():
                names = tuple(rows[0])
                values = [tuple(row.values()) for row in rows]
                copy_many(session, table_of(table), names, values)


def write_merchant(database: Database) -> None:
    """The tenant."""
    with database.write() as session:
        session.add(
            Merchant(id=MERCHANT, slug="bench", name="Bench", vault=VAULT, created_at=BEGIN)
        )


def write_returns(database: Database, first: int, last: int) -> None:
    """Returns with their orders, legs and bookings."""
    for start in range(first, last, _PAGE):
        page = Page()
        for i in range(start, min(start + _PAGE, last)):
            _add_return(page, made_return(i))
        page.write(database)


def write_orders(database: Database, first: int, last: int) -> None:
    """Orders of which nothing came back."""
    for start in range(first, last, _PAGE):
        page = Page()
        for i in range(start, min(start + _PAGE, last)):
            _add_order(page, i, "USD", AMOUNT)
        page.write(database)


def _add_order(page: Page, i: int, currency: str, price: int) -> None:
    order_id = made_id("order", i)
    page.add(Order, id=order_id, merchant_id=MERCHANT, number=f"A-{i}", placed_at=BEGIN,
             customer="ann", channel="web", content_hash="0" * 64, created_at=BEGIN)  # fmt: skip
    page.add(OrderLine, id=made_id("order_line", i), merchant_id=MERCHANT, order_id=order_id,
             position=0, chain_id=CHAIN_ID, collection=DEPLOYMENT.collection, token_id=i,
             price=price)  # fmt: skip
    page.add(Payment, id=made_id("payment", i), merchant_id=MERCHANT, order_id=order_id,
             tender=Tender.CARD, processor="bench", reference=f"ch_{i}", currency=currency,
             captured=AMOUNT)  # fmt: skip


def _add_return(page: Page, one: Return) -> None:
    currency = "ETH" if one.kind == CRYPTO else "USD"
    price = AMOUNT - 1 if one.fault == "order.over_refunded" else AMOUNT
    _add_order(page, one.i, currency, price)
    state = LineState.SETTLED
    if one.kind == HELD:
        state = LineState.COMMITTING if one.fault == "timing" else LineState.IN_CUSTODY
    page.add(ReturnCase, id=one.id("case"), merchant_id=MERCHANT, order_id=one.id("order"),
             rma=f"RMA-{one.i}", reason=Reason.OTHER, message="", opened_by="bench", sequence=0,
             created_at=one.at)  # fmt: skip
    page.add(ReturnLine, id=one.id("line"), merchant_id=MERCHANT, case_id=one.id("case"),
             order_line_id=one.id("order_line"), state=state, open=True,
             remedy=_REMEDIES[one.kind], disposition=Disposition.VAULT, amount=AMOUNT, bonus=0,
             currency=currency, recipient=None, updated_at=one.at)  # fmt: skip
    entries = list(_entries(one, currency))
    for kind in one.legs:
        _add_leg(page, one, kind, currency)
    for number, kind, cause, moves in entries:
        _add_entry(page, one, number, kind, cause, moves)


def _add_leg(page: Page, one: Return, kind: str, currency: str) -> None:
    is_stuck = one.fault == "timing" and kind == "commit"
    on_chain = kind not in ("processor_refund", "credit") and not is_stuck
    block = one.block + 1 if kind == "settle" else one.block
    elsewhere = one.fault == "chain.reorged" and kind == "commit"
    page.add(
        Leg,
        id=one.id(kind),
        merchant_id=MERCHANT,
        line_id=one.id("line"),
        kind=LegKind(kind),
        part=0,
        attempt=1,
        state=LegState.SENT if is_stuck else LegState.FINAL,
        amount=AMOUNT,
        currency=currency,
        recipient=BUYER if kind == "swap" else None,
        reference=f"re_{one.i}" if kind == "processor_refund" else None,
        block_number=block if on_chain else None,
        block_hash=block_hash(block + 10**9 * elsewhere) if on_chain else None,
        created_at=one.at,
        updated_at=one.at,
    )


def _entries(one: Return, currency: str) -> Iterator[tuple[int, str, UUID, list[Any]]]:
    """Number, kind, cause and moves (source, target, asset, debit, credit) of each booking."""
    owed = ("refunds_payable", "sales_returns", currency, AMOUNT, AMOUNT)
    yield 0, "grant", one.id("grant"), [owed]
    for number, kind in enumerate(one.legs, start=1):
        moves: list[Any] = []
        if kind in _ACCOUNTS:
            moves.append((*_ACCOUNTS[kind], one.asset, 1, 1))
        if kind in _PAYERS:
            moves.append((_PAYERS[kind], "refunds_payable", currency, *_booked(one)))
        if moves and not (one.fault == "ledger.missing" and kind == "settle"):
            yield number, kind, one.id(kind), moves


def _booked(one: Return) -> tuple[int, int]:
    debit = AMOUNT - (one.fault in ("ledger.amount", "ledger.unbalanced"))
    return debit, AMOUNT if one.fault == "ledger.unbalanced" else debit


def _add_entry(
    page: Page, one: Return, number: int, kind: str, cause: UUID, moves: list[Any]
) -> None:
    entry_id = made_id("entry", one.i, number)
    about = {"merchant_id": MERCHANT, "subject_id": one.id("line"), "line_id": one.id("line")}
    booked = {"cause": cause, "booked_at": one.at, "sealed": False}
    page.add(JournalEntry, id=entry_id, kind=kind, **about, **booked)
    for place, (source, target, asset, debit, credit) in enumerate(moves):
        about = {"merchant_id": MERCHANT, "entry_id": entry_id, "asset": asset}
        first = number * 8 + place * 2
        page.add(Posting, id=made_id("posting", one.i, first), account=target, side="debit",
                 amount=debit, **about)  # fmt: skip
        page.add(Posting, id=made_id("posting", one.i, first + 1), account=source, side="credit",
                 amount=credit, **about)  # fmt: skip
