"""What is compared: blocks, events and movements, by the chain and by the books; who holds what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

ZERO = "0x" + "0" * 40
#: A token: contract and id.
Token = tuple[str, int]
#: Who has how many of a token.
Held = dict[str, int]


@dataclass(frozen=True, order=True)
class Block:
    """A block that stands."""

    number: int
    hash: str
    parent_hash: str


@dataclass(frozen=True, order=True)
class Event:
    """A log of a watched contract that moves no token."""

    number: int
    log_index: int
    block_hash: str
    tx_hash: str
    address: str
    name: str


@dataclass(frozen=True, order=True)
class Move:
    """A movement of a token, or of money where `token_id` is -1; `position` within one log."""

    number: int
    log_index: int
    position: int
    block_hash: str
    tx_hash: str
    standard: str
    token: str
    token_id: int
    sender: str
    recipient: str
    amount: int


@dataclass
class Chain:
    """What is on the chain of what is watched. `holders`: as the contracts themselves say;
    `told`: contracts whose events settlement is told.
    """

    blocks: list[Block]
    events: list[Event]
    moves: list[Move]
    holders: dict[Token, Held] = field(default_factory=dict)
    told: Collection[str] = ()

    @property
    def head(self) -> int:
        """The newest block's number."""
        return self.blocks[-1].number


@dataclass
class Books:
    """What the database says stands; `inbox`: what settlement was told, by its external ids."""

    blocks: list[Block]
    events: list[Event]
    moves: list[Move]
    inbox: list[str] = field(default_factory=list)
    open_gaps: list[str] = field(default_factory=list)
    open_scans: int = 0


def holders(moves: Iterable[Move]) -> dict[Token, Held]:
    """Who has every token after these movements, in the order of the chain; nobody: not there."""
    held: defaultdict[Token, Counter[str]] = defaultdict(Counter)
    for move in sorted(moves):
        its = held[move.token, move.token_id]
        if move.standard == "erc721":
            its.clear()
            its[move.recipient] = 1
        elif move.standard == "erc1155":
            its[move.sender] -= move.amount
            its[move.recipient] += move.amount
    money = [token for token in held if token[1] < 0]
    for one in money:
        del held[one]
    return {token: _without_nobody(its) for token, its in held.items()}


def _without_nobody(held: Mapping[str, int]) -> Held:
    return {address: amount for address, amount in held.items() if amount and address != ZERO}
