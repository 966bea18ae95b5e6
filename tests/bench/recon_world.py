"""A made-up year of returns: what every side says about return number i follows from i alone.

So the stand-ins of processor and chain need no memory, and what is planted is known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from chain.contracts import Deployment
from returns.ids import token_asset

CHAIN_ID = 31337
DEPLOYMENT = Deployment(
    chain_id=CHAIN_ID,
    block=1,
    escrow="0x" + "e5" * 20,
    seaport="0x" + "5e" * 20,
    zone="0x" + "20" * 20,
    collection="0x" + "c0" * 20,
    dollar="0x" + "d0" * 20,
)
VAULT, BUYER, STRANGER = "0x" + "fa" * 20, "0x" + "b0" * 20, "0x" + "57" * 20
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
AMOUNT = 1_000
FIAT, CREDIT, CRYPTO, HELD = "fiat", "credit", "crypto", "held"

#: One return of so many has a break; with the orders' number that is half a percent of them.
EVERY = 40
#: Orders for each return, and blocks.
ORDERS, BLOCKS = 5, 2
_KINDS = (FIAT, FIAT, CREDIT, CRYPTO)

#: Code -> the kind of return that it is planted on.
CODES = {
    "processor.missing": FIAT,
    "processor.unknown": FIAT,
    "processor.duplicate": FIAT,
    "processor.amount": FIAT,
    "processor.fx": FIAT,
    "chain.missing": FIAT,
    "chain.amount": CRYPTO,
    "chain.reorged": FIAT,
    "chain.wrong_recipient": CRYPTO,
    "chain.wrong_holder": CREDIT,
    "chain.unknown_inbound": CREDIT,
    "ledger.missing": FIAT,
    "ledger.amount": FIAT,
    "ledger.unbalanced": CREDIT,
    "order.over_refunded": CREDIT,
    "timing": HELD,
}
_NAMES = list(CODES)

#: Kinds of a return -> its legs.
LEGS = {
    FIAT: ("deposit", "commit", "processor_refund", "settle"),
    CREDIT: ("deposit", "commit", "credit", "settle"),
    CRYPTO: ("swap",),
    HELD: ("deposit",),
}
_BEGIN_MS, _STEP_MS = int(BEGIN.timestamp()) * 1000, STEP // timedelta(milliseconds=1)
#: What tells ids of several tables apart.
_TAGS = {name: n for n, name in enumerate(
    ("order", "order_line", "payment", "case", "line", "entry", "posting", "stranger",
     "deposit", "commit", "processor_refund", "credit", "settle", "swap", "grant"))}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Return:
    """Return number `i`: its kind and what is wrong with it."""

    i: int
    kind: str
    fault: str | None

    @property
    def at(self) -> datetime:
        """When everything of it happened."""
        return BEGIN + STEP * self.i

    @property
    def block(self) -> int:
        """Where its first effect is; a settlement is in the next one."""
        return 10 + BLOCKS * self.i

    def id(self, name: str) -> UUID:
        """Of a row that belongs to it."""
        return made_id(name, self.i)

    @property
    def asset(self) -> str:
        """Its token."""
        return token_asset(CHAIN_ID, DEPLOYMENT.collection, self.i)

    @property
    def legs(self) -> tuple[str, ...]:
        """Kinds of its legs."""
        return (*LEGS[HELD], "commit") if self.fault == "timing" else LEGS[self.kind]


def made_return(i: int) -> Return:
    """The return with a number."""
    if i % EVERY == 7:
        fault = _NAMES[i // EVERY % len(_NAMES)]
        return Return(i, CODES[fault], fault)
    return Return(i, HELD if i % 100 == 3 else _KINDS[i % 4], None)


def made_id(name: str, i: int, further: int = 0) -> UUID:
    """A UUID of version 7 of the moment of return i."""
    milliseconds = _BEGIN_MS + _STEP_MS * i
    low = _TAGS[name] << 50 | further << 40 | i
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | low)


def block_hash(number: int) -> str:
    """Of the block at a height."""
    return f"0x{number:064x}"


def planted(first: int, last: int) -> set[tuple[str, str]]:
    """(code, subject) of all breaks of returns from `first` up to, not including, `last`."""
    faulty = (made_return(i) for i in range(first + (7 - first) % EVERY, last, EVERY))
    return {(one.fault or "", subject(one)) for one in faulty}


def subject(one: Return) -> str:
    """What the break of a return is about."""
    of_leg = {"chain.missing": "commit", "chain.reorged": "commit", "ledger.missing": "settle",
              "chain.amount": "swap", "chain.wrong_recipient": "swap", "timing": "commit",
              }  # fmt: skip
    match one.fault:
        case "processor.unknown":
            return f"re_unknown_{one.i}"
        case "chain.wrong_holder":
            return one.asset
        case "chain.unknown_inbound":
            return token_asset(CHAIN_ID, DEPLOYMENT.collection, 10**12 + one.i)
        case "ledger.unbalanced":
            return str(made_id("entry", one.i, _entry_number(one, "credit")))
        case "order.over_refunded":
            return f"A-{one.i}"
        case _:
            return str(one.id(of_leg.get(one.fault or "", "processor_refund")))


def _entry_number(one: Return, kind: str) -> int:
    """Of a leg's booking among those of its return; 0 is the grant."""
    return 1 + one.legs.index(kind)
