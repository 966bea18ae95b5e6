"""Faults that the relayer had, each with the promise that it broke."""

from __future__ import annotations

from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import BentClient, Fuse, FusedDatabase, SilentSigner
from chain_node import Stage, person
from chain_relay import guard_of, relayer, run
from eth_abi.abi import encode

from chain.client import RpcError
from chain.contracts import encode_call, encode_signature
from chain.local import TREASURER
from chain.relay.guard import Rule
from chain.relay.parts import RelayPolicy
from returns.errors import ChainUnavailable, SignerUnavailable
from returns.words import RelayState

pytestmark = pytest.mark.chain


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32005, "limit exceeded"),
        (-32000, "header not found"),
        (-32000, "insufficient funds for gas * price + value"),
        (-32603, "internal error"),
    ],
)
def test_a_node_that_refuses_to_simulate_fails_no_return(
    chain: Stage, sqlite: Books, clock: MovingClock, code: int, message: str
) -> None:
    """Any refusal of a simulation was taken for a revert: a rate limit ended a return."""
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    relayer(chain, sqlite, clock, client=_overloaded(chain, message, code)).run_once()
    row = sqlite.relay(relay_id)
    assert (row.state, row.slot_id, row.error) == (RelayState.PENDING, None, message)
    assert sqlite.inbox() == []
    _goes_on(chain, sqlite, clock, relay_id)


@pytest.mark.parametrize(("code", "message"), [(-32005, "limit exceeded"), (-32603, "internal")])
def test_a_node_that_refuses_to_simulate_fails_no_return_that_has_its_nonce(
    chain: Stage, sqlite: Books, clock: MovingClock, code: int, message: str
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    with pytest.raises(SignerUnavailable):
        relayer(chain, sqlite, clock, signer=SilentSigner(chain.operator)).run_once()
    relayer(chain, sqlite, clock, client=_overloaded(chain, message, code)).run_once()
    row, slot = sqlite.relay(relay_id), sqlite.slot(relay_id)
    assert slot is not None
    assert (row.state, slot.nonce, slot.fill_as) == (RelayState.SENT, 0, None)
    assert (sqlite.inbox(), sqlite.attempts(relay_id)) == ([], [])
    _goes_on(chain, sqlite, clock, relay_id)


def _overloaded(chain: Stage, message: str, code: int) -> BentClient:
    """A node that refuses to simulate and nothing else."""
    return BentClient(chain.url, eth_simulateV1=lambda *_: RpcError(message, code))


def _goes_on(chain: Stage, books: Books, clock: MovingClock, relay_id: Any) -> None:
    clock.move(6)
    run(relayer(chain, books, clock), chain, clock)
    assert chain.supply() == 1
    row = books.relay(relay_id)
    assert (row.state, row.error) == (RelayState.CONFIRMED, None)


def test_a_call_that_cannot_be_simulated_holds_up_no_other(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    def only_the_second(params: Any, ask: Any) -> Any:
        is_asked = chain.mint(1).hex() in str(params)
        return RpcError("limit exceeded", -32005) if is_asked else ask()

    first, second = sqlite.owe(chain.dollar, chain.mint(1), chain.mint(2))
    client = BentClient(chain.url, eth_simulateV1=only_the_second)
    relayer(chain, sqlite, clock, client=client).run_once()
    assert sqlite.relay(first).state is RelayState.PENDING
    assert sqlite.shown(second) == "submitted"
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
    [bad] = books.owe(stranger, encode_signature("anything()"))
    [good] = books.owe(chain.dollar, chain.mint(2))
    allowed = guard_of(chain, Rule(stranger, "anything()"))
    run(relayer(chain, books, clock, guard=allowed), chain, clock)
    assert books.relay(bad).state is RelayState.FAILED
    assert books.relay(good).state is RelayState.CONFIRMED
    assert len(books.told("relay.failed")) == 1


def test_workers_do_not_take_a_lane_from_each_other_for_ever_on_a_slow_node(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """One request per simulated call outlasted the lease: each worker threw away its round."""
    most = RelayPolicy().claim
    ids = sqlite.owe(chain.dollar, *(chain.mint(1) for _ in range(most)))
    other = relayer(chain, sqlite, clock, window=most)
    opening = ["eth_chainId", "eth_getBlockByNumber", *["eth_getTransactionCount"] * 2]
    asked: list[str] = []

    def slow(methods: list[str]) -> None:
        clock.move(0.3)
        asked.append(methods[0])
        if asked != opening[: len(asked)]:
            assert other.run_once() is False

    assert relayer(chain, sqlite, clock, slow, window=most).run_once()
    assert {sqlite.shown(relay_id) for relay_id in ids} == {"submitted"}


def test_a_hiccup_of_the_node_does_not_close_the_lane_for_a_whole_lease(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    def away(methods: list[str]) -> None:
        if "eth_simulateV1" in methods:
            raise ChainUnavailable(problem="it hiccups")

    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    with pytest.raises(ChainUnavailable):
        relayer(chain, sqlite, clock, away).run_once()
    assert relayer(chain, sqlite, clock).run_once()
    assert sqlite.shown(relay_id) == "submitted"


@pytest.mark.servers
def test_two_keys_never_reserve_one_transaction(
    chain: Stage, postgres: Books, clock: MovingClock
) -> None:
    """Rows that wait belong to no lane: the slower key overwrote the faster one's nonce."""
    approve, where = encode_call("ReturnableNFT", "setEscrowApproval", True), chain.deployment
    postgres.owe(where.collection, approve, approve)
    allowed = guard_of(chain, Rule(where.collection, "setEscrowApproval(bool)"))
    second = relayer(chain, postgres, clock, signer=person(TREASURER), guard=allowed)
    simulated: list[bool] = []

    def meanwhile(_: Any, ask: Any) -> Any:
        """After the first key has claimed and simulated, before it has reserved."""
        answer = ask()
        if not simulated:
            simulated.append(True)
            second.run_once()
        return answer

    client = BentClient(chain.url, eth_simulateV1=meanwhile)
    first = relayer(chain, postgres, clock, client=client, guard=allowed)
    first.run_once()
    for one in (first, second) * 4:
        run(one, chain, clock, 1)
    assert {row.state for row in postgres.relays()} == {RelayState.CONFIRMED}
    sent = [len(chain.sent_by(one.address)) for one in (chain.operator, person(TREASURER))]
    assert sum(sent) == 2
    [last] = postgres.owe(where.collection, approve)
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
    [relay_id] = books.owe(chain.dollar, chain.mint(1))
    with pytest.raises(SignerUnavailable):
        relayer(chain, books, clock, signer=SilentSigner(chain.operator)).run_once()
    data = "0x" + (ERROR + encode(["string"], ["paused"])).hex()

    def paused(*_: Any) -> RpcError:
        return RpcError("execution reverted", 3, data)

    client = BentClient(chain.url, eth_simulateV1=paused, eth_estimateGas=paused)
    run(relayer(chain, books, clock, client=client), chain, clock)
    assert books.told("relay.failed") == [{"relay": str(relay_id), "reason": "paused"}]
    [filler] = chain.sent_by(chain.operator.address)
    assert (filler["to"], filler["value"]) == (chain.operator.address, "0x0")


def test_bytes_that_were_never_sent_are_not_replaced_for_their_age(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """A relayer that came back after a while paid more for bytes that no node had ever seen."""
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))

    def cut(methods: list[str]) -> None:
        if "eth_sendRawTransaction" in methods:
            raise ChainUnavailable(problem="it was cut off")

    with pytest.raises(ChainUnavailable):
        relayer(chain, sqlite, clock, cut).run_once()
    [stored] = sqlite.attempts(relay_id)
    clock.move(3_600)
    run(relayer(chain, sqlite, clock), chain, clock)
    [sent] = chain.sent_by(chain.operator.address)
    assert sent["hash"] == stored.hash
    assert len(sqlite.attempts(relay_id)) == 1
