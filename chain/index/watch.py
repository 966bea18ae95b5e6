"""Whose logs are read: what a node is asked for, and what in a block belongs to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chain.keccak import keccak
from returns.words import WatchKind

#: keccak256 of Transfer(address,address,uint256): of ERC-20 and of ERC-721.
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
#: Topics of an ERC-20's Transfer; an ERC-721's has the token as a fourth.
ERC20_TOPICS = 3

#: Addresses in one filter; several providers refuse longer ones.
_PER_FILTER = 500

Log = dict[str, Any]


#: Contracts whose events settlement is told.
_TOLD = frozenset({WatchKind.ESCROW, WatchKind.ZONE, WatchKind.SEAPORT})


class Watch:
    """Addresses by what they are; all in lower case."""

    def __init__(self, contracts: Mapping[str, WatchKind]) -> None:
        self._contracts = dict(contracts)
        treasuries = [one for one, kind in contracts.items() if kind is WatchKind.TREASURY]
        self.kinds = {one: kind for one, kind in contracts.items() if one not in treasuries}
        self.collections = frozenset(
            one for one, kind in contracts.items() if kind is WatchKind.COLLECTION
        )
        self.told = frozenset(one for one, kind in self.kinds.items() if kind in _TOLD)
        self._parties = {"0x" + one[2:].rjust(64, "0"): one for one in treasuries}
        self._addresses = [_bloom(bytes.fromhex(one[2:])) for one in self.kinds]
        self._topics = [_bloom(bytes.fromhex(one[2:])) for one in self._parties]
        self._transfer = _bloom(bytes.fromhex(TRANSFER[2:]))

    def only(self, address: str) -> Watch:
        """One of these addresses alone; a collection with Seaport, where it is sold."""
        is_collection = self._contracts.get(address) is WatchKind.COLLECTION
        beside = {WatchKind.SEAPORT} if is_collection else set()
        wanted = self._contracts.items()
        return Watch({one: kind for one, kind in wanted if one == address or kind in beside})

    def filters(self, first: int, last: int) -> list[dict[str, Any]]:
        """Parameters of eth_getLogs for these blocks, both included. Their answers may overlap."""
        blocks = {"fromBlock": hex(first), "toBlock": hex(last)}
        asked: list[dict[str, Any]] = [
            {**blocks, "address": part} for part in _parts(list(self.kinds))
        ]
        for part in _parts(list(self._parties)):
            asked.append({**blocks, "topics": [TRANSFER, part]})
            asked.append({**blocks, "topics": [TRANSFER, None, part]})
        return asked

    def wants(self, log: Log) -> bool:
        """Whether a log is one of those that are read."""
        topics = log["topics"]
        if log["address"] in self.kinds:
            return True
        return (
            bool(self._parties)
            and len(topics) == ERC20_TOPICS
            and topics[0] == TRANSFER
            and (topics[1] in self._parties or topics[2] in self._parties)
        )

    def may_be_in(self, bloom: int) -> bool:
        """Whether a block with this bloom may hold such a log; False is certain.

        Yellow Paper, section 4.3.1: a log sets the bits of its address and of each topic.
        """
        if any(one & bloom == one for one in self._addresses):
            return True
        if self._transfer & bloom != self._transfer:
            return False
        return any(one & bloom == one for one in self._topics)


def _bloom(item: bytes) -> int:
    """The three bits, of 2,048, that an address or a topic sets."""
    digest = keccak(item)
    return sum({1 << (int.from_bytes(digest[at : at + 2]) & 2047) for at in (0, 2, 4)})


def _parts(items: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(items)
    while part := list(islice(rest, _PER_FILTER)):
        yield part
