"""What a call would do if it were sent now: gas, asset changes, why it would revert, or unknown.

The difference between the last two decides over a customer's return: a revert is the chain's
answer, a node that is overloaded or asks for a fee in advance has given none. One `eth_simulateV1`
tells all of it (Geth 1.14, Erigon 3, Nethermind 1.30, Reth 1.1, Anvil 1.0 and later).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.addresses import DEAD, NATIVE, ZERO
from chain.client import ChainClient, RpcError
from chain.contracts import is_revert, revert_reason

#: Transfer of ERC-20 and ERC-721, TransferSingle and TransferBatch of ERC-1155.
_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
_MANY = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
#: Calls simulated in one block. Without limits of their own they share the gas of a block equally.
_BLOCK = 50
#: Bytes of calldata in one block: nodes refuse requests of a few megabytes.
_BLOCK_DATA = 250_000


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """An asset that changes hands: an ERC-20 or the coin has no `token_id`, an ERC-721 amount 1.

    Addresses are lower-case; the coin is named as in EIP-7528.
    """

    asset: str
    sender: str
    recipient: str
    amount: int
    token_id: int | None = None

    def as_row(self) -> list[str | None]:
        """Its fields in order; JSON's numbers are too small for them."""
        token_id = None if self.token_id is None else str(self.token_id)
        return [self.asset, self.sender, self.recipient, str(self.amount), token_id]

    def __str__(self) -> str:
        what = self.amount if self.token_id is None else f"{self.amount} of token {self.token_id}"
        return f"{what} of {self.asset} from {self.sender} to {self.recipient}"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Either gas, moves and logs, or why it would revert, or why nobody can tell."""

    gas: int = 0
    moves: tuple[Move, ...] = ()
    logs: tuple[dict[str, Any], ...] = ()
    refusal: str | None = None
    unclear: str | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the call would succeed."""
        return self.refusal is None and self.unclear is None


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be simulated. `gas`: its limit, none for the block's."""

    to: str
    data: bytes
    value: int = 0
    gas: int | None = None


def moves_to_json(moves: Sequence[Move]) -> str:
    """The form in which expected asset changes are stored: amounts and ids as strings."""
    return json.dumps([move.as_row() for move in sorted(moves, key=_in_order)])


def moves_from_json(text: str) -> list[Move]:
    """Back from the stored form."""
    return [
        Move(asset, sender, recipient, int(amount), None if token_id is None else int(token_id))
        for asset, sender, recipient, amount, token_id in json.loads(text)
    ]


def same_moves(expected: Sequence[Move], found: Sequence[Move]) -> bool:
    """Whether exactly these assets change hands, in whatever order."""
    return sorted(map(_in_order, expected)) == sorted(map(_in_order, found))


def requests(sender: str, calls: Sequence[Call]) -> list[tuple[str, tuple[Any, ...]]]:
    """The JSON-RPC calls that simulate transactions of `sender` in this order: see `in_company`."""
    return [_request(sender, block) for block in _blocks(calls)]


def in_company(
    client: ChainClient, sender: str, calls: Sequence[Call], answers: Sequence[Any]
) -> list[Outlook]:
    """What the node's answers to `requests` say of each call.

    A block of calls is as quickly simulated as a single one. Where one of them does not succeed,
    each of its block is looked at by itself: what the others have left must not decide over it, nor
    what it has left over others. A refusal is then asked for in another way too.
    """
    found: list[Outlook] = []
    for block, answer in zip(_blocks(calls), answers, strict=True):
        seen = _read(answer, len(block))
        if not all(one.is_clear for one in seen):
            alone = outlooks(client, sender, block)
            seen = confirm_refusals(client, sender, block, alone)
        found += seen
    return found


def outlooks(client: ChainClient, sender: str, calls: Sequence[Call]) -> list[Outlook]:
    """Simulate each transaction for itself, all in few requests."""
    answers = client.batch([_request(sender, [call]) for call in calls])
    return [one for answer in answers for one in _read(answer, 1)]


def _blocks(calls: Sequence[Call]) -> list[list[Call]]:
    blocks: list[list[Call]] = []
    left = 0
    for call in calls:
        if not blocks or len(blocks[-1]) == _BLOCK or len(call.data) > left:
            blocks.append([])
            left = _BLOCK_DATA
        blocks[-1].append(call)
        left -= len(call.data)
    return blocks


def _request(sender: str, calls: Sequence[Call]) -> tuple[str, tuple[Any, ...]]:
    block = {"calls": [_transaction(sender, call) for call in calls]}
    return "eth_simulateV1", ({"blockStateCalls": [block], "traceTransfers": True}, "latest")


def _transaction(sender: str, call: Call) -> dict[str, str]:
    gas = {} if call.gas is None else {"gas": hex(call.gas)}
    data, value = "0x" + call.data.hex(), hex(call.value)
    return {"from": sender, "to": call.to, "data": data, "value": value, **gas}


def _read(answer: Any, count: int) -> list[Outlook]:
    """The answer to `_request`; a node that refuses the request says the same of all its calls."""
    if isinstance(answer, RpcError):
        return [_refused(answer)] * count
    try:
        found = [_outlook(one) for one in answer[0]["calls"]]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        found = []
    return found if len(found) == count else [_UNREADABLE] * count


def _outlook(result: dict[str, Any]) -> Outlook:
    if result["status"] != "0x1":
        return _refused(_error_of(result))
    logs = result["logs"]
    moves = tuple(move for log in logs for move in _moves_of(log))
    return Outlook(gas=int(result["gasUsed"], 16), moves=moves, logs=tuple(logs))


def confirm_refusals(
    client: ChainClient, sender: str, calls: Sequence[Call], found: Sequence[Outlook]
) -> list[Outlook]:
    """Ask another question of the node about what it says would revert: one answer is no verdict.

    Where `eth_estimateGas` disagrees, nobody can tell yet.
    """
    doubtful = [index for index, one in enumerate(found) if one.refusal is not None]
    asked = [(calls[index].to, calls[index].data, calls[index].value) for index in doubtful]
    answers = dict(zip(doubtful, client.estimates(sender, asked), strict=True))
    return [
        one if index not in answers or _is_refused(answers[index]) else _DISAGREES
        for index, one in enumerate(found)
    ]


_UNREADABLE = Outlook(unclear="the node's answer is not a simulation")
_DISAGREES = Outlook(unclear="the node says at once that it reverts and that it does not")


def _is_refused(answer: int | RpcError) -> bool:
    return isinstance(answer, RpcError) and is_revert(answer)


def _refused(error: RpcError) -> Outlook:
    if is_revert(error):
        return Outlook(refusal=revert_reason(error))
    return Outlook(unclear=str(error))


def _error_of(result: dict[str, Any]) -> RpcError:
    """Geth gives the revert data with the error, Anvil as what the call returned."""
    error = result.get("error") or {}
    data = error.get("data") or result.get("returnData")
    known = isinstance(data, str) and data.startswith("0x")
    code = int(error.get("code", 0))
    return RpcError(str(error.get("message", "")), code, data if known else None)


def _moves_of(log: dict[str, Any]) -> list[Move]:
    topics = log["topics"]
    if not topics:
        return []
    if topics[0] == _TRANSFER:
        return _transfer(log["address"].lower(), topics, log["data"])
    if topics[0] in (_SINGLE, _MANY) and len(topics) == 4:
        return _transfer_1155(log["address"].lower(), topics, log["data"])
    return []


def _transfer(asset: str, topics: list[str], data: str) -> list[Move]:
    if len(topics) == 4:
        return [Move(asset, _address(topics[1]), _address(topics[2]), 1, int(topics[3], 16))]
    if len(topics) != 3 or len(data) < 66:
        return []
    amount = int(data[2:66], 16)
    # A call of ours that carries no coin still shows moves of zero wei.
    if asset == NATIVE and amount == 0:
        return []
    return [Move(asset, _address(topics[1]), _address(topics[2]), amount)]


def _transfer_1155(asset: str, topics: list[str], data: str) -> list[Move]:
    """`TransferSingle(operator, from, to, id, value)`; of a batch, two arrays of equal length.

    A contract may tell anything: what cannot be read is a move of nothing, which nobody expects.
    """
    words = [int(data[start : start + 64], 16) for start in range(2, len(data), 64)]
    sender, recipient = _address(topics[2]), _address(topics[3])
    try:
        pairs = [(words[0], words[1])] if topics[0] == _SINGLE else _pairs(words)
    except (IndexError, ValueError):
        return [Move(asset, sender, recipient, 0)]
    return [Move(asset, sender, recipient, value, token) for token, value in pairs]


def _pairs(words: list[int]) -> list[tuple[int, int]]:
    ids, values = (_array(words, at // 32) for at in (words[0], words[1]))
    return list(zip(ids, values, strict=True))


def _array(words: list[int], at: int) -> list[int]:
    found = words[at + 1 :][: words[at]]
    if len(found) != words[at]:
        raise ValueError("an array that is shorter than it says")
    return found


def _address(topic: str) -> str:
    return "0x" + topic[-40:].lower()


def _in_order(move: Move) -> tuple[Any, ...]:
    """What tells moves apart. Some collections burn by a transfer to the dead address."""
    token = -1 if move.token_id is None else move.token_id
    recipient = ZERO if move.recipient == DEAD else move.recipient
    return (move.asset, move.sender, recipient, move.amount, token)
