"""What the node says itself: the receipts of every block, and what its contracts answer.

Topics are decoded here once more, and by other means than the index's: what it misunderstands must
not be misunderstood twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import event_abi_to_log_topic
from eth_utils.crypto import keccak

from tests.chaos.chain.evidence import Node, read_blocks
from tests.chaos.index.facts import Block, Chain, Event, Held, Move, Token, holders
from tests.support.chain_node import ROOT

_TRANSFER = keccak(text="Transfer(address,address,uint256)")
_SINGLE = keccak(text="TransferSingle(address,address,address,uint256,uint256)")
_BATCH = keccak(text="TransferBatch(address,address,address,uint256[],uint256[])")
_OWNER_OF = keccak(text="ownerOf(uint256)")[:4]
_BALANCE_OF = keccak(text="balanceOf(address,uint256)")[:4]
_UNWANTED = ("Approval", "ApprovalForAll")
#: Questions in one request.
_CHUNK = 200
_ERC721_TOPICS, _ERC20_TOPICS = 4, 3


@dataclass
class Wanted:
    """What the index was told to watch: addresses and since when. `treasuries`: of their money."""

    told: frozenset[str]
    collections: dict[str, int] = field(default_factory=dict)
    treasuries: frozenset[str] = frozenset()
    since: int = 0

    @property
    def first(self) -> int:
        """The first block that the index has to know."""
        return min([self.since, *self.collections.values()])

    def is_watched(self, address: str, number: int) -> bool:
        """Whether logs of this contract are wanted in this block."""
        since = self.since if address in self.told else self.collections.get(address)
        return since is not None and number >= since


# -- the chain -------------------------------------------------------------------------------------


def read_chain(node: Node, wanted: Wanted) -> Chain:
    """All of what is watched. Raises `Unreadable` where the chain moves meanwhile."""
    chain = Chain([], [], [], told=wanted.told)
    for raw, receipts in read_blocks(node, wanted.first):
        block = Block(int(raw["number"], 16), raw["hash"], raw["parentHash"])
        chain.blocks.append(block)
        for log in (log for receipt in receipts for log in receipt["logs"]):
            moves = list(_moves(block, log, wanted))
            chain.moves += moves
            if not moves:
                chain.events += _events(block, log, wanted)
    chain.holders = _ask_contracts(node, chain.moves)
    return chain


def _moves(block: Block, log: Mapping[str, Any], wanted: Wanted) -> Iterator[Move]:
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    address, data = log["address"].lower(), bytes.fromhex(log["data"][2:])
    if topics[0] == _TRANSFER and len(topics) == _ERC20_TOPICS:
        ends = _address(topics[1]), _address(topics[2])
        if wanted.treasuries & set(ends) and block.number >= wanted.since:
            yield _move(block, log, "erc20", -1, ends, int.from_bytes(data))
    elif address not in wanted.collections or not wanted.is_watched(address, block.number):
        return
    elif topics[0] == _TRANSFER and len(topics) == _ERC721_TOPICS:
        ends = _address(topics[1]), _address(topics[2])
        yield _move(block, log, "erc721", int.from_bytes(topics[3]), ends, 1)
    elif topics[0] in (_SINGLE, _BATCH):
        ends = _address(topics[2]), _address(topics[3])
        for position, (token_id, amount) in enumerate(_pairs(topics[0], data)):
            yield _move(block, log, "erc1155", token_id, ends, amount, position)


def _pairs(topic: bytes, data: bytes) -> Iterable[tuple[int, int]]:
    if topic == _BATCH:
        ids, amounts = decode(["uint256[]", "uint256[]"], data)
        return list(zip(ids, amounts, strict=True))
    token_id, amount = decode(["uint256", "uint256"], data)
    return [(token_id, amount)]


def _move(
    block: Block,
    log: Mapping[str, Any],
    standard: str,
    token_id: int,
    ends: tuple[str, str],
    amount: int,
    position: int = 0,
) -> Move:
    place = (block.number, int(log["logIndex"], 16), position, block.hash, log["transactionHash"])
    return Move(*place, standard, log["address"].lower(), token_id, *ends, amount)


def _events(block: Block, log: Mapping[str, Any], wanted: Wanted) -> Iterator[Event]:
    address = log["address"].lower()
    if wanted.is_watched(address, block.number):
        name = _NAMES["ReturnEscrow" if address in wanted.told else "ReturnableNFT"].get(
            log["topics"][0]
        )
        if name is not None and name not in _UNWANTED:
            place = (block.number, int(log["logIndex"], 16), block.hash, log["transactionHash"])
            yield Event(*place, address, name)


def _names_of(contract: str) -> dict[str, str]:
    """Names of a contract's events by their first topic."""
    path = ROOT / "contracts" / "out" / f"{contract}.sol" / f"{contract}.json"
    abi = json.loads(path.read_text())["abi"]
    events = [item for item in abi if item["type"] == "event"]
    return {"0x" + event_abi_to_log_topic(item).hex(): item["name"] for item in events}


_NAMES = {name: _names_of(name) for name in ("ReturnEscrow", "ReturnableNFT")}


def _address(topic: bytes) -> str:
    return "0x" + topic[12:].hex()


# -- what contracts say ----------------------------------------------------------------------------


def _ask_contracts(node: Node, moves: Iterable[Move]) -> dict[Token, Held]:
    """Whom every token that ever moved belongs to; of ERC-1155 those are asked who ever had it."""
    moves = list(moves)
    ever = {(m.token, m.token_id, who) for m in moves for who in (m.sender, m.recipient)
            if m.standard == "erc1155"}  # fmt: skip
    single = {(m.token, m.token_id) for m in moves if m.standard == "erc721"}
    said: dict[Token, Held] = {token: {} for token in holders(moves)}
    asked = sorted(single)
    questions = [(token, _OWNER_OF + _word(token_id)) for token, token_id in asked]
    for one, owner in zip(asked, _answers(node, questions), strict=True):
        said[one] = {} if owner is None else {_address(owner): 1}
    parts = sorted(ever)
    questions = [(token, _BALANCE_OF + _word(int(who, 16)) + _word(n)) for token, n, who in parts]
    for (token, token_id, who), held in zip(parts, _answers(node, questions), strict=True):
        if held is not None and any(held):
            said[token, token_id][who] = int.from_bytes(held)
    return said


def _answers(node: Node, questions: list[tuple[str, bytes]]) -> Iterator[bytes | None]:
    """None where a contract refuses: a token that is not there has no owner."""
    calls = [({"to": to, "data": "0x" + data.hex()}, "latest") for to, data in questions]
    for start in range(0, len(calls), _CHUNK):
        for answer in node.answers(("eth_call", one) for one in calls[start : start + _CHUNK]):
            yield bytes.fromhex(answer["result"][2:]) if "result" in answer else None


def _word(number: int) -> bytes:
    return number.to_bytes(32)
