"""Balances: exact sums of any moment in one query, the same on both databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from desk import Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_desk import TOKEN, book
from sqlmodel import select

from returns import ledger
from returns.ledger import Move
from returns.money import MAX_AMOUNT
from returns.tables import JournalEntry, Leg, Posting
from returns.words import LegKind, LegState
from settlement.commands import ledger as commands

SOME = settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
MOVES = st.builds(
    Move,
    source=st.sampled_from(["a", "b", "c"]),
    target=st.sampled_from(["d", "e"]),
    asset=st.sampled_from(["USD", "ETH", TOKEN]),
    amount=st.one_of(st.integers(0, 10), st.integers(0, MAX_AMOUNT)),
)
#: Seconds after the one before, moves, and whether it is reversed by and by.
ENTRIES = st.lists(
    st.tuples(st.integers(0, 3), st.lists(MOVES, min_size=1, max_size=3), st.booleans()),
    min_size=1,
    max_size=6,
)
Balances = dict[tuple[str, str], int]


def naive(desk: Desk, at: datetime | None = None) -> Balances:
    """Every posting, one after the other."""
    totals: Balances = defaultdict(int)
    booked = {entry.id: entry.booked_at for entry in desk.rows(JournalEntry)}
    for posting in desk.rows(Posting, Posting.merchant_id == desk.merchant.id):
        if at is None or booked[posting.entry_id] <= at:
            totals[posting.account, posting.asset] += ledger.signed(posting)
    return dict(totals)


@contextmanager
def counted(desk: Desk) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    sa.event.listen(desk.runtime.database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(desk.runtime.database.engine, "before_cursor_execute", note)


def balances(desk: Desk, at: datetime | None = None, **scope: object) -> Balances:
    with desk.runtime.database.read() as session, counted(desk) as statements:
        found = ledger.balances(session, desk.merchant.id, at=at, **scope)
    assert len(statements) == 1
    return found


@SOME
@given(entries=ENTRIES)
def test_of_every_moment_are_what_was_booked_until_then(
    desk: Desk, entries: list[tuple[int, list[Move], bool]]
) -> None:
    begin, made = desk.clock(), []
    for seconds, moves, _ in entries:
        desk.clock.move(seconds=seconds)
        made.append(book(desk, *moves))
    moments = [begin - timedelta(seconds=1), *(entry.booked_at for entry in made)]
    for moment in [*moments, *(m - timedelta(microseconds=1) for m in moments)]:
        assert balances(desk, moment) == naive(desk, moment)
    assert balances(desk) == naive(desk)


@SOME
@given(entries=ENTRIES)
def test_reversal_brings_back_exactly_what_was(
    desk: Desk, entries: list[tuple[int, list[Move], bool]]
) -> None:
    def standing() -> Balances:
        return {key: value for key, value in balances(desk).items() if value}

    for _, moves, stays in entries:
        before = standing()
        entry = book(desk, *moves)
        if not stays:
            with desk.runtime.database.write() as session:
                ledger.reverse(session, entry, uuid4(), desk.clock())
            assert standing() == before
    totals: dict[str, int] = defaultdict(int)
    for (_, asset), amount in balances(desk).items():
        totals[asset] += amount
    assert set(totals.values()) <= {0}


def test_above_the_largest_single_amount_are_exact(desk: Desk) -> None:
    for _ in range(20):
        book(desk, Move("a", "b", "ETH", MAX_AMOUNT))
    assert balances(desk) == {("a", "ETH"): -20 * MAX_AMOUNT, ("b", "ETH"): 20 * MAX_AMOUNT}


def test_are_of_one_merchant(desk: Desk) -> None:
    book(desk, Move("a", "b", "USD", 5))
    other = Desk(desk.runtime, "other")
    book(other, Move("a", "b", "USD", 7))
    assert balances(desk)["b", "USD"] == 5
    assert balances(other)["b", "USD"] == 7


def test_of_nothing_are_none(desk: Desk) -> None:
    assert balances(desk) == balances(desk, desk.clock(), final=True) == {}


def test_of_one_account_tell_capitals_and_signs_apart(desk: Desk) -> None:
    for name in ("store_credit:ann", "store_credit:Ann", "store_credit:a%n", "store_credit:an"):
        book(desk, Move(name, "x", "USD", 5))
    assert balances(desk, account="store_credit:ann") == {("store_credit:ann", "USD"): -5}
    assert set(balances(desk, prefix="store_credit:a%")) == {("store_credit:a%n", "USD")}
    assert len(balances(desk, prefix="store_credit:a")) == 3
    assert len(balances(desk, prefix="store_credit:")) == 4


class TestFinal:
    """What a confirmed leg books can still be undone by a reorg."""

    def settled(self, desk: Desk) -> Leg:
        rma = desk.ask(desk.buy(tender="wallet"))["rma"]
        desk.sign(rma)
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        leg = desk.leg(rma, LegKind.SWAP)
        assert leg.state is LegState.CONFIRMED
        return leg

    def test_leaves_out_what_is_only_confirmed(self, desk: Desk) -> None:
        self.settled(desk)
        assert balances(desk)[ledger.VAULT, self.token(desk)] == 1
        assert (ledger.VAULT, self.token(desk)) not in balances(desk, final=True)
        assert balances(desk, final=True)[ledger.REFUNDS_PAYABLE, "ETH"] == -1000
        desk.run()
        assert balances(desk, final=True) == balances(desk)
        assert balances(desk)[ledger.REFUNDS_PAYABLE, "ETH"] == 0

    def test_says_of_each_entry_whether_it_is_provisional(self, desk: Desk) -> None:
        self.settled(desk)
        assert self.shown(desk) == {"grant": False, "swap": True}
        desk.run()
        assert self.shown(desk) == {"grant": False, "swap": False}

    def test_a_reorg_takes_back_what_was_provisional(self, desk: Desk) -> None:
        leg = self.settled(desk)
        before = balances(desk, final=True)
        desk.reorg(1, again=False)
        desk.work()
        standing = {key: value for key, value in balances(desk).items() if value}
        assert standing == {key: value for key, value in before.items() if value}
        assert balances(desk, leg.updated_at, final=True) == before

    def token(self, desk: Desk) -> str:
        (asset,) = {row.asset for row in desk.rows(Posting) if row.asset.startswith("eip155")}
        return str(asset)

    def shown(self, desk: Desk) -> dict[str, bool]:
        with desk.runtime.database.read() as session:
            query = select(JournalEntry.kind, ledger.is_provisional())
            return dict(session.exec(query).all())


def test_view_is_cut_at_its_limit_and_says_so(desk: Desk) -> None:
    for number in range(3):
        book(desk, Move("a", f"b{number}", "USD", 5))
    view = commands.balances(desk.runtime, desk.merchant.id, prefix="b", limit=2)
    assert [row["account"] for row in view["balances"]] == ["b0", "b1"]
    assert view["truncated"]
    view = commands.balances(desk.runtime, desk.merchant.id, prefix="b", limit=3)
    assert len(view["balances"]) == 3
    assert not view["truncated"]


@pytest.mark.parametrize("amount", [0, 1, MAX_AMOUNT])
def test_amounts_travel_as_digits(desk: Desk, amount: int) -> None:
    book(desk, Move("a", "b", "ETH", amount))
    rows = commands.balances(desk.runtime, desk.merchant.id)["balances"]
    assert rows[1] == {"account": "b", "asset": "ETH", "balance": str(amount)}
