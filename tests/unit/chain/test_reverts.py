"""What a revert says, whoever wrote it."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.client import RpcError
from chain.contracts import (
    DecodedEvent,
    encode_call,
    item_reason,
    revert_reason,
    spell_call,
)


def said(data: bytes, message: str = "execution reverted") -> str:
    return revert_reason(RpcError(message, 3, "0x" + data.hex()))


def error(signature: str, *values: object) -> bytes:
    inside = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4] + encode(inside.split(",") if inside else [], values)


def test_names_our_errors_with_their_values() -> None:
    line = b"\x07" * 32
    data = error("ReturnEscrowWrongState(bytes32,uint8)", line, 3)
    assert said(data) == f"ReturnEscrowWrongState(0x{line.hex()}, 3)"
    late = error("ReturnEscrowDeadlinePassed(bytes32,uint48)", line, 1_700_000_000)
    assert said(late) == f"ReturnEscrowDeadlinePassed(0x{line.hex()}, 1700000000)"
    assert said(error("DeskZeroAddress()")) == "DeskZeroAddress()"


def test_reads_the_compilers_own_errors() -> None:
    assert said(error("Error(string)", "no coin – yet")) == "no coin – yet"
    assert said(error("Panic(uint256)", 0x11)) == "Panic(17)"


@pytest.mark.parametrize("data", [None, "0x", "0x12345678", "0xabc", "0xzz"])
def test_falls_back_to_the_nodes_words(data: str | None) -> None:
    assert revert_reason(RpcError("execution reverted", 3, data)) == "execution reverted"


@given(st.sampled_from(["08c379a0", "4e487b71", ""]), st.binary(max_size=200))
def test_garbage_behind_a_known_selector_is_survived(selector: str, rest: bytes) -> None:
    text = said(bytes.fromhex(selector) + rest)
    assert text == "".join(char for char in text if char.isprintable())


@given(st.text(max_size=2_000))
def test_a_strangers_text_can_be_stored(text: str) -> None:
    for reason in (revert_reason(RpcError(text)), str(RpcError(text))):
        assert len(reason) <= 500
        assert "\0" not in reason
        reason.encode()


def failed(reason: bytes) -> DecodedEvent:
    return DecodedEvent("ItemFailed", {"reason": "0x" + reason.hex()})


def test_a_failed_item_says_why() -> None:
    line = b"\x07" * 32
    early = error("ReturnEscrowWrongState(bytes32,uint8)", line, 3)
    assert item_reason(failed(early)) == f"ReturnEscrowWrongState(0x{line.hex()}, 3)"
    assert item_reason(failed(b"")) == "out of gas, or no reason"


def test_a_reason_that_was_cut_is_told_as_it_is() -> None:
    cut = error("Error(string)", "x" * 400)[:256]
    assert item_reason(failed(cut)) == "0x" + cut.hex()[:498]


def test_calldata_is_spelled_out() -> None:
    vault = "0x" + "fa" * 20
    call = encode_call("ReturnEscrow", "registerMerchant", vault)
    assert spell_call("ReturnEscrow", call) == f"registerMerchant({vault})"
