"""Processor and chain of the made-up year, as their clients show them, without memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chain.client import BlockHeader
from chain.contracts import event_topic
from returns.ids import bytes32
from returns.words import MovementKind, RefundStatus
from settlement.processors.base import Movement, ProcessorRefund, RefundRequest
from tests.bench.recon_world import (
    AMOUNT,
    BLOCKS,
    BUYER,
    CRYPTO,
    DEPLOYMENT,
    FIAT,
    HELD,
    STRANGER,
    VAULT,
    Return,
    block_hash,
    made_id,
    made_return,
)

_ESCROW, _COLLECTION = DEPLOYMENT.escrow, DEPLOYMENT.collection
_FIRST_STRAY = 10**12
_TOPICS = {name: event_topic("ReturnEscrow", name)
           for name in ("Deposited", "Committed", "Settled", "Swapped")}  # fmt: skip
_MOVED = event_topic("ReturnableNFT", "Transfer")
_BLANK = "0" * 64


class StandInProcessor:
    """Implements `settlement.processors.base.Processor` for what reconciliation asks."""

    name = "bench"

    def __init__(self, returns: int) -> None:
        self.returns = returns

    def refunds(self) -> Iterator[ProcessorRefund]:
        """The log."""
        for i in range(self.returns):
            for _, refund in _refunds(made_return(i)):
                yield refund

    def movements(self, after: str | None = None) -> Iterator[Movement]:
        """The report: a charge for each order, and each refund that went out."""
        first = 0 if after is None else int(after) // 10 + 1
        for i in range(first, self.returns):
            one = made_return(i)
            for place, (_, refund) in enumerate(_refunds(one)):
                about = (MovementKind.REFUND, refund.id, -refund.amount, refund.currency, one.at)
                yield Movement(str(i * 10 + place), *about)
            charge = (MovementKind.CHARGE, f"ch_{i}", AMOUNT, "USD", one.at)
            yield Movement(str(i * 10 + 9), *charge)

    def retrieve(self, refund_id: str) -> ProcessorRefund | None:
        """By the id of the refund."""
        i = next(int(word) for word in refund_id.split("_") if word.isdigit())
        return next((r for _, r in _refunds(made_return(i)) if r.id == refund_id), None)

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """By key."""
        i = request.key.int & (1 << 40) - 1
        found = (r for _, r in _refunds(made_return(i)) if r.key == str(request.key))
        return next(found, None)


def _refunds(one: Return) -> Iterator[tuple[int, ProcessorRefund]]:
    if one.kind != FIAT:
        return
    amount = AMOUNT - (one.fault == "processor.amount")
    currency = "EUR" if one.fault == "processor.fx" else "USD"
    key, paid = str(one.id("processor_refund")), RefundStatus.SUCCEEDED
    if one.fault != "processor.missing":
        charge = f"ch_{one.i}"
        yield 0, ProcessorRefund(f"re_{one.i}", key, charge, amount, currency, paid)
        if one.fault == "processor.duplicate":
            yield 1, ProcessorRefund(f"re_{one.i}_again", key, charge, amount, currency, paid)
    if one.fault == "processor.unknown":
        other = str(made_id("stranger", one.i))
        yield 2, ProcessorRefund(f"re_unknown_{one.i}", other, "ch", 5, "USD", paid)


class StandInChain:
    """Implements what reconciliation asks of `chain.client.ChainClient`."""

    def __init__(self, returns: int) -> None:
        self.returns = returns

    def block_number(self) -> int:
        """The newest return is just final."""
        return 10 + BLOCKS * self.returns + 1

    def headers(self, numbers: Sequence[int]) -> list[BlockHeader | None]:
        """Canonical ones."""
        return [BlockHeader(number, block_hash(number), "", 0, 0) for number in numbers]

    def logs_between(self, first: int, last: int, address: str) -> list[dict[str, Any]]:
        """As a node gives them."""
        begin = max(0, (first - 10) // BLOCKS)
        end = min(self.returns, (last - 10) // BLOCKS + 1)
        events = _escrow_logs if address == _ESCROW else _transfer_logs
        logs = (log for i in range(begin, end) for log in events(made_return(i)))
        return [log for number, log in logs if first <= number <= last]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Owners of tokens (ownerOf)."""
        tokens = (int(params[0]["data"][10:], 16) for _, params in calls)
        return ["0x" + "00" * 12 + _owner(token)[2:] for token in tokens]


def _owner(token: int) -> str:
    if token >= _FIRST_STRAY:
        return _ESCROW
    one = made_return(token)
    if one.fault == "chain.wrong_holder":
        return STRANGER
    return _ESCROW if one.kind == HELD else VAULT


def _escrow_logs(one: Return) -> Iterator[tuple[int, dict[str, Any]]]:
    line = "0x" + bytes32(one.id("line")).hex()
    vault = _word(VAULT)
    if one.kind == CRYPTO:
        refund = AMOUNT - (one.fault == "chain.amount")
        whom = STRANGER if one.fault == "chain.wrong_recipient" else BUYER
        data = (_word(BUYER), _word(_COLLECTION), _number(one.i), _number(1), _word(whom), _BLANK,
                _number(refund))  # fmt: skip
        yield _log(one.block, 0, [_TOPICS["Swapped"], line, "0x" + vault], "".join(data))
        return
    topics = [_TOPICS["Deposited"], line, "0x" + vault, "0x" + _word(BUYER)]
    yield _log(one.block, 0, topics, _BLANK * 20)
    if one.kind == HELD:
        return
    if one.fault != "chain.missing":
        yield _log(one.block, 2, [_TOPICS["Committed"], line], _BLANK)
    data = (_word(_COLLECTION), _number(one.i), _number(1))
    yield _log(one.block + 1, 0, [_TOPICS["Settled"], line, "0x" + vault], "".join(data))


def _transfer_logs(one: Return) -> Iterator[tuple[int, dict[str, Any]]]:
    # A sale among strangers, so that not everything that is read is about returns.
    yield _moved(one.block, 9, BUYER, STRANGER, 10**9 + one.i)
    if one.fault == "chain.unknown_inbound":
        yield _moved(one.block, 8, STRANGER, _ESCROW, _FIRST_STRAY + one.i)
    if one.kind == CRYPTO:
        yield _moved(one.block, 1, BUYER, VAULT, one.i)
        return
    yield _moved(one.block, 1, BUYER, _ESCROW, one.i)
    if one.kind != HELD:
        yield _moved(one.block + 1, 1, _ESCROW, VAULT, one.i)


def _moved(
    block: int, index: int, sender: str, recipient: str, token: int
) -> tuple[int, dict[str, Any]]:
    ends = ["0x" + _word(sender), "0x" + _word(recipient), "0x" + _number(token)]
    return _log(block, index, [_MOVED, *ends], "")


def _log(block: int, index: int, topics: list[str], data: str) -> tuple[int, dict[str, Any]]:
    return block, {
        "topics": topics,
        "data": "0x" + data,
        "blockNumber": hex(block),
        "blockHash": block_hash(block),
        "logIndex": hex(index),
    }


def _word(address: str) -> str:
    return "0" * 24 + address[2:]


def _number(value: int) -> str:
    return f"{value:064x}"
