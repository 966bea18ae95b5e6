"""Deposits that share a transaction, on a real Anvil: one that fails costs only itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_deposits import (
    FIRST,
    STRANGER,
    deposit,
    mint_tokens,
    moved_away,
    owe,
    owe_many,
    owners,
    sent,
    states,
)
from chain_faults import BentClient
from chain_life import HOLDER, Life
from chain_node import create, person
from chain_relay import facts_of, nonces, relayer, run

from chain.contracts import encode_call
from chain.local import GUARDIAN, OPERATOR
from chain.relay import queue
from returns.errors import ChainUnavailable, NotCancelable
from returns.words import RelayState

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("usual_price")]


@pytest.fixture
def sent_before(life: Life) -> int:
    """How many transactions the operator has sent before the test."""
    life.stage.anvil.automine(True)
    return life.stage.client.transaction_count(life.stage.operator.address)


def test_twenty_five_deposits_are_one_transaction(
    life: Life, books: Books, clock: MovingClock, sent_before: int
) -> None:
    ids = owe_many(books, life, clock, 25)
    run(relayer(life.stage, books, clock, window=25), life.stage, clock, 3)
    assert len(sent(life, sent_before)) == 1
    assert states(books, ids) == [RelayState.CONFIRMED] * 25
    assert len({books.relay(relay_id).slot_id for relay_id in ids}) == 1
    assert books.the_slot(ids[0]).intents == 25
    assert owners(life, 25) == [life.escrow] * 25
    assert books.inbox() == []


def test_a_batch_that_does_what_its_intents_say_is_looked_at_once_and_as_it_is_sent(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    ids, looked_at = owe_many(sqlite, life, clock, 4), []

    def note(params: Any, ask: Any) -> Any:
        looked_at.extend(call["data"] for call in params[0]["blockStateCalls"][0]["calls"])
        return ask()

    client = BentClient(life.stage.url, eth_simulateV1=note)
    run(relayer(life.stage, sqlite, clock, client=client), life.stage, clock, 3)
    assert states(sqlite, ids) == [RelayState.CONFIRMED] * 4
    [batch] = sent(life, sent_before)
    assert looked_at == [batch["input"]]


def test_where_one_of_a_batch_fails_each_is_looked_at_by_itself(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    ids, looked_at = owe_many(sqlite, life, clock, 3), []
    moved_away(life, FIRST + 1)

    def note(params: Any, ask: Any) -> Any:
        looked_at.append(len(params[0]["blockStateCalls"][0]["calls"]))
        return ask()

    client = BentClient(life.stage.url, eth_simulateV1=note)
    run(relayer(life.stage, sqlite, clock, client=client), life.stage, clock, 3)
    assert states(sqlite, ids) == [RelayState.CONFIRMED, RelayState.FAILED, RelayState.CONFIRMED]
    # The batch; its items in a block, and one by one; those that are left as a batch.
    assert looked_at == [1, 3, 1, 1, 1, 1]
    assert len(sent(life, sent_before)) == 1


def test_an_intent_that_waits_for_company_leaves_with_those_that_are_due(
    life: Life, books: Books, clock: MovingClock, sent_before: int
) -> None:
    mint_tokens(life, 4)
    due = owe(books, life, deposit(life, FIRST), clock)
    soon, late, alone = (
        owe(books, life, deposit(life, FIRST + 1 + index), clock, **more)
        for index, more in enumerate(
            [
                {"due_at": clock.ahead(0.2)},
                {"due_at": clock.ahead(20)},
                {"due_at": clock.ahead(0.2), "batch_limit": 1},
            ]
        )
    )
    one = relayer(life.stage, books, clock, batch_window=timedelta(seconds=1))
    one.run_once()
    assert books.relay(due).slot_id == books.relay(soon).slot_id is not None
    assert [books.shown(relay_id) for relay_id in (late, alone)] == ["pending", "pending"]
    assert len(nonces(life.stage)) == sent_before


def test_one_that_fails_in_simulation_fails_alone(
    life: Life, books: Books, clock: MovingClock, sent_before: int
) -> None:
    ids = owe_many(books, life, clock, 5)
    moved_away(life, FIRST + 2)
    run(relayer(life.stage, books, clock), life.stage, clock, 3)
    assert len(sent(life, sent_before)) == 1
    assert states(books, ids) == [
        RelayState.CONFIRMED, RelayState.CONFIRMED, RelayState.FAILED, *[RelayState.CONFIRMED] * 2,
    ]  # fmt: skip
    [told] = books.told("relay.failed")
    assert told["relay"] == str(ids[2])
    assert books.relay(ids[2]).slot_id is None
    assert owners(life, 5) == [life.escrow] * 2 + [STRANGER.address] + [life.escrow] * 2


def test_one_that_fails_only_in_company_is_looked_at_alone(
    life: Life, books: Books, clock: MovingClock, sent_before: int
) -> None:
    """Two returns of one token: each could be deposited, and not both."""
    mint_tokens(life, 3)
    twin = life.authorization(number=999, tokenId=FIRST)
    ids = [owe(books, life, deposit(life, FIRST + index), clock) for index in range(3)]
    second = owe(books, life, twin, clock)
    run(relayer(life.stage, books, clock), life.stage, clock, 4)
    assert states(books, [*ids, second]) == [RelayState.CONFIRMED] * 3 + [RelayState.FAILED]
    assert (books.relay(second).slot_id, books.relay(second).batch_limit) == (None, 1)
    assert len(sent(life, sent_before)) == 1
    assert life.state(twin) == "none"


def test_one_that_fails_on_chain_costs_only_itself_and_says_why(
    life: Life, books: Books, clock: MovingClock, sent_before: int
) -> None:
    """The state changed between simulation and block."""
    ids = owe_many(books, life, clock, 5)
    one = relayer(life.stage, books, clock)
    one.run_once()
    [batch] = books.attempts(ids[0])
    life.stage.anvil.rpc("anvil_dropAllTransactions")
    moved_away(life, FIRST + 3)
    life.stage.anvil.rpc("eth_sendRawTransaction", "0x" + batch.raw.hex())
    life.stage.anvil.mine()
    run(one, life.stage, clock, 3)
    assert states(books, ids) == [RelayState.CONFIRMED] * 3 + [
        RelayState.FAILED, RelayState.CONFIRMED,
    ]  # fmt: skip
    [told] = books.told("relay.failed")
    assert told["relay"] == str(ids[3])
    assert told["reason"] == (f"TokenNotHeld({life.collection}, {FIRST + 3}, {HOLDER.address}, 0)")
    assert owners(life, 5) == [life.escrow] * 3 + [STRANGER.address, life.escrow]
    assert len(sent(life, sent_before)) == 1


def test_an_authorization_that_failed_in_a_batch_is_good_until_its_deadline_and_then_once(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    """Nothing in between uses it up, and success does: no authorization is replayed (R16)."""
    mint_tokens(life, 2)
    kept, given = (deposit(life, FIRST + index) for index in range(2))
    ids = [owe(sqlite, life, auth, clock) for auth in (kept, given)]
    one = relayer(life.stage, sqlite, clock)
    one.run_once()
    [batch] = sqlite.attempts(ids[0])
    life.stage.anvil.rpc("anvil_dropAllTransactions")
    moved_away(life, FIRST + 1)
    life.stage.anvil.rpc("eth_sendRawTransaction", "0x" + batch.raw.hex())
    life.stage.anvil.mine()
    run(one, life.stage, clock, 2)
    assert states(sqlite, ids) == [RelayState.CONFIRMED, RelayState.FAILED]
    assert (life.state(kept), life.state(given)) == ("held", "none")
    life.stage.anvil.automine(True)
    life.send(STRANGER, life.collection, "transferFrom(address,address,uint256)",
              STRANGER.address, HOLDER.address, FIRST + 1)  # fmt: skip
    life.stage.anvil.automine(False)
    again = owe(sqlite, life, given, clock)
    run(one, life.stage, clock, 3)
    assert sqlite.relay(again).state is RelayState.CONFIRMED
    assert life.state(given) == "held"
    replayed = [owe(sqlite, life, auth, clock) for auth in (kept, given)]
    run(one, life.stage, clock, 3)
    assert states(sqlite, replayed) == [RelayState.FAILED] * 2
    assert all("ReturnEscrow" in (sqlite.relay(one).error or "") for one in replayed)
    assert owners(life, 2) == [life.escrow] * 2


def test_after_its_deadline_an_authorization_is_good_for_nothing(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    mint_tokens(life, 1)
    auth = deposit(life, FIRST)
    life.stage.anvil.rpc("evm_increaseTime", 3_601)
    life.stage.anvil.mine()
    late = owe(sqlite, life, auth, clock)
    run(relayer(life.stage, sqlite, clock), life.stage, clock, 3)
    assert sqlite.relay(late).state is RelayState.FAILED
    assert (sqlite.relay(late).error or "").startswith("ReturnEscrowDeadlinePassed")
    assert (life.state(auth), len(sent(life, sent_before))) == ("none", 0)


def test_a_batch_that_reverts_as_a_whole_goes_on_in_halves(
    life: Life, books: Books, clock: MovingClock, sent_before: int
) -> None:
    ids = owe_many(books, life, clock, 5)
    one = relayer(life.stage, books, clock)
    one.run_once()
    code = life.stage.anvil.rpc("eth_getCode", life.escrow, "latest")
    life.stage.anvil.rpc("anvil_setCode", life.escrow, "0x60006000fd")
    life.stage.anvil.mine()
    life.stage.anvil.rpc("anvil_setCode", life.escrow, code)
    one.run_once()
    assert states(books, ids) == [RelayState.PENDING] * 5
    assert {books.relay(relay_id).batch_limit for relay_id in ids} == {2}
    assert books.inbox() == []
    run(one, life.stage, clock, 4)
    assert states(books, ids) == [RelayState.CONFIRMED] * 5
    _, *halves = sent(life, sent_before)
    sizes = [books.the_slot(relay_id).intents for relay_id in ids]
    assert (sizes, len(halves)) == ([2, 2, 2, 2, 1], 3)
    assert owners(life, 5) == [life.escrow] * 5
    assert books.inbox() == []


def test_a_batch_cannot_be_taken_back_in_part(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    ids = owe_many(sqlite, life, clock, 2)
    one = relayer(life.stage, sqlite, clock)
    one.run_once()
    with sqlite.database.write() as session, pytest.raises(NotCancelable, match="shares"):
        queue.cancel(session, sqlite.merchant_id, ids[0], clock())
    run(one, life.stage, clock, 3)
    assert states(sqlite, ids) == [RelayState.CONFIRMED] * 2


def test_a_batch_that_a_reorg_throws_out_is_sent_again_with_the_same_bytes(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    ids = owe_many(sqlite, life, clock, 3)
    before = life.stage.anvil.snapshot()
    one = relayer(life.stage, sqlite, clock, confirmations=10)
    one.run_once()
    life.stage.anvil.mine()
    one.run_once()
    [stored] = sqlite.attempts(ids[0])
    life.stage.anvil.revert(before)
    life.stage.anvil.mine(2)
    run(one, life.stage, clock, 14)
    [batch] = sent(life, sent_before)
    assert batch["hash"] == stored.hash
    assert states(sqlite, ids) == [RelayState.CONFIRMED] * 3


@pytest.mark.parametrize("function", ["pause", "batch"])
def test_bytes_behind_a_call_name_no_caller(life: Life, function: str) -> None:
    """CVE-2023-49145: whoever trusts a forwarder reads its caller there."""
    args = ([], 1) if function == "batch" else ()
    entitled = {"pause": GUARDIAN, "batch": OPERATOR}[function]
    data = encode_call("ReturnEscrow", function, *args)
    forged = data + bytes.fromhex(person(entitled).address[2:])
    with pytest.raises(ChainUnavailable) as caught:
        life.run_raw(forged, function, by=STRANGER)
    refusal = str(caught.value.values["problem"])
    assert refusal.startswith(f"AccessControlUnauthorizedAccount({STRANGER.address}")


# -- surprises -------------------------------------------------------------------------------------


@pytest.fixture
def hostile(life: Life) -> str:
    """A collection of a stranger; the holder has a token of it, and lets the escrow move it."""
    life.stage.anvil.automine(True)
    address = create(life.stage.client, "HostileNFT", file="HostileNFT")
    life.send(HOLDER, address, "mint(address,uint256)", HOLDER.address, FIRST)
    life.send(HOLDER, address, "setApprovalForAll(address,bool)", life.escrow, True)
    return address


def test_a_collection_that_moves_another_asset_too_is_refused_and_the_case_is_told(
    life: Life, books: Books, clock: MovingClock, sent_before: int, hostile: str
) -> None:
    """The escrow would not notice: the holder had allowed the collection to take its dollars."""
    thief = STRANGER.address
    life.send(HOLDER, life.plain, "approve(address,uint256)", hostile, 7)
    theft = bytes.fromhex("23b872dd") + b"".join(
        bytes.fromhex(part[2:]).rjust(32, b"\0") for part in (HOLDER.address, thief, "0x07")
    )
    life.send(HOLDER, hostile, "aim(address,bytes)", life.plain, theft)
    auth = life.authorization(number=999, token=hostile, tokenId=FIRST)
    bad = owe(books, life, auth, clock)
    good = owe_many(books, life, clock, 1)[0]
    before = len(nonces(life.stage))
    run(relayer(life.stage, books, clock), life.stage, clock, 3)
    row = books.relay(bad)
    assert (row.state, row.slot_id) == (RelayState.FAILED, None)
    assert row.error == (
        "it would move other assets than it should: "
        f"1 of token 7 of {life.plain} from {HOLDER.address} to {thief}, "
        f"1 of token {FIRST} of {hostile} from {HOLDER.address} to {life.escrow}"
    )
    assert books.told("relay.failed") == [{"relay": str(bad), "reason": row.error}]
    assert books.relay(good).state is RelayState.CONFIRMED
    assert len(nonces(life.stage)) == before + 1
    assert (life.owner(life.plain, 7), life.owner(hostile, FIRST)) == (HOLDER.address,) * 2


def test_a_collection_that_moves_nothing_is_refused(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int, hostile: str
) -> None:
    life.send(HOLDER, hostile, "turn(uint8)", 2)
    bad = owe(sqlite, life, life.authorization(number=999, token=hostile, tokenId=FIRST), clock)
    run(relayer(life.stage, sqlite, clock), life.stage, clock, 3)
    assert (sqlite.relay(bad).state, sqlite.slot(bad)) == (RelayState.FAILED, None)
    assert len(sent(life, sent_before)) == 0


@pytest.mark.parametrize("malice", [3, 4, 7, 8])
def test_a_collection_that_wastes_gas_or_memory_holds_up_no_other(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int, hostile: str, malice: int
) -> None:
    life.send(HOLDER, hostile, "turn(uint8)", malice)
    bad = owe(sqlite, life, life.authorization(number=999, token=hostile, tokenId=FIRST), clock)
    ids = owe_many(sqlite, life, clock, 2)
    run(relayer(life.stage, sqlite, clock), life.stage, clock, 4)
    assert states(sqlite, ids) == [RelayState.CONFIRMED] * 2
    assert sqlite.relay(bad).state is (RelayState.CONFIRMED if malice == 4 else RelayState.FAILED)


def test_calldata_that_says_something_else_than_the_books_is_not_signed(
    life: Life, sqlite: Books, clock: MovingClock, sent_before: int
) -> None:
    mint_tokens(life, 2)
    mine, other = deposit(life, FIRST), deposit(life, FIRST + 1)
    bad = owe(sqlite, life, mine, clock, facts=facts_of(other))
    run(relayer(life.stage, sqlite, clock), life.stage, clock, 3)
    row = sqlite.relay(bad)
    assert (row.state, row.slot_id) == (RelayState.FAILED, None)
    assert "is not what it must be" in (row.error or "")
    assert owners(life, 2) == [HOLDER.address] * 2
