"""What a node's simulation tells: gas, moves, a revert, or nothing that anybody could rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from fake_node import FakeNode
from hypothesis import given
from hypothesis import strategies as st

from chain.addresses import DEAD, NATIVE, ZERO
from chain.client import RpcError
from chain.relay.guard import surprise
from chain.relay.simulation import (
    Call,
    Move,
    Outlook,
    confirm_refusals,
    in_company,
    moves_from_json,
    moves_to_json,
    outlooks,
    requests,
    same_moves,
)

TOKEN, ALICE, BOB, LANE = ("0x" + two * 20 for two in ("70", "a1", "b0", "1a"))
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
SINGLE = "0x" + keccak(text="TransferSingle(address,address,address,uint256,uint256)").hex()
MANY = "0x" + keccak(text="TransferBatch(address,address,address,uint256[],uint256[])").hex()
ERROR = "0x08c379a0" + encode(["string"], ["paused"]).hex()


def topic(address: str) -> str:
    return "0x" + "00" * 12 + address[2:]


def log(topics: list[str], data: bytes = b"", address: str = TOKEN) -> dict[str, Any]:
    return {"address": address, "topics": topics, "data": "0x" + data.hex()}


def done(*logs: dict[str, Any], gas: int = 50_000) -> Any:
    """A node's answer to one simulated transaction that succeeds."""
    call = {"status": "0x1", "gasUsed": hex(gas), "logs": list(logs), "returnData": "0x"}
    return [{"number": "0x1", "calls": [call]}]


def refused(**result: Any) -> Any:
    return [{"calls": [{"status": "0x0", "gasUsed": "0x1", "logs": [], **result}]}]


def node_of(*answers: Any) -> FakeNode:
    """A node that answers one simulation after the other so."""
    left = iter(answers)

    def simulate(*_: Any) -> Any:
        answer = next(left)
        if isinstance(answer, RpcError):
            raise answer
        return answer

    return FakeNode(eth_simulateV1=simulate)


def outlook(answer: Any) -> Outlook:
    """What a node's answer says of one call."""
    [found] = outlooks(node_of(answer), LANE, [Call(TOKEN, b"")])
    return found


# -- moves -----------------------------------------------------------------------------------------


def test_tells_the_gas_and_every_kind_of_move() -> None:
    coin = log([TRANSFER, topic(ALICE), topic(BOB)], encode(["uint256"], [10**18]), NATIVE)
    dollars = log([TRANSFER, topic(BOB), topic(ALICE)], encode(["uint256"], [2**256 - 1]))
    nft = log([TRANSFER, topic(ALICE), topic(BOB), "0x" + (7).to_bytes(32).hex()])
    some = log([SINGLE, topic(LANE), topic(ALICE), topic(BOB)], encode(["uint256"] * 2, [9, 3]))
    many = log(
        [MANY, topic(LANE), topic(ALICE), topic(BOB)], encode(["uint256[]"] * 2, [[1, 2], [5, 6]])
    )
    found = outlook(done(coin, dollars, nft, some, many, gas=77))
    assert (found.gas, found.refusal, found.unclear) == (77, None, None)
    assert found.moves == (
        Move(NATIVE, ALICE, BOB, 10**18),
        Move(TOKEN, BOB, ALICE, 2**256 - 1),
        Move(TOKEN, ALICE, BOB, 1, 7),
        Move(TOKEN, ALICE, BOB, 3, 9),
        Move(TOKEN, ALICE, BOB, 5, 1),
        Move(TOKEN, ALICE, BOB, 6, 2),
    )
    assert len(found.logs) == 5


def test_a_call_that_carries_no_coin_moves_none() -> None:
    zero = log([TRANSFER, topic(LANE), topic(BOB)], encode(["uint256"], [0]), NATIVE)
    assert outlook(done(zero)).moves == ()


def test_other_events_are_no_moves() -> None:
    approval = "0x" + keccak(text="Approval(address,address,uint256)").hex()
    others = [log([approval, topic(ALICE), topic(BOB)], bytes(32)), log([], b"\1"), log([TRANSFER])]
    assert outlook(done(*others)).moves == ()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (SINGLE, b""),
        (SINGLE, bytes(32)),
        (MANY, b""),
        (MANY, bytes(31)),
        (MANY, encode(["uint256[]"] * 2, [[1, 2], [5]])),
        (MANY, encode(["uint256"] * 2, [2**255, 2**255])),
        (MANY, encode(["uint256"] * 3, [64, 64, 2**256 - 1])),
    ],
)
def test_a_transfer_that_cannot_be_read_is_a_move_that_nobody_expects(
    kind: str, data: bytes
) -> None:
    found = outlook(done(log([kind, topic(LANE), topic(ALICE), topic(BOB)], data)))
    assert found.moves == (Move(TOKEN, ALICE, BOB, 0),)
    assert (found.refusal, found.unclear) == (None, None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([TRANSFER, SINGLE, MANY]), st.integers(0, 3), st.binary(max_size=300)
        )
    )
)
def test_no_contracts_events_make_it_raise(events: list[tuple[str, int, bytes]]) -> None:
    logs = [log([kind, *[topic(ALICE)] * count], data) for kind, count, data in events]
    found = outlook(done(*logs))
    assert (found.refusal, found.unclear) == (None, None)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["calls", "status", "logs", "gasUsed", "error", "topics", "data"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_no_nodes_answer_makes_it_raise(answer: Any) -> None:
    """Whatever is no simulation is unclear, and so neither sent nor failed."""
    found = outlook(answer)
    assert found.gas == 0
    assert found.moves == ()


@given(_JSON)
def test_no_result_of_a_call_makes_it_raise(result: Any) -> None:
    for status in ({"status": "0x1"}, {"status": "0x0"}, {}):
        body = {**result, **status} if isinstance(result, dict) else result
        found = outlook([{"calls": [body]}])
        assert isinstance(found, Outlook)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        # Geth: internal/ethapi/simulate.go puts the revert data into the error.
        (refused(error={"code": 3, "message": "execution reverted: paused", "data": ERROR},
                 returnData="0x"), "paused"),
        # Anvil: the data is what the call returned.
        (refused(error={"code": -32000, "message": "reverted"}, returnData=ERROR), "paused"),
        (refused(returnData=ERROR), "paused"),
        (refused(error={"code": -32015, "message": "invalid opcode: INVALID"}, returnData="0x"),
         "invalid opcode: INVALID"),
        (refused(error={"code": -32015, "message": "out of gas"}, returnData="0x"), "out of gas"),
        (RpcError("execution reverted", 3, ERROR), "paused"),
        (RpcError("VM execution error.", -32015), "VM execution error."),
    ],
)  # fmt: skip
def test_a_revert_is_the_chains_answer_and_says_why(answer: Any, reason: str) -> None:
    found = outlook(answer)
    assert (found.refusal, found.unclear, found.moves) == (reason, None, ())


@pytest.mark.parametrize(
    "error",
    [
        RpcError("limit exceeded", -32005),
        RpcError("the method eth_simulateV1 does not exist/is not available", -32601),
        RpcError("header not found", -32000),
        RpcError("insufficient funds for gas * price + value", -38014),
        RpcError("Internal error", -32603),
        RpcError("timeout", -32016),
    ],
)
def test_a_node_that_cannot_tell_has_told_nothing(error: RpcError) -> None:
    assert outlook(error) == Outlook(unclear=str(error))


def test_simulates_with_what_is_sent_and_asks_for_coin_too() -> None:
    [(method, (asked, block))] = requests(LANE, [Call(TOKEN, b"\x01", 5, 90_000)])
    assert (method, block, asked["traceTransfers"]) == ("eth_simulateV1", "latest", True)
    assert asked["blockStateCalls"] == [
        {"calls": [{"from": LANE, "to": TOKEN, "data": "0x01", "value": "0x5", "gas": "0x15f90"}]}
    ]
    json.dumps(asked)


def test_each_call_is_simulated_for_itself() -> None:
    node = node_of(done(gas=1), RpcError("busy"), done(gas=3))
    found = outlooks(node, LANE, [Call(TOKEN, b"")] * 3)
    assert [one.gas for one in found] == [1, 0, 3]
    assert (found[1].unclear, node.requests) == ("busy", 1)


# -- in company ------------------------------------------------------------------------------------


def block(*answers: Any) -> Any:
    """A node's answer to several calls in one block."""
    return [{"number": "0x1", "calls": [call for answer in answers for call in answer[0]["calls"]]}]


CALLS = [Call(TOKEN, bytes([number])) for number in range(60)]


def test_calls_go_in_order_into_few_blocks() -> None:
    asked = [params[0]["blockStateCalls"] for _, params in requests(LANE, CALLS)]
    assert [[len(block["calls"]) for block in blocks] for blocks in asked] == [[50], [10]]
    data = [call["data"] for blocks in asked for block in blocks for call in block["calls"]]
    assert data == ["0x" + call.data.hex() for call in CALLS]
    assert requests(LANE, []) == []


def test_a_block_does_not_grow_beyond_what_nodes_take() -> None:
    long = [Call(TOKEN, bytes(100_000))] * 5 + [Call(TOKEN, bytes(300_000)), CALLS[0]]
    asked = [params[0]["blockStateCalls"][0]["calls"] for _, params in requests(LANE, long)]
    assert [len(calls) for calls in asked] == [2, 2, 1, 1, 1]


def test_what_succeeds_in_company_is_not_asked_about_again() -> None:
    node, answers = FakeNode(), [block(*map(_using, part)) for part in (range(50), range(50, 60))]
    found = in_company(node, LANE, CALLS, answers)
    assert ([one.gas for one in found], node.requests) == (list(range(60)), 0)


def _using(gas: int) -> Any:
    return done(gas=gas)


@pytest.mark.parametrize(
    "told",
    [
        block(done(), refused(returnData=ERROR)),
        block(done()),
        block(done(), done(), done()),
        RpcError("block gas limit exceeded", -38015),
        None,
    ],
)
def test_where_one_does_not_succeed_each_of_its_block_is_looked_at_alone(told: Any) -> None:
    """What failed beside the others may do better alone, and the others worse without it."""
    node = node_of(done(gas=7), done(gas=8))
    found = in_company(node, LANE, CALLS[:2], [told])
    assert found == [Outlook(gas=7), Outlook(gas=8)]
    assert node.asked == ["eth_simulateV1"] * 2


def test_a_refusal_in_company_is_asked_for_twice_more() -> None:
    node = node_of(refused(returnData=ERROR), done(gas=8))
    node.answers["eth_estimateGas"] = lambda _: "0x5208"
    found = in_company(node, LANE, CALLS[:2], [block(refused(returnData=ERROR), done())])
    assert found[0].refusal is None
    assert found[0].unclear is not None
    assert found[1] == Outlook(gas=8)
    assert node.asked == ["eth_simulateV1"] * 2 + ["eth_estimateGas"]


def test_a_block_with_a_failure_does_not_trouble_the_next_one() -> None:
    node = node_of(*[done(gas=7)] * 50)
    answers = [block(*[refused(returnData=ERROR)] * 50), block(done(gas=9))]
    found = in_company(node, LANE, CALLS[:51], answers)
    assert [one.gas for one in found] == [7] * 50 + [9]


def test_one_answer_is_no_verdict() -> None:
    """Where another question of the same node contradicts a revert, nobody can tell."""

    def estimate(transaction: dict[str, str]) -> str:
        if transaction["data"] == "0x01":
            raise RpcError("execution reverted", 3, ERROR)
        if transaction["data"] == "0x02":
            raise RpcError("limit exceeded", -32005)
        return "0x5208"

    node = FakeNode(eth_estimateGas=estimate)
    calls = [Call(TOKEN, bytes([index])) for index in range(4)]
    told = [Outlook(refusal="a"), Outlook(refusal="b"), Outlook(refusal="c"), Outlook(gas=7)]
    found = confirm_refusals(node, LANE, calls, told)
    assert [one.refusal for one in found] == [None, "b", None, None]
    assert [one.unclear is not None for one in found] == [True, False, True, False]
    assert found[3] == told[3]
    assert node.asked == ["eth_estimateGas"] * 3


def test_what_does_not_revert_is_not_asked_about_again() -> None:
    node = FakeNode()
    assert confirm_refusals(node, LANE, [Call(TOKEN, b"")], [Outlook(gas=7)]) == [Outlook(gas=7)]
    assert node.requests == 0


# -- what was stated -------------------------------------------------------------------------------

_MOVES = st.builds(
    Move,
    st.sampled_from([TOKEN, NATIVE]),
    st.sampled_from([ALICE, ZERO]),
    st.sampled_from([BOB, ZERO]),
    st.integers(0, 2**256 - 1),
    st.none() | st.integers(0, 2**256 - 1),
)


@given(st.lists(_MOVES), st.randoms())
def test_stated_moves_come_back_as_they_were(moves: list[Move], dice: Any) -> None:
    text = moves_to_json(moves)
    assert same_moves(moves_from_json(text), moves)
    dice.shuffle(moves)
    assert moves_to_json(moves) == text


@given(st.lists(_MOVES, min_size=1), st.data())
def test_one_move_more_or_less_or_other_is_another_outcome(
    moves: list[Move], data: st.DataObject
) -> None:
    extra = data.draw(_MOVES)
    assert not same_moves(moves, [*moves, extra])
    assert not same_moves(moves, moves[1:])
    first = moves[0]
    other = Move(first.asset, first.sender, first.recipient, first.amount ^ 1, first.token_id)
    assert not same_moves(moves, [other, *moves[1:]])


def test_burning_may_be_a_transfer_to_nobody() -> None:
    """Some collections send to the dead address what others send to the zero address."""
    assert same_moves([Move(TOKEN, ALICE, ZERO, 1, 7)], [Move(TOKEN, ALICE, DEAD, 1, 7)])
    assert not same_moves([Move(TOKEN, ALICE, ZERO, 1, 7)], [Move(TOKEN, ALICE, BOB, 1, 7)])


def test_other_assets_than_stated_are_a_surprise_and_are_told() -> None:
    nft, fee = Move(TOKEN, ALICE, BOB, 1, 7), Move(TOKEN, BOB, ALICE, 5)
    stated = moves_to_json([nft])
    assert surprise(Outlook(moves=(nft,)), stated, LANE, TOKEN, 0) is None
    told = surprise(Outlook(moves=(nft, fee)), stated, LANE, TOKEN, 0)
    assert told == (
        "it would move other assets than it should: "
        f"1 of token 7 of {TOKEN} from {ALICE} to {BOB}, 5 of {TOKEN} from {BOB} to {ALICE}"
    )
    nothing = surprise(Outlook(), stated, LANE, TOKEN, 0)
    assert nothing == "it would move other assets than it should: none"


def test_the_coin_that_a_call_carries_is_stated_by_its_value() -> None:
    sent, nft = Move(NATIVE, LANE, TOKEN, 5), Move(TOKEN, ALICE, BOB, 1, 7)
    stated = moves_to_json([nft])
    assert surprise(Outlook(moves=(sent, nft)), stated, LANE, TOKEN, 5) is None
    assert surprise(Outlook(moves=(nft,)), stated, LANE, TOKEN, 5) is not None
    assert surprise(Outlook(moves=(sent, nft)), stated, LANE, TOKEN, 4) is not None
    assert surprise(Outlook(moves=(sent, sent, nft)), stated, LANE, TOKEN, 5) is not None


def test_where_nothing_was_stated_only_the_sent_coin_may_leave_the_lane() -> None:
    sent, taken = Move(NATIVE, LANE, TOKEN, 5), Move(TOKEN, LANE, BOB, 1, 7)
    between = Move(TOKEN, ALICE, BOB, 1, 7)
    assert surprise(Outlook(moves=(sent, between)), None, LANE, TOKEN, 5) is None
    assert surprise(Outlook(moves=(sent,)), None, LANE, TOKEN, 4) is not None
    assert surprise(Outlook(moves=(between, taken)), None, LANE, TOKEN, 0) == (
        f"it would take assets of the relayer: 1 of token 7 of {TOKEN} from {LANE} to {BOB}"
    )


def test_a_surprise_of_any_length_can_be_stored() -> None:
    many = tuple(Move(TOKEN, ALICE, BOB, index) for index in range(10_000))
    assert len(surprise(Outlook(moves=many), "[]", LANE, TOKEN, 0) or "") < 1_000
