"""Lanes side by side on real Anvils: many keys, two chains, one database, each call once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_node import Anvil, Stage, create, person
from sqlmodel import select

from chain.client import ChainClient
from chain.contracts import encode_signature
from chain.local import CUSTOMERS, OPERATOR, TREASURER
from chain.relay.fleet import Fleet
from chain.relay.guard import Guard, Rule
from chain.relay.parts import Parts, RelayPolicy
from chain.relay.relayer import Relayer
from returns.clock import system_clock
from returns.errors import ChainMismatch
from returns.ids import new_id
from returns.tables import Lane
from returns.words import LanePurpose, RelayState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]

OTHER = 31338
RECORD = "record(bytes32)"
PATIENCE = 60


@dataclass(eq=False)
class Side:
    """A chain with a contract that counts what is recorded on it."""

    chain_id: int
    client: ChainClient
    anvil: Anvil
    recorder: str

    def parts(self, books: Books, clock: Any, **policy: Any) -> Parts:
        """What its lanes share."""
        guard = Guard([Rule(self.recorder, RECORD)])
        given = RelayPolicy(**policy)
        return Parts(books.database, self.client, self.chain_id, clock, guard, given)

    def owe(self, books: Books, clock: Any, count: int) -> list[bytes]:
        """So many records; returns what they are told by."""
        names = [new_id().bytes.rjust(32, b"\0") for _ in range(count)]
        calls = [encode_signature(RECORD, name) for name in names]
        books.owe(self.recorder, *calls, at=clock(), chain_id=self.chain_id)
        return names

    def executions(self, names: list[bytes]) -> set[int]:
        """How often each was recorded."""
        calls = [(self.recorder, encode_signature("executions(bytes32)", one)) for one in names]
        answers = self.client.eth_calls(calls, self.client.newest())
        return {int.from_bytes(one) for one in answers if isinstance(one, bytes)}

    def total(self) -> int:
        """How often anything was."""
        return int.from_bytes(self.client.eth_call(self.recorder, encode_signature("total()")))


@pytest.fixture
def here(chain: Stage) -> Side:
    """The module's chain."""
    chain.anvil.automine(True)
    recorder = create(chain.client, "Recorder", file="Recorder")
    chain.anvil.automine(False)
    return Side(chain.deployment.chain_id, chain.client, chain.anvil, recorder)


@pytest.fixture
def there() -> Iterator[Side]:
    """Another chain."""
    anvil = Anvil("--chain-id", str(OTHER))
    try:
        recorder = create(anvil.client, "Recorder", file="Recorder")
        anvil.automine(False)
        yield Side(OTHER, anvil.client, anvil, recorder)
    finally:
        anvil.stop()


@contextmanager
def running(*fleets: Fleet) -> Iterator[None]:
    """Fleets at work, each in a thread of its own, until the test is done with them."""
    stop = Event()
    threads = [Thread(target=fleet.run, args=(stop,)) for fleet in fleets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=PATIENCE)
        assert not any(thread.is_alive() for thread in threads)


def wait_until_confirmed(books: Books, count: int) -> None:
    """Wait for so many; how long that takes is nobody's promise here."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        rows = books.relays()
        if sum(row.state is RelayState.CONFIRMED for row in rows) >= count:
            return
        time.sleep(0.1)
    raise AssertionError([(row.state, row.error) for row in books.relays()])


def lanes(books: Books) -> list[Lane]:
    with books.database.read() as session:
        return list(session.exec(select(Lane)))


# -- two chains ------------------------------------------------------------------------------------


def test_one_key_has_a_lane_on_each_chain_and_calls_go_to_their_own(
    here: Side, there: Side, books: Books, clock: MovingClock
) -> None:
    sides = {side: side.owe(books, clock, 3) for side in (here, there)}
    workers = [Relayer(side.parts(books, clock), person(OPERATOR)) for side in sides]
    for _ in range(4):
        for side, worker in zip(sides, workers, strict=True):
            worker.run_once()
            side.anvil.mine()
        clock.move(6)
    for side, names in sides.items():
        assert (side.executions(names), side.total()) == ({1}, 3)
    assert {row.state for row in books.relays()} == {RelayState.CONFIRMED}
    opened = {lane.chain_id: lane.next_nonce for lane in lanes(books)}
    first = here.client.transaction_count(person(OPERATOR).address)
    assert opened == {here.chain_id: first, OTHER: 3}


def test_a_lane_is_not_opened_on_the_wrong_chain(
    here: Side, there: Side, sqlite: Books, clock: MovingClock
) -> None:
    here.owe(sqlite, clock, 1)
    mistaken = Side(here.chain_id, there.client, there.anvil, here.recorder)
    with pytest.raises(ChainMismatch):
        Relayer(mistaken.parts(sqlite, clock), person(OPERATOR)).run_once()
    assert lanes(sqlite) == []
    assert there.client.transaction_count(person(OPERATOR).address) == 0


# -- fleets ----------------------------------------------------------------------------------------

KEYS = [person(index) for index in (OPERATOR, TREASURER, *CUSTOMERS[:2])]


def test_many_keys_execute_each_call_once_on_two_chains(
    here: Side, there: Side, books: Books
) -> None:
    sides = {side: side.owe(books, system_clock, 60) for side in (here, there)}
    for side in sides:
        side.anvil.rpc("evm_setIntervalMining", 1)
    with running(*(Fleet(side.parts(books, system_clock), KEYS) for side in sides)):
        wait_until_confirmed(books, 120)
    for side, names in sides.items():
        side.anvil.rpc("evm_setIntervalMining", 0)
        assert (side.executions(names), side.total()) == ({1}, 60)
    assert {lane.lease_until for lane in lanes(books)} == {None}, "every lease was given back"
    assert all(len(books.attempts(row.id)) == 1 for row in books.relays())


def test_a_chain_whose_node_is_away_holds_up_no_other(
    here: Side, there: Side, sqlite: Books
) -> None:
    names = here.owe(sqlite, system_clock, 10)
    there.owe(sqlite, system_clock, 10)
    there.anvil.stop()
    here.anvil.rpc("evm_setIntervalMining", 1)
    with running(*(Fleet(side.parts(sqlite, system_clock), KEYS[:2]) for side in (here, there))):
        wait_until_confirmed(sqlite, 10)
    here.anvil.rpc("evm_setIntervalMining", 0)
    assert (here.executions(names), here.total()) == ({1}, 10)
    waiting = [row for row in sqlite.relays() if row.chain_id == OTHER]
    assert {row.state for row in waiting} == {RelayState.PENDING}
    assert sqlite.inbox() == []


def test_a_fleet_that_is_stopped_in_the_middle_goes_on_when_it_is_started_again(
    here: Side, books: Books
) -> None:
    names = here.owe(books, system_clock, 120)
    here.anvil.rpc("evm_setIntervalMining", 1)
    for reached in (20, 60, 120):
        with running(Fleet(here.parts(books, system_clock), KEYS[:3])):
            wait_until_confirmed(books, reached)
    here.anvil.rpc("evm_setIntervalMining", 0)
    assert (here.executions(names), here.total()) == ({1}, 120)


def test_what_a_lost_key_has_signed_is_brought_to_its_end_and_the_rest_goes_on_elsewhere(
    here: Side, sqlite: Books, clock: MovingClock
) -> None:
    """A key that was taken out of the settings: its bytes are ours, its nonces are not."""
    names = here.owe(sqlite, clock, 3)
    old = Relayer(here.parts(sqlite, clock, window=2), person(OPERATOR))
    old.run_once()
    assert [sqlite.shown(row.id) for row in sqlite.relays()] == ["submitted"] * 2 + ["pending"]
    here.anvil.rpc("anvil_dropAllTransactions")
    here.anvil.rpc("evm_setIntervalMining", 1)
    with running(Fleet(here.parts(sqlite, system_clock), [person(TREASURER)])):
        wait_until_confirmed(sqlite, 3)
    here.anvil.rpc("evm_setIntervalMining", 0)
    assert (here.executions(names), here.total()) == ({1}, 3)


def test_a_lane_of_the_treasury_takes_no_calls(here: Side, sqlite: Books) -> None:
    names = here.owe(sqlite, system_clock, 5)
    here.anvil.rpc("evm_setIntervalMining", 1)
    treasury = person(TREASURER)
    before = here.client.transaction_count(treasury.address)
    with running(Fleet(here.parts(sqlite, system_clock), [person(OPERATOR)], treasury)):
        wait_until_confirmed(sqlite, 5)
    here.anvil.rpc("evm_setIntervalMining", 0)
    assert (here.executions(names), here.total()) == ({1}, 5)
    assert here.client.transaction_count(treasury.address) == before
    assert {lane.purpose for lane in lanes(sqlite)} == {LanePurpose.OPERATE, LanePurpose.TOP_UP}
