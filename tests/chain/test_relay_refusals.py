"""What a node, a signer or an empty account refuses, on Anvil: nothing is lost or doubled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import BentClient, HookedClient, SilentSigner
from chain_node import CHAIN_ID, Stage
from chain_relay import look, nonces, relayer, run, set_coin, worst_of_a_mint

from chain.client import RpcError
from returns.errors import (
    ChainMismatch,
    ChainUnavailable,
    SignerRefused,
    SignerUnavailable,
    UndropError,
)
from returns.words import RelayState, SlotState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]


class Refusing:
    """eth_sendRawTransaction refuses so often; the bytes reach the pool all the same, or not."""

    def __init__(self, words: str, times: int = 1, *, reaches: bool = False) -> None:
        self.words, self.times, self.reaches = words, times, reaches
        self.sent: list[str] = []

    def __call__(self, params: Any, ask: Any) -> Any:
        self.sent.append(params[0])
        if self.times == 0:
            return ask()
        self.times -= 1
        if self.reaches:
            ask()
        return RpcError(self.words, -32000)

    def client(self, chain: Stage) -> BentClient:
        return BentClient(chain.url, eth_sendRawTransaction=self)


# -- the node --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["already known", "AlreadyKnown", "Tx: [0x00] already Imported"])
def test_what_the_pool_knows_already_is_on_its_way(
    chain: Stage, books: Books, clock: MovingClock, words: str
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    refusing = Refusing(words, reaches=True)
    one = relayer(chain, books, clock, client=refusing.client(chain))
    one.run_once()
    assert books.shown(relay_id) == "submitted"
    assert books.attempts(relay_id)[0].error is None
    run(one, chain, clock, 3)
    assert (chain.supply(), nonces(chain), len(refusing.sent)) == (1, [0], 1)


@pytest.mark.parametrize(
    "words",
    [
        "nonce too low",
        "nonce too high",
        "insufficient funds for gas * price + value",
        "txpool is full",
        "internal error",
    ],
)
@pytest.mark.parametrize("reaches", [False, True])
def test_what_is_refused_for_now_is_told_again_with_the_same_bytes(
    chain: Stage, sqlite: Books, clock: MovingClock, words: str, reaches: bool
) -> None:
    """A node can be wrong: whether it took them is read from blocks, never from its words."""
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    refusing = Refusing(words, times=2, reaches=reaches)
    one = relayer(chain, sqlite, clock, client=refusing.client(chain))
    one.run_once()
    row, slot = sqlite.relay(relay_id), sqlite.the_slot(relay_id)
    assert (row.state, slot.state, slot.fill_as, slot.bump) == (
        RelayState.SENT, SlotState.SENT, None, False,
    )  # fmt: skip
    assert sqlite.attempts(relay_id)[0].error == words
    run(one, chain, clock, 6)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED
    assert len(sqlite.attempts(relay_id)) == len(set(refusing.sent)) == 1
    assert sqlite.inbox() == []


@pytest.mark.parametrize(
    "words",
    [
        "replacement transaction underpriced",
        "transaction underpriced",
        "max fee per gas less than block base fee",
    ],
)
def test_what_is_too_cheap_is_offered_again_for_more(
    chain: Stage, sqlite: Books, clock: MovingClock, words: str
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    refusing = Refusing(words, times=2)
    one = relayer(chain, sqlite, clock, client=refusing.client(chain))
    for _ in range(4):
        one.run_once()
        clock.move(2)
    offered = sqlite.attempts(relay_id)
    assert len(offered) == len(set(refusing.sent)) == 3
    for old, new in pairwise(offered):
        assert 8 * new.max_fee >= 9 * old.max_fee
        assert 8 * new.priority_fee >= 9 * old.priority_fee
    run(one, chain, clock, 3)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert sqlite.the_slot(relay_id).mined_hash == offered[2].hash


@pytest.mark.parametrize("words", ["exceeds block gas limit", "oversized data"])
def test_what_no_block_can_hold_ends_and_its_nonce_is_filled(
    chain: Stage, sqlite: Books, clock: MovingClock, words: str
) -> None:
    doomed, after = sqlite.owe(chain.dollar, chain.mint(1), chain.mint(2))

    def one_of_them(params: Any, ask: Any) -> Any:
        return RpcError(words, -32000) if chain.mint(1).hex() in params[0] else ask()

    client = BentClient(chain.url, eth_sendRawTransaction=one_of_them)
    run(relayer(chain, sqlite, clock, client=client), chain, clock)
    assert sqlite.relay(doomed).state is RelayState.FAILED
    assert sqlite.relay(after).state is RelayState.CONFIRMED
    filler, mint = chain.sent_by(chain.operator.address)
    assert (filler["to"], mint["to"]) == (chain.operator.address, chain.dollar)
    assert (chain.supply(), len(sqlite.told("relay.failed"))) == (2, 1)


def test_one_such_answer_ends_nothing(chain: Stage, sqlite: Books, clock: MovingClock) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    refusing = Refusing("exceeds block gas limit")
    run(relayer(chain, sqlite, clock, client=refusing.client(chain)), chain, clock)
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED
    assert (chain.supply(), len(set(refusing.sent)), nonces(chain)) == (1, 1, [0])


@pytest.mark.parametrize("reaches", [False, True])
def test_a_lost_answer_is_followed_by_the_same_bytes(
    chain: Stage, books: Books, clock: MovingClock, reaches: bool
) -> None:
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    lost = []

    def time_out(_: Any, ask: Any) -> Any:
        if not lost:
            lost.append(True)
            if reaches:
                ask()
            raise ChainUnavailable(problem="ReadTimeout")
        return ask()

    client = BentClient(chain.url, eth_sendRawTransaction=time_out)
    one = relayer(chain, books, clock, client=client)
    with pytest.raises(ChainUnavailable):
        one.run_once()
    assert books.shown(relay_id) == "sent"
    [stored] = books.attempts(relay_id)
    assert stored.sent_at is None
    run(one, chain, clock, 4)
    [sent] = chain.sent_by(chain.operator.address)
    assert (sent["hash"], chain.supply()) == (stored.hash, 1)
    assert books.relay(relay_id).state is RelayState.CONFIRMED


def test_a_node_that_becomes_another_chains_gets_nothing_signed(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    books.owe(chain.dollar, chain.mint(1))
    client, signer = BentClient(chain.url), SilentSigner(chain.operator)
    one = relayer(chain, books, clock, client=client, signer=signer)
    signer.fault = None
    look(one)
    chain.anvil.mine()
    clock.move(2)
    look(one)
    [waits] = books.owe(chain.dollar, chain.mint(2))
    client.bends = {"eth_chainId": lambda *_: hex(CHAIN_ID + 1)}
    before = signer.asked
    for _ in range(3):
        clock.move(2)
        with pytest.raises(ChainMismatch):
            look(one)
    assert (books.relay(waits).state, books.slot(waits)) == (RelayState.PENDING, None)
    assert signer.asked == before
    client.bends = {}
    run(one, chain, clock, 4)
    assert (chain.supply(), nonces(chain)) == (3, [0, 1])


# -- the signer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [SignerRefused(problem="not today"), SignerUnavailable(problem="it is away")],
    ids=lambda fault: fault.code,
)
def test_a_signer_that_does_not_sign_sends_nothing_and_loses_no_nonce(
    chain: Stage, books: Books, clock: MovingClock, fault: UndropError
) -> None:
    ids = books.owe(chain.dollar, *(chain.mint(1 << index) for index in range(3)))
    signer = SilentSigner(chain.operator, fault)
    one = relayer(chain, books, clock, signer=signer)
    for _ in range(4):
        with pytest.raises(type(fault)):
            one.run_once()
        clock.move(6)
    assert [books.the_slot(relay_id).nonce for relay_id in ids] == [0, 1, 2]
    assert [books.attempts(relay_id) for relay_id in ids] == [[], [], []]
    assert books.lane().next_nonce == 3
    assert str(fault) in (books.lane().alarm or "")
    assert chain.anvil.rpc("txpool_status")["pending"] == "0x0"
    signer.fault = None
    run(one, chain, clock, 4)
    assert (chain.supply(), nonces(chain), books.inbox()) == (7, [0, 1, 2], [])
    assert books.lane().alarm is None


def test_what_was_signed_before_the_signer_went_away_is_sent(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    ids = books.owe(chain.dollar, *(chain.mint(1 << index) for index in range(3)))

    class Tired(SilentSigner):
        def sign(self, preimage: bytes) -> bytes:
            self.fault = SignerUnavailable(problem="tired") if self.asked == 2 else None
            return super().sign(preimage)

    with pytest.raises(SignerUnavailable):
        relayer(chain, books, clock, signer=Tired(chain.operator)).run_once()
    assert [books.shown(relay_id) for relay_id in ids] == ["submitted", "submitted", "sent"]
    run(relayer(chain, books, clock), chain, clock, 4)
    assert (chain.supply(), nonces(chain)) == (7, [0, 1, 2])


def test_what_is_mined_is_seen_while_the_signer_is_away(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [mined] = sqlite.owe(chain.dollar, chain.mint(1))
    relayer(chain, sqlite, clock).run_once()
    chain.anvil.mine()
    [unsigned] = sqlite.owe(chain.dollar, chain.mint(2))
    away = relayer(chain, sqlite, clock, signer=SilentSigner(chain.operator))
    for _ in range(3):
        clock.move(6)
        with pytest.raises(SignerUnavailable):
            away.run_once()
    assert sqlite.relay(mined).state is RelayState.CONFIRMED
    assert sqlite.shown(unsigned) == "sent"


# -- coin ------------------------------------------------------------------------------------------


def test_an_empty_lane_sends_nothing_says_so_and_goes_on_after_a_deposit(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    set_coin(chain, 1_000)
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, books, clock)
    for _ in range(3):
        one.run_once()
        clock.move(3)
    lane = books.lane()
    assert (lane.balance, lane.alarm) == (1_000, "low balance: nothing new is sent")
    assert (books.relay(relay_id).state, books.slot(relay_id)) == (RelayState.PENDING, None)
    assert lane.next_nonce == 0
    set_coin(chain, 10**18)
    run(one, chain, clock, 4)
    assert (chain.supply(), nonces(chain), books.inbox()) == (1, [0], [])
    assert (books.lane().alarm, books.lane().alarm_since) == (None, None)


def test_a_lane_sends_as_many_as_its_coin_pays_for_at_their_worst(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    worst = worst_of_a_mint(chain, sqlite, clock)
    one = relayer(chain, sqlite, clock)
    set_coin(chain, 3 * worst + worst // 2)
    ids = sqlite.owe(chain.dollar, *(chain.mint(1) for _ in range(6)), at=clock())
    for _ in range(3):
        look(one)
        assert [sqlite.shown(relay_id) for relay_id in ids].count("submitted") == 3
        clock.move(3)
    assert sqlite.lane().alarm == "low balance: nothing new is sent"
    chain.anvil.mine()
    set_coin(chain, 10**18)
    run(one, chain, clock)
    assert {row.state for row in sqlite.relays()} == {RelayState.CONFIRMED}


def test_a_lane_keeps_coin_for_self_transfers(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    set_coin(chain, 10**18)
    sqlite.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, sqlite, clock, floor=10**18)
    one.run_once()
    assert nonces(chain) == []
    assert sqlite.lane().alarm == "low balance: nothing new is sent"


def test_requests_do_not_grow_with_what_is_sent(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """Sixteen intents cost as many requests as one."""
    requests: list[int] = []
    for count in (1, 16):
        sqlite.owe(chain.dollar, *(chain.mint(1) for _ in range(count)), at=clock())
        asked: list[list[str]] = []
        one = relayer(chain, sqlite, clock, client=HookedClient(chain.url, asked.append))
        one.run_once()
        requests.append(len(asked))
        run(one, chain, clock, 3)
    # The first round opens the lane: its key's nonce is asked for twice.
    assert requests[0] - 2 == requests[1]
