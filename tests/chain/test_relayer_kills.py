"""The relayer dies between any two of its steps and is started again: one transaction, no gap."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from chain_books import Books, MovingClock
from chain_faults import Fuse, FusedClient, FusedDatabase, FusedSigner, Killed
from chain_node import Stage
from chain_relay import nonces, relayer

from chain.relay.relayer import Relayer
from returns.words import RelayState, SlotState

pytestmark = pytest.mark.chain

#: The moments of one life of a relayer; the test says so if that is no longer true.
MOMENTS = 74


@contextmanager
def fused(chain: Stage, books: Books, clock: MovingClock, fuse: Fuse) -> Iterator[Relayer]:
    """A relayer that dies at the fuse's moment."""
    database = FusedDatabase(books.database.url, fuse)
    own, client = Books(database, books.merchant_id), FusedClient(chain.url, fuse)
    signer = FusedSigner(chain.operator, fuse)
    yield relayer(chain, own, clock, client=client, signer=signer, confirmations=2)
    database.close()


def live(chain: Stage, books: Books, clock: MovingClock, fuse: Fuse, rounds: int = 3) -> bool:
    """One life of a relayer; False if it was killed."""
    with fused(chain, books, clock, fuse) as one:
        for _ in range(rounds):
            try:
                one.run_once()
            except Killed:
                return False
            chain.anvil.mine()
            clock.move(6)
    return True


def start_again(chain: Stage, books: Books, clock: MovingClock) -> None:
    chain.anvil.mine()
    clock.move(11)
    for _ in range(6):
        assert live(chain, books, clock, Fuse(), rounds=1)
        if {row.state for row in books.relays()} == {RelayState.CONFIRMED}:
            return


def assert_each_once(chain: Stage, books: Books, expected: int) -> None:
    sent = chain.sent_by(chain.operator.address)
    calls = [chain.mint(1 << index).hex() for index in range(expected)]
    assert [one["input"][2:] for one in sent] == calls
    assert nonces(chain) == list(range(expected))
    stored = [books.attempts(row.id) for row in books.relays()]
    assert [[one.hash for one in attempts] for attempts in stored] == [[s["hash"]] for s in sent]
    assert {row.state for row in books.relays()} == {RelayState.CONFIRMED}
    assert books.inbox() == []


def test_there_are_no_more_moments_than_are_tried(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    sqlite.owe(chain.dollar, chain.mint(1), chain.mint(2))
    fuse = Fuse()
    assert live(chain, sqlite, clock, fuse)
    assert_each_once(chain, sqlite, 2)
    steps = ("signing", "eth_sendRawTransaction", "eth_getBlockReceipts", "commit")
    assert all(any(step in moment for moment in fuse.moments) for step in steps)
    assert len(fuse.moments) == MOMENTS


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_moment_it_goes_on_without_a_second_transaction(
    chain: Stage, sqlite: Books, clock: MovingClock, moment: int
) -> None:
    sqlite.owe(chain.dollar, chain.mint(1), chain.mint(2))
    live(chain, sqlite, clock, Fuse(moment))
    start_again(chain, sqlite, clock)
    assert_each_once(chain, sqlite, 2)


@pytest.mark.servers
@pytest.mark.parametrize("moment", range(2, 52, 7))
def test_killed_on_postgresql_it_goes_on_as_well(
    chain: Stage, postgres: Books, clock: MovingClock, moment: int
) -> None:
    postgres.owe(chain.dollar, chain.mint(1), chain.mint(2))
    live(chain, postgres, clock, Fuse(moment))
    start_again(chain, postgres, clock)
    assert_each_once(chain, postgres, 2)


@pytest.mark.parametrize("seed", range(5))
def test_killed_many_times_in_a_row_it_goes_on(
    chain: Stage, sqlite: Books, clock: MovingClock, seed: int
) -> None:
    dice = random.Random(seed)
    for index in range(6):
        sqlite.owe(chain.dollar, chain.mint(1 << index))
        live(chain, sqlite, clock, Fuse(dice.randrange(30)), rounds=2)
        if dice.random() < 0.5:
            chain.anvil.mine()
        clock.move(dice.choice((1, 11)))
    start_again(chain, sqlite, clock)
    assert_each_once(chain, sqlite, 6)


@pytest.mark.parametrize(
    ("moment", "stored", "broadcast"),
    [
        ("after the nonce is reserved", 0, 0),
        ("after signing", 0, 0),
        ("after the bytes are stored", 1, 0),
        ("after broadcasting", 1, 1),
    ],
)
def test_the_named_steps_leave_what_they_promise(
    chain: Stage,
    sqlite: Books,
    clock: MovingClock,
    moment: str,
    stored: int,
    broadcast: int,
) -> None:
    """The write-ahead order itself: nothing is broadcast whose bytes are not stored."""
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    with suppress(Killed):
        live(chain, sqlite, clock, _Named(moment))
    row, slot, attempts = sqlite.relay(relay_id), sqlite.slot(relay_id), sqlite.attempts(relay_id)
    assert slot is not None
    assert (row.state, slot.state) == (RelayState.SENT, SlotState.SENT)
    assert (slot.nonce, len(attempts)) == (0, stored)
    pool = chain.anvil.rpc("txpool_status")
    assert int(pool["pending"], 16) + int(pool["queued"], 16) == broadcast
    start_again(chain, sqlite, clock)
    assert_each_once(chain, sqlite, 1)
    assert not attempts or [one.raw for one in sqlite.attempts(relay_id)] == [attempts[0].raw]


class _Named(Fuse):
    """Kills at a step by its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def pass_by(self, moment: str) -> None:
        super().pass_by(moment)
        if self._name == self._step(moment):
            raise Killed(moment)

    def _step(self, moment: str) -> str:
        if moment == "after signing":
            return "after signing"
        if moment == "after eth_sendRawTransaction":
            return "after broadcasting"
        if moment != "after commit":
            return ""
        if "after signing" in self.moments:
            return "after the bytes are stored"
        return "after the nonce is reserved" if "after eth_chainId" in self.moments[2:] else ""
