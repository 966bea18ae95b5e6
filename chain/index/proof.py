"""Whether a block's logs are all there: nodes leave some out, and do not say so.

What costs nothing comes first. A bloom without our bits proves that a block has none of our logs.
Where logs are numbered from 0 without a gap, only the end of the block is unknown, and the receipt
of its last transaction tells it. For the rest the block's receipts are read: they prove themselves,
since there is one for each transaction and their logs are numbered without a gap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from chain.client import quantity
from chain.index.watch import Log, Watch

#: 32 bytes as JSON-RPC writes them.
_WORD = re.compile(r"0x[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Header:
    """A block as the index keeps it, with what tells whether its logs are complete."""

    number: int
    hash: str
    parent_hash: str
    at: datetime
    bloom: int
    transactions: tuple[str, ...]


class Evidence(Enum):
    """What would prove that a block's logs are complete."""

    NONE_NEEDED = 0
    LAST_RECEIPT = 1
    ALL_RECEIPTS = 2


class Incomplete(Exception):
    """A node did not tell all of a block."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"block {number}: {problem}")
        self.number = number
        self.problem = problem


def header_of(raw: Mapping[str, Any]) -> Header:
    """A block as JSON-RPC tells it, with the hashes of its transactions.

    Raises `ValueError` and its like for what cannot be one.
    """
    return Header(
        number=quantity(raw["number"]),
        hash=word_of(raw["hash"]),
        parent_hash=word_of(raw["parentHash"]),
        at=datetime.fromtimestamp(quantity(raw["timestamp"]), UTC),
        bloom=quantity(raw["logsBloom"]),
        transactions=tuple(raw["transactions"]),
    )


def word_of(text: Any) -> str:
    """A hash or a topic; raises `ValueError` or `TypeError` for anything else."""
    if _WORD.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not 32 bytes")
    found: str = text
    return found


def evidence_for(
    header: Header, indexes: Sequence[int], watch: Watch, blooms_tell: bool = True
) -> Evidence:
    """What is needed to believe that logs with these indexes are all of ours in the block.

    `blooms_tell`: whether this chain's blooms can be believed.
    """
    if not indexes:
        may_be = header.transactions and (not blooms_tell or watch.may_be_in(header.bloom))
        return Evidence.ALL_RECEIPTS if may_be else Evidence.NONE_NEEDED
    without_gap = indexes[0] == 0 and indexes[-1] == len(indexes) - 1
    return Evidence.LAST_RECEIPT if without_gap else Evidence.ALL_RECEIPTS


def ends_with(header: Header, indexes: Sequence[int], receipt: Mapping[str, Any]) -> bool:
    """Whether the last transaction's receipt shows that no log follows; it may not show it."""
    logs = receipt["logs"]
    is_ours = receipt["blockHash"] == header.hash
    return bool(is_ours and logs and quantity(logs[-1]["logIndex"]) == indexes[-1])


def logs_in(header: Header, receipts: Sequence[Mapping[str, Any]], watch: Watch) -> list[Log]:
    """Our logs out of all receipts of a block. Raises `Incomplete` unless these are all there."""
    told = tuple(one["transactionHash"] for one in receipts)
    if told != header.transactions or any(one["blockHash"] != header.hash for one in receipts):
        raise Incomplete(header.number, "its receipts are not those of its transactions")
    logs = [log for one in receipts for log in one["logs"]]
    if [quantity(log["logIndex"]) for log in logs] != list(range(len(logs))):
        raise Incomplete(header.number, "the logs in its receipts are not all there")
    return [log for log in logs if watch.wants(log)]
