"""What nodes say when they refuse a transaction, word for word, and what it means."""

from __future__ import annotations

import pytest

from chain.client import RpcError
from chain.relay.faults import TABLE, Fault, classify

HASH = "0x" + "ab" * 32

#: What the clients' sources say, with the details that they add.
SAID = {
    "geth": [
        ("already known", Fault.KNOWN),
        ("nonce too low: next nonce 7, tx nonce 3", Fault.USED),
        ("nonce too high", Fault.GAP),
        ("gapped-nonce tx from delegated accounts", Fault.GAP),
        ("replacement transaction underpriced", Fault.UNDERPRICED),
        ("replacement transaction underpriced: gas fee cap 1 <= 2 queued", Fault.UNDERPRICED),
        ("transaction underpriced: gas tip cap 0, minimum needed 1", Fault.CHEAP),
        (
            "max fee per gas less than block base fee: address 0x01, maxFeePerGas: 1, baseFee: 7",
            Fault.CHEAP,
        ),
        ("insufficient funds for gas * price + value: balance 0, tx cost 5", Fault.FUNDS),
        ("txpool is full", Fault.FULL),
        ("account limit exceeded", Fault.FULL),
        ("in-flight transaction limit reached for delegated accounts", Fault.FULL),
        ("exceeds block gas limit", Fault.NEVER),
        ("transaction gas limit too high (cap: 16777216, tx: 16777217)", Fault.NEVER),
        ("intrinsic gas too low: gas 5, minimum needed 21000", Fault.NEVER),
        ("oversized data: transaction size 200000, limit 131072", Fault.NEVER),
        ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", Fault.LATER),
    ],
    "nethermind": [
        ("AlreadyKnown", Fault.KNOWN),
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 3", Fault.USED),
        ("NonceGap, Future nonce. Expected nonce: 5", Fault.GAP),
        ("ReplacementNotAllowed", Fault.UNDERPRICED),
        ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7", Fault.CHEAP),
        ("FeeTooLowToCompete", Fault.CHEAP),
        ("InsufficientFunds, Account balance: 0, cumulative cost: 5", Fault.FUNDS),
        ("GasLimitExceeded, Gas limit: 30000000, gas limit of rejected tx: 40000000", Fault.NEVER),
        ("already known", Fault.KNOWN),
        ("nonce too high, Future nonce. Expected nonce: 5", Fault.GAP),
        ("transaction underpriced", Fault.CHEAP),
        ("replacement transaction underpriced", Fault.UNDERPRICED),
    ],
    "erigon": [
        ("ALREADY_EXISTS: already known", Fault.KNOWN),
        ("INTERNAL_ERROR: existing txn with same hash", Fault.KNOWN),
        ("INTERNAL_ERROR: existing tx with same hash", Fault.KNOWN),
        ("INTERNAL_ERROR: nonce too low", Fault.USED),
        ("INTERNAL_ERROR: could not replace existing tx", Fault.UNDERPRICED),
        ("INTERNAL_ERROR: replacement transaction underpriced", Fault.UNDERPRICED),
        ("FEE_TOO_LOW: underpriced", Fault.CHEAP),
        ("FEE_TOO_LOW: fee too low", Fault.CHEAP),
        ("INTERNAL_ERROR: insufficient funds", Fault.FUNDS),
        ("INTERNAL_ERROR: pending sub-pool is full", Fault.FULL),
        ("INTERNAL_ERROR: baseFee sub-pool is full", Fault.FULL),
        ("INTERNAL_ERROR: queued sub-pool is full", Fault.FULL),
        ("INTERNAL_ERROR: spammer", Fault.FULL),
        ("INTERNAL_ERROR: gas limit is too high", Fault.NEVER),
        ("INTERNAL_ERROR: IntrinsicGas", Fault.NEVER),
        ("INTERNAL_ERROR: oversized data", Fault.NEVER),
    ],
    "reth": [
        ("already known", Fault.KNOWN),
        ("nonce too low: next nonce 7, tx nonce 3", Fault.USED),
        ("replacement transaction underpriced", Fault.UNDERPRICED),
        ("transaction underpriced", Fault.CHEAP),
        ("max fee per gas less than block base fee", Fault.CHEAP),
        ("transaction priority fee below minimum required priority fee 1000", Fault.CHEAP),
        ("insufficient funds for gas * price + value: have 0 want 5", Fault.FUNDS),
        ("txpool is full", Fault.FULL),
        ("exceeds block gas limit", Fault.NEVER),
        ("exceeds max transaction gas limit", Fault.NEVER),
        ("gas limit too high", Fault.NEVER),
        ("intrinsic gas too low", Fault.NEVER),
        ("oversized data: transaction size 200000, limit 131072", Fault.NEVER),
        ("tx fee (2 wei) exceeds the configured cap (1 wei)", Fault.LATER),
    ],
    "anvil": [
        (f"Tx: [{HASH}] already Imported", Fault.KNOWN),
        ("transaction already imported", Fault.KNOWN),
        ("nonce too low", Fault.USED),
        ("Nonce too high", Fault.GAP),
        (f"Tx: [{HASH}] insufficient gas price to replace existing transaction", Fault.UNDERPRICED),
        ("replacement transaction underpriced", Fault.UNDERPRICED),
        ("max fee per gas less than block base fee", Fault.CHEAP),
        ("Insufficient funds for gas * price + value", Fault.FUNDS),
        ("intrinsic gas too low", Fault.NEVER),
        ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", Fault.NEVER),
        (
            "Transaction gas limit is greater than the block gas limit, gas_limit: 9, cap: 8",
            Fault.NEVER,
        ),
    ],
    "besu": [
        ("Known transaction", Fault.KNOWN),
        ("Nonce too low", Fault.USED),
        ("Transaction nonce is too distant from current sender nonce", Fault.GAP),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "meaning"), [one for said in SAID.values() for one in said], ids=str
)
def test_what_clients_say_is_understood(text: str, meaning: Fault) -> None:
    assert classify(RpcError(text, -32000)) is meaning
    assert classify(RpcError(text.upper(), -32000)) is meaning


def test_every_line_of_the_table_decides_about_something_that_a_client_says() -> None:
    deciding = {_line(text) for said in SAID.values() for text, _ in said}
    assert [phrase for phrase, _, _ in TABLE if phrase not in deciding] == []


def test_no_line_of_the_table_hides_a_later_one() -> None:
    phrases = [phrase for phrase, _, _ in TABLE]
    hidden = [b for i, b in enumerate(phrases) for a in phrases[:i] if a in b]
    assert hidden == []
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize(
    "text",
    ["", "internal error", "header not found", "limit exceeded", "too many requests", "x" * 10_000],
)
def test_what_nobody_knows_is_tried_again_later(text: str) -> None:
    assert classify(RpcError(text, -32000)) is Fault.LATER


def _line(text: str) -> str | None:
    said = text.lower().replace("-", " ")
    return next((phrase for phrase, _, _ in TABLE if phrase in said), None)
