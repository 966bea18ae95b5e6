"""Faults that the lanes had, each with the promise that it broke."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from chain_books import CHAIN_ID, START, Books, MovingClock
from chain_deposits import FIRST, STRANGER, moved_away, owe_many, owners, sent, states
from chain_faults import BentClient, SilentSigner
from chain_life import Life
from chain_node import VAULT, Stage
from chain_relay import (
    authorization_of,
    facts_of,
    keep_out,
    look,
    nonces,
    relayer,
    run,
    set_coin,
    worst_of_a_mint,
)
from eth_utils.crypto import keccak
from fake_node import FakeBranch, FakeNode
from sqlmodel import col, select

from chain.addresses import ZERO
from chain.client import RpcError
from chain.contracts import encode_call, encode_signature
from chain.relay import queue
from chain.relay.batches import Owed, Plan, with_margin
from chain.relay.budgets import Budgets, correct
from chain.relay.canon import Canon
from chain.relay.claims import OWED
from chain.relay.faults import Fault, classify
from chain.relay.guard import Guard, offset_of
from chain.relay.parts import RelayPolicy
from chain.relay.simulation import Call, Move, outlooks
from returns.errors import ChainMismatch, ChainUnavailable, RelayRuleInvalid, SignerUnavailable
from returns.ids import new_id
from returns.tables import GasDay, RelayRule, RelayTransaction
from returns.words import RelayState

chain_test = pytest.mark.chain


# -- without a node --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("INTERNAL_ERROR: existing txn with same hash", Fault.KNOWN),
        ("INTERNAL_ERROR: gas limit is too high", Fault.NEVER),
        ("INTERNAL_ERROR: IntrinsicGas", Fault.NEVER),
        ("exceeds max transaction gas limit", Fault.NEVER),
        ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", Fault.NEVER),
    ],
)
def test_erigon_reth_and_anvil_were_not_understood_in_their_own_words(
    words: str, meaning: Fault
) -> None:
    assert classify(RpcError(words, -32000)) is meaning


@pytest.mark.parametrize("path", ["0.0", "0.1"])
def test_a_field_of_a_dynamic_struct_was_looked_for_where_its_pointer_is(path: str) -> None:
    """Only if the struct came first: then a rule bound other bytes than those that were called."""
    with pytest.raises(RelayRuleInvalid, match="fixed place"):
        offset_of("f((uint256,bytes),uint256)", path)


def test_a_rule_for_an_array_of_structs_bound_its_first_element_alone() -> None:
    with pytest.raises(RelayRuleInvalid):
        offset_of("f((address,uint256)[2])", "0.1")


def test_room_for_gas_made_a_transaction_larger_than_any_may_be() -> None:
    """EIP-7825: the node refuses more than 2^24, and its refusal ended the intent."""
    assert with_margin(15_000_000) == 2**24


def test_a_token_with_unreadable_events_kept_its_return_waiting_for_ever() -> None:
    """It was taken for a node that cannot tell, and simulated again every two seconds."""
    kind = "0x" + keccak(text="TransferBatch(address,address,address,uint256[],uint256[])").hex()
    log = {"address": "0x" + "70" * 20, "topics": [kind, *["0x" + "00" * 32] * 3], "data": "0x"}
    answer = [{"calls": [{"status": "0x1", "gasUsed": "0x1", "logs": [log]}]}]
    node = FakeNode(eth_simulateV1=lambda *_: answer)
    [found] = outlooks(node, "0x" + "1a" * 20, [Call("0x" + "70" * 20, b"")])
    assert (found.unclear, len(found.moves)) == (None, 1)


def test_receipts_that_are_none_were_read_and_stopped_the_lane() -> None:
    branch = FakeBranch(3)
    branch.mine(1, "a", "0xt")
    node = branch.node()
    node.answers["eth_getBlockReceipts"] = lambda _: 7
    canon = Canon(node)
    with pytest.raises(ChainUnavailable):
        canon.receipts(canon.refresh())


# -- on Anvil --------------------------------------------------------------------------------------


@chain_test
def test_a_node_without_fee_history_stopped_everything(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """Prices matter to who can wait: what is urgent was not sent either."""
    client = BentClient(
        chain.url, eth_feeHistory=lambda *_: RpcError("method not found", -32601)
    )  # fmt: skip
    [urgent] = sqlite.owe(chain.dollar, chain.mint(1))
    [patient] = sqlite.owe(chain.dollar, chain.mint(2), send_by=clock.ahead(3_600))
    run(relayer(chain, sqlite, clock, client=client), chain, clock)
    assert sqlite.relay(urgent).state is RelayState.CONFIRMED
    assert sqlite.relay(patient).state is RelayState.PENDING
    clock.move(3_600)
    run(relayer(chain, sqlite, clock, client=client), chain, clock)
    assert sqlite.relay(patient).state is RelayState.CONFIRMED


@chain_test
@pytest.mark.parametrize("where", ["[]", '{"9": "1"}', "{", '{"0": 7}'])
def test_a_stored_rule_that_is_none_stopped_every_lane(
    chain: Stage, sqlite: Books, clock: MovingClock, where: str
) -> None:
    shop = "0x" + "51" * 20
    with sqlite.database.write() as session:
        session.add(
            RelayRule(
                merchant_id=sqlite.merchant_id, chain_id=CHAIN_ID, contract=shop,
                function="pay(uint256)", where=where, created_at=START,
            )
        )  # fmt: skip
    [bad] = sqlite.owe(shop, encode_signature("pay(uint256)", 1))
    [good] = sqlite.owe(chain.dollar, chain.mint(1))
    run(relayer(chain, sqlite, clock), chain, clock)
    assert sqlite.relay(good).state is RelayState.CONFIRMED
    assert sqlite.relay(bad).state is RelayState.FAILED
    assert "nothing allows the function" in (sqlite.relay(bad).error or "")


@chain_test
def test_a_fact_that_is_no_word_stopped_every_lane(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    auth = authorization_of(bytes(31) + b"\x01")
    facts = facts_of(auth) | {"tokenId": "kitten"}
    data = encode_call("ReturnEscrow", "commit", auth.as_tuple(), b"")
    [bad] = sqlite.owe(chain.deployment.escrow, data, facts=facts)
    [good] = sqlite.owe(chain.dollar, chain.mint(1))
    run(relayer(chain, sqlite, clock), chain, clock)
    assert sqlite.relay(good).state is RelayState.CONFIRMED
    assert sqlite.relay(bad).state is RelayState.FAILED


@chain_test
def test_another_chain_behind_the_same_address_took_our_nonces_for_used(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """Its number was asked for only where something was simulated: a key that had been used there
    too looked like one that somebody else uses, and its intents would have been sent twice."""
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    client = BentClient(chain.url)
    one = relayer(chain, sqlite, clock, client=client)
    look(one)
    slot = sqlite.slot(relay_id)
    client.bends = {
        "eth_chainId": lambda *_: "0x1",
        "eth_getTransactionCount": lambda *_: "0x64",
    }
    for _ in range(4):
        clock.move(40)
        with pytest.raises(ChainMismatch):
            look(one)
    client.bends = {}
    assert sqlite.slot(relay_id) == slot
    assert sqlite.lane().next_nonce == 1
    run(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (1, [0])
    assert sqlite.relay(relay_id).state is RelayState.CONFIRMED


@chain_test
def test_a_call_that_had_ended_came_to_its_effect_when_the_chain_lost_its_end(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """It was mined and reverted, and told so; after a deep loss its bytes were sent again."""
    before = chain.anvil.snapshot()
    [ended] = sqlite.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, sqlite, clock)
    one.run_once()
    chain.anvil.rpc("anvil_setCode", chain.dollar, "0x60006000fd")
    chain.anvil.mine()
    one.run_once()
    assert sqlite.relay(ended).state is RelayState.FAILED
    chain.anvil.revert(before)
    chain.anvil.mine()
    [after] = sqlite.owe(chain.dollar, chain.mint(4))
    run(one, chain, clock, 8)
    assert chain.supply() == 4
    filler, mint = chain.sent_by(chain.operator.address)
    assert (filler["to"], filler["input"]) == (chain.operator.address, "0x")
    assert (sqlite.relay(ended).state, len(sqlite.told("relay.failed"))) == (RelayState.FAILED, 1)
    assert (sqlite.relay(after).state, mint["nonce"]) == (RelayState.CONFIRMED, "0x1")


@chain_test
def test_a_canceled_call_was_sent_once_more_before_what_cancels_it(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    sent: list[str] = []

    def broadcast(params: Any, ask: Any) -> Any:
        sent.append(params[0])
        return ask()

    one = relayer(
        chain, sqlite, clock, client=BentClient(chain.url, eth_sendRawTransaction=broadcast)
    )
    one.run_once()
    chain.anvil.rpc("anvil_dropAllTransactions")
    with sqlite.database.write() as session:
        queue.cancel(session, sqlite.merchant_id, relay_id, clock())
    clock.move(6)
    one.run_once()
    call, filler = sqlite.attempts(relay_id)
    assert [call.filler, filler.filler] == [False, True]
    assert sent == ["0x" + call.raw.hex(), "0x" + filler.raw.hex()]
    run(one, chain, clock)
    assert (chain.supply(), nonces(chain)) == (0, [0])
    assert sqlite.relay(relay_id).state is RelayState.CANCELED


@chain_test
@pytest.mark.usefixtures("usual_price")
def test_a_call_that_might_have_had_company_did_not_expire_alone(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """Only intents that were to go alone were taken back, and not those that went alone."""
    until = datetime.fromtimestamp(chain.client.newest().timestamp + 60, UTC)
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1), batch_limit=25, expires_at=until)
    one = relayer(chain, sqlite, clock)
    one.run_once()
    [call] = sqlite.attempts(relay_id)
    chain.anvil.rpc("evm_increaseTime", 120)
    chain.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(2 * call.max_fee))
    chain.anvil.mine()
    assert chain.client.transaction_count(chain.operator.address) == 0
    run(one, chain, clock, 8)
    assert sqlite.relay(relay_id).state is RelayState.EXPIRED
    assert (chain.supply(), nonces(chain)) == (0, [0])


@chain_test
@pytest.mark.usefixtures("usual_price")
def test_coin_that_was_spoken_for_was_free_again_under_the_next_lease(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """A worker that took a lane over sent more than its coin pays for."""
    worst = worst_of_a_mint(chain, sqlite, clock)
    set_coin(chain, 3 * worst + worst // 2)
    ids = sqlite.owe(chain.dollar, *(chain.mint(1) for _ in range(6)), at=clock())
    for _ in range(3):
        relayer(chain, sqlite, clock).run_once()
        assert [sqlite.shown(relay_id) for relay_id in ids].count("submitted") == 3
        clock.move(3)


@chain_test
def test_a_call_was_signed_after_its_rule_had_been_taken_away(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """Its nonce had been reserved while the signer was away: then it was only simulated again."""
    with sqlite.database.write() as session:
        rule = RelayRule(
            merchant_id=sqlite.merchant_id, chain_id=CHAIN_ID, contract=chain.dollar,
            function="mint(address,uint256)", created_at=START,
        )  # fmt: skip
        session.add(rule)
    nothing_is_ours = Guard([])
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    away = relayer(chain, sqlite, clock, guard=nothing_is_ours, signer=SilentSigner(chain.operator))
    with pytest.raises(SignerUnavailable):
        away.run_once()
    assert sqlite.the_slot(relay_id).nonce == 0
    with sqlite.database.write() as session:
        session.delete(session.get_one(RelayRule, rule.id))
    run(relayer(chain, sqlite, clock, guard=nothing_is_ours), chain, clock)
    row = sqlite.relay(relay_id)
    assert (row.state, chain.supply(), nonces(chain)) == (RelayState.FAILED, 0, [0])
    assert "nothing allows the function" in (row.error or "")


@chain_test
def test_a_call_was_signed_that_had_come_to_move_other_assets(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    stated = [Move(chain.dollar, ZERO, VAULT, 1)]
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1), moves=stated)
    with pytest.raises(SignerUnavailable):
        relayer(chain, sqlite, clock, signer=SilentSigner(chain.operator)).run_once()
    # From now on it does nothing at all, and does not fail either.
    chain.anvil.rpc("anvil_setCode", chain.dollar, "0x00")
    run(relayer(chain, sqlite, clock), chain, clock)
    assert sqlite.relay(relay_id).state is RelayState.FAILED
    assert sqlite.relay(relay_id).error == "it would move other assets than it should: none"
    [filler] = chain.sent_by(chain.operator.address)
    assert (filler["to"], filler["input"]) == (chain.operator.address, "0x")


# -- batches ---------------------------------------------------------------------------------------


@chain_test
@pytest.mark.usefixtures("usual_price")
def test_returns_failed_because_no_node_took_them_together(
    life: Life, sqlite: Books, clock: MovingClock
) -> None:
    """A batch that was given up took all of its items with it."""
    before = len(nonces(life.stage))
    ids = owe_many(sqlite, life, clock, 4)

    def small_only(params: Any, ask: Any) -> Any:
        size = len(params[0]) // 2 - 1
        return ask() if size < 2_500 else RpcError("oversized data", -32000)

    client = BentClient(life.stage.url, eth_sendRawTransaction=small_only)
    run(relayer(life.stage, sqlite, clock, client=client), life.stage, clock, 9)
    assert states(sqlite, ids) == [RelayState.CONFIRMED] * 4
    filler, *others = sent(life, before)
    assert (filler["to"], len(others)) == (life.stage.operator.address, 2)
    assert owners(life, 4) == [life.escrow] * 4


@chain_test
@pytest.mark.usefixtures("usual_price")
def test_an_item_lost_its_place_when_the_chain_lost_its_batch(
    life: Life, sqlite: Books, clock: MovingClock
) -> None:
    """The failures of a batch are told by place: another place would fail another return."""
    ids = owe_many(sqlite, life, clock, 3)
    one = relayer(life.stage, sqlite, clock)
    one.run_once()
    [batch] = sqlite.attempts(ids[0])
    life.stage.anvil.rpc("anvil_dropAllTransactions")
    moved_away(life, FIRST)
    before = life.stage.anvil.snapshot()
    life.stage.anvil.rpc("eth_sendRawTransaction", "0x" + batch.raw.hex())
    life.stage.anvil.mine()
    run(one, life.stage, clock, 2)
    ended = [RelayState.FAILED, RelayState.CONFIRMED, RelayState.CONFIRMED]
    assert states(sqlite, ids) == ended
    life.stage.anvil.revert(before)
    life.stage.anvil.mine()
    sqlite.owe(life.stage.dollar, life.stage.mint(1), at=clock())
    run(one, life.stage, clock, 6)
    assert states(sqlite, ids) == ended
    assert owners(life, 3) == [STRANGER.address, life.escrow, life.escrow]
    assert len(sqlite.told("relay.failed")) == 1


@chain_test
@pytest.mark.usefixtures("usual_price")
def test_an_item_lost_its_place_when_its_lost_batch_was_signed_anew(
    life: Life, sqlite: Books, clock: MovingClock
) -> None:
    """What had failed before was left out, and every failure after it was told of its neighbour."""
    ids = owe_many(sqlite, life, clock, 3)
    one = relayer(life.stage, sqlite, clock)
    one.run_once()
    [batch] = sqlite.attempts(ids[0])
    life.stage.anvil.rpc("anvil_dropAllTransactions")
    moved_away(life, FIRST)
    before = life.stage.anvil.snapshot()
    life.stage.anvil.rpc("eth_sendRawTransaction", "0x" + batch.raw.hex())
    life.stage.anvil.mine()
    run(one, life.stage, clock, 2)
    life.stage.anvil.revert(before)
    moved_away(life, FIRST + 1)
    sqlite.owe(life.stage.dollar, life.stage.mint(1), at=clock())
    one.run_once()
    keep_out(life.stage, batch.max_fee)
    clock.move(31)
    one.run_once()
    assert len(sqlite.attempts(ids[0])) == 2
    run(one, life.stage, clock, 4)
    ended = [RelayState.FAILED, RelayState.FAILED, RelayState.CONFIRMED]
    assert states(sqlite, ids) == ended
    assert owners(life, 3) == [STRANGER.address, STRANGER.address, life.escrow]


# -- budgets ---------------------------------------------------------------------------------------


def _plan(books: Books, count: int, **more: Any) -> Plan:
    """A batch of intents that are owed."""
    ids = books.owe("0x" + "51" * 20, *[b"\x01"] * count, batch_limit=25, **more)
    with books.database.read() as session:
        rows = session.execute(sa.select(*OWED).where(col(RelayTransaction.id).in_(ids)))
        return Plan(tuple(Owed(*row) for row in rows), Call("0x" + "51" * 20, b""))


@pytest.mark.parametrize(
    ("budget", "reason"), [("case_budget", "case"), ("customer_budget", "customer")]
)
def test_intents_of_one_batch_exceeded_a_budget_together(
    sqlite: Books, clock: MovingClock, budget: str, reason: str
) -> None:
    """Each was measured against what was spent before the batch, and none against the others."""
    plan = _plan(sqlite, 3, case_id=new_id(), customer="anna")
    with sqlite.database.write() as session:
        budgets = Budgets(session, RelayPolicy(**{budget: 25}), [plan], clock())
        assert budgets.admit(plan, 30) is False
        budgets.store()
    states = [row.state for row in sqlite.relays()]
    assert states == [RelayState.PENDING, RelayState.PENDING, RelayState.FAILED]
    assert sqlite.relays()[2].error == f"the gas budget of its {reason} is used up"
    with sqlite.database.read() as session:
        assert {day.spent for day in session.exec(select(GasDay))} == {0}


def test_a_batch_exceeded_the_budget_of_the_day(sqlite: Books, clock: MovingClock) -> None:
    plan = _plan(sqlite, 3)
    with sqlite.database.write() as session:
        budgets = Budgets(session, RelayPolicy(day_budget=29), [plan], clock())
        assert budgets.admit(plan, 30) is False
        budgets.store()
    with sqlite.database.read() as session:
        assert [day.spent for day in session.exec(select(GasDay))] == [0]
    assert {row.state for row in sqlite.relays()} == {RelayState.PENDING}


@chain_test
@pytest.mark.usefixtures("usual_price")
def test_gas_of_a_nonce_that_was_used_outside_stayed_on_the_day(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """The intent was counted for both of its nonces, though the first one cost us nothing."""
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1))
    one = relayer(chain, sqlite, clock, day_budget=10**18)
    look(one)
    chain.anvil.rpc("anvil_dropAllTransactions")
    chain.send(chain.mint(100))
    for _ in range(7):
        chain.anvil.mine()
        clock.move(16)
        look(one)
    assert (sqlite.relay(relay_id).state, chain.supply()) == (RelayState.CONFIRMED, 101)
    with sqlite.database.read() as session:
        assert [day.spent for day in session.exec(select(GasDay))] == [
            sqlite.the_slot(relay_id).cost
        ]


def _without_logs(answer: Any) -> Any:
    for call in answer[0]["calls"]:
        call["logs"] = []
    return answer


def _reverted(answer: Any) -> Any:
    for call in answer[0]["calls"]:
        call |= {"status": "0x0", "returnData": "0x", "error": {"code": 3, "message": "reverted"}}
    return answer


@chain_test
@pytest.mark.parametrize("lies", [[_without_logs], [_without_logs, _reverted], [_reverted]])
def test_one_look_at_assets_ended_an_intent(
    chain: Stage, sqlite: Books, clock: MovingClock, lies: list[Any]
) -> None:
    """A revert had to be said twice, another move of assets only once."""
    stated = [Move(chain.dollar, ZERO, VAULT, 1)]
    [relay_id] = sqlite.owe(chain.dollar, chain.mint(1), moves=stated)
    left = list(lies)

    def lie(_: Any, ask: Any) -> Any:
        return left.pop(0)(ask()) if left else ask()

    client = BentClient(chain.url, eth_simulateV1=lie)
    run(relayer(chain, sqlite, clock, client=client), chain, clock)
    assert left == []
    assert (sqlite.relay(relay_id).state, chain.supply()) == (RelayState.CONFIRMED, 1)


@chain_test
def test_long_calldata_of_many_made_a_request_that_no_node_takes(
    chain: Stage, sqlite: Books, clock: MovingClock
) -> None:
    """The lane asked for all of it again and again, and sent nothing any more."""
    long = [chain.mint(1 << index) + bytes(90_000) for index in range(15)]
    relay_ids = sqlite.owe(chain.dollar, *long)
    run(relayer(chain, sqlite, clock), chain, clock)
    assert {sqlite.relay(one).state for one in relay_ids} == {RelayState.CONFIRMED}
    assert chain.supply() == 2**15 - 1


def test_lanes_that_began_a_day_together_locked_each_other_out(books: Books) -> None:
    """One had the customers of a day whose sum the other had: PostgreSQL ended one of them."""
    accounts = [(books.merchant_id, date(2026, 11, day), name) for day in (21, 22)
                for name in ("", "anna", "ben", "cleo", "dora")]  # fmt: skip
    at_once = Barrier(_LANES)

    def lane(number: int) -> None:
        dice = random.Random(number)
        at_once.wait()
        for _ in range(_TURNS):
            mine = dice.sample(accounts, 6)
            days = {(merchant_id, day, "") for merchant_id, day, _ in mine}
            with books.database.write() as session:
                correct(session, dict.fromkeys({*mine, *days}, 1))

    with ThreadPoolExecutor(_LANES) as pool:
        list(pool.map(lane, range(_LANES)))
    with books.database.read() as session:
        days = session.exec(select(GasDay)).all()
    assert sorted((one.day, one.customer) for one in days) == sorted(one[1:] for one in accounts)
    for day in (21, 22):
        of_day = {one.customer: one.spent for one in days if one.day.day == day}
        assert max(of_day.values()) == of_day[""] == _LANES * _TURNS


_LANES, _TURNS = 6, 25


def test_an_intent_without_a_case_was_held_to_the_budget_of_cases(
    sqlite: Books, clock: MovingClock
) -> None:
    plan = _plan(sqlite, 1)
    policy = RelayPolicy(case_budget=5, customer_budget=5)
    with sqlite.database.write() as session:
        assert Budgets(session, policy, [plan], clock()).admit(plan, 6) is True
    assert sqlite.relays()[0].state is RelayState.PENDING
