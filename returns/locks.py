"""The one place that takes row locks, always in this order:

customer, order line, case, line, payments, leg, store credit; and apart from these lane, gas day,
relayed transaction; and a merchant's policies, its lists, its bank files and its seals, which are
locked alone; and a webhook endpoint before its deliveries.

On SQLite a write transaction holds the only write lock already and FOR UPDATE is left out by the
dialect; on PostgreSQL these are row locks.
"""

import hashlib
from collections.abc import Collection
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from returns.bulk import Among, insert_many, prepared
from returns.errors import NotFound
from returns.ids import new_id
from returns.tables import (
    Lane,
    Leg,
    OrderLine,
    Payment,
    ReconSide,
    RelayTransaction,
    ReturnCase,
    ReturnLine,
    WebhookEndpoint,
)
from returns.tables.relay import GAS_DAYS, LANES

Row = TypeVar("Row", bound=SQLModel)

#: What a session has locked: one is opened for each transaction (`returns.db`).
_HELD = "locked rows"


def lock_customer(session: Session, merchant_id: UUID, customer: str) -> None:
    """Serialises the requests of one customer, or wallet: each counts the ones before it."""
    _lock_name(session, merchant_id, customer)


def lock_request(session: Session, merchant_id: UUID, key: str) -> None:
    """Serialises the requests under one key: the second finds the answer of the first."""
    _lock_name(session, merchant_id, f"Idempotency-Key: {key}")


def lock_chain(session: Session, chain_id: int) -> None:
    """Serialises what is watched of a chain, also before there is anything of it."""
    _lock_name(session, UUID(int=chain_id), "watched")


def lock_policies(session: Session, merchant_id: UUID) -> None:
    """Serialises versions and activations of a merchant's policy: their numbers have no gaps."""
    _lock_name(session, merchant_id, "policies")


def lock_lists(session: Session, merchant_id: UUID) -> None:
    """Serialises the imports of a merchant's lists: each replaces what it finds, whole."""
    _lock_name(session, merchant_id, "lists")


def lock_bank(session: Session, merchant_id: UUID) -> None:
    """Serialises a merchant's bank files: a transfer goes into one, an answer is taken in once."""
    _lock_name(session, merchant_id, "bank")


def lock_signals(session: Session, merchant_id: UUID) -> None:
    """Serialises what a merchant tells: each value is laid over what was told before it."""
    _lock_name(session, merchant_id, "signals")


def lock_seals(session: Session, merchant_id: UUID) -> None:
    """Serialises the sealers of a merchant's ledger, and nobody who books."""
    _lock_name(session, merchant_id, "ledger seals")


def lock_credit(session: Session, merchant_id: UUID, customer: str) -> None:
    """Serialises all that spends or takes back a customer's store credit; taken after a leg's."""
    _lock_name(session, merchant_id, f"credit: {customer}")


def lock_endpoints(session: Session, merchant_id: UUID) -> None:
    """Serialises what a merchant does to its webhook endpoints: their number has a limit."""
    _lock_name(session, merchant_id, "webhook endpoints")


def lock_endpoint(session: Session, endpoint_id: UUID) -> WebhookEndpoint:
    """Lock a webhook endpoint, always before its deliveries; new ones can be made meanwhile."""
    return _take(session, WebhookEndpoint, endpoint_id, "webhook endpoint", key_share=True)


def try_lock_positions(session: Session) -> bool:
    """One at a time gives events their positions; False where somebody else is at it."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    number = int.from_bytes(hashlib.sha256(b"event positions").digest()[:8], "big", signed=True)
    taken = session.connection().execute(sa.select(sa.func.pg_try_advisory_xact_lock(number)))
    return bool(taken.scalar_one())


def lock_order_line(session: Session, order_line_id: UUID) -> OrderLine:
    """Serialises everything that grants money for one purchased token."""
    return _lock(session, OrderLine, order_line_id, "order line")


def lock_line(session: Session, line_id: UUID) -> tuple[ReturnCase, ReturnLine]:
    """Lock a return line, after its purchase and its case (whose event numbers have no gaps)."""
    line = session.get(ReturnLine, line_id)
    if line is None:
        raise NotFound(what="return line")
    lock_order_line(session, line.order_line_id)
    case = _lock(session, ReturnCase, line.case_id, "return")
    return case, _lock(session, ReturnLine, line_id, "return line")


def lock_case_lines(session: Session, case_id: UUID) -> list[ReturnLine]:
    """Lock all lines of a case in the order of locks: purchases, case, lines."""
    query = select(ReturnLine).where(ReturnLine.case_id == case_id).order_by(col(ReturnLine.id))
    lines = list(session.exec(query))
    for order_line_id in sorted(line.order_line_id for line in lines):
        lock_order_line(session, order_line_id)
    _lock(session, ReturnCase, case_id, "return")
    return [_lock(session, ReturnLine, line.id, "return line") for line in lines]


def lock_payments(session: Session, order_id: UUID) -> list[Payment]:
    """Lock what was paid for an order: its lines share it, and each counts what the others take."""
    query = select(Payment).where(Payment.order_id == order_id).order_by(col(Payment.id))
    fresh = query.execution_options(populate_existing=True)
    return list(session.exec(for_update(fresh)))


def lock_leg(session: Session, leg_id: UUID) -> Leg:
    """Lock one effect; its line is locked before by whoever moves the line too."""
    return _lock(session, Leg, leg_id, "leg")


def lock_lane(session: Session, lane_id: UUID) -> Lane:
    """Lock the allocator of a signer's nonces."""
    return _lock(session, Lane, lane_id, "lane")


def hold_lane(session: Session, lane_id: UUID, fence: int, now: datetime, until: datetime) -> bool:
    """Lock a lane and prolong its lease, in one statement; False where the fence is outdated."""
    values = {"lane": lane_id, "of": fence, "now": now, "until": until}
    return session.connection().execute(_HOLD_LANE, values).rowcount == 1


_HOLD_LANE = (
    sa.update(LANES)
    .where(LANES.c.id == sa.bindparam("lane"), LANES.c.fence == sa.bindparam("of"))
    .values(checked_at=sa.bindparam("now"), lease_until=sa.bindparam("until"))
)


def lock_gas_days(
    session: Session, accounts: Collection[tuple[UUID, date, str]]
) -> dict[tuple[UUID, date, str], tuple[UUID, int]]:
    """Lock what gas has cost by merchant, day and customer: row and wei of each.

    Whoever comes first begins the day. The day's own sum, which has no customer, is locked first
    and one after the other: who has it has all customers of that day.
    """
    days = sorted({(merchant_id, day) for merchant_id, day, _ in accounts}, key=str)
    found = {(*one, ""): _lock_gas_day(session, *one) for one in days}
    parts = [one for one in accounts if one[2]]
    found |= _gas_of_customers(session, parts) if parts else {}
    missing = {one: new_id() for one in parts if one not in found}
    names = [key.name for key in _DAY_KEYS]
    rows = [dict(zip(names, one, strict=True), id=key, spent=0) for one, key in missing.items()]
    insert_many(session, GAS_DAYS, rows)
    return found | {one: (row_id, 0) for one, row_id in missing.items()}


def _lock_gas_day(session: Session, merchant_id: UUID, day: date) -> tuple[UUID, int]:
    values = {"id": new_id(), "merchant_id": merchant_id, "day": day}
    row_id, spent = session.connection().execute(_begin_day(session), values).one()
    return row_id, spent


def _gas_of_customers(
    session: Session, accounts: Collection[tuple[UUID, date, str]]
) -> dict[tuple[UUID, date, str], tuple[UUID, int]]:
    """Those that are there; some that nobody asked for may be among them."""
    names = [key.name for key in _DAY_KEYS]
    values = {
        name: list(set(column))
        for name, column in zip(names, zip(*accounts, strict=True), strict=True)
    }
    found = session.connection().execute(_of_customers(session), values)
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in found}


_DAY_KEYS = (GAS_DAYS.c.merchant_id, GAS_DAYS.c.day, GAS_DAYS.c.customer)


def _begin_day(session: Session) -> Any:
    """Insert the day's sum; where it is there already, lock and read it."""
    return _BEGIN_DAY[session.get_bind().dialect.name == "sqlite"]


def _beginning(insert: Any) -> Any:
    insert = insert(GAS_DAYS).values(customer="", spent=0)
    locked = insert.on_conflict_do_update(
        index_elements=_DAY_KEYS, set_={"spent": GAS_DAYS.c.spent}
    )
    return locked.returning(GAS_DAYS.c.id, GAS_DAYS.c.spent)


_BEGIN_DAY = {True: _beginning(sqlite.insert), False: _beginning(postgresql.insert)}


@prepared
def _of_customers(among: Among) -> Any:
    query = sa.select(*_DAY_KEYS, GAS_DAYS.c.id, GAS_DAYS.c.spent)
    return query.where(*(among(key, key.name) for key in _DAY_KEYS))


def lock_relay(session: Session, relay_id: UUID) -> RelayTransaction:
    """Lock an intent against the lane that is about to give it a nonce."""
    return _lock(session, RelayTransaction, relay_id, "relayed transaction")


def find_work(session: Session, table: type[Row], row_id: UUID) -> Row | None:
    """Lock a row of outbox or inbox, apart from all others; None if there is none."""
    query = select(table).where(sa.inspect(table).primary_key[0] == row_id)
    found: Row | None = session.exec(for_update(query)).one_or_none()
    return found


def lock_side(session: Session, name: str) -> ReconSide:
    """Serialises the readers of a processor's report, or of a chain's logs."""
    return _lock(session, ReconSide, name, "side")


def lock_reconciliation(session: Session, merchant_id: UUID) -> None:
    """Serialises what comparisons of one merchant store, and what people do with its breaks."""
    _lock_name(session, merchant_id, "reconciliation")


def for_update(query: Any) -> Any:
    """Lock every row that a query finds, waiting for each."""
    return query.with_for_update()


def skip_locked(query: Any) -> Any:
    """Let several workers pick different rows: whoever is late passes on to the next ones."""
    return query.with_for_update(skip_locked=True)


def _lock_name(session: Session, merchant_id: UUID, name: str) -> None:
    """On PostgreSQL a lock on a number made of the name, until the transaction ends.

    Two names with one number only wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        digest = hashlib.sha256(merchant_id.bytes + name.encode()).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        session.connection().execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _lock(session: Session, table: type[Row], key: UUID | str, what: str) -> Row:
    """Lock a row until the transaction ends; what it has locked already is as it left it."""
    held: dict[tuple[type[Row], UUID | str], Row] = session.info.setdefault(_HELD, {})
    if (table, key) not in held:
        held[table, key] = _take(session, table, key, what)
    return held[table, key]


def _take(
    session: Session, table: type[Row], key: UUID | str, what: str, *, key_share: bool = False
) -> Row:
    # populate_existing: what another transaction committed meanwhile must be seen.
    query = (
        select(table)
        .where(sa.inspect(table).primary_key[0] == key)
        .with_for_update(key_share=key_share)
        .execution_options(populate_existing=True)
    )
    row = session.exec(query).one_or_none()
    if row is None:
        raise NotFound(what=what)
    return row
