"""What the chain itself shows about our escrow: raw logs, owners and hashes, apart from the index.

Logs are cut by the places that the ABI gives to their static arguments. Decoding each in full
would take longer than everything else that reconciliation does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from chain.client import ChainClient
from chain.contracts import Deployment, abi_type, artifact, event_topic
from custody.eligibility import Token, read_holders
from returns.errors import ChainUnavailable

#: Blocks asked for in one call; providers limit ranges.
RANGE = 5_000
#: Tokens whose owners are asked for at a time.
_TOKENS = 5_000

#: Events of the escrow -> the arguments that are compared: line, recipient, amount.
_OF_LINE: Mapping[str, tuple[str, str | None, str | None]] = {
    "Deposited": ("line", None, None),
    "Committed": ("line", None, None),
    "Settled": ("line", None, None),
    "Burned": ("line", None, None),
    "Released": ("line", None, None),
    "Reclaimed": ("line", None, None),
    "Swapped": ("line", "recipient", "refund"),
    "Refunded": ("id", "recipient", "amount"),
}
#: Events that tell of a payout.
PAYS = ("Swapped", "Refunded")
MOVED = "Transfer"

_WORD = 64
_NOBODY_WORD = "0x" + "0" * _WORD


class Effect(NamedTuple):
    """One log: an event of the escrow about a line, or a token that moved (`line_id` None)."""

    block_number: int
    log_index: int
    block_hash: str
    name: str
    line_id: UUID | None = None
    collection: str | None = None
    token_id: int | None = None
    recipient: str | None = None
    amount: int | None = None


Place = Callable[[list[str], str], str]
Cut = Callable[[dict[str, Any]], Effect | None]


def effects(
    client: ChainClient, deployment: Deployment, collections: Collection[str], first: int, last: int
) -> tuple[list[Effect], int]:
    """Effects in a range of blocks, both ends included, and how many logs were read.

    Mints that do not go to the escrow are left out. Raises `ChainUnavailable`.
    """
    found: list[Effect] = []
    logs = client.logs_between(first, last, deployment.escrow)
    count = len(logs)
    found += _cut_all(logs, _escrow_cuts())
    for collection in sorted(collections):
        logs = client.logs_between(first, last, collection)
        count += len(logs)
        found += _cut_all(logs, _transfer_cuts(collection, deployment.escrow))
    return found, count


def hashes(client: ChainClient, numbers: Sequence[int]) -> dict[int, str]:
    """The hash of the block that is at each height now; none where there is no such block."""
    headers = client.headers(numbers)
    pairs = zip(numbers, headers, strict=True)
    return {number: header.hash for number, header in pairs if header is not None}


def holders(client: ChainClient, tokens: Collection[Token]) -> dict[Token, str | None]:
    """Who holds each token now, None for a token that does not exist. Raises `ChainUnavailable`."""
    wanted, found = sorted(tokens), dict[Token, str | None]()
    for start in range(0, len(wanted), _TOKENS):
        found |= read_holders(client, wanted[start : start + _TOKENS])
    return found


def final_block(client: ChainClient, head: int, finality: int, by_tag: bool) -> int:
    """The newest block that nothing can undo: so deep, and by its node's word if that counts."""
    deep = head - finality + 1
    return min(deep, *client.tagged(["finalized"])) if by_tag else deep


def _cut_all(logs: list[dict[str, Any]], cuts: Mapping[str, Cut]) -> Iterator[Effect]:
    for log in logs:
        topics = log["topics"]
        cut = cuts.get(topics[0]) if topics else None
        try:
            effect = None if cut is None else cut(log)
        except (ValueError, IndexError, KeyError, TypeError) as fault:
            raise ChainUnavailable(problem="a log does not fit its event") from fault
        if effect is not None:
            yield effect


@cache
def _escrow_cuts() -> dict[str, Cut]:
    return {event_topic("ReturnEscrow", name): _line_cut(name, *args)
            for name, args in _OF_LINE.items()}  # fmt: skip


def _line_cut(name: str, line: str, recipient: str | None, amount: str | None) -> Cut:
    places = _places("ReturnEscrow", name)
    whose = places[line]
    whom = None if recipient is None else places[recipient]
    much = None if amount is None else places[amount]

    def cut(log: dict[str, Any]) -> Effect:
        topics, data = log["topics"], log["data"]
        return Effect(
            int(log["blockNumber"], 16),
            int(log["logIndex"], 16),
            log["blockHash"],
            name,
            # The id stands at the low end; a line's name has its holder before it.
            UUID(int=int(whose(topics, data)[32:], 16)),
            recipient=None if whom is None else "0x" + whom(topics, data)[24:].lower(),
            amount=None if much is None else int(much(topics, data), 16),
        )

    return cut


def _transfer_cuts(collection: str, escrow: str) -> dict[str, Cut]:
    def cut(log: dict[str, Any]) -> Effect | None:
        topics = log["topics"]
        if len(topics) != 4:
            # An ERC-20's: its amount is not indexed.
            return None
        recipient = "0x" + topics[2][26:].lower()
        if topics[1] == _NOBODY_WORD and recipient != escrow:
            return None
        return Effect(
            int(log["blockNumber"], 16),
            int(log["logIndex"], 16),
            log["blockHash"],
            MOVED,
            collection=collection,
            token_id=int(topics[3], 16),
            recipient=recipient,
        )

    return {event_topic("ReturnableNFT", MOVED): cut}


@cache
def _places(contract: str, event: str) -> dict[str, Place]:
    """Argument -> its 64 hex digits in topics or data; only what stands before any dynamic one."""
    abi = artifact(contract)["abi"]
    item = next(one for one in abi if one["type"] == "event" and one["name"] == event)
    indexed = [part["name"] for part in item["inputs"] if part["indexed"]]
    plain = [part for part in item["inputs"] if not part["indexed"]]
    places = {name: _in_topics(number + 1) for number, name in enumerate(indexed)}
    for number, part in enumerate(plain):
        if abi_type(part).startswith(("(", "string", "bytes")) or part["type"].endswith("]"):
            break
        places[part["name"]] = _in_data(number)
    return places


def _in_topics(number: int) -> Place:
    def read(topics: list[str], _data: str) -> str:
        return topics[number][2:]

    return read


def _in_data(number: int) -> Place:
    first = 2 + number * _WORD

    def read(_topics: list[str], data: str) -> str:
        word = data[first : first + _WORD]
        if len(word) != _WORD:
            raise ValueError("the data is too short")
        return word

    return read
