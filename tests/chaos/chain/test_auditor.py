"""The auditor is told histories in which something is wrong, and names it; and clean ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from eth_abi.abi import encode

from tests.chaos.chain.auditor import (
    BATCH,
    RECORD,
    Books,
    Chain,
    Findings,
    Mined,
    Owed,
    Slot,
    judge,
)

LANE, OTHER = "0x" + "aa" * 20, "0x" + "bb" * 20
ESCROW, RECORDER = "0x" + "ee" * 20, "0x" + "cc" * 20


def owed(number: int) -> Owed:
    """A call to the recorder with calldata of its own."""
    return Owed(UUID(int=number), RECORDER, RECORD + number.to_bytes(32))


def leg(number: int) -> Owed:
    """A call to the escrow."""
    return Owed(UUID(int=number), ESCROW, b"\x01\x02\x03\x04" + number.to_bytes(32))


def mined(nonce: int, intent: Owed, *, lane: str = LANE, ok: bool = True) -> Mined:
    """An intent's own transaction."""
    return Mined(lane, nonce, f"0x{lane[2:4]}{nonce}", intent.to, intent.data, ok)


def batched(nonce: int, *items: Owed, ok: bool = True, failed: tuple[int, ...] = ()) -> Mined:
    """Several intents in one transaction of the escrow."""
    data = BATCH + encode(["bytes[]", "uint256"], [[one.data for one in items], 100_000])
    return Mined(LANE, nonce, f"0xaa{nonce}", ESCROW, data, ok, frozenset(failed))


def filler(nonce: int) -> Mined:
    """A self-transfer in the place of a call."""
    return Mined(LANE, nonce, f"0xaa{nonce}", LANE, b"", True)


def chain_of(*history: Mined) -> Chain:
    """These transactions, and nothing before them."""
    used = Counter(one.sender for one in history)
    recorded = Counter(one.data[4:] for one in history if one.ok and one.data[:4] == RECORD)
    lanes = {lane: used[lane] for lane in (LANE, OTHER)}
    return Chain(list(history), dict.fromkeys(lanes, 0), lanes, recorded)


def books_of(chain: Chain, states: dict[Owed, str]) -> Books:
    """Books that explain a chain: a confirmed slot with its bytes for every transaction."""
    return Books(
        intents={intent.id: state for intent, state in states.items()},
        slots=[Slot(one.sender, one.nonce, "confirmed", one.hash) for one in chain.mined],
        signed={one.hash: (one.sender, one.nonce) for one in chain.mined},
        next_nonce=dict(chain.count),
    )


def verdict(states: dict[Owed, str], *history: Mined) -> Findings:
    """What the auditor says where the books explain every nonce."""
    chain = chain_of(*history)
    return judge(list(states), chain, books_of(chain, states))


def counts(found: Findings) -> tuple[int, int, int]:
    return len(found.double_sends), len(found.nonce_gaps), len(found.lost)


A, B, C = owed(1), owed(2), owed(3)
L, M, N = leg(1), leg(2), leg(3)


def test_intents_that_ran_once_and_are_confirmed_are_clean() -> None:
    found = verdict({A: "confirmed", B: "confirmed"}, mined(0, A), mined(0, B, lane=OTHER))
    assert found.clean
    assert (found.transactions, found.executed, found.ended) == (2, 2, {"confirmed": 2})


def test_a_batch_counts_for_each_of_its_items() -> None:
    found = verdict({L: "confirmed", M: "confirmed"}, batched(0, L, M))
    assert found.clean
    assert (found.transactions, found.executed) == (1, 2)


@pytest.mark.parametrize(
    "history",
    [
        (mined(0, A), mined(1, A)),
        (mined(0, A), mined(0, A, lane=OTHER)),
        (mined(0, A), mined(1, A), mined(2, A)),
    ],
    ids=["two nonces", "two keys", "three nonces"],
)
def test_a_call_that_ran_twice_is_a_double_send(history: tuple[Mined, ...]) -> None:
    assert counts(verdict({A: "confirmed"}, *history)) == (1, 0, 0)


@pytest.mark.parametrize(
    "history",
    [
        (mined(0, L), mined(1, L, ok=False)),
        (mined(0, L, ok=False), mined(1, L)),
        (mined(0, L), batched(1, L, M, failed=(0,))),
        (batched(0, L, M), mined(1, L, ok=False)),
    ],
    ids=["refused again", "alone after alone", "in a batch after", "alone after a batch"],
)
def test_a_call_that_was_tried_again_after_its_answer_is_a_double_send(
    history: tuple[Mined, ...],
) -> None:
    states = (
        {L: "confirmed"} if len(history[1].failed_items) == 0 else {L: "confirmed", M: "confirmed"}
    )
    if any(one.data[:4] == BATCH for one in history):
        states |= {M: "confirmed"}
    assert counts(verdict(states, *history)) == (1, 0, 0)


def test_a_call_that_ran_twice_by_other_calldata_is_seen_by_the_recorder() -> None:
    chain = chain_of(mined(0, A))
    chain.recorded[A.data[4:]] += 1
    assert counts(judge([A], chain, books_of(chain, {A: "confirmed"}))) == (1, 0, 0)


def test_an_item_that_failed_in_its_batch_may_go_again_alone() -> None:
    states = {L: "confirmed", M: "confirmed"}
    found = verdict(states, batched(0, L, M, failed=(1,)), mined(1, M))
    assert found.clean
    assert found.executed == 2


def test_items_of_a_batch_that_reverted_may_go_again() -> None:
    states = {L: "confirmed", M: "confirmed", N: "failed"}
    history = (batched(0, L, M, N, ok=False), batched(1, L, M), mined(2, N, ok=False))
    assert verdict(states, *history).clean


@pytest.mark.parametrize("state", ["failed", "expired", "canceled"])
def test_a_nonce_that_was_filled_is_no_send(state: str) -> None:
    found = verdict({A: state}, filler(0))
    assert found.clean
    assert (found.transactions, found.executed) == (1, 0)


@pytest.mark.parametrize("state", ["failed", "expired", "canceled", "pending", "sent", "missing"])
def test_an_intent_that_ran_and_is_not_confirmed_is_lost(state: str) -> None:
    chain = chain_of(mined(0, A))
    states = {} if state == "missing" else {A: state}
    assert counts(judge([A], chain, books_of(chain, states))) == (0, 0, 1)


@pytest.mark.parametrize("state", ["confirmed", "pending", "sent", "missing"])
def test_an_intent_that_did_not_run_and_has_not_ended_is_lost(state: str) -> None:
    states = {} if state == "missing" else {A: state}
    chain = chain_of(filler(0))
    assert counts(judge([A], chain, books_of(chain, states))) == (0, 0, 1)


def test_an_item_that_failed_and_is_confirmed_is_lost() -> None:
    found = verdict({L: "confirmed", M: "confirmed"}, batched(0, L, M, failed=(1,)))
    assert counts(found) == (0, 0, 1)


def test_a_nonce_that_the_books_do_not_have_is_a_gap() -> None:
    chain = chain_of(mined(0, A), mined(1, B))
    books = books_of(chain, {A: "confirmed", B: "confirmed"})
    del books.signed["0xaa1"], books.slots[1]
    assert counts(judge([A, B], chain, books)) == (0, 1, 0)


def test_a_nonce_that_was_used_by_unknown_bytes_is_a_gap() -> None:
    chain = chain_of(mined(0, A))
    books = books_of(chain, {A: "confirmed"})
    books.signed["0xaa0"] = (LANE, 5)
    assert counts(judge([A], chain, books)) == (0, 1, 0)


def test_every_nonce_that_was_left_out_is_a_gap() -> None:
    chain = chain_of(mined(0, A))
    books = books_of(chain, {A: "confirmed"})
    books.slots.append(Slot(LANE, 3, "submitted", None))
    found = judge([A], chain, books)
    assert counts(found) == (0, 3, 0)
    assert [gap.partition(": ")[2] for gap in found.nonce_gaps] == [
        "nonce 1 has no slot",
        "nonce 2 has no slot",
        "nonce 3 was never mined",
    ]


def test_a_counter_that_ran_ahead_is_a_gap() -> None:
    chain = chain_of(mined(0, A))
    books = books_of(chain, {A: "confirmed"})
    books.next_nonce[LANE] = 2
    assert counts(judge([A], chain, books)) == (0, 1, 0)


@pytest.mark.parametrize("change", [{"state": "mined"}, {"mined_hash": "0xanother"}])
def test_a_nonce_of_which_the_books_know_less_than_the_chain_is_a_gap(
    change: dict[str, str],
) -> None:
    chain = chain_of(mined(0, A))
    books = books_of(chain, {A: "confirmed"})
    books.slots[0] = replace(books.slots[0], **change)  # type: ignore[arg-type]
    assert counts(judge([A], chain, books)) == (0, 1, 0)


def test_a_slot_from_before_the_lane_is_a_gap() -> None:
    chain = replace(chain_of(mined(0, A)), first={LANE: 1}, count={LANE: 1})
    assert counts(judge([A], chain, books_of(chain, {A: "confirmed"}))) == (0, 1, 0)


def test_books_are_unfinished_while_an_intent_or_a_nonce_is_open() -> None:
    chain = chain_of(mined(0, A), mined(1, B))
    books = books_of(chain, {A: "confirmed", B: "failed", C: "pending"})
    books.slots[1] = replace(books.slots[1], state="mined")
    assert books.unfinished() == 2
