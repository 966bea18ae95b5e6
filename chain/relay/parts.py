"""What every lane of a chain shares: the books, the node, the rules, and how careful to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from chain.client import ChainClient
from chain.relay.canon import Canon
from chain.relay.guard import Guard
from chain.relay.patience import CheapBlocks
from returns.clock import Clock
from returns.db import Database

_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class RelayPolicy:
    """Limits of a relayer. Money in wei, fees in wei per gas."""

    confirmations: int = 1
    lease: timedelta = timedelta(seconds=10)
    #: Nonces of one key that may be under way: Geth and Reth promise room for 16 of an account.
    window: int = 16
    #: Intents taken up in one round.
    claim: int = 50
    tip: int = _GWEI
    fee_cap: int = 500 * _GWEI
    #: Gas of one transaction that carries several intents, and how long they wait for company.
    batch_gas: int = 10_000_000
    batch_window: timedelta = timedelta()
    rebroadcast_after: timedelta = timedelta(seconds=5)
    #: A head of the line that is not mined by then is replaced, and alarms.
    stuck_after: timedelta = timedelta(seconds=30)
    #: A block is cheap if its base fee is at most this percentile of the last day's.
    cheap_percentile: int = 40
    case_budget: int | None = None
    customer_budget: int | None = None
    day_budget: int | None = None
    #: Coin that a lane keeps for self-transfers: below it nothing new is sent.
    floor: int = 0
    #: A lane below `top_up_below` is sent `top_up_by` from the treasury, at most so much a day.
    top_up_below: int = 0
    top_up_by: int = 0
    top_up_daily: int = 0


@dataclass
class Parts:
    """One chain, as the lanes of this process see it."""

    database: Database
    client: ChainClient
    chain_id: int
    clock: Clock
    guard: Guard
    policy: RelayPolicy = field(default_factory=RelayPolicy)
    canon: Canon = field(init=False)
    cheap: CheapBlocks = field(init=False)

    def __post_init__(self) -> None:
        self.canon = Canon(self.client)
        self.cheap = CheapBlocks(self.client, self.policy.cheap_percentile)
