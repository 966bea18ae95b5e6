"""Raw logs become rows. Transfers, of which there are most, are read by hand: a library's decoder
takes twenty times as long as the node does.

A log that does not have the form of its event is no row and no error: it is told as unfit, since
one strange contract must not stop the index of the others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eth_abi.exceptions import DecodingError

from chain.contracts import decode_event
from chain.index.watch import TRANSFER, Log, Watch
from chain.keccak import keccak
from returns.words import TokenStandard, WatchKind

_SINGLE = "0x" + keccak(text="TransferSingle(address,address,address,uint256,uint256)").hex()
_BATCH = "0x" + keccak(text="TransferBatch(address,address,address,uint256[],uint256[])").hex()

#: Columns of the rows that are made here, in their order.
PLACE = ("chain_id", "block_number", "log_index", "block_hash", "at", "tx_hash")
TRANSFER_COLUMNS = (
    *PLACE,
    *("position", "standard", "token", "token_id", "sender", "recipient", "amount"),
)
EVENT_COLUMNS = (*PLACE, "address", "name", "args")

#: What a topic that holds an address begins with.
_PADDING = "0x" + "0" * 24
_WORD = 64
#: Tokens in one TransferBatch; a block's gas holds fewer.
_MOST = 100_000

_ABI = {
    WatchKind.ESCROW: "ReturnEscrow",
    WatchKind.ZONE: "SeaportReturnZone",
    WatchKind.COLLECTION: "ReturnableNFT",
    WatchKind.SEAPORT: "Seaport",
}
#: Frequent, and nothing is done with them.
_LEFT_OUT = frozenset({"Approval", "ApprovalForAll"})
#: Of Seaport's events these are kept where one of our collections is in them; the rest always.
_OF_TOKENS = frozenset({"OrderFulfilled", "OrderValidated"})

Place = tuple[int, int, int, str, datetime, str]


class Unfit(Exception):
    """A log is not what its first topic promises."""


@dataclass(slots=True)
class Rows:
    """What logs became: rows by table, and (block number, address, problem) of what did not fit."""

    watch: Watch
    transfers: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    unfit: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, place: Place, log: Log) -> None:
        """Decode one log of a block. `place`: the values of `PLACE`."""
        try:
            self._add(place, log)
        except Unfit as fault:
            self.unfit.append((place[1], log["address"], str(fault)))

    def _add(self, place: Place, log: Log) -> None:
        topics = log["topics"]
        first = topics[0] if topics else ""
        kind = self.watch.kinds.get(log["address"])
        if kind is None:
            self.transfers.append(_erc20(place, log))
        elif kind is WatchKind.COLLECTION and first == TRANSFER:
            self.transfers.append(_erc721(place, log))
        elif kind is WatchKind.COLLECTION and first in (_SINGLE, _BATCH):
            self.transfers.extend(_erc1155(place, log, is_batch=first == _BATCH))
        else:
            self._add_event(place, log, kind)

    def _add_event(self, place: Place, log: Log, kind: WatchKind) -> None:
        try:
            decoded = decode_event(_ABI[kind], log)
        except (DecodingError, ValueError, OverflowError) as fault:
            if kind is WatchKind.COLLECTION:
                # A stranger's event that has the name of one of ours.
                return
            raise Unfit(f"log {place[2]} is not an event of {_ABI[kind]}: {fault}") from fault
        if decoded is None or decoded.name in _LEFT_OUT:
            return
        if decoded.name in _OF_TOKENS and not self._names_a_collection(log):
            return
        args = json.dumps(_json_safe(decoded.args), sort_keys=True)
        self.events.append((*place, log["address"], decoded.name, args))

    def _names_a_collection(self, log: Log) -> bool:
        return any(one[2:] in log["data"] for one in self.watch.collections)


def _erc721(place: Place, log: Log) -> tuple[Any, ...]:
    try:
        _, sender, recipient, token_id = log["topics"]
    except ValueError:
        problem = f"its Transfer has {len(log['topics'])} topics and not the 4 of ERC-721"
        raise Unfit(problem) from None
    ends = _address(sender), _address(recipient)
    return (*place, 0, TokenStandard.ERC721, log["address"], int(token_id, 16), *ends, 1)


def _erc20(place: Place, log: Log) -> tuple[Any, ...]:
    _, sender, recipient = log["topics"]
    [amount] = _words(log, 1)
    ends = _address(sender), _address(recipient)
    return (*place, 0, TokenStandard.ERC20, log["address"], None, *ends, amount)


def _erc1155(place: Place, log: Log, *, is_batch: bool) -> list[tuple[Any, ...]]:
    try:
        _, _, sender, recipient = log["topics"]
    except ValueError:
        problem = f"its transfer has {len(log['topics'])} topics and not the 4 of ERC-1155"
        raise Unfit(problem) from None
    ends = _address(sender), _address(recipient)
    moved = _batch(log) if is_batch else [tuple(_words(log, 2))]
    return [
        (*place, position, TokenStandard.ERC1155, log["address"], token_id, *ends, amount)
        for position, (token_id, amount) in enumerate(moved)
    ]


def _batch(log: Log) -> list[tuple[int, ...]]:
    """Ids and amounts of a TransferBatch: two arrays of one length."""
    words = _words(log, None)
    try:
        ids, amounts = (_array(words, offset) for offset in words[:2])
    except (IndexError, ValueError):
        raise Unfit("the arrays of its TransferBatch cannot be read") from None
    if len(ids) != len(amounts):
        raise Unfit("its TransferBatch has not as many amounts as tokens")
    return list(zip(ids, amounts, strict=True))


def _array(words: list[int], offset: int) -> list[int]:
    at, rest = divmod(offset, 32)
    length = words[at]
    found = words[at + 1 : at + 1 + length] if length <= _MOST else []
    if rest or len(found) != length:
        raise ValueError("not an array")
    return found


def _words(log: Log, count: int | None) -> list[int]:
    """The log's data as 256-bit numbers, `count` of them unless it is None."""
    data = log["data"][2:]
    number, rest = divmod(len(data), _WORD)
    if rest or count not in (None, number):
        raise Unfit(f"its data has {len(data) // 2} bytes")
    return [int(data[at : at + _WORD], 16) for at in range(0, len(data), _WORD)]


def _address(topic: str) -> str:
    if topic[:26] != _PADDING:
        raise Unfit("one of its topics is not an address")
    return "0x" + topic[26:]


def _json_safe(value: Any) -> Any:
    """Integers as strings: JSON's readers lose large ones."""
    if isinstance(value, dict):
        return {name: _json_safe(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(one) for one in value]
    return str(value) if type(value) is int else value
