"""What is compared: returns and ledger by the books, refunds by the processor, tokens by the chain.

Amounts are minor units. Ids are text as each side writes them; those of the books have hyphens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ZERO = "0x" + "0" * 40
#: States of a line in which nothing is under way, and of a leg that is over.
RESTING = {"settled", "denied", "canceled", "expired", "returned", "reclaimed"}
OVER = {"confirmed", "final", "failed", "compensated"}


@dataclass(frozen=True)
class Line:
    """A return of one token, as the books have it. `charges`: what the order's cards paid with."""

    id: str
    rma: str
    state: str
    remedy: str
    disposition: str
    due: int
    currency: str
    token_id: int
    buyer: str
    charges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leg:
    """An effect of a line, as the books have it."""

    id: str
    line_id: str
    kind: str
    state: str
    amount: int


@dataclass(frozen=True)
class Posting:
    """One side of an entry: positive where it is a debit."""

    entry_id: str
    line_id: str
    account: str
    asset: str
    amount: int


@dataclass
class Books:
    """What the database says. `open_work`: rows of queues that are not done, in words."""

    lines: Sequence[Line] = ()
    legs: Sequence[Leg] = ()
    postings: Sequence[Posting] = ()
    open_work: Sequence[str] = ()


@dataclass(frozen=True)
class Refund:
    """As the processor has it; `key` as it was asked under."""

    id: str
    key: str
    charge: str
    amount: int
    currency: str
    status: str


@dataclass(frozen=True)
class Dispute:
    """A chargeback, as the processor has it."""

    id: str
    charge: str
    amount: int
    currency: str
    status: str


@dataclass
class Log:
    """The processor's own. `balance`: what its movements sum to, by currency."""

    refunds: Sequence[Refund] = ()
    disputes: Sequence[Dispute] = ()
    balance: Mapping[str, int] = field(default_factory=dict)
    untold: int = 0


@dataclass(frozen=True)
class Swap:
    """A token against coin, in one transaction."""

    line_id: str
    recipient: str
    amount: int


@dataclass
class Chain:
    """What the contracts say. `owners`: of each token, none for one that is not there any more."""

    escrow: str
    vault: str
    owners: Mapping[int, str | None] = field(default_factory=dict)
    swaps: Sequence[Swap] = ()
