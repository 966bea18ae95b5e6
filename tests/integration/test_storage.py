"""Columns, migrations, ledger and remainder mean the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
import sqlalchemy as sa
from desk import Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import SQLModel, update

from returns import ledger, migrate
from returns.columns import UtcTime
from returns.db import Database
from returns.errors import LedgerUnbalanced, RefundAboveRemainder
from returns.ids import new_id
from returns.ledger import Move
from returns.remainder import check_remainder
from returns.tables import JournalEntry, Merchant, OrderLine, Posting, ReturnLine
from returns.words import LineState

SOME = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LARGEST = 2**256 - 1


def store_price(desk: Desk, price: object) -> None:
    with desk.runtime.database.write() as session:
        session.connection().execute(update(OrderLine).values(price=price))


@SOME
@given(
    price=st.one_of(st.sampled_from([0, 1, 2**53 + 1, 2**255, LARGEST]), st.integers(0, LARGEST))
)
def test_uint256_is_exact(desk: Desk, price: int) -> None:
    if not desk.rows(OrderLine):
        desk.buy()
    store_price(desk, price)
    assert {line.price for line in desk.rows(OrderLine)} == {price}
    assert desk.rows(OrderLine, OrderLine.price == price)
    assert not desk.rows(OrderLine, OrderLine.price < price)
    if price:
        assert desk.rows(OrderLine, OrderLine.price > price - 1)


@pytest.mark.parametrize("value", [-1, LARGEST + 1, 1.0, True, "1"])
def test_anything_but_a_uint256_is_refused(desk: Desk, value: object) -> None:
    desk.buy()
    with pytest.raises(StatementError):
        store_price(desk, value)
    assert desk.rows(OrderLine)[0].price == 1000


def test_times_are_stored_in_utc_and_naive_ones_refused(desk: Desk) -> None:
    moment = datetime(2026, 7, 1, 2, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with desk.runtime.database.write() as session:
        session.add(Merchant(slug="a", name="a", created_at=moment))
    (row,) = desk.rows(Merchant, Merchant.slug == "a")
    assert row.created_at == moment
    assert row.created_at.tzinfo is UTC
    with pytest.raises(StatementError), desk.runtime.database.write() as session:
        session.add(Merchant(slug="b", name="b", created_at=datetime(2026, 7, 1)))  # noqa: DTZ001
    assert not desk.rows(Merchant, Merchant.slug == "b")
    assert UtcTime().process_bind_param(None, None) is None


def test_word_that_does_not_exist_is_refused_by_the_database_itself(desk: Desk) -> None:
    desk.ask(desk.buy())
    with pytest.raises(IntegrityError), desk.runtime.database.write() as session:
        session.connection().execute(sa.text("UPDATE return_line SET state = 'lost'"))


def test_models_and_migrations_agree(desk: Desk) -> None:
    assert migrate.differences(desk.runtime.database) == []


def test_upgrade_of_a_current_database_changes_nothing(desk: Desk) -> None:
    before = desk.count_all()
    migrate.upgrade(desk.runtime.database)
    assert desk.count_all() == before


def test_upgrade_makes_every_table_from_nothing(url: str, tmp_path: object) -> None:
    database = Database(url)
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            SQLModel.metadata.drop_all(connection)
            connection.execute(sa.text("DROP TABLE alembic_version"))
    else:
        database = Database(f"sqlite:///{tmp_path}/new.db")
    migrate.upgrade(database)
    assert migrate.differences(database) == []
    names = set(sa.inspect(database.engine).get_table_names())
    assert names == {t.name for t in SQLModel.metadata.sorted_tables} | {"alembic_version"}
    database.close()


# -- ledger ----------------------------------------------------------------------------------------

MOVES = st.builds(
    Move,
    source=st.sampled_from(["a", "b", "c"]),
    target=st.sampled_from(["d", "e"]),
    asset=st.sampled_from(["USD", "ETH", "eip155:1/erc721:0xab/7"]),
    amount=st.integers(0, LARGEST // 8),
)


@SOME
@given(entries=st.lists(st.tuples(st.lists(MOVES, min_size=1, max_size=4), st.booleans()),
                        max_size=8))  # fmt: skip
def test_every_asset_sums_to_zero_whatever_is_booked_and_reversed(
    desk: Desk, entries: list[tuple[list[Move], bool]]
) -> None:
    if not desk.rows(ReturnLine):
        desk.ask(desk.buy())
    (line,) = desk.rows(ReturnLine)
    before = desk.balances()
    with desk.runtime.database.write() as session:
        for moves, stays in entries:
            entry = ledger.post(session, ledger.of_line(line), "test", uuid4(), moves, desk.clock())
            if not stays:
                ledger.reverse(session, entry, entry.cause, desk.clock())
    totals: dict[str, int] = {}
    for (_, asset), amount in desk.balances().items():
        totals[asset] = totals.get(asset, 0) + amount
    assert set(totals.values()) <= {0}
    if not any(stays for _, stays in entries):
        assert desk.balances() == before


def test_cause_books_once_whoever_asks(desk: Desk) -> None:
    desk.ask(desk.buy())
    (line,), cause = desk.rows(ReturnLine), new_id()
    move = [Move("a", "b", "USD", 5)]
    with desk.runtime.database.write() as session:
        ledger.post(session, ledger.of_line(line), "test", cause, move, desk.clock())
    before = desk.count_all()
    with pytest.raises(IntegrityError), desk.runtime.database.write() as session:
        ledger.post(session, ledger.of_line(line), "test", cause, move, desk.clock())
    assert desk.count_all() == before


def test_reversal_mirrors_and_leaves_the_entry_as_it_is(desk: Desk) -> None:
    desk.ask(desk.buy())
    (line,), (entry,) = desk.rows(ReturnLine), desk.rows(JournalEntry)
    first = desk.rows(Posting)
    with desk.runtime.database.write() as session:
        ledger.reverse(session, entry, new_id(), desk.clock())
    assert desk.rows(Posting)[: len(first)] == first
    assert desk.balances() == {}
    assert line.state is LineState.AWAITING_SIGNATURE


def test_one_sided_booking_is_refused() -> None:
    lonely = Posting(account="a", asset="USD", side="debit", amount=1)
    with pytest.raises(LedgerUnbalanced):
        ledger.check_balanced([lonely])


# -- remainder -------------------------------------------------------------------------------------


@SOME
@given(price=st.integers(1, 10**6), shares=st.lists(st.integers(1, 10**6), max_size=8))
def test_money_out_is_at_most_money_in(desk: Desk, price: int, shares: list[int]) -> None:
    """Random partial grants on one purchase: each fits or is refused, the exact rest fits."""
    order = desk.buy(price=price)
    desk.ask(order)
    with desk.runtime.database.write() as session:
        bought = desk.rows(OrderLine, OrderLine.order_id == desk.client(order).order_id)[0]
        (first,) = desk.rows(ReturnLine, ReturnLine.order_line_id == bought.id)
        first = session.merge(first)
        first.amount, first.open = 0, False
        session.add(first)
        granted = 0
        for share in [*shares, price - min(price, sum(shares))]:
            line = ReturnLine(**{**first.model_dump(), "id": new_id(), "amount": share,
                                 "state": LineState.REQUESTED})  # fmt: skip
            if share > price - granted:
                with pytest.raises(RefundAboveRemainder):
                    check_remainder(session, line)
                continue
            check_remainder(session, line)
            line.state, granted = LineState.SETTLED, granted + share
            session.add(line)
            session.flush()
        assert granted <= price
        rest = ReturnLine(**{**first.model_dump(), "id": new_id(), "amount": price - granted})
        check_remainder(session, rest)
        rest.amount += 1
        with pytest.raises(RefundAboveRemainder):
            check_remainder(session, rest)
