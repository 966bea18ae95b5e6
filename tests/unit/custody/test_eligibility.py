"""What the chain says of tokens just now: every answer that is not one says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chain.client import RpcError
from chain.contracts import encode_call
from custody.eligibility import TokenState, states_of
from returns.errors import ChainUnavailable

TOKEN = ("0x" + "c0" * 20, 7)
HOLDER, OTHER = "0x" + "a1" * 20, "0x" + "b2" * 20
NO, YES = "0x" + "0" * 64, "0x" + "0" * 63 + "1"
#: Selectors as ERC-5192 and ERC-4907 publish them.
LOCKED, USER_OF = "b45a3c0e", "c2f1f14a"
OWNER_OF = encode_call("ReturnableNFT", "ownerOf", 0)[:4].hex()
REVERTED = RpcError("execution reverted", 3)


def word(address: str) -> str:
    return "0x" + "00" * 12 + address[2:]


HOLDER_WORD = word(HOLDER)


class Node:
    """Answers by selector, the same for every token."""

    def __init__(
        self, holder: Any = HOLDER_WORD, locked: Any = REVERTED, user: Any = REVERTED
    ) -> None:
        self.answers = {OWNER_OF: holder, LOCKED: locked, USER_OF: user}
        self.batches: list[list[tuple[str, str]]] = []

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        asked = [(params[0]["to"], params[0]["data"]) for _, params in calls]
        self.batches.append(asked)
        return [self.answers[data[2:10]] for _, data in asked]


class Silent:
    def batch(self, _: object) -> list[Any]:
        raise ChainUnavailable(problem="ConnectionError")


def state(**answers: Any) -> TokenState:
    return states_of(Node(**answers), [TOKEN])[TOKEN]


def test_a_plain_token_has_a_holder_and_nothing_else_is_known() -> None:
    assert state() == TokenState(HOLDER, transferable=None, rented=None)


@pytest.mark.parametrize(("answer", "transferable"), [(NO, True), (YES, False)])
def test_a_locked_token_cannot_be_transferred(answer: str, transferable: bool) -> None:
    assert state(locked=answer).transferable is transferable


@pytest.mark.parametrize(
    ("user", "rented"), [(NO, False), (word(HOLDER), False), (word(OTHER), True)]
)
def test_a_token_is_rented_while_somebody_else_uses_it(user: str, rented: bool) -> None:
    assert state(user=user).rented is rented


@pytest.mark.parametrize(
    "garbage",
    [
        REVERTED,
        None,
        7,
        "",
        "0x",
        "0x01",
        NO + "00",
        NO + NO[2:],
        "0x" + "f" * 64,
        "0x" + "z" * 64,
        "0x" + "0" * 24 + "z" * 40,
    ],
)
def test_garbage_tells_nothing(garbage: Any) -> None:
    found = state(holder=garbage, locked=garbage, user=garbage)
    assert found == TokenState(None, transferable=None, rented=None)


def test_a_lock_is_exactly_one_bit() -> None:
    assert state(locked="0x" + "0" * 63 + "2").transferable is None


def test_nobody_holds_what_the_zero_address_holds() -> None:
    assert state(holder=NO).holder is None


def test_a_silent_node_tells_nothing_of_any_token() -> None:
    tokens = [TOKEN, (TOKEN[0], 8)]
    assert states_of(Silent(), tokens) == dict.fromkeys(tokens, TokenState(None, None, None))


def test_all_tokens_are_asked_about_in_one_go_each_under_its_id() -> None:
    node = Node(user=NO)
    tokens = [TOKEN, (OTHER, 2**256 - 1)]
    assert states_of(node, tokens) == dict.fromkeys(tokens, TokenState(HOLDER, None, rented=False))
    assert node.batches == [
        [
            (collection, f"0x{selector}{token_id:064x}")
            for collection, token_id in tokens
            for selector in (OWNER_OF, LOCKED, USER_OF)
        ]
    ]


def test_no_tokens_have_no_states() -> None:
    assert states_of(Node(), []) == {}
