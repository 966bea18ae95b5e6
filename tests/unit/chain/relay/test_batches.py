"""Who may share a transaction, and what becomes of those that cannot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from fake_node import FakeNode
from hypothesis import given
from hypothesis import strategies as st

from chain.client import RpcError
from chain.contracts import encode_call
from chain.relay.batches import Owed, Plan, alone, item_failures, plans, together, with_margin
from chain.relay.simulation import Move, moves_to_json

ESCROW, SHOP, LANE = ("0x" + two * 20 for two in ("e5", "51", "1a"))
BATCH = encode_call("ReturnEscrow", "batch", [], 0)[:4]
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
FAILED = "0x" + keccak(text="ItemFailed(bytes32,uint256,bytes4,bytes)").hex()


def owed(number: int, limit: int = 25, **more: Any) -> Owed:
    """An intent whose call is its number, and whose token of that number moves."""
    given = {
        "id": UUID(int=number), "merchant_id": UUID(int=1), "to": ESCROW,
        "data": number.to_bytes(4), "value": 0, "facts": "{}",
        "moves": moves_to_json([Move(SHOP, LANE, ESCROW, 1, number)]), "case_id": None,
        "customer": None, "batch_limit": limit, "expires_at": None, "gas": 60_000,
    }  # fmt: skip
    return Owed(**{**given, **more})


def items_of(data: bytes) -> list[int]:
    """The numbers of the calls in a batch."""
    assert data[:4] == BATCH
    return [int.from_bytes(one) for one in decode(["bytes[]", "uint256"], data[4:])[0]]


class Escrow:
    """Simulates batches: some items fail in company, some make the whole transaction revert."""

    def __init__(self, *, failing: set[int] | None = None, poison: set[int] | None = None) -> None:
        self.failing, self.poison = failing or set(), poison or set()
        self.tried: list[list[int]] = []
        self.node = FakeNode(eth_simulateV1=self.simulate)

    def simulate(self, asked: dict[str, Any], _: str) -> Any:
        [call] = asked["blockStateCalls"][0]["calls"]
        data = bytes.fromhex(call["data"][2:])
        numbers = items_of(data) if data[:4] == BATCH else [int.from_bytes(data)]
        self.tried.append(numbers)
        if len(numbers) > 1 and self.poison & set(numbers):
            raise RpcError("execution reverted", 3, "0x")
        logs = [self._log(index, number) for index, number in enumerate(numbers)]
        return [{"calls": [{"status": "0x1", "gasUsed": "0x1", "logs": logs}]}]

    def _log(self, index: int, number: int) -> dict[str, Any]:
        if number in self.failing:
            data = encode(["uint256", "bytes4", "bytes"], [index, bytes(4), b""])
            topics = [FAILED, "0x" + number.to_bytes(32).hex()]
            return {"address": ESCROW, "topics": topics, "data": "0x" + data.hex()}
        topics = [TRANSFER, *("0x" + "00" * 12 + one[2:] for one in (LANE, ESCROW))]
        return {
            "address": SHOP,
            "topics": [*topics, "0x" + number.to_bytes(32).hex()],
            "data": "0x",
        }


def numbers_of(ready: list[Plan]) -> list[list[int]]:
    return [[row.id.int for row in plan.rows] for plan in ready]


def planned(
    escrow: Escrow, rows: list[Owed], gas: int = 10_000_000
) -> tuple[list[list[int]], list[int]]:
    ready, out = plans(escrow.node, LANE, rows, gas)
    return numbers_of(ready), [row.id.int for row in out]


# -- groups ----------------------------------------------------------------------------------------


def test_intents_share_a_transaction_in_their_order() -> None:
    escrow = Escrow()
    ready, out = plans(escrow.node, LANE, [owed(n) for n in (1, 2, 3)], 10_000_000)
    assert (numbers_of(ready), out) == ([[1, 2, 3]], [])
    assert items_of(ready[0].call.data) == [1, 2, 3]
    assert (ready[0].call.to, ready[0].call.value) == (ESCROW, 0)


def test_one_intent_goes_by_its_own_call() -> None:
    ready, _ = plans(Escrow().node, LANE, [owed(7)], 10_000_000)
    assert ready == [alone(owed(7))]
    assert ready[0].call.data == (7).to_bytes(4)


def test_what_must_go_alone_is_not_simulated_again() -> None:
    escrow = Escrow()
    rows = [owed(1, limit=1), owed(2, value=5), owed(3, limit=0)]
    assert planned(escrow, rows) == ([[1], [2], [3]], [])
    assert escrow.tried == []


@pytest.mark.parametrize(
    ("limits", "groups"),
    [
        ([3] * 7, [[1, 2, 3], [4, 5, 6], [7]]),
        ([25, 25, 2, 25], [[1, 2], [3, 4]]),
        ([2, 25, 25, 25], [[1, 2], [3, 4]]),
        ([25] * 3, [[1, 2, 3]]),
    ],
)
def test_the_smallest_limit_of_a_group_is_its_own(
    limits: list[int], groups: list[list[int]]
) -> None:
    rows = [owed(index + 1, limit) for index, limit in enumerate(limits)]
    assert planned(Escrow(), rows) == (groups, [])


def test_contracts_do_not_share_a_transaction() -> None:
    other = "0x" + "99" * 20
    rows = [owed(1), owed(2, to=other), owed(3), owed(4, to=other)]
    assert planned(Escrow(), rows)[0] == [[2, 4], [1, 3]]


def test_a_transaction_stays_within_its_gas() -> None:
    rows = [owed(n, gas=40_000) for n in range(1, 6)]
    assert planned(Escrow(), rows, gas=100_000)[0] == [[1, 2], [3, 4], [5]]
    assert planned(Escrow(), rows, gas=1)[0] == [[1], [2], [3], [4], [5]]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 90_000)), max_size=30),
    st.integers(1, 300_000),
)
def test_every_intent_is_in_one_plan_and_every_plan_keeps_its_limits(
    kinds: list[tuple[int, int]], most: int
) -> None:
    rows = [owed(i + 1, limit, gas=gas) for i, (limit, gas) in enumerate(kinds)]
    ready, out = plans(Escrow().node, LANE, rows, most)
    found = sorted(row.id.int for plan in ready for row in plan.rows)
    assert (found, out) == (list(range(1, len(rows) + 1)), [])
    for plan in ready:
        assert len(plan.rows) <= max(1, min(row.batch_limit for row in plan.rows))
        assert len(plan.rows) == 1 or sum(row.gas for row in plan.rows) <= most


# -- what fails in company -------------------------------------------------------------------------


def test_an_item_that_fails_in_company_goes_alone_and_the_rest_together() -> None:
    escrow = Escrow(failing={3})
    assert planned(escrow, [owed(n) for n in range(1, 6)]) == ([[1, 2, 4, 5]], [3])
    assert escrow.tried == [[1, 2, 3, 4, 5], [1, 2, 4, 5]]


def test_several_that_fail_in_company_are_all_left_out() -> None:
    assert planned(Escrow(failing={1, 5}), [owed(n) for n in range(1, 6)]) == ([[2, 3, 4]], [1, 5])
    assert planned(Escrow(failing={1, 2}), [owed(1), owed(2)]) == ([], [1, 2])


def test_a_batch_that_reverts_is_halved_until_what_reverts_is_alone() -> None:
    escrow = Escrow(poison={6})
    ready, out = planned(escrow, [owed(n) for n in range(1, 9)])
    assert (sorted(ready), out) == ([[1, 2, 3, 4], [5], [6], [7, 8]], [])
    assert escrow.tried[0] == list(range(1, 9))


def test_moves_that_are_not_those_stated_are_looked_at_one_by_one() -> None:
    rows = [owed(1), owed(2, moves=moves_to_json([])), owed(3), owed(4)]
    ready, out = planned(Escrow(), rows)
    assert (sorted(ready), out) == ([[1], [2], [3, 4]], [])


def test_intents_whose_moves_nobody_stated_do_not_share() -> None:
    rows = [owed(1, moves=None), owed(2, moves=None)]
    assert planned(Escrow(), rows) == ([[1], [2]], [])


@given(st.sets(st.integers(1, 20)), st.sets(st.integers(1, 20)))
def test_the_search_ends_and_loses_nobody(failing: set[int], poison: set[int]) -> None:
    escrow = Escrow(failing=failing, poison=poison)
    ready, out = planned(escrow, [owed(n) for n in range(1, 21)])
    assert sorted([*(n for group in ready for n in group), *out]) == list(range(1, 21))
    assert all(len(group) == 1 or not poison & set(group) for group in ready)
    assert all(len(group) == 1 or not failing & set(group) for group in ready)
    assert len(escrow.tried) <= 2 * 20 + 20


# -- gas -------------------------------------------------------------------------------------------


@given(st.lists(st.integers(21_000, 400_000), min_size=2, max_size=25))
def test_each_item_is_promised_more_than_its_simulation_used(gas: list[int]) -> None:
    plan = together([owed(n + 1, gas=used) for n, used in enumerate(gas)])
    each = decode(["bytes[]", "uint256"], plan.call.data[4:])[1]
    assert each >= max(gas)
    # What the last item needs is still there when all before it have used what they did (EIP-150).
    assert plan.gas - sum(gas) >= each * 64 // 63


@pytest.mark.parametrize(
    ("used", "limit"),
    [
        (100_000, 225_000),
        (800_000, 1_200_000),
        (11_000_000, 16_500_000),
        (12_000_000, 2**24),
        (20_000_000, 20_000_000),
    ],
)
def test_room_ends_at_what_a_transaction_may_use(used: int, limit: int) -> None:
    """EIP-7825: 2^24. Room above it would have the node refuse the whole transaction."""
    assert with_margin(used) == limit


def test_failures_of_items_are_told_by_their_place_and_by_the_escrow_alone() -> None:
    escrow = Escrow(failing={5, 7})
    logs = [escrow._log(index, number) for index, number in enumerate([4, 5, 6, 7])]
    assert item_failures(logs, ESCROW) == {
        1: "out of gas, or no reason", 3: "out of gas, or no reason"
    }  # fmt: skip
    stranger = [{**one, "address": SHOP} for one in logs]
    assert item_failures(stranger, ESCROW) == {}
