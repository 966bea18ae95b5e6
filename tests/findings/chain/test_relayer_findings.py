"""Faults that the relayer had, each with the promise that it broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import Fuse, FusedDatabase, HookedClient
from chain_node import CHAIN_ID, Stage, person
from eth_abi.abi import encode

from chain.client import ChainClient, RpcError
from chain.contracts import encode_call
from chain.local import TREASURER
from chain.relayer import BATCH, Relayer
from returns.errors import ChainUnavailable
from returns.words import RelayState

pytestmark = pytest.mark.chain

Hook = Callable[[list[str]], list[Any] | None]


def relayer(
    chain: Stage, books: Books, clock: Any, hook: Hook | None = None, **parts: Any
) -> Relayer:
    client: ChainClient = chain.client if hook is None else HookedClient(chain.url, hook)
    signer = parts.pop("signer", chain.operator)
    return Relayer(books.database, client, signer, CHAIN_ID, clock, **parts)


def run(one: Relayer, chain: Stage, clock: MovingClock, rounds: int = 5) -> None:
    for _ in range(rounds):
        one.run_once()
        chain.anvil.mine()
        clock.move(6)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32005, "limit exceeded"),
        (-32000, "header not found"),
        (-32000, "insufficient funds for gas * price + value"),
        (-32603, "internal error"),
    ],
)
@pytest.mark.parametrize("after", [0, 1])
def test_a_node_that_refuses_to_simulate_fails_no_return(
    chain: Stage, sqlite: Books, clock: MovingClock, code: int, message: str, after: int
) -> None:
    """Any refusal of eth_estimateGas was taken for a revert: a rate limit ended a return."""
    [relay_id], seen = sqlite.owe(chain.dollar, chain.mint(1)), []

    def overloaded(methods: list[str]) -> list[Any] | None:
        if "eth_estimateGas" not in methods:
            return None
        seen.append(True)
        return [RpcError(message, code)] * len(methods) if len(seen) > after else None

    relayer(chain, sqlite, clock, overloaded).run_once()
    row = sqlite.relay(relay_id)
    assert (row.state, row.nonce) == [(RelayState.PENDING, None), (RelayState.SENT, 0)][after]
    assert (sqlite.inbox(), sqlite.attempts(relay_id)) == ([], [])
    run(relayer(chain, sqlite, clock), chain, clock)
    assert chain.supply() == 1
    assert (sqlite.relay(relay_id).state, sqlite.relay(relay_id).error) == (
        RelayState.CONFIRMED,
        None,
    )


def test_a_call_that_cannot_be_simulated_holds_up_no_other(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    def half(methods: list[str]) -> list[Any] | None:
        if methods[0] != "eth_estimateGas" or len(methods) < 2:
            return None
        return [RpcError("limit exceeded", -32005), "0x20000"]

    first, second = sqlite.owe(chain.dollar, chain.mint(1), chain.mint(2))
    relayer(chain, sqlite, clock, half).run_once()
    assert sqlite.relay(first).state is RelayState.PENDING
    assert sqlite.relay(second).state is RelayState.SUBMITTED
    run(relayer(chain, sqlite, clock), chain, clock)
    assert chain.supply() == 3


ERROR = bytes.fromhex("08c379a0")
HOSTILE = {
    "no length": ERROR,
    "a length beyond the data": ERROR + encode(["uint256", "uint256"], [32, 2**255]),
    "bytes that are no text": ERROR + encode(["bytes"], [b"\xff\xfe"]),
    "a NUL": ERROR + encode(["string"], ["\0"]),
    "half a word": ERROR + bytes(31),
    "a panic without a code": bytes.fromhex("4e487b71"),
}


def reverting_with(data: bytes) -> str:
    """Code that reverts with these bytes, copied from behind itself."""
    size = f"{len(data):02x}"
    return f"0x60{size}600c60003960{size}6000fd" + data.hex()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strangers_revert_data_cannot_stop_the_lane(
    chain: Stage, books: Books, clock: MovingClock, name: str
) -> None:
    """Decoding it raised, or PostgreSQL refused the text: the row was met first for ever."""
    stranger = "0x" + "bad0" * 10
    chain.anvil.rpc("anvil_setCode", stranger, reverting_with(HOSTILE[name]))
    [bad] = books.owe(stranger, b"")
    [good] = books.owe(chain.dollar, chain.mint(2))
    run(relayer(chain, books, clock), chain, clock)
    assert books.relay(bad).state is RelayState.FAILED
    assert books.relay(good).state is RelayState.CONFIRMED
    assert len(books.told("relay.failed")) == 1


def test_workers_do_not_take_a_lane_from_each_other_for_ever_on_a_slow_node(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """One request per simulated call outlasted the lease: each worker threw away its round."""
    sqlite.owe(chain.dollar, *(chain.mint(1) for _ in range(BATCH)))
    other = relayer(chain, sqlite, clock)

    def slow(methods: list[str]) -> None:
        clock.move(0.3)
        if methods[0] not in ("eth_chainId", "eth_getTransactionCount"):
            assert other.run_once() is False

    assert relayer(chain, sqlite, clock, slow).run_once()
    assert {row.state for row in sqlite.relays()} == {RelayState.SUBMITTED}


def test_a_hiccup_of_the_node_does_not_close_the_lane_for_a_whole_lease(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    def away(methods: list[str]) -> None:
        if "eth_estimateGas" in methods:
            raise ChainUnavailable(problem="it hiccups")

    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    with pytest.raises(ChainUnavailable):
        relayer(chain, sqlite, clock, away).run_once()
    assert relayer(chain, sqlite, clock).run_once()
    assert sqlite.relay(relay_id).state is RelayState.SUBMITTED


@pytest.mark.servers
def test_two_keys_never_reserve_one_transaction(
    chain: Stage, postgres: Books, clock: MovingClock
) -> None:
    """Rows that wait belong to no lane: the slower key overwrote the faster one's nonce."""
    approve = encode_call("ReturnableNFT", "setEscrowApproval", True)
    postgres.owe(chain.deployment.collection, approve, approve)
    second = relayer(chain, postgres, clock, signer=person(TREASURER))
    looks: list[str] = []

    def simulated(methods: list[str]) -> None:
        looks.extend(method for method in methods if method == "eth_estimateGas")

    def meanwhile() -> Any:
        """After the first key has simulated: at its second look at the clock it is writing."""
        if looks and len(looks) < 50:
            looks.append("clock")
            if looks.count("clock") == 2:
                looks.extend(["done"] * 50)
                second.run_once()
        return clock()

    first = relayer(chain, postgres, meanwhile, simulated)
    first.run_once()
    for one in (first, second) * 4:
        run(one, chain, clock, 1)
    assert {row.state for row in postgres.relays()} == {RelayState.CONFIRMED}
    sent = [len(chain.sent_by(one.address)) for one in (chain.operator, person(TREASURER))]
    assert sum(sent) == 2
    [last] = postgres.owe(chain.deployment.collection, approve)
    run(first, chain, clock)
    assert postgres.relay(last).state is RelayState.CONFIRMED, "its lane has a hole"


@pytest.mark.servers
def test_a_lane_that_two_workers_open_at_once_is_opened_once(
    chain: Stage, postgres: Books, clock: MovingClock
) -> None:
    [relay_id] = postgres.owe(chain.dollar, chain.mint(1))

    class Meanwhile(Fuse):
        def pass_by(self, moment: str) -> None:
            super().pass_by(moment)
            if self.moments == ["before commit"]:
                relayer(chain, postgres, clock).run_once()

    database = FusedDatabase(postgres.database.url, Meanwhile())
    late = relayer(chain, Books(database, postgres.merchant_id), clock)
    run(late, chain, clock)
    database.close()
    assert postgres.relay(relay_id).state is RelayState.CONFIRMED
    assert chain.supply() == 1


def test_what_the_chain_lost_after_finality_is_sent_again(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """A node restored from an older state left a hole that no later nonce could pass."""
    before = chain.anvil.snapshot()
    lost = books.owe(chain.dollar, chain.mint(1), chain.mint(2))
    one = relayer(chain, books, clock)
    run(one, chain, clock)
    hashes = [books.attempts(relay_id)[0].hash for relay_id in lost]
    assert {row.state for row in books.relays()} == {RelayState.CONFIRMED}
    chain.anvil.revert(before)
    chain.anvil.mine()
    books.owe(chain.dollar, chain.mint(4))
    run(one, chain, clock, 8)
    sent = chain.sent_by(chain.operator.address)
    assert [entry["hash"] for entry in sent[:2]] == hashes
    assert [int(entry["nonce"], 16) for entry in sent] == [0, 1, 2]
    assert chain.supply() == 7
    assert {row.state for row in books.relays()} == {RelayState.CONFIRMED}


def test_a_filled_nonce_tells_why_its_call_had_become_impossible(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """The person who looks was told that the transaction had reverted, which it never did."""
    [relay_id], seen = books.owe(chain.dollar, chain.mint(1)), []

    def paused(methods: list[str]) -> list[Any] | None:
        if "eth_estimateGas" not in methods:
            return None
        seen.append(True)
        data = "0x" + (ERROR + encode(["string"], ["paused"])).hex()
        return None if len(seen) == 1 else [RpcError("execution reverted", 3, data)]

    run(relayer(chain, books, clock, paused), chain, clock)
    assert books.told("relay.failed") == [{"relay": str(relay_id), "reason": "paused"}]
    [filler] = chain.sent_by(chain.operator.address)
    assert (filler["to"], filler["value"]) == (chain.operator.address, "0x0")
